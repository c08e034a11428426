"""Groups of stars by K-Means."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.options import require

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class KMeansOptions:
    """How many groups, and how they are found.

    Parameters
    ----------
    n_groups : int, optional
        Number of groups; without it, that of `numbers` with the largest silhouette.
    numbers : tuple of int
        Numbers of groups that are compared.
    min_group_size : int
        Stars in the smallest group; stars of smaller ones are in none. Numbers that leave fewer stars per group on
        average are not tried.
    n_init : int
        Random starts, of which the best is taken.
    n_compared : int
        Stars that the silhouette is computed of, at most; more are sampled.
    n_max_fitted : int
        Stars that centres are fitted to, at most; more are sampled, and all are assigned.
    """

    n_groups: int | None = None
    numbers: tuple[int, ...] = (10, 15, 20, 30, 40)
    min_group_size: int = 10
    n_init: int = 3
    n_compared: int = 2000
    n_max_fitted: int = 50_000

    def __post_init__(self) -> None:
        require(self.n_groups is None or self.n_groups >= 2, self, "n_groups", "at least 2")
        require(min(self.numbers, default=0) >= 2, self, "numbers", "one or more numbers, each at least 2")
        require(self.min_group_size >= 1, self, "min_group_size", "at least 1")
        require(self.n_init >= 1, self, "n_init", "at least 1")
        require(self.n_compared > max(self.numbers), self, "n_compared", "greater than all of numbers")
        require(self.n_max_fitted >= self.n_compared, self, "n_max_fitted", "at least n_compared")


def kmeans_groups(values: Array, options: KMeansOptions | None = None, *, rng: np.random.Generator) -> Labels:
    """Divide stars into groups by K-Means, from one random start.

    Parameters
    ----------
    values : ndarray, shape (n_stars, n_features)
        From `clustering_features`.
    options : KMeansOptions, optional
        How many groups, and how they are found.
    rng : Generator
        Random starts and samples.

    Returns
    -------
    ndarray of int, shape (n_stars,)
        Labels from 0; -1 for stars in no group. They do not depend on the order of the stars.

    Raises
    ------
    ValueError
        If a feature is not finite, or there are too few stars for the groups.

    Notes
    -----
    Few groups cut the field instead of isolating the cluster, many cut the cluster: on 14 real fields (bound 3) the
    best of 5, 10, 20, 40, 80 groups has a median completeness of 1.00, 1.00, 0.81, 0.69, 0.44 at a purity of 0.18,
    0.28, 0.36, 0.55, 0.51. Numbers below 10 are therefore not compared.
    """
    options = options or KMeansOptions()
    require_features(values)
    require_enough(len(values), options)
    order = fixed_order(values)
    ordered = values[order]
    n_groups = options.n_groups or number_of_groups(ordered, options, rng=rng)
    search = fit_centres(sample(ordered, options.n_max_fitted, rng), n_groups, options.n_init, rng)
    labels = np.empty(len(values), np.int64)
    labels[order] = search.predict(ordered)
    return without_small(labels, options.min_group_size)


def number_of_groups(values: Array, options: KMeansOptions | None = None, *, rng: np.random.Generator) -> int:
    """Number of groups with the largest silhouette (Rousseeuw 1987) of a sample of the stars.

    Parameters
    ----------
    values : ndarray, shape (n_stars, n_features)
        From `clustering_features`, or an embedding of them.
    options : KMeansOptions, optional
        Which numbers are compared.
    rng : Generator
        Sample and random starts.

    Returns
    -------
    int
        One of `numbers`.

    Raises
    ------
    ValueError
        If a feature is not finite, or there are too few stars for the smallest number.
    """
    from sklearn.metrics import silhouette_score

    options = options or KMeansOptions()
    require_features(values)
    require_enough(len(values), options, n_groups=min(options.numbers))
    numbers = [number for number in options.numbers if number * options.min_group_size <= len(values)]
    compared = sample(values, options.n_compared, rng)
    silhouettes = {}
    for number in numbers:
        labels = fit_centres(compared, number, options.n_init, rng).labels_
        n_found = len(np.unique(labels))
        silhouettes[number] = silhouette_score(compared, labels) if 1 < n_found < len(compared) else -1.0
    return max(silhouettes, key=silhouettes.__getitem__)


def require_features(values: Array) -> None:
    """Refuse features that are not finite, or not a table.

    Raises
    ------
    ValueError
        In either case.
    """
    if values.ndim != 2:
        raise ValueError(f"values has {values.ndim} dimensions, but must have 2: stars and features.")
    n_bad = int((~np.isfinite(values)).any(axis=1).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(values)} stars have features that are not finite, but none may: leave them out, "
            "as clustering_features does."
        )


def require_enough(n_stars: int, options: KMeansOptions, *, n_groups: int | None = None) -> None:
    """Refuse fewer stars than the groups must have.

    Raises
    ------
    ValueError
        If there are fewer than `min_group_size` stars for each of the (fewest) groups.
    """
    n_groups = n_groups or options.n_groups or min(options.numbers)
    if n_stars < n_groups * options.min_group_size:
        raise ValueError(
            f"{n_stars} stars are too few for {n_groups} groups of at least {options.min_group_size}, which need "
            f"{n_groups * options.min_group_size}: widen the field, or lower the number of groups or min_group_size."
        )


def fixed_order(values: Array) -> Labels:
    """Rows in ascending order of their features, so that a random choice of rows does not depend on their order."""
    return np.lexsort(values.T[::-1])


def sample(values: Array, n_most: int, rng: np.random.Generator) -> Array:
    """All rows, or so many drawn at random."""
    if len(values) <= n_most:
        return values
    return values[np.sort(rng.choice(len(values), n_most, replace=False))]


def fit_centres(values: Array, n_groups: int, n_init: int, rng: np.random.Generator) -> "KMeans":
    """Scikit-learn's K-Means with centres fitted to the values."""
    from sklearn.cluster import KMeans

    return KMeans(n_groups, n_init=n_init, random_state=int(rng.integers(2**31))).fit(values)


def without_small(labels: Labels, min_size: int) -> Labels:
    """Labels from 0 without gaps, and -1 for groups of fewer stars."""
    large = np.bincount(labels) >= min_size
    return np.where(large, np.cumsum(large) - 1, -1)[labels]
