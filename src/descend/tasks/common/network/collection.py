"""Examples with classes, as they were found: images or texts."""

from dataclasses import dataclass

from descend.tasks.common.examples import Examples


@dataclass(frozen=True)
class Collection:
    """What there is to learn from.

    - `name`, `digest`: what to call it, and a digest of all that is in it.
    - `classes`: their names, in the order of their numbers.
    - `examples`: to learn from, or to divide.
    - `test`: to be held out, if the collection brings them.
    - `validation`: to see by when to stop, if the collection brings them.
    - `notes`: what was done to them, in sentences.
    """

    name: str
    digest: str
    classes: tuple[str, ...]
    examples: Examples
    test: Examples | None = None
    validation: Examples | None = None
    notes: tuple[str, ...] = ()
