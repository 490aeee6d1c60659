"""Tables: from a file on disk to a float32 matrix for a model, and back again at prediction time."""
