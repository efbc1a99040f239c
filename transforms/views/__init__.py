"""Views for people: SQL executed inside the warehouse, one object per file, with a header that says what it is for."""
