"""What the parts of a collection of images have in common: a digest, and the same classes."""

import hashlib
from collections.abc import Iterable

import numpy as np

from descend._text import in_a_line
from descend.errors import InputError
from descend.tasks.common.examples import Examples


def digest_of(classes: tuple[str, ...], *parts: Examples | None) -> str:
    """A digest of pictures, their classes, and which part they are in."""
    digest = hashlib.sha256("\0".join(classes).encode())
    for number, part in enumerate(parts):
        if part is not None:
            # The number of the part is in it: a picture that moves from one to another is another training.
            digest.update(repr((number, part.inputs.dtype, part.inputs.shape)).encode())
            digest.update(np.ascontiguousarray(part.inputs).data)
            digest.update(part.targets.data)
    return digest.hexdigest()


def refuse_unknown(labels: Iterable[object], other: str, learn: str) -> None:
    """Refuse labels of other examples that those to learn from do not have.

    **Raises** `InputError` if there are any.
    """
    unknown = sorted(map(str, labels))
    if unknown:
        raise InputError(f"{other} has the class '{in_a_line(unknown[0])}', which {learn} has not: nothing can be "
                         "learnt of it")
