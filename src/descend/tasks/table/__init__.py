"""Fit and predict a table: typed, encoded, trained by candidates of which the better one is chosen."""
