"""The engine: runs as values, the compiled loop that takes them further, and what drives it on the host."""
