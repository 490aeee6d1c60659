"""Images with classes: found in folders, in tables of labels, or in IDX files."""
