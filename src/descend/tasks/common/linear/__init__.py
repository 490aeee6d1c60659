"""A linear model with its certificate, and its penalty chosen by cross-validation."""
