"""The studio: see gradient descent move, in a browser, on the same engine; `descend studio` opens it."""
