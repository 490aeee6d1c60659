"""What races, and on what: balls that are runs of the engine, on functions of two numbers."""
