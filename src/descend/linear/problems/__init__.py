"""What is minimised: losses of scores and penalties, their values, slopes, curvatures and bounds."""
