"""Commands of the command line by their subject, and how the tool speaks on a terminal."""
