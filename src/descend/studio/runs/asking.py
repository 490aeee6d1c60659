"""What the page of runs asks."""

from dataclasses import dataclass

from descend.errors import InputError
from descend.studio.messages import Fields, Request, told_briefly

MAX_CHOSEN = 60
PAGES = ("report", "doctor")


@dataclass(frozen=True)
class ListRequest(Request):
    """The runs that have changed after a version of the list; 0: all of them."""

    since: int


@dataclass(frozen=True)
class CurvesRequest(Request):
    """Of some runs, by their numbers, what was recorded under a name."""

    runs: tuple[int, ...]
    series: str


@dataclass(frozen=True)
class ReportRequest(Request):
    """A page that lies in a run's folder."""

    run: int
    page: str


def list_of(fields: Fields, id: int) -> ListRequest:
    """The list that a message asks for."""
    return ListRequest(id, fields.whole("since", 0, 2**53))


def curves_of(fields: Fields, id: int) -> CurvesRequest:
    """The curves that a message asks for."""
    runs = fields.items("runs", 1, MAX_CHOSEN)
    if not all(type(run) is int and 0 < run < 2**53 for run in runs):
        raise InputError(f"runs must be numbers of runs, but is {told_briefly(runs)}")
    return CurvesRequest(id, tuple(dict.fromkeys(runs)), fields.text("series"))


def report_of(fields: Fields, id: int) -> ReportRequest:
    """The report that a message asks for."""
    page = fields.text("page")
    if page not in PAGES:
        raise InputError(f"page must be {' or '.join(PAGES)}, but is {told_briefly(page)}")
    return ReportRequest(id, run_of(fields), page)


def run_of(fields: Fields) -> int:
    """The number of a run."""
    return fields.whole("run", 1, 2**53)
