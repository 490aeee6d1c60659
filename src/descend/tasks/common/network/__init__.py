"""A task that one network learns: trained, scored, reported and stored."""
