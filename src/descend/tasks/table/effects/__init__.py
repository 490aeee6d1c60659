"""What columns do to predictions: each by itself, and two of them together."""
