"""Texts with classes, from a table that has nothing else to learn from."""
