"""Sweeps: trials of one table that differ in some settings, of which the better half goes on, and the best is kept."""
