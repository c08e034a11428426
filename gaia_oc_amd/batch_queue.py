"""The clusters that wait for a worker, among them those whose worker died."""

from collections import Counter, deque
from collections.abc import Iterable

from gaia_oc_amd.exceptions import BatchStoppedError
from gaia_oc_amd.outcomes import Outcome

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
