"""The certified linear model of a table."""
