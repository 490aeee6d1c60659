"""Lessons: gradient descent from its idea to Adam, each with a figure that the engine draws."""
