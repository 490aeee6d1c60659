"""Ways to a minimum, each a generator of points; and what proves that it was reached."""
