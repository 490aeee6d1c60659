"""The family lists all that is exported, and everyone in it is documented and shows its settings."""

import dataclasses
import inspect

import pytest
from rich.cells import cell_len

from descend import optimizers, schedules
from descend.optimizers import External, Modifier, Optimizer, Rule, family
from descend.optimizers._family import KINDS, NONE_KNOWN, OF_ITS_RULE, Family, Member
from descend.schedules import Schedule

MEMBERS = family()
BY_NAME = {member.name: member for member in MEMBERS}
BASES = {"Optimizer", "Rule", "Modifier", "Partition", "Search", "Schedule", "External"}
NO_PAPER = {"Accumulate", "Freeze", "Joined", "PerGroup", "ReduceOnPlateau", "SkipNonfinite"}  # they do what they say
each = pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)


def test_lists_all_that_is_exported():
    exported = {
        name for module in (optimizers, schedules) for name in module.__all__
        if inspect.isclass(kind := getattr(module, name)) and issubclass(kind, Optimizer | Schedule)
    }
    assert set(BY_NAME) == exported - BASES
    assert all(member.cls is getattr(optimizers, name, getattr(schedules, name, None))
               for name, member in BY_NAME.items())


def test_is_in_order():
    assert [(KINDS.index(m.kind), m.name.lower()) for m in MEMBERS] == sorted(
        (KINDS.index(m.kind), m.name.lower()) for m in MEMBERS
    )


@each
def test_has_a_kind(member):
    assert (member.kind == "schedule") == issubclass(member.cls, Schedule)
    assert (member.kind == "rule") >= issubclass(member.cls, Rule)
    if issubclass(member.cls, Modifier):
        assert member.kind == "modifier"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("SGD", "rule"), ("Adam", "rule"), ("WeightDecay", "modifier"), ("Freeze", "modifier"), ("Cosine", "schedule")],
)
def test_kinds(name, kind):
    assert BY_NAME[name].kind == kind


def test_what_searches_is_a_search(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Bisection(Optimizer):
        """Halves."""

    monkeypatch.setattr(optimizers, "Bisection", Bisection, raising=False)
    monkeypatch.setattr(optimizers, "__all__", [*optimizers.__all__, "Bisection"])
    (member,) = (member for member in family() if member.name == "Bisection")
    assert member == Member("Bisection", "search", "Halves", "", NONE_KNOWN, Bisection)


# ---------------------------------------------------------------------------------------------- documentation


@each
def test_is_said_in_one_line(member):
    assert member.line == member.line.strip(" .:")
    assert 10 < len(member.line) <= 117, "the docstring's first sentence fits on its first line"


@each
def test_names_its_paper(member):
    assert member.paper or member.name in NO_PAPER
    assert not member.paper or any(character.isdigit() for character in member.paper), "a year, or arXiv's number"


@each
def test_has_an_example(member):
    assert ">>>" in inspect.getdoc(member.cls)
    assert member.cls.__doc__ is not inspect.getdoc(member.cls.__mro__[1]), "its own, not its parent's"


@each
def test_explains_the_settings_of_a_schedule(member):
    if member.kind == "schedule":
        text = inspect.getdoc(member.cls)
        assert [field.name for field in dataclasses.fields(member.cls) if field.name not in text] == []


@each
def test_repr_shows_all_settings(member):
    """Made without the constructor, so that no setting must make sense."""
    made = object.__new__(member.cls)
    for field in dataclasses.fields(member.cls):
        object.__setattr__(made, field.name, f"<{field.name}>")
    inside = ", ".join(f"{field.name}='<{field.name}>'" for field in dataclasses.fields(member.cls))
    assert repr(made) == f"{member.name}({inside})"


def test_external_is_not_among_them():
    assert "External" in optimizers.__all__
    assert External not in {member.cls for member in MEMBERS}


# ---------------------------------------------------------------------------------------------- stability limits


@pytest.mark.parametrize(
    ("name", "limit"),
    [("SGD", 2.0), ("RMSprop", 2.0), ("Adam", 38.0), ("Lion", NONE_KNOWN), ("EMA", OF_ITS_RULE),
     ("WeightDecay", NONE_KNOWN), ("Cosine", "")],
)
def test_stability_limit(name, limit):
    found = BY_NAME[name].stability_limit
    assert found == (pytest.approx(limit, rel=1e-12) if isinstance(limit, float) else limit)


@each
def test_stability_limit_is_a_number_or_said_to_be_none(member):
    limit = member.stability_limit
    assert limit in {"schedule": ("",), "modifier": (NONE_KNOWN, OF_ITS_RULE)}.get(member.kind, (NONE_KNOWN, limit))
    if isinstance(limit, float):
        assert limit == member.cls().stability_limit() > 0


# ---------------------------------------------------------------------------------------------- the table


def test_repr_is_a_table():
    lines = repr(MEMBERS).splitlines()
    assert lines[0].split() == ["name", "kind", "limit", "what", "it", "is", "paper"]
    assert max(map(cell_len, lines)) <= 120
    assert all(line == line.rstrip() for line in lines)
    edges = [lines[0].index(word) for word in ("kind", "limit", "what it is", "paper")]
    assert all(line[edge - 2 : edge].strip() == "" for line in lines for edge in edges), "columns are aligned"
    named = {line.split()[0]: line for line in lines[1:] if line[0] != " "}
    assert list(named) == [member.name for member in MEMBERS]
    assert named["Adam"].split()[1:3] == ["rule", "38"]
    assert "none known" in named["Lion"]
    assert named["Adam"].endswith("Kingma and Ba, arXiv 1412.6980")


def test_wide_tables_have_a_line_for_each():
    lines = MEMBERS.text(10_000).splitlines()
    assert len(lines) == len(MEMBERS) + 1
    for member, line in zip(MEMBERS, lines[1:], strict=True):
        assert line.startswith(member.name)
        assert member.line in line


@pytest.mark.parametrize("width", [40, 50, 60, 100])
def test_narrow_tables_fit(width):
    text = MEMBERS.text(width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert all(f"\n{member.name}" in text for member in MEMBERS), "names are not cut"


def test_is_a_tuple():
    assert isinstance(MEMBERS, tuple)
    assert repr(Family(MEMBERS[:1])).count("\n") >= 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        MEMBERS[0].name = "other"
