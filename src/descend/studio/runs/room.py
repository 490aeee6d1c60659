"""The room "Runs": the list of them, their curves and their reports as frames."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from descend.errors import InputError
from descend.studio.messages import Fields, Request, frame
from descend.studio.runs import asking
from descend.studio.runs.curves import curves
from descend.studio.runs.examining import Examiner
from descend.studio.runs.listing import Known, Listing
from descend.studio.runs.reports import Reports
from descend.studio.runs.trainings import Fork, Trainings

ASKED: Mapping[str, Callable[[Fields, int], Request]] = {
    "list": asking.list_of, "curves": asking.curves_of, "report": asking.report_of, "fork": asking.fork_of,
    "go": asking.go_of, "rate": asking.changed_of, "drop": asking.drop_of, "examine": asking.examine_of,
    "replay": asking.replay_of, "landscape": asking.landscape_of, "spectrum": asking.spectrum_of,
}  # fmt: skip
# For how long a fork goes on, before the page is told.
GO_SECONDS = 0.15


class RunsRoom:
    """A page that shows runs. All pages share the listing, which looks on one thread."""

    # To train and to examine takes long, and the list goes on meanwhile.
    lanes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "runs": ("list", "report", "curves"),
        "trainings": ("drop", "rate", "fork", "go"),
        "insight": ("landscape", "spectrum", "replay", "examine"),
    }

    def __init__(self, listing: Listing, reports: Reports, data: tuple[Path, ...] = ()) -> None:
        self.listing, self.reports = listing, reports
        self.trainings, self.examiner = Trainings(data), Examiner(data)

    def welcome(self) -> dict[str, Any]:
        """Where runs are looked for."""
        return {"folders": [str(root) for root in self.listing.roots]}

    def request(self, kind: str, fields: Fields, id: int) -> Request:
        """The list, curves, a report, something that is to be found out, or a step of a training."""
        return ASKED[kind](fields, id)

    def frames(self, request: Request, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        """Of curves a frame for each run, of a replay many, and one that says that this was all; of others one."""
        if isinstance(request, asking.ListRequest):
            yield self._list(request)
        elif isinstance(request, asking.CurvesRequest):
            yield from self._curves(request, is_newer)
        elif isinstance(request, asking.ReportRequest):
            yield self._report(request)
        elif isinstance(request, asking.LookRequest):
            yield from self._looked(request, is_newer)
        else:
            yield self._trained(request)

    def close(self) -> None:
        """Let go of the forks of the page, and of what it examined."""
        self.trainings.close()
        self.examiner.close()

    def _list(self, request: asking.ListRequest) -> bytes:
        begin = time.perf_counter()
        self.listing.look()
        # A page that knows more than there is to know has outlived another studio.
        since = request.since if request.since <= self.listing.version else 0
        new, gone = self.listing.since(since)
        return frame({"kind": "list", "id": request.id, "version": self.listing.version, "since": since, "gone": gone,
                      "runs": list(map(_told, new)), "seconds": time.perf_counter() - begin, "last": True})

    def _curves(self, request: asking.CurvesRequest, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        for number in request.runs:
            if is_newer():
                break
            names, says, points = [], "", None
            try:
                found = curves(self.listing[number].folder)
                names, points = list(found), found.get(request.series)
            except InputError as error:
                says = str(error)
            yield frame({"kind": "curve", "id": request.id, "run": number, "series": request.series, "names": names,
                         "says": says}, np.zeros(0) if points is None else points)
        yield frame({"kind": "done", "id": request.id, "last": True})

    def _report(self, request: asking.ReportRequest) -> bytes:
        known = self.listing[request.run]
        if request.page not in known.entry.pages:
            raise InputError(f"{known.entry.name} has no {request.page}.html")
        path = self.reports.ticket(known.folder / f"{request.page}.html")
        return frame({"kind": "report", "id": request.id, "run": request.run, "path": path, "last": True})

    def _trained(self, request: Request) -> bytes:
        """What became of a fork: rows of each series that was recorded, one after the other."""
        if isinstance(request, asking.ForkRequest):
            fork, since = self.trainings.fork(request.run, self.listing[request.run].folder, request.start), 0
        elif isinstance(request, asking.RateRequest) and request.learning_rate is None:
            self.trainings.forget(request.fork)
            return frame({"kind": "dropped", "id": request.id, "fork": request.fork, "last": True})
        elif isinstance(request, asking.RateRequest) and request.learning_rate is not None:
            fork = self.trainings[request.fork]
            fork.trainer.change(learning_rate=request.learning_rate)
            since = fork.trainer.run.step
        elif isinstance(request, asking.GoRequest):
            fork, since = self.trainings[request.fork], request.since
            fork.trainer.advance(seconds=GO_SECONDS)
        return _of_fork(request.id, fork, since)

    def _looked(self, request: asking.LookRequest, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        head = {"kind": request.what, "id": request.id, "run": request.run}
        known = self.listing[request.run]
        if request.what == "examine":
            found = self.examiner.examined(request.run, known.folder, request.seconds)
            yield frame({**head, "diagnoses": found, "last": True})
        elif request.what == "replay":
            for which, rows in self.examiner.replayed(request.run, request.diagnosis):
                if is_newer():
                    break
                yield frame({**head, "diagnosis": request.diagnosis, "which": which}, rows)
            yield frame({"kind": "replayed", "id": request.id, "last": True})
        else:
            look = self.examiner.landscape if request.what == "landscape" else self.examiner.spectrum
            seen = look(known.folder)
            yield frame({**head, **seen.facts, "last": True}, seen.numbers)


def _of_fork(id: int, fork: Fork, since: int) -> bytes:
    trainer, parts = fork.trainer, fork.recorded(since)
    reason = trainer.reason
    told = {"kind": "fork", "id": id, "fork": fork.number, "run": fork.run, "step": trainer.run.step, "since": since,
            "steps": trainer.limit.steps, "seconds": trainer.seconds, "learning_rate": fork.learning_rate,
            "reason": reason.name if reason else "", "evidence": reason.evidence if reason else "",
            "parts": [[name, len(rows)] for name, rows in parts.items()], "last": True}
    return frame(told, np.concatenate([*parts.values(), np.zeros((0, 2))]))


def _told(known: Known) -> dict[str, Any]:
    return {"number": known.number, "version": known.version, **vars(known.entry)}
