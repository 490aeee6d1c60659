"""Where a table comes from: a file, a URL, the standard input."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from http.client import HTTPException
from pathlib import Path, PurePath, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from descend._packed import UNPACKED_ANYWAY
from descend.errors import InputError

STANDARD_INPUT = "-"
_SCHEMES = ("http://", "https://")
# Of what comes over a network: how long nothing may come, and how much there may be.
_SECONDS, _MOST_BYTES = 30, 8 * UNPACKED_ANYWAY
# Endings that say how a file is packed, and nothing of its content.
PACKED = frozenset((".gz", ".bz2", ".xz", ".zst", ".zip"))


@dataclass(frozen=True)
class Source:
    """The bytes of a table, and what they are called.

    - `where`: what messages call it. `name`: the file's name without its endings. `suffixes`: these.
    - `part`: which of its tables is meant, if that was said.
    """

    raw: bytes
    where: str
    name: str
    suffixes: tuple[str, ...] = ()
    part: str = ""


def fetched(source: str | Path) -> Source:
    """The bytes of a file, of what a URL gives, or of the standard input.

    **Raises** `InputError` if there is nothing, or it cannot be read.
    """
    text = str(source)
    if text == STANDARD_INPUT:
        raw = sys.stdin.buffer.read()
        return _full(Source(raw, "the standard input", "stdin"))
    if text.lower().startswith(_SCHEMES):
        address, _, part = text.partition("#")
        try:
            remote = PurePosixPath(unquote(urlsplit(address).path))
        except ValueError as error:
            raise InputError(f"{address!r} is no address: {error}") from None
        return _full(_named(remote, _downloaded(address), repr(address), unquote(part)))
    path, part = file_and_part(text)
    return _full(_named(path, _bytes_of(path), repr(text.removesuffix(f"#{part}") if part else text), part))


def refuse_too_large(paths: Sequence[Path], where: str) -> None:
    """Refuse files that are larger than this machine's memory, which would take long to find out.

    **Raises** `InputError`.
    """
    if are_too_large(paths):
        raise InputError(f"{where} {how_large(paths)}: descend fit goes through it in parts, and so does, in Python, "
                         "fit(descend.linear.Blocks(…))")


def are_too_large(paths: Sequence[Path]) -> bool:
    """Whether files are larger than this machine's memory."""
    memory = _memory()
    return 0 < memory < _size(paths)


def how_large(paths: Sequence[Path]) -> str:
    """How large files are, beside this machine's memory."""
    return f"has {_size(paths) / 2**30:.1f} GiB, and this machine {_memory() / 2**30:.1f} GiB of memory"


def _size(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())


def _memory() -> int:
    """The bytes of this machine's memory; 0, where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def file_and_part(source: str | Path) -> tuple[Path, str]:
    """A file, and which of its tables is meant, as in book.xlsx#Prices; a file's own name may have a # in it, too."""
    path, text = Path(source).expanduser(), str(source)
    if path.exists() or "#" not in text:
        return path, ""
    before, _, part = text.rpartition("#")
    return Path(before).expanduser(), part


def is_passing(source: str) -> bool:
    """Whether a source may be another, or none, when it is asked again: the standard input, or a URL."""
    return source == STANDARD_INPUT or source.lower().startswith(_SCHEMES)


def without_secrets(url: str) -> str:
    """A URL without what may be its user's alone: a name and a password before the host, and a query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _named(path: PurePath, raw: bytes, where: str, part: str) -> Source:
    name = path.name
    # Of "a.csv.gz", both endings are none of the name; of "a.2024.csv", one.
    for _ in range(2):
        suffix = PurePath(name).suffix
        name = name.removesuffix(suffix)
        if suffix not in PACKED:
            break
    return Source(raw, where, part or name or "table", tuple(path.suffixes), part)


def _full(source: Source) -> Source:
    if not source.raw:
        raise InputError(f"{source.where} is empty: it has neither a header nor rows")
    return source


def _bytes_of(path: Path) -> bytes:
    where = repr(str(path))
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no file {where}{_near(path)}") from None
    except IsADirectoryError:
        raise InputError(f"{where} is a folder: name one file in it") from None
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror or error}") from error


def _near(path: Path) -> str:
    """A suggestion of files with a name much like this one, or what is wrong with the folder."""
    if not path.parent.is_dir():
        return f": there is no folder {str(path.parent)!r}"
    names = {entry.name.lower(): entry.name for entry in path.parent.iterdir() if entry.is_file()}
    close = get_close_matches(path.name.lower(), names, n=3)
    return f": did you mean {' or '.join(repr(names[name]) for name in close)}?" if close else ": check the path"


class _WithinTheWeb(HTTPRedirectHandler):
    """Follows a server that sends elsewhere on the web, and nowhere else."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if not newurl.lower().startswith(_SCHEMES):
            fp.close()
            raise URLError(f"it sends to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _downloaded(address: str) -> bytes:
    try:
        request = Request(address, headers={"User-Agent": "descend"})  # noqa: S310  # of these schemes alone
        with build_opener(_WithinTheWeb).open(request, timeout=_SECONDS) as answer:
            raw: bytes = answer.read(_MOST_BYTES + 1)
    except HTTPError as error:
        error.close()
        raise InputError(f"{address!r} cannot be read: the server answers {error.code} {error.reason}") from None
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(f"{address!r} cannot be read: {reason}: check the address and the network") from None
    if len(raw) > _MOST_BYTES:
        raise InputError(f"{address!r} has more than {_MOST_BYTES:,} bytes: download it, and name the file")
    return raw
