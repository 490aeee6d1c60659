"""Gradient descent as real software: trains anything differentiable, and explains how it went."""
