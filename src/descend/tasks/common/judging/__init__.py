"""How good predictions are of examples that a model has not seen: scores, pictures, and what may be promised."""
