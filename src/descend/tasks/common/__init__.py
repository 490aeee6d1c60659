"""What tasks have in common: reading, typing, holding out, scoring, reporting, storing."""
