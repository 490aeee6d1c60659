"""Lengths of a schedule's stages: numbers of steps, or parts of the whole."""


from descend._arrays import Scalar
from descend._hyperparameters import is_known_scalar, is_whole
from descend.errors import InputError


def require_length(owner: object, *names: str) -> None:
    """Refuse settings that are neither a number of steps nor a part, below 1, of a schedule's length."""
    for name in names:
        value = getattr(owner, name)
        if not _is_length(value):
            raise InputError(f"{type(owner).__name__}: {name} must be a number of steps, or a part of the length below "
                             f"1, but is {value!r}")
        object.__setattr__(owner, name, _normal(value))


def require_ascending(owner: object, name: str) -> None:
    """Refuse a sequence of steps that does not ascend, or is not all in steps or all in parts of the length."""
    values = getattr(owner, name)
    if not isinstance(values, (tuple, list)) or not all(map(_is_length, values)):
        raise InputError(f"{type(owner).__name__}: {name} must be numbers of steps, or parts of the length below 1, "
                         f"but are {values!r}")
    values = tuple(map(_normal, values))
    if list(values) != sorted(set(values)):
        raise InputError(f"{type(owner).__name__}: {name} must ascend, but are {values}")
    if len(set(map(is_part, values))) > 1:
        raise InputError(f"{type(owner).__name__}: {name} must be all in steps, or all in parts of the length, "
                         f"but are {values}")
    object.__setattr__(owner, name, values)


def is_part(length: float) -> bool:
    """Whether a length is a part of the schedule's, rather than a number of steps."""
    return 0 < length < 1


def in_steps(length: float, steps: int) -> int:
    """A length in steps: itself, or that part of `steps`, rounded down."""
    # With a margin, as 100 · 0.29 is a little less than 29.
    return int(length * steps + 1e-9) if is_part(length) else int(length)


def ascending_in_steps(lengths: tuple[float, ...], steps: int) -> tuple[int, ...]:
    """Ascending lengths in steps, kept apart also where a descent is so short that they would fall together."""
    whole: list[int] = []
    for length in lengths:
        # At least one step after the one before: of two boundaries at one step, a schedule between would never be
        # asked.
        whole.append(max(in_steps(length, steps), whole[-1] + 1 if whole else 0))
    return tuple(whole)


def _is_length(value: object) -> bool:
    return is_known_scalar(value) and float(value) >= 0 and (float(value) < 1 or is_whole(value))


def _normal(length: Scalar) -> float:
    return int(length) if is_whole(length) else float(length)
