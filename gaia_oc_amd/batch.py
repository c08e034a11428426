"""Many clusters, one after the other or in several processes; one failure never stops the others."""

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from gaia_oc_amd.exceptions import ClusterError

logger = logging.getLogger(__name__)

Work = Callable[[str], dict[str, Any]]

_NOT_FOR_USERS = (DeprecationWarning, PendingDeprecationWarning, ResourceWarning)


@dataclass(frozen=True)
class Outcome:
    """What came of one cluster.

    Parameters
    ----------
    cluster : str
        Its name.
    seconds : float
        Time it took.
    summary : dict
        What the work returned, for the table at the end; empty after a failure.
    error : str
        Why it failed, one line; empty after a success.
    """

    cluster: str
    seconds: float
    summary: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def run_batch(work: Work, clusters: list[str], *, workers: int = 1) -> list[Outcome]:
    """Do the same work for many clusters.

    Parameters
    ----------
    work : callable
        Takes a cluster name, returns a summary for the final table. It must be picklable for more than one
        worker, and depend on nothing but the name.
    clusters : list of str
        Names.
    workers : int
        Number of processes.

    Returns
    -------
    list of Outcome
        In the order of the names.
    """
    workers = min(workers, len(clusters))
    finished = (
        _in_processes(work, clusters, workers) if workers > 1 else (_attempt(work, name) for name in clusters)
    )
    outcomes = {}
    for outcome in tqdm(
        finished, total=len(clusters), unit="cluster", disable=None if len(clusters) > 1 else True
    ):
        outcomes[outcome.cluster] = outcome
        if outcome.error:
            logger.error("%s", outcome.error)
    return [outcomes[name] for name in clusters]


def _attempt(work: Work, cluster: str) -> Outcome:
    """Outcome of one cluster; only an interrupt passes through. Warnings carry the cluster's name."""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            summary = work(cluster)
        error = ""
    except (ClusterError, ValueError, OSError) as failure:
        summary, error = {}, " ".join(str(failure).split()) or type(failure).__name__
        logger.debug("where it happened:", exc_info=True)
    except Exception as failure:  # a defect of ours must not cost the other clusters
        summary, error = {}, f"internal error: {type(failure).__name__}: {' '.join(str(failure).split())}"
        logger.debug("%s", traceback.format_exc())
    for text in dict.fromkeys(str(w.message) for w in caught if not issubclass(w.category, _NOT_FOR_USERS)):
        logger.warning("%s: %s", cluster, text)
    if error and cluster not in error:
        error = f"{cluster if cluster.isprintable() else repr(cluster)}: {error}"
    return Outcome(cluster, time.perf_counter() - start, summary, error)


_WORK: list[Work] = []


def _receive(work: Work, log_level: int, n_threads: int) -> None:
    """Take over the work in a new process, once, instead of with every cluster."""
    _WORK[:] = [work]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt ends
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if "torch" in sys.modules:  # processes that each use all cores slow one another down
        sys.modules["torch"].set_num_threads(n_threads)
    logging.basicConfig(level=log_level, format="%(levelname)s: %(message)s", force=True)


def _end_with_parent() -> None:
    """End this process when its parent is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _attempt_received(cluster: str) -> Outcome:
    return _attempt(_WORK[0], cluster)


def _in_processes(work: Work, clusters: list[str], workers: int) -> Iterator[Outcome]:
    """Outcomes as they come. When a worker is killed, all that was not done is tried again, each on its own."""
    lost = []
    with _pool(work, workers) as pool:
        futures = {pool.submit(_attempt_received, cluster): cluster for cluster in clusters}
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    lost.append(futures[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    yield from (_alone(work, cluster) for cluster in lost)


def _alone(work: Work, cluster: str) -> Outcome:
    """Outcome of one cluster in a process of its own, which may die without harm to others."""
    with _pool(work, 1) as pool:
        try:
            return pool.submit(_attempt_received, cluster).result()
        except BrokenProcessPool:
            return Outcome(
                cluster, 0.0, error=f"{cluster}: its process was killed, twice: is the memory too small?"
            )


def _pool(work: Work, workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_receive,
        initargs=(work, logging.getLogger().level, max(1, (os.cpu_count() or 1) // workers)),
    )


def summary_table(outcomes: list[Outcome]) -> str:
    """The table that ends a run: one row per cluster, and why those failed that did.

    Parameters
    ----------
    outcomes : list of Outcome
        From `run_batch`.

    Returns
    -------
    str
        Text of several lines.
    """
    columns = list(dict.fromkeys(key for outcome in outcomes for key in outcome.summary))
    rows = [["cluster", *columns, "seconds"]]
    for outcome in outcomes:
        cells = [str(outcome.summary.get(name, "-")) for name in columns]
        rows.append([outcome.cluster, *cells, f"{outcome.seconds:.1f}"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        lines += [
            "",
            f"{len(failed)} of {len(outcomes)} failed:",
            *(f"  {outcome.error}" for outcome in failed),
        ]
    return "\n".join(lines)
