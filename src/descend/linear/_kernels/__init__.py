"""What Numba compiles: loops over rows, without annotations, as their types are found when they are first called."""
