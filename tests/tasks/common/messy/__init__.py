"""Small files as people have them, each with the table that it is, written by hand."""
