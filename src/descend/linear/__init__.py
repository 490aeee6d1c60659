"""Linear models that need no tuning and prove that they are done: scikit-learn estimators with certified solvers."""
