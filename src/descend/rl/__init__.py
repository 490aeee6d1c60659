"""Reinforcement learning: policies optimised by the same engine."""
