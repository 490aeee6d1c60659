"""What keeps the house in order, and what makes its book; none of it is installed."""
