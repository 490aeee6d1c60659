"""Learning from rows that are seen once, and from files that are larger than memory."""
