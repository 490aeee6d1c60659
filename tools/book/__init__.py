"""The book: the pages of `docs` and those that are made from the code, as a site. `make docs` builds it."""
