"""The workers of a Dask cluster, as where partitions are gone through: what is given back has the partitions' order.

A worker that dies is the scheduler's business: it has another one go through the same partition again, which gives the
same numbers. What nobody will mend is told on one line, and nothing is waited for without an end: a scheduler that does
not answer, a cluster without workers, a partition that kills whoever goes through it, workers on which there is no
`descend`, or another one.
"""

import time
from asyncio import CancelledError as Cancelled
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib import metadata
from typing import Any
from uuid import uuid4

from dask.delayed import delayed

from descend.errors import InputError, LostError
from descend.linear._kernels.threads import in_this_thread
from distributed import Client, KilledWorker, get_worker, wait

SECONDS_TO_CONNECT = 10.0
# Of a scheduler, or of a worker that is asked for its version.
SECONDS_TO_ANSWER = 30.0
# Without a worker that runs.
SECONDS_WITHOUT_WORKERS = 60.0
SECONDS_BETWEEN_LOOKS = 2.0
# What is raised where the other side of a connection is gone.
GONE = (OSError, TimeoutError, CancelledError, Cancelled, RuntimeError)


@contextmanager
def cluster(on: Any) -> Iterator["Workers"]:
    """The workers of the scheduler at an address, or of a client, which is left as it is."""
    if isinstance(on, Client):
        yield Workers(on)
        return
    if not isinstance(on, str):
        raise InputError(f"on is {on!r}: it must be the address of a Dask scheduler, as 'tcp://host:8786', or a client")
    client = _connected(on)
    try:
        yield Workers(client)
    finally:
        client.close(timeout=SECONDS_TO_CONNECT)


def _connected(address: str) -> Client:
    try:
        return Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False, name="descend")
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"no Dask scheduler answers at on={address!r} within {SECONDS_TO_CONNECT:g} s: check the "
                         "address, and that it runs") from error


class Workers:
    """Those of a client's cluster, which have all been seen to have this `descend`."""

    def __init__(self, client: Client) -> None:
        if client.asynchronous:
            raise InputError("on is an asynchronous client: give one that is not, or the scheduler's address")
        if client.status != "running":
            raise InputError(f"on is a client that is {client.status}: make a new one, or give the scheduler's address")
        self.client = client
        self._scheduler = client.scheduler
        self.address = str(self._scheduler.address)
        self._wait_for_workers()
        self._check_versions()

    def each(self, work: Callable[[Any], Any], partitions: Sequence[Any]) -> Iterator[Any]:
        """What `work` makes of each partition, in their order."""
        # What all are told is sent to each worker once.
        told, name = delayed(work, traverse=False, name=f"descend-told-{uuid4()}"), f"descend-pass-{uuid4()}"
        run = delayed(_run, pure=False, traverse=False)
        tasks = [run(told, partition, dask_key_name=f"{name}-{number}") for number, partition in enumerate(partitions)]
        with self._told_if_gone():
            # Whatever is not waited for any more, is not gone through, either: futures that nobody has are forgotten.
            futures = deque(self.client.compute(tasks))
            for number in range(len(tasks)):
                yield self._result(futures.popleft(), number)

    def _result(self, future: Any, number: int) -> Any:
        """What became of a partition, as soon as something has."""
        idle_since: float | None = None
        while True:
            try:
                self._wait([future], SECONDS_BETWEEN_LOOKS)
                break
            except TimeoutError:
                idle_since = None if self._running() else idle_since or time.monotonic()
                if idle_since is not None and time.monotonic() - idle_since > SECONDS_WITHOUT_WORKERS:
                    raise self._without_workers() from None
        if future.status == "error":
            raise self._told(future.exception(timeout=SECONDS_TO_ANSWER), number)
        return future.result(timeout=SECONDS_TO_ANSWER)

    def _told(self, error: BaseException, number: int) -> BaseException:
        """What went wrong in a partition, on one line."""
        if isinstance(error, InputError):
            return error
        if isinstance(error, KilledWorker):
            # All that a worker has is suspected as it ends, what waits there or is not told yet, too.
            return LostError(f"{error.allowed_failures + 1} workers ended that had partition {number}, the last at "
                             f"{error.last_worker.address}: mostly for want of memory, for it or for another that they "
                             "had; give workers more of it, or smaller partitions, row groups or blocks")
        if isinstance(error, MemoryError):
            return LostError(f"a worker had no memory for partition {number}: give workers more of it, or smaller "
                             "partitions, row groups or blocks")
        if isinstance(error, ModuleNotFoundError):
            return InputError(f"a worker has no {error.name}: install descend {_version()} there, with the same extras")
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return InputError(f"partition {number} cannot be gone through: {type(error).__name__}: {reason}")

    def _wait_for_workers(self) -> None:
        until = time.monotonic() + SECONDS_WITHOUT_WORKERS
        with self._told_if_gone():
            while not self._running():
                if time.monotonic() > until:
                    raise self._without_workers()
                time.sleep(0.2)

    def _wait(self, futures: list[Any], seconds: float) -> None:
        # Which else looks for a client that is anybody's.
        with self.client.as_current():
            wait(futures, timeout=seconds)

    def _running(self) -> list[str]:
        """The addresses of workers that take on work."""
        return [address for address, worker in self._workers().items() if worker["status"] == "running"]

    def _workers(self) -> dict[str, Any]:
        told = self.client.sync(self._scheduler.identity, callback_timeout=SECONDS_TO_ANSWER)
        return dict(told["workers"])

    def _without_workers(self) -> LostError:
        paused = [address for address, worker in self._workers().items() if worker["status"] == "paused"]
        why = f"; {paused[0]} is paused, for want of memory" if paused else ""
        return LostError(f"the Dask scheduler at {self.address} has had no running worker for "
                         f"{SECONDS_WITHOUT_WORKERS:g} s{why}: start some, and fit again")

    def _check_versions(self) -> None:
        """Refuse workers that have no `descend`, or another one."""
        ours = _version()
        with self._told_if_gone():
            for address, theirs in self._versions().items():
                if theirs != ours:
                    has = f"has descend {theirs}, and here is {ours}" if theirs else "has no descend"
                    raise InputError(f"the worker at {address} {has}: install descend {ours} there")

    def _versions(self) -> dict[str, str]:
        """What each worker has; of those that end meanwhile nothing."""
        asked = {address: self.client.submit(metadata.version, "descend", workers=[address], pure=False)
                 for address in self._running()}
        try:
            self._wait(list(asked.values()), SECONDS_TO_ANSWER)
        except TimeoutError:
            still = self._workers()
            slow = [address for address, future in asked.items() if not future.done() and address in still]
            if slow:
                raise LostError(f"the worker at {slow[0]} does not answer within {SECONDS_TO_ANSWER:g} s: end it, or "
                                "wait until it has less to do") from None
        return {address: "" if future.status == "error" else str(future.result(timeout=SECONDS_TO_ANSWER))
                for address, future in asked.items() if future.done()}

    @contextmanager
    def _told_if_gone(self) -> Iterator[None]:
        """Whatever a scheduler that is gone does to who waits for it, becomes one error."""
        try:
            yield
        except GONE as error:
            raise LostError(f"the Dask scheduler at {self.address} is gone, or does not answer: start it, and fit "
                            "again") from error


def _version() -> str:
    return metadata.version("descend")


def _run(work: Callable[[Any], Any], partition: Any) -> Any:
    """On a worker: one core goes through a partition, as other cores go through others."""
    try:
        with in_this_thread():
            return work(partition)
    except InputError as error:
        raise InputError(f"{error} (on the worker at {get_worker().address})") from None
