"""A page of the studio as one text, for a frame that has neither an address nor a server."""

import base64
import json
import posixpath
import re
from pathlib import Path
from typing import Any

import descend.studio

STATIC = Path(descend.studio.__file__).parent / "static"
ENTRY = "notebook/main.js"
IMPORT = re.compile(r'from "(\.{1,2}/[\w/]+\.js)"')
LINKED = re.compile(r'<link rel="stylesheet" href="/static/([\w/]+\.css)">')
OUTSIDE = re.compile(r" *<(?:link|script)[^>]*(?:href|src)=\"/static[^>]*>(?:</script>)?\n")
POLICY = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data:"


def page_of(room: str, race: str) -> str:
    """The page of a room, with its styles and modules in it, and the race that it begins with, as in a link.

    Modules find each other by names that an import map tells, as in a page that the studio saves.
    """
    text = (STATIC / room / "index.html").read_text(encoding="utf-8")
    styles = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in LINKED.findall(text))
    modules = {f"studio/{name}": _as_url(source) for name, source in _modules(ENTRY, {}).items()}
    told = json.dumps({"room": room, "race": race}).replace("<", "\\u003c")
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n<style>{styles}</style>\n'
        f'<script type="importmap">{json.dumps({"imports": modules})}</script>\n'
        f'<script type="application/json" id="race">{told}</script>\n'
        f'<script type="module">import "studio/{ENTRY}";</script>\n'
    )
    return re.sub(r'<img src="/static[^>]*>', "", OUTSIDE.sub("", text)).replace("</head>", f"{head}</head>")


def link_text(race: dict[str, Any]) -> str:
    """A race as the text of a link."""
    return base64.urlsafe_b64encode(json.dumps(race).encode()).decode().rstrip("=")


def _modules(name: str, found: dict[str, str]) -> dict[str, str]:
    """A module and all that it imports, by name, with their imports under the names of the map."""
    if name not in found:
        found[name] = source = (STATIC / name).read_text(encoding="utf-8")
        within = lambda imported: posixpath.normpath(posixpath.join(posixpath.dirname(name), imported))
        for imported in IMPORT.findall(source):
            _modules(within(imported), found)
        found[name] = IMPORT.sub(lambda match: f'from "studio/{within(match[1])}"', source)
    return found


def _as_url(source: str) -> str:
    return f"data:text/javascript;base64,{base64.b64encode(source.encode()).decode()}"
