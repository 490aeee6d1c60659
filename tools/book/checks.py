"""Whether a built site stands by itself: links and their anchors, no asset from outside, a place for each name."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes by which a page loads something, and those by which it only leads somewhere.
LOADS = {"src", "srcset", "poster", "data", "background"}
LEADS = {"href", "action", "xlink:href"}
# Links that load: of `rel`, and elements whose `href` is a picture or a part of one.
LOADING_RELS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch", "manifest"}
LOADING_ELEMENTS = {"image", "use", "script"}
IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class Page(HTMLParser):
    """What a page has: anchors, what it loads, and where it leads to."""

    anchors: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)
    leads: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.is_style = tag == "style"
        self.loads |= set(_in_style(given.get("style", "")))
        for name in given.keys() & LOADS:
            # A set of sources has sizes behind them.
            self.loads |= {part.split()[0] for part in given[name].split(",") if part.strip()} if (
                name == "srcset") else {given[name]}
        is_loaded = tag in LOADING_ELEMENTS or not LOADING_RELS.isdisjoint(given.get("rel", "").split())
        for name in given.keys() & LEADS:
            (self.loads if is_loaded and tag != "a" else self.leads).add(given[name])

    def handle_data(self, data: str) -> None:
        if self.is_style:
            self.loads |= set(_in_style(data))


def _in_style(text: str) -> Iterator[str]:
    yield from (one or other for one, other in IN_STYLE.findall(text))


def read(site: Path) -> dict[str, Page]:
    """All pages of a site, by their paths in it."""
    found = {}
    for file in sorted(site.rglob("*.html")):
        page = Page()
        page.feed(file.read_text(encoding="utf-8"))
        found[file.relative_to(site).as_posix()] = page
    return found


def faults(site: Path, names: Mapping[str, Iterable[str]]) -> list[str]:
    """What is wrong with a site. `names`: anchors that its pages must have, by their paths."""
    pages = read(site)
    found = [f"{path}: {fault}" for path, page in pages.items() for fault in _of_page(site, pages, path, page)]
    for file in sorted(site.rglob("*.css")):
        where = file.relative_to(site).as_posix()
        found += [f"{where}: {fault}" for url in sorted(set(_in_style(file.read_text(encoding="utf-8"))))
                  if (fault := _not_there(site, where, url))]
    for path, wanted in names.items():
        missing = [name for name in wanted if path not in pages or name not in pages[path].anchors]
        found += [f"{path}: there is no place for {name}" for name in missing]
    return found


def _of_page(site: Path, pages: Mapping[str, Page], path: str, page: Page) -> Iterator[str]:
    yield from (fault for url in sorted(page.loads) if (fault := _not_there(site, path, url)))
    for url in sorted(page.leads):
        if not _is_outside(url) and (fault := _leads_nowhere(site, pages, path, url)):
            yield fault


def _not_there(site: Path, where: str, url: str) -> str | None:
    """What is wrong with something that is loaded."""
    if url.startswith(("data:", "#")) or not url:
        return None
    if _is_outside(url):
        return f"loads {url} from outside"
    target = _target(site, where, url)
    return None if target.is_file() else f"loads {url}, which is not there"


def _leads_nowhere(site: Path, pages: Mapping[str, Page], where: str, url: str) -> str | None:
    target = _target(site, where, url) if urlsplit(url).path else site / where
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return f"leads to {url}, which is not there"
    anchor = unquote(urlsplit(url).fragment)
    page = pages.get(target.relative_to(site.resolve()).as_posix()) if target.suffix == ".html" else None
    # A browser goes to the top of a page by itself.
    if page and anchor not in ("", "top") and anchor not in page.anchors:
        return f"leads to {url}, where there is no such place"
    return None


def _target(site: Path, where: str, url: str) -> Path:
    path = unquote(urlsplit(url).path)
    return (site / path.lstrip("/") if path.startswith("/") else (site / where).parent / path).resolve()


def _is_outside(url: str) -> bool:
    return url.startswith("//") or bool(urlsplit(url).scheme)
