"""Support sets: random members that a star is compared with."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.parallel import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def draw_support_sets(
    n_members: ArrayLike,
    size: int,
    *,
    rng: np.random.Generator,
    excluded: ArrayLike | None = None,
    n_sets: int | None = None,
) -> NDArray[np.int64]:
    """Draw many sets of different members at once, every set equally likely.

    Floyd's algorithm: `size` steps, whatever the number of members.

    Parameters
    ----------
    n_members : int or array_like of shape (n_sets,)
        Number of members to choose from, of each set's own cluster.
    size : int
        Size of a support set.
    rng : Generator
        Source of randomness.
    excluded : array_like, shape (n_sets,), optional
        Index of a member that its set must not contain; negative where there is none.
    n_sets : int, optional
        Number of sets, needed if `n_members` is one number and nothing is excluded.

    Returns
    -------
    ndarray, shape (n_sets, size)
        Indices of members, within each cluster from 0.

    Raises
    ------
    TooFewMembersError
        If a cluster has fewer members than a set needs.
    """
    excluded = np.full(n_sets or np.size(n_members), -1) if excluded is None else np.asarray(excluded)
    available = np.broadcast_to(n_members, excluded.shape) - (excluded >= 0)
    if available.size and available.min() < size:
        raise TooFewMembersError(
            f"a support set of {size} needs {size} members besides the star itself, there are "
            f"{available.min()}: lower --size_support_set."
        )
    chosen = np.empty((len(available), size), np.int64)
    _choose(rng.random(chosen.shape), np.ascontiguousarray(available), excluded, chosen)
    return chosen


@compiled
def _choose(uniform: Array, available: Index, excluded: Index, chosen: Index) -> None:
    """Fill `chosen` by Floyd's algorithm: each step takes a number up to its own last one, or else that last one."""
    size = chosen.shape[1]
    for i in range(len(chosen)):
        for step in range(size):
            last = available[i] - size + step
            number = int(uniform[i, step] * (last + 1))
            for earlier in range(step):
                if chosen[i, earlier] == number:
                    number = last
            chosen[i, step] = number
        if excluded[i] >= 0:
            for step in range(size):
                chosen[i, step] += chosen[i, step] >= excluded[i]
