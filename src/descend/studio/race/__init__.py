"""Race on a function."""
