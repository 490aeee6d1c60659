"""Your own loss: out of a file that is named on the command line."""
