"""Processes that share a command: they are started, find each other, and are started anew when one dies."""
