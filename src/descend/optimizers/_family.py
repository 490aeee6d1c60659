"""The family: every rule, search, modifier and schedule that there is, as its own docstring presents it."""

import dataclasses
import inspect
import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from descend import schedules
from descend.errors import InputError
from descend.optimizers._external import External
from descend.optimizers._modifier import Modifier
from descend.optimizers._optimizer import Optimizer
from descend.optimizers._partition import Partition
from descend.optimizers._rule import Rule

if TYPE_CHECKING:
    from rich.table import Table

KINDS = ("rule", "search", "modifier", "schedule")
NONE_KNOWN, OF_ITS_RULE = "none known", "its rule's"
# Of the table that is the family's repr.
TABLE_WIDTH = 120
# Narrower tables do without these columns.
MIN_WIDTHS = {"paper": 100, "limit": 60, "kind": 50}


@dataclass(frozen=True)
class Member:
    """One of the family.

    `kind`: rule, search, modifier or schedule. `line`: what it is. `paper`: where it comes from, empty for what needs
    no paper. `stability_limit`: at the default settings, the largest stable learning rate × curvature; "none known";
    "its rule's", for a modifier that leaves it as it is; empty for a schedule. `cls`: the class.
    """

    name: str
    kind: str
    line: str
    paper: str
    stability_limit: float | str
    cls: Any = dataclasses.field(repr=False)


class Family(tuple[Member, ...]):
    """Members, shown as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        return self.text(TABLE_WIDTH)

    def text(self, width: int) -> str:
        """The table as plain text, not wider than this."""
        # Imported here, as only those who print need it.
        from rich.console import Console

        out = StringIO()
        Console(file=out, width=width, color_system=None, force_terminal=False).print(self.table(width))
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def table(self, width: int) -> "Table":
        """The table for a console of this width."""
        from rich.table import Table
        from rich.text import Text

        every = ("name", "kind", "limit", "what it is", "paper")
        columns = [name for name in every if width >= MIN_WIDTHS.get(name, 0)]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for name in columns:
            table.add_column(name, no_wrap=name in ("name", "kind", "limit"))
        for member in self:
            table.add_row(*(Text(_cell(member, name)) for name in columns))
        return table


def family() -> Family:
    """All that `descend.optimizers` and `descend.schedules` export, by kind and by name.

    >>> adam = next(member for member in family() if member.name == "Adam")
    >>> adam.kind, round(adam.stability_limit), adam.paper
    ('rule', 38, 'Kingma and Ba, "Adam: a method for stochastic optimization", arXiv 1412.6980.')
    """
    # Imported here, because it imports this module.
    from descend import optimizers

    exported = [getattr(module, name) for module in (optimizers, schedules) for name in module.__all__]
    # The bases are no dataclasses; an external rule is whatever it is given.
    concrete = [kind for kind in exported if inspect.isclass(kind) and issubclass(kind, Optimizer | schedules.Schedule)
                and dataclasses.is_dataclass(kind) and kind is not External]
    members = map(_member, concrete)
    return Family(sorted(members, key=lambda member: (KINDS.index(member.kind), member.name.casefold())))


def named(name: str) -> Optimizer:
    """The rule or search of this name, whatever its case, with its defaults.

    **Raises** `InputError` if there is none, or none without settings.
    """
    found = {member.name.casefold(): member.cls for member in family()
             if member.kind in ("rule", "search") and not _needed(member.cls)}
    if name.casefold() not in found:
        raise InputError(f"there is no optimizer {name!r}: give 'auto', or one of {', '.join(sorted(found))}")
    made: Optimizer = found[name.casefold()]()
    return made


def is_search(optimizer: Any) -> bool:
    """Whether it descends on a function alone, such as L-BFGS: on all examples at each step."""
    return type(optimizer) is not External and _kind(type(optimizer)) == "search"


def _member(cls: type) -> Member:
    text = inspect.getdoc(cls) or ""
    line = re.split(r"(?<=\.)\s|\n\n", text + "\n\n")[0]  # the first sentence
    paper = re.search(r"\bReferences?:\s+(.+?)(?:\n\n|\Z)", text, re.DOTALL)
    kind = _kind(cls)
    return Member(
        name=cls.__name__,
        kind=kind,
        line=_joined(line).rstrip(":."),
        paper=_joined(paper[1]) if paper else "",
        stability_limit=_limit(cls, kind),
        cls=cls,
    )


def _kind(cls: type) -> str:
    if issubclass(cls, schedules.Schedule):
        return "schedule"
    # What takes other optimizers cannot be made without them; a partition that can, brings its own, as a rule does.
    if issubclass(cls, Modifier | Partition) and _needed(cls):
        return "modifier"
    return "rule" if issubclass(cls, Rule | Partition) else "search"


def _limit(cls: Any, kind: str) -> float | str:
    if kind == "schedule":
        return ""
    if cls.stability_limit is Modifier.stability_limit:
        return OF_ITS_RULE
    limit = None if _needed(cls) else cls().stability_limit()
    return NONE_KNOWN if limit is None else float(limit)


def _needed(cls: Any) -> list[str]:
    """The settings without a default."""
    missing = dataclasses.MISSING
    return [field.name for field in dataclasses.fields(cls)
            if field.init and field.default is missing and field.default_factory is missing]


def _cell(member: Member, column: str) -> str:
    limit = member.stability_limit
    return {
        "name": member.name,
        "kind": member.kind,
        "limit": limit if isinstance(limit, str) else f"{limit:.3g}",
        "what it is": member.line,
        "paper": re.sub(r',? "[^"]*"(?=[,.;]|$)', "", member.paper).rstrip("."),  # without the title
    }[column]


def _joined(text: str) -> str:
    return " ".join(text.split())
