"""What the page of runs asks."""

from dataclasses import dataclass

from descend.errors import InputError
from descend.studio.messages import Fields, Request, told_briefly

MAX_CHOSEN = 60
PAGES = ("report", "doctor")
STARTS = ("beginning", "checkpoint")
MAX_RATE, MAX_SECONDS = 1e6, 600.0


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


@dataclass(frozen=True)
class ForkRequest(Request):
    """A training that goes on from a run, from its beginning or its checkpoint."""

    run: int
    start: str


@dataclass(frozen=True)
class GoRequest(Request):
    """A fork is to go on for a moment; rows that were recorded `since` a step are asked for."""

    fork: int
    since: int


@dataclass(frozen=True)
class RateRequest(Request):
    """A fork is to go on with another learning rate; without one, it is let go of."""

    fork: int
    learning_rate: float | None


@dataclass(frozen=True)
class LookRequest(Request):
    """Something that is to be found out about a run: `what`; within some `seconds`, or of one `diagnosis`."""

    run: int
    what: str
    seconds: float = 0.0
    diagnosis: int = 0


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


def fork_of(fields: Fields, id: int) -> ForkRequest:
    """From where a message wants a run to be forked."""
    start = fields.text("start")
    if start not in STARTS:
        raise InputError(f"start must be {' or '.join(STARTS)}, but is {told_briefly(start)}")
    return ForkRequest(id, run_of(fields), start)


def go_of(fields: Fields, id: int) -> GoRequest:
    """Which fork a message wants to go on."""
    return GoRequest(id, fields.whole("fork", 1, 2**53), fields.whole("since", 0, 2**53))


def changed_of(fields: Fields, id: int) -> RateRequest:
    """Which rate a message wants a fork to have."""
    return RateRequest(id, fields.whole("fork", 1, 2**53), fields.number("learning_rate", 0, MAX_RATE))


def drop_of(fields: Fields, id: int) -> RateRequest:
    """Which fork a message wants to be let go of."""
    return RateRequest(id, fields.whole("fork", 1, 2**53), None)


def examine_of(fields: Fields, id: int) -> LookRequest:
    """Which run a message wants to be examined, and for how long."""
    return LookRequest(id, run_of(fields), "examine", seconds=fields.number("seconds", 1, MAX_SECONDS))


def replay_of(fields: Fields, id: int) -> LookRequest:
    """Which diagnosis a message wants to be replayed."""
    return LookRequest(id, run_of(fields), "replay", diagnosis=fields.whole("diagnosis", 0, 1000))


def landscape_of(fields: Fields, id: int) -> LookRequest:
    """Of which run a message wants the landscape."""
    return LookRequest(id, run_of(fields), "landscape")


def spectrum_of(fields: Fields, id: int) -> LookRequest:
    """Of which run a message wants the spectrum."""
    return LookRequest(id, run_of(fields), "spectrum")


def run_of(fields: Fields) -> int:
    """The number of a run."""
    return fields.whole("run", 1, 2**53)
