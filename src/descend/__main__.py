"""`python -m descend`: the command line, where `descend` is not on the path."""

from descend.cli import main

if __name__ == "__main__":
    main()
