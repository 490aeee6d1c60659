"""In a notebook: races as widgets, with the studio's own pages; the extra `notebook`.

A race that is shown plays, scrubs and, while its kernel lives, follows its sliders. A notebook that is saved has a
picture of it.
"""

try:
    import anywidget  # noqa: F401
except ModuleNotFoundError as error:
    says = f"this needs {error.name}, which is not installed: pip install 'descend[notebook]'"
    raise ModuleNotFoundError(says, name=error.name) from None

from descend.notebook.races import race
from descend.notebook.widget import RaceWidget

__all__ = ["RaceWidget", "race"]
