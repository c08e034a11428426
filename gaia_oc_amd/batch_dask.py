"""A batch on a Dask cluster: every worker process has one cluster at a time, and one that dies costs no other."""

import logging
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gaia_oc_amd.batch_queue import ClusterQueue
from gaia_oc_amd.batch_worker import Assignment, WorkMissingError, forget, receive
from gaia_oc_amd.dask_connection import ANSWER_SECONDS, ask, check_workers, connected, threads_of_workers
from gaia_oc_amd.exceptions import BatchStoppedError
from gaia_oc_amd.outcomes import Outcome, Work, with_name

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS_BETWEEN_LOOKS = 1.0
"""How often is looked for workers that came or died."""

_SECONDS_TO_SEND = 300
_SENT_AT_ONCE = 16

logger = logging.getLogger(__name__)


def in_dask(
    work: Work, clusters: list[str], scheduler: str, data_dir: Path | str | None = None
) -> Iterator[Outcome]:
    """Do the work for many clusters on the workers of a Dask cluster.

    Parameters
    ----------
    work : callable
        Taken apart by cloudpickle, and sent to every worker once.
    clusters : list of str
        Names.
    scheduler : str
        Address or scheduler file.
    data_dir : path, optional
        Folder that the workers must share with this machine.

    Yields
    ------
    Outcome
        As they come.

    Raises
    ------
    BatchStoppedError
        If the scheduler dies, or if there is no worker for longer than Dask's setting
        ``gaia_oc_amd.wait-for-workers``, one minute by default.
    OSError, ValueError, ImportError
        If there is no scheduler, or if its workers cannot do the work.
    """
    with connected(scheduler) as client:
        crew = _Crew(client, _assignment(work), data_dir)
        waiting = ClusterQueue(clusters)
        try:
            while waiting or crew.busy:
                for cluster in crew.look():
                    yield from waiting.worker_died(cluster)
                while waiting and crew.idle:
                    crew.give(waiting.next())
                for cluster, outcome in crew.answers():
                    if outcome:
                        waiting.worker_answered()
                    yield from [outcome] if outcome else waiting.worker_died(cluster)
        finally:
            crew.dismiss()


def _assignment(work: Work) -> Assignment:
    import cloudpickle  # comes with Dask; knows functions of the script itself

    return Assignment(cloudpickle.dumps(work))


def _seconds_to_wait() -> float:
    import dask
    from dask.utils import parse_timedelta

    return parse_timedelta(dask.config.get("gaia_oc_amd.wait-for-workers", "60s"))


class _Crew:
    """The workers of a Dask cluster, which may come and go."""

    def __init__(self, client: "Client", assignment: Assignment, data_dir: Path | str | None) -> None:
        self._client, self._assignment, self._data_dir = client, assignment, data_dir
        self._patience = _seconds_to_wait()
        self._last_look, self._last_seen = 0.0, time.monotonic()
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._n_threads: dict[str, int] = {}  # of workers that have the work
        self._useless: set[str] = set()
        self._n_tasks = 0
        self.idle: list[str] = []
        self.busy: dict[Future, tuple[str, str]] = {}  # worker and cluster

    def look(self) -> list[str]:
        """See which workers came or died; the clusters of the dead."""
        if time.monotonic() < self._last_look + SECONDS_BETWEEN_LOOKS:
            return []
        present = threads_of_workers(self._client)
        self._admit({worker: n for worker, n in present.items() if worker not in self._n_threads})
        self._n_threads = {worker: n for worker, n in self._n_threads.items() if worker in present}
        self.idle = [worker for worker in self.idle if worker in self._n_threads]
        self._last_look = time.monotonic()
        self._wait_for_workers()
        dead = [future for future, (worker, _) in self.busy.items() if worker not in self._n_threads]
        clusters = [self.busy.pop(future)[1] for future in dead]
        if dead:
            ask(self._client, self._client._cancel, dead)
        return clusters

    def _wait_for_workers(self) -> None:
        if self._n_threads:
            self._last_seen = time.monotonic()
        elif time.monotonic() > self._last_seen + self._patience:
            address = self._client.scheduler.address
            raise BatchStoppedError(
                f"the scheduler at {address} has had no worker for {self._patience:g} s: start some with `dask worker "
                f"{address} --nthreads 1`, then run the clusters that are not done."
            )

    def _admit(self, workers: dict[str, int]) -> None:
        """Give the work to those new workers that can do it."""
        new = [worker for worker in workers if worker not in self._useless]
        if not new:
            return
        faults = check_workers(self._client, new, self._data_dir)
        bad = {worker: fault for worker, fault in faults.items() if fault}
        if bad and not self._n_tasks:  # nothing has begun: better say it at once
            raise ValueError(next(iter(bad.values())))
        for worker, fault in bad.items():
            logger.warning("%s It gets no work.", fault)
            self._useless.add(worker)
        good = [worker for worker, fault in faults.items() if not fault]
        for start in range(0, len(good), _SENT_AT_ONCE):
            for worker in self._send(good[start : start + _SENT_AT_ONCE]):
                self._n_threads[worker] = workers[worker]
                self.idle.append(worker)

    def _send(self, workers: list[str]) -> list[str]:
        """Send the work; the workers that got it."""
        got = ask(
            self._client, self._client._run, receive, self._assignment,
            workers=workers, on_error="ignore", seconds=_SECONDS_TO_SEND,
        )  # fmt: skip
        return list(got)

    def give(self, cluster: str) -> None:
        """Give a cluster to a worker that has none."""
        worker = self.idle.pop()
        self._n_tasks += 1
        future = self._client.submit(
            _attempt_there(),
            self._assignment.key,
            cluster,
            self._n_threads[worker],
            key=f"gaia_oc_amd-{self._assignment.key}-{self._n_tasks}",
            workers=[worker],
            pure=False,
        )
        self.busy[future] = worker, cluster
        future.add_done_callback(self._done.put)

    def answers(self) -> list[tuple[str, Outcome | None]]:
        """Wait a moment for a worker; what came of its cluster, None if the worker died or lost the work."""
        try:
            future = self._done.get(timeout=SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            return []
        if future not in self.busy:  # its worker was given up
            return []
        worker, cluster = self.busy.pop(future)
        outcome = _result(future, cluster)
        if outcome:
            self.idle.append(worker)
        else:  # if it still lives, it is looked at as a new one
            self._n_threads.pop(worker, None)
        return [(cluster, outcome)]

    def dismiss(self) -> None:
        """Take back what has not begun, and let the workers forget the work."""
        try:
            if self.busy:
                ask(self._client, self._client._cancel, list(self.busy), force=True)
            if self._n_threads:
                ask(
                    self._client, self._client._run, forget, self._assignment.key,
                    workers=list(self._n_threads), on_error="ignore",
                )  # fmt: skip
        except BatchStoppedError:
            pass


def _attempt_there() -> Callable[[str, str, int], Outcome]:
    """A function that stands on its own: the scheduler reads it, and need not have this package."""

    def attempt_there(key: str, cluster: str, n_threads: int) -> Outcome:
        from gaia_oc_amd.batch_worker import attempt_received

        return attempt_received(key, cluster, n_threads)

    attempt_there.__annotations__ = {}
    return attempt_there


def _result(future: "Future", cluster: str) -> Outcome | None:
    """Outcome that a worker sent, or of what it could not even begin; None if there is none."""
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):
        return None
    try:
        return future.result(timeout=ANSWER_SECONDS)
    except (WorkMissingError, KilledWorker, OSError):
        return None
    except Exception as error:
        text = f"the worker cannot do it: {type(error).__name__}: {' '.join(str(error).split())}"
        return Outcome(cluster, 0.0, error=with_name(cluster, text))
