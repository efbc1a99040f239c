"""What the demo is made of: its start, its world behind HTTP, and its verdict."""
