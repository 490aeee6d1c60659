"""The room "Runs": the list of them, their curves and their reports as frames."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from descend.errors import InputError
from descend.studio.messages import Fields, Request, frame
from descend.studio.runs.asking import CurvesRequest, ListRequest, ReportRequest, curves_of, list_of, report_of
from descend.studio.runs.curves import curves
from descend.studio.runs.library import Known, Library
from descend.studio.runs.reports import Reports

ASKED: Mapping[str, Callable[[Fields, int], Request]] = {"list": list_of, "curves": curves_of, "report": report_of}


class RunsRoom:
    """A page that shows runs. All pages share the library, which looks on one thread."""

    lanes: ClassVar[Mapping[str, tuple[str, ...]]] = {"runs": ("list", "report", "curves")}

    def __init__(self, library: Library, reports: Reports) -> None:
        self.library, self.reports = library, reports

    def welcome(self) -> dict[str, Any]:
        """Where runs are looked for."""
        return {"folders": [str(root) for root in self.library.roots]}

    def request(self, kind: str, fields: Fields, id: int) -> Request:
        """The list, curves, or a report."""
        return ASKED[kind](fields, id)

    def frames(self, request: Request, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        """Of the list and a report one frame; of curves one for each run, and one that says that this was all."""
        if isinstance(request, ListRequest):
            yield self._list(request)
        elif isinstance(request, CurvesRequest):
            yield from self._curves(request, is_newer)
        elif isinstance(request, ReportRequest):
            yield self._report(request)

    def close(self) -> None:
        """Nothing is kept for a page."""

    def _list(self, request: ListRequest) -> bytes:
        begin = time.perf_counter()
        self.library.look()
        # A page that knows more than there is to know has outlived another studio.
        since = request.since if request.since <= self.library.version else 0
        new, gone = self.library.since(since)
        return frame({"kind": "list", "id": request.id, "version": self.library.version, "since": since, "gone": gone,
                      "runs": list(map(_told, new)), "seconds": time.perf_counter() - begin, "last": True})

    def _curves(self, request: CurvesRequest, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        for number in request.runs:
            if is_newer():
                break
            names, says, points = [], "", None
            try:
                found = curves(self.library[number].folder)
                names, points = list(found), found.get(request.series)
            except InputError as error:
                says = str(error)
            yield frame({"kind": "curve", "id": request.id, "run": number, "series": request.series, "names": names,
                         "says": says}, np.zeros(0) if points is None else points)
        yield frame({"kind": "done", "id": request.id, "last": True})

    def _report(self, request: ReportRequest) -> bytes:
        known = self.library[request.run]
        if request.page not in known.entry.pages:
            raise InputError(f"{known.entry.name} has no {request.page}.html")
        path = self.reports.ticket(known.folder / f"{request.page}.html")
        return frame({"kind": "report", "id": request.id, "run": request.run, "path": path, "last": True})


def _told(known: Known) -> dict[str, Any]:
    return {"number": known.number, "version": known.version, **vars(known.entry)}
