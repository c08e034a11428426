"""What comes of the work on one cluster, whatever happens to it."""

import logging
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gaia_oc_amd.exceptions import ArchiveBusyError, ClusterError

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
        """How often it was warned of something."""
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
        summary, error = {}, " ".join(str(failure).split()) or type(failure).__name__
        may_pass = isinstance(failure, ArchiveBusyError)
        logger.debug("where it happened:", exc_info=True)
    except (Exception, SystemExit) as failure:  # a defect of ours must not cost the other clusters
        summary, error = {}, f"internal error: {type(failure).__name__}: {' '.join(str(failure).split())}"
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
    if cluster in text:
        return text
    return f"{cluster if cluster.isprintable() else repr(cluster)}: {text}"
