"""The CSV files finance edits: read, added to, and how far they cover what waits."""
