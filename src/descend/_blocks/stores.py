"""Where files lie: on this machine's disks; or in a store that fsspec reaches, by an address with a scheme."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol, runtime_checkable

from descend.errors import InputError, reading


@runtime_checkable
class Location(Protocol):
    """A file, a folder, or a pattern of names. `filesystem` and `inside`: how pyarrow opens it."""

    @property
    def name(self) -> str:
        """The whole name, by which anybody finds it."""

    @property
    def inside(self) -> str:
        """The name within its filesystem."""

    @property
    def filesystem(self) -> Any:
        """Of fsspec; None for this machine's."""

    def exists(self) -> bool:
        """Whether there is such a file or folder."""

    def is_folder(self) -> bool:
        """Whether it is a folder."""

    def matching(self) -> list[str]:
        """The whole names of what its pattern is of, in order."""

    def children(self) -> list[str]:
        """The names of the files that lie in the folder, in order."""

    def whole(self, inside: str) -> str:
        """The whole name of a file in this filesystem."""


@dataclass(frozen=True)
class OnDisk:
    """What lies on this machine's disks."""

    path: Path
    filesystem: None = None

    @property
    def name(self) -> str:
        return str(self.path)

    inside = name

    def exists(self) -> bool:
        return self.path.exists()

    def is_folder(self) -> bool:
        return self.path.is_dir()

    def matching(self) -> list[str]:
        root = Path(self.path.anchor)
        return sorted(map(str, root.glob(str(self.path.relative_to(root)))))

    def children(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir() if path.is_file())

    def whole(self, inside: str) -> str:
        return inside


@dataclass(frozen=True)
class InStore:
    """What lies in a store. `filesystem`: of fsspec; `told`: what it is called in messages."""

    filesystem: Any
    inside: str
    told: str

    @property
    def name(self) -> str:
        return self.whole(self.inside)

    def exists(self) -> bool:
        with self._reaching():
            return bool(self.filesystem.exists(self.inside))

    def is_folder(self) -> bool:
        with self._reaching():
            return bool(self.filesystem.isdir(self.inside))

    def matching(self) -> list[str]:
        with self._reaching():
            return sorted(map(self.whole, self.filesystem.glob(self.inside)))

    def children(self) -> list[str]:
        with self._reaching():
            found = self.filesystem.ls(self.inside, detail=True)
        return sorted(PurePath(each["name"]).name for each in found if each["type"] == "file")

    def whole(self, inside: str) -> str:
        return str(self.filesystem.unstrip_protocol(inside))

    def _reaching(self) -> Any:
        return reading(f"{self.told} cannot be reached")


def located(path: Any, told: str) -> Location:
    """Where a path, or an address with a scheme, leads to."""
    if not (isinstance(path, str) and "://" in path):
        return OnDisk(Path(path).expanduser().absolute())
    try:
        # An extra.
        from fsspec.core import url_to_fs
    except ModuleNotFoundError:
        raise InputError(f"{told} lies in a store, which needs fsspec, which is not installed: pip install "
                         "'descend[stores]'") from None
    with reading(f"{told} cannot be reached"):
        filesystem, inside = url_to_fs(path)
    return InStore(filesystem, inside, told)
