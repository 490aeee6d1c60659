"""What there is to learn from, of a table larger than memory; and what is held out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from descend.observers import Observer
from descend.tasks.blocks.files import SomeRows
from descend.tasks.common.examples import Examples, Prepared

# Who looks on at a look over all rows, by its title.
Looks = Callable[[str], Sequence[Observer]]


@dataclass(frozen=True)
class RowsOfFiles(Examples):
    """Examples that are read when they are needed: `inputs` are `Blocks`, and there are `count` of them. `targets`: of
    classes, each of them once, and in `weights` how many examples it has."""

    count: int = field(kw_only=True)

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True)
class BlocksPrepared(Prepared):
    """Rows to learn from, as `Blocks` of files; others to choose by (`compared`), and those held out.

    `whole`: how many rows the files have. `notes`: what to tell.
    """

    compared: Examples = field(kw_only=True)
    whole: int = field(kw_only=True)
    notes: tuple[str, ...] = field(kw_only=True)
    looks: Looks = field(kw_only=True)

    @property
    def blocks(self) -> SomeRows:
        """The rows to learn from."""
        rows: SomeRows = self.training.inputs
        return rows

    def watched(self, seen: Callable[[int], None]) -> SomeRows:
        """The same, of which somebody is told how many were read."""
        return replace(self.blocks, seen=seen)
