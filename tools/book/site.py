"""The site: all pages in a folder, in their order, given to Zensical."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from descend.optimizers import family
from tools.book import benchmark_pages, commands, failing, family_pages, gallery, lesson_pages, public

ROOT = Path(__file__).parents[2]
DOCS, THEME = ROOT / "docs", Path(__file__).parent / "theme"
BUILD = ROOT / "build" / "book"
PAGES, SITE = BUILD / "pages", BUILD / "site"
# A page of this repository that another one names.
NAMED = re.compile(r"`docs/((?:[\w-]+/)*[\w-]+)\.md`")
Pages = dict[str, str]


def made() -> Pages:
    """The pages that are made from the code, by their files; those that train, each in a process of its own."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        training = [pool.submit(make) for make in (family_pages.pages, _trained)]
        found = public.pages() | benchmark_pages.pages() | lesson_pages.pages()
        found |= {"reference/commands.md": commands.page()}
        for one in training:
            found |= one.result()
    return found


def _trained() -> Pages:
    return {"failing.md": failing.page(), "examples.md": gallery.page()}


def written() -> Pages:
    """The pages of `docs`, with links to each other where one names another."""
    return {file.relative_to(DOCS).as_posix(): linked(file) for file in sorted(DOCS.rglob("*.md"))}


def linked(file: Path) -> str:
    """A page of `docs`, in which the names of others are links."""
    def link(match: re.Match[str]) -> str:
        target = DOCS / f"{match[1]}.md"
        if not target.is_file():
            return match[0]
        up = "../" * (len(file.relative_to(DOCS).parts) - 1)
        return f"[{_title(target)}]({up}{match[1]}.md)"

    return NAMED.sub(link, file.read_text(encoding="utf-8"))


def _title(file: Path) -> str:
    return re.sub(r"^# ", "", file.read_text(encoding="utf-8").splitlines()[0])


def lay(pages: Mapping[str, str]) -> None:
    """Write all pages and pictures into one folder."""
    shutil.rmtree(BUILD, ignore_errors=True)
    for name, text in pages.items():
        file = PAGES / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    shutil.copytree(DOCS / "pictures", PAGES / "pictures")
    # JSON is YAML, and Zensical and MkDocs read the same.
    (BUILD / "mkdocs.yml").write_text(json.dumps(settings(pages), indent=1, ensure_ascii=False), encoding="utf-8")


def build() -> None:
    """Have Zensical build the site.

    **Raises** `CalledProcessError` if it warns of anything.
    """
    # As a module and from here, so that it finds what reads our docstrings.
    subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict", "-f", str(BUILD / "mkdocs.yml")],
                   cwd=ROOT, check=True)


def navigation(pages: Mapping[str, str]) -> list[Any]:
    """What leads where."""
    by_kind: Callable[[str], list[Any]] = lambda kind: [
        {one.name: family_pages.file_of(one)} for one in family() if one.kind == kind]
    lessons = [name for name in sorted(pages) if name.startswith("lessons/") and name != "lessons/index.md"]
    return [
        {"Start": ["index.md", "start.md", "choose.md", "reports.md", "python.md", "studio.md"]},
        {"Guides": ["your-own-model.md", "extending.md", "your-own-loss.md", "two-players.md", "gpt-in-one-file.md",
                    "determinism.md", "scale.md", "sweeps.md"]},
        {"Optimizers": ["optimizers/index.md", *({title: by_kind(kind)} for kind, title in family_pages.TITLES.items()),
                        "oracles.md"]},
        {"Failing?": ["failing.md", "insight.md"]},
        {"Lessons": ["lessons/index.md", *lessons]},
        {"Examples": ["examples.md"]},
        {"Reference": ["reference/index.md", *(f"reference/{module}.md" for module in public.MODULES),
                       "reference/commands.md"]},
        {"Benchmarks": sorted((name for name in pages if name.startswith("benchmarks/")),
                              key=lambda name: (name != "benchmarks/index.md", name))},
    ]


def settings(pages: Mapping[str, str]) -> dict[str, Any]:
    """What Zensical is told."""
    return {
        "site_name": "descend",
        "site_description": "Gradient descent as real software: trains anything, and explains how it went.",
        "docs_dir": "pages",
        "site_dir": "site",
        "use_directory_urls": False,  # so that pages can be opened as files
        "nav": navigation(pages),
        "theme": {
            "name": "material",
            "custom_dir": str(THEME),
            "font": False,  # which would come from outside
            "logo": "assets/icon.svg",
            "favicon": "assets/icon.svg",
            "features": ["navigation.tabs", "navigation.indexes", "navigation.top", "navigation.footer", "toc.follow",
                         "search.highlight", "content.code.copy"],
            "palette": [
                {"media": "(prefers-color-scheme: light)", "scheme": "default",
                 "toggle": {"icon": "lucide/sun", "name": "Dark"}},
                {"media": "(prefers-color-scheme: dark)", "scheme": "slate",
                 "toggle": {"icon": "lucide/moon", "name": "Light"}},
            ],
        },
        "extra_css": ["assets/book.css"],
        "extra_javascript": ["assets/book.js"],
        "markdown_extensions": [
            "admonition", "attr_list", "md_in_html", "tables", "pymdownx.details", "pymdownx.superfences",
            "pymdownx.inlinehilite", {"pymdownx.highlight": {"anchor_linenums": False}}, {"toc": {"permalink": True}},
        ],
        "plugins": ["search", "offline", {"mkdocstrings": {"handlers": {"python": READING}}}],
    }


READING = {
    "paths": [str(ROOT / "src")],
    "options": {
        "docstring_style": "sphinx",  # whose words ours have none of: they are Markdown already
        "extensions": ["tools.book.reading"],
        "show_source": False,
        "show_root_heading": True,
        "show_root_full_path": False,
        "show_bases": False,
        "merge_init_into_class": True,
        "show_signature_annotations": True,
        "separate_signature": True,
        "heading_level": 2,
        "members_order": "source",
        "filters": ["!^_"],
        "show_if_no_docstring": False,
    },
}
