"""Mass segregation ratio of a list of members, from minimum spanning trees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.parallel import compiled

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MassSegregation:
    """Mass segregation ratio Lambda_MSR of Allison et al. (2009, MNRAS 395, 1449).

    Parameters
    ----------
    n_brightest : ndarray, shape (n,)
        Numbers of brightest sources.
    ratio, ratio_error : ndarray, shape (n,)
        Mean length of the minimum spanning trees of as many random sources, in units of the length of the
        brightest ones' tree, and its standard deviation over the random samples. Above 1 the bright stars lie
        closer together than the others.
    """

    n_brightest: NDArray[np.int64]
    ratio: Array
    ratio_error: Array


def mass_segregation(
    east: Array,
    north: Array,
    g: Array,
    *,
    rng: np.random.Generator,
    n_brightest: NDArray[np.int64] | None = None,
    n_random: int = 100,
) -> MassSegregation:
    """Mass segregation ratio as a function of the number of brightest sources, G standing for the mass.

    Parameters
    ----------
    east, north : ndarray, shape (n_sources,)
        Positions, in any one unit.
    g : ndarray, shape (n_sources,)
        G magnitude; sources that lack it or a position do not count.
    rng : Generator
        Draws the random samples.
    n_brightest : ndarray of int, optional
        Numbers of brightest sources, by default 15 numbers from 5 to half of all, at most 500.
    n_random : int
        Random samples for each number.

    Returns
    -------
    MassSegregation
        Without rows if there are fewer than 10 sources.
    """
    sources = np.column_stack([east, north, g]).astype(float)
    sources = sources[np.isfinite(sources).all(axis=1)]
    points = sources[np.argsort(sources[:, 2], kind="stable"), :2]
    if n_brightest is None:
        largest = min(len(points) // 2, 500)
        n_brightest = (
            np.unique(np.geomspace(5, largest, 15).round().astype(int)) if largest >= 5 else np.zeros(0, int)
        )
    ratios = [_tree_ratio(points, n, n_random, rng) for n in n_brightest]
    ratio, ratio_error = np.reshape(ratios, (len(n_brightest), 2)).T
    return MassSegregation(n_brightest=np.asarray(n_brightest), ratio=ratio, ratio_error=ratio_error)


def _tree_ratio(
    points: Array, n_brightest: int, n_random: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Lambda_MSR and its standard deviation for points sorted by brightness; NaN if those coincide."""
    samples = [rng.choice(points, n_brightest, replace=False) for _ in range(n_random)]
    lengths = np.array([tree_length(*sample.T) for sample in samples])
    brightest = tree_length(*points[:n_brightest].T)
    if brightest == 0:
        return np.nan, np.nan
    return float(lengths.mean() / brightest), float(lengths.std() / brightest)


def tree_length(east: Array, north: Array) -> float:
    """Length of the minimum spanning tree of positions in the plane.

    Parameters
    ----------
    east, north : ndarray, shape (n,)
        Positions, in any one unit.

    Returns
    -------
    float
        In the same unit; 0 for fewer than two different positions.
    """
    return _prim_length(np.asarray(east, float), np.asarray(north, float))


@compiled
def _prim_length(east: Array, north: Array) -> float:
    """Prim's algorithm: of all points outside the tree, the nearest to it joins next."""
    n, length = len(east), 0.0
    if n == 0:
        return length
    apart = np.full(n, np.inf)  # squared distance to the tree, negative inside
    point = 0
    for _ in range(n - 1):
        apart[point] = -1.0
        following, least = -1, np.inf
        for i in range(n):
            if apart[i] >= 0:
                apart[i] = min(apart[i], (east[i] - east[point]) ** 2 + (north[i] - north[point]) ** 2)
                if apart[i] < least or following < 0:
                    following, least = i, apart[i]
        length += np.sqrt(least)
        point = following
    return length
