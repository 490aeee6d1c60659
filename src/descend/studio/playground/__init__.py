"""A small network that learns two columns and a target: four toy sets, or one's own table."""
