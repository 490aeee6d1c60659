"""Networks for tables, trained in steps of an optimizer."""
