"""How types are enforced in tests: as PEP 484 has them, an int is welcome where a float is."""

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping
from beartype import BeartypeConf, beartype

typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))


@contextmanager
def without_types() -> Iterator[None]:
    """The checks of types left out: of a loop in Python, whose time they take, once they have passed; and where what is
    refused is of another type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
