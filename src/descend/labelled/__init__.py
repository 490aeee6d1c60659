"""Pictures and texts with classes: found, trained on, judged, reported on and predicted."""
