"""The runs in the folders that were named, as they are now, and what has changed since somebody looked."""

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from descend.errors import InputError
from descend.studio.runs.entry import Entry, entry_of
from descend.studio.runs.folders import MAX_RUNS, Glance, glance, run_folders


@dataclass(frozen=True)
class Known:
    """A run that was seen: by its `number`, with the `version` of the listing in which it changed last."""

    number: int
    folder: Path
    seen: Glance
    entry: Entry
    version: int


class Listing:
    """Runs by number: pages name no folder, and so nothing but what is listed. All pages share it, on one thread."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self.roots = roots
        self.version = 0
        self._known: dict[Path, Known] = {}
        self._gone: dict[int, int] = {}
        self._count = 0

    def look(self) -> None:
        """See what has changed. A folder is read anew only where a file of it is another."""
        version = self.version + 1
        found = dict.fromkeys(islice((folder for root in self.roots for folder in run_folders(root)), MAX_RUNS))
        changed = False
        for folder in found:
            changed |= self._saw(folder, version)
        for folder in self._known.keys() - found.keys():
            self._gone[self._known.pop(folder).number] = version
            changed = True
        self.version = version if changed else self.version

    def since(self, version: int) -> tuple[list[Known], list[int]]:
        """The runs that came or changed after a version, and the numbers of those that went."""
        new = [known for known in self._known.values() if known.version > version]
        return new, [number for number, gone in self._gone.items() if gone > version] if version else []

    def __getitem__(self, number: int) -> Known:
        """A run by its number.

        **Raises** `InputError` for one that is not there, or not any more.
        """
        for known in self._known.values():
            if known.number == number:
                return known
        raise InputError(f"run {number} is not there any more: its folder was removed")

    def _saw(self, folder: Path, version: int) -> bool:
        """Take a folder in, as it is now; whether it is another than it was."""
        before, seen = self._known.get(folder), glance(folder)
        if before is not None and before.seen == seen:
            return False
        if before is None:
            self._count += 1
        number = self._count if before is None else before.number
        self._known[folder] = Known(number, folder, seen, entry_of(folder, self._name(folder), seen), version)
        return True

    def _name(self, folder: Path) -> str:
        """The path below the folder that was named; of one that was named itself, its own name."""
        root = next(root for root in self.roots if root == folder or root in folder.parents)
        inner = os.path.relpath(folder, root)
        inner = folder.resolve().name if inner == "." else inner
        return inner if len(self.roots) == 1 or root == folder else f"{root.name}/{inner}"
