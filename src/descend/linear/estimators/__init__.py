"""What the scikit-learn estimators of `descend.linear` share."""
