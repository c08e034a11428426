"""What came of each cluster of a batch, and which ones still wait."""

import logging
import time
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gaia_oc_amd.exceptions import ArchiveBusyError, BatchStoppedError, ClusterError, one_line
from gaia_oc_amd.interruption import obey

logger = logging.getLogger(__name__)

Work = Callable[[str], dict[str, Any]]
Message = tuple[int, str]

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
    may_pass : bool
        Whether the failure is one of a service that may answer later.
    messages : tuple of (int, str)
        What the work warned of, and in a worker what it logged, with the level of each.
    """

    cluster: str
    seconds: float
    summary: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    may_pass: bool = False
    messages: tuple[Message, ...] = ()

    @property
    def n_warnings(self) -> int:
        """Number of warnings."""
        return sum(level == logging.WARNING for level, _ in self.messages)


def attempt(work: Work, cluster: str) -> Outcome:
    """Outcome of one cluster; only an interrupt passes through.

    Parameters
    ----------
    work : callable
        Takes a cluster name, returns its summary.
    cluster : str
        Name.

    Returns
    -------
    Outcome
        Its error carries the cluster's name.
    """
    start = time.perf_counter()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            summary = work(cluster)
        error, may_pass = "", False
    except (ClusterError, ValueError, OSError) as failure:
        obey()
        summary, error = {}, one_line(failure)
        may_pass = isinstance(failure, ArchiveBusyError)
        logger.debug("where it happened:", exc_info=True)
    except (Exception, SystemExit) as failure:  # a defect of ours must not cost the other clusters
        obey()  # unless it is an interrupt that a library made an error of
        summary, error = {}, f"internal error: {type(failure).__name__}: {one_line(failure)}"
        may_pass = False
        logger.debug("%s", traceback.format_exc())
    texts = dict.fromkeys(str(w.message) for w in caught if not issubclass(w.category, _NOT_FOR_USERS))
    return Outcome(
        cluster,
        time.perf_counter() - start,
        summary,
        with_name(cluster, error) if error else "",
        may_pass,
        tuple((logging.WARNING, text) for text in texts),
    )


def with_name(cluster: str, text: str) -> str:
    """Text that says which cluster it is about."""
    return text if cluster in text else f"{shown_name(cluster)}: {text}"


def shown_name(cluster: str) -> str:
    """Name as it may stand on a terminal: printable and of bounded length."""
    name = cluster if cluster.isprintable() else repr(cluster)
    return name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..."


_LONGEST_SHOWN = 60


MAX_TRIES = 3
"""Workers that one cluster may cost: some are killed for another's hunger for memory, or by a batch system."""

MAX_DEATHS_IN_A_ROW = 20
"""Deaths without an outcome in between after which no cluster is to blame."""


class ClusterQueue:
    """Names that wait; one whose worker died waits again, at the end, until it has cost too many.

    Parameters
    ----------
    clusters : iterable of str
        Names.
    """

    def __init__(self, clusters: Iterable[str]) -> None:
        self._waiting = deque(clusters)
        self._tries: Counter[str] = Counter()
        self._deaths_in_a_row = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def next(self) -> str:
        """Take the next name."""
        cluster = self._waiting.popleft()
        self._tries[cluster] += 1
        return cluster

    def worker_answered(self) -> None:
        """Take note that workers work."""
        self._deaths_in_a_row = 0

    def worker_died(self, cluster: str) -> list[Outcome]:
        """Let a cluster wait for another worker, or give it up: its outcome, then.

        Raises
        ------
        BatchStoppedError
            If no worker lives long enough for any cluster.
        """
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row >= MAX_DEATHS_IN_A_ROW:
            raise BatchStoppedError(
                f"{MAX_DEATHS_IN_A_ROW} workers died one after the other: is there too little memory? "
                "Try one cluster with --workers 1."
            )
        if self._tries[cluster] < MAX_TRIES:
            self._waiting.append(cluster)
            return []
        reason = (
            f"its worker died {MAX_TRIES} times, perhaps for lack of memory: try fewer workers or more memory"
        )
        return [Outcome(cluster, 0.0, error=f"{cluster}: {reason}.")]
