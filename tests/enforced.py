"""How types are enforced in tests: as PEP 484 has them, an int is welcome where a float is."""

from beartype import BeartypeConf, beartype

typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
