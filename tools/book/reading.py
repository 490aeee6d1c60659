"""What mkdocstrings reads: docstrings as Markdown."""

from typing import Any

import griffe

from tools.book.docstrings import markdown


class Docstrings(griffe.Extension):
    """Writes each docstring as Markdown before it is shown."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
