"""Ways to find groups: how each searches a field, and how its repeated runs go."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.first_members.choice import overlap
from gaia_oc_amd.first_members.embedding import EmbeddingOptions, embedded_groups
from gaia_oc_amd.first_members.groups import (
    NEAR_CUTS,
    KMeansOptions,
    hdbscan_features,
    hdbscan_groups,
    kmeans_groups,
    mixture_groups,
    mixture_posterior,
)
from gaia_oc_amd.first_members.options import SearchOptions
from gaia_oc_amd.first_members.stars import FeatureOptions, FieldStars, clustering_features

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SearchField:
    """The stars of a field, or a part of them, as a table and as arrays.

    Parameters
    ----------
    table : DataFrame
        With the archive's columns.
    stars : FieldStars
        The same stars in the same order.
    """

    table: pd.DataFrame
    stars: FieldStars

    def part(self, kept: NDArray[np.int64]) -> "SearchField":
        """Some of the stars."""
        return SearchField(self.table.iloc[kept].reset_index(drop=True), self.stars.part(kept))


Divide = Callable[[Array, KMeansOptions, SearchOptions, np.random.Generator], Labels]
_NEAR_NUMBERS = (2, 3, 4, 5, 6, 8, 10)
"""Numbers of groups that the silhouette chooses from among the stars around a cluster."""
_COMPARED = 600

Search = Callable[[SearchField, SearchOptions, np.random.Generator], list[Labels]]
Runs = Callable[[SearchField, Mask, SearchOptions, np.random.Generator], Iterator[Array]]


@dataclass(frozen=True)
class SearchMethod:
    """One way to find groups.

    Parameters
    ----------
    search : callable
        ``search(field, options, rng)`` gives labels of one or several divisions of a whole field.
    runs : callable
        ``runs(field, core, options, rng)`` yields, for each of ``options.n_runs`` runs on the stars around a cluster,
        each star's membership (0 to 1) in the group that shares most with the core, shape (n_stars,).
    """

    search: Search
    runs: Runs


def best_group(divisions: list[Labels], core: Mask) -> Array:
    """Membership, 0 or 1, in the group of all divisions that shares most with a core; 0 for all where none does."""
    groups = (labels == label for labels in divisions for label in range(int(labels.max(initial=-1)) + 1))
    best = max(groups, key=lambda group: overlap(group, core), default=np.zeros(len(core), bool))
    return best.astype(float) if overlap(best, core) > 0 else np.zeros(len(core))


def _search_hdbscan(field: SearchField, options: SearchOptions, rng: np.random.Generator) -> list[Labels]:
    return hdbscan_groups(field.stars, options)


def _run_hdbscan(
    field: SearchField, core: Mask, options: SearchOptions, rng: np.random.Generator
) -> Iterator[Array]:
    """Runs with motions drawn anew from their errors."""
    stars = field.stars
    for _ in range(options.n_runs):
        drawn = stars.motions + stars.errors * rng.standard_normal(stars.errors.shape)
        divisions = hdbscan_groups(replace(stars, motions=drawn), options, cuts=NEAR_CUTS)
        yield best_group(divisions, core)


def _search_mixture(field: SearchField, options: SearchOptions, rng: np.random.Generator) -> list[Labels]:
    return mixture_groups(field.stars, options, rng=rng)


def _run_mixture(
    field: SearchField, core: Mask, options: SearchOptions, rng: np.random.Generator
) -> Iterator[Array]:
    """Posteriors from bootstrap samples; the first chooses the number of components."""
    features, n_components = hdbscan_features(field.stars, options.position_weight), None
    for _ in range(options.n_runs):
        posterior, n_components = mixture_posterior(
            features, core, n_components, options.min_group_size, rng=rng
        )
        yield posterior


def _divider(groups: Divide, numbers: tuple[int | None, ...]) -> SearchMethod:
    """Method that divides all stars into a number of groups, from a random start.

    The silhouette prefers few groups in a whole field, of which none may be a cluster: the search tries several
    numbers, and leaves the choice to the rule. The runs take the silhouette's, for around a cluster there are few
    groups.
    """

    def divide(
        field: SearchField, options: SearchOptions, rng: np.random.Generator, n_groups: int | None
    ) -> Labels:
        values, used = clustering_features(field.table, FeatureOptions(divided=options.features == "divided"))
        labels = np.full(len(used), -1)
        division = KMeansOptions(
            n_groups=n_groups,
            numbers=_NEAR_NUMBERS,
            min_group_size=options.min_group_size,
            n_compared=_COMPARED,
        )
        if used.sum() >= max(n_groups or 2, 2) * options.min_group_size:
            labels[used] = groups(values, division, options, rng)
        return labels

    def search(field: SearchField, options: SearchOptions, rng: np.random.Generator) -> list[Labels]:
        return [divide(field, options, rng, n_groups) for n_groups in numbers]

    def runs(
        field: SearchField, core: Mask, options: SearchOptions, rng: np.random.Generator
    ) -> Iterator[Array]:
        for _ in range(options.n_runs):
            yield best_group([divide(field, options, rng, None)], core)

    return SearchMethod(search, runs)


def _by_kmeans(
    values: Array, division: KMeansOptions, options: SearchOptions, rng: np.random.Generator
) -> Labels:
    return kmeans_groups(values, division, rng=rng)


def _by_embedding(
    values: Array, division: KMeansOptions, options: SearchOptions, rng: np.random.Generator
) -> Labels:
    return embedded_groups(values, EmbeddingOptions(start=options.dec_start, groups=division), rng=rng)


METHODS = {
    "hdbscan": SearchMethod(_search_hdbscan, _run_hdbscan),
    "gmm": SearchMethod(_search_mixture, _run_mixture),
    "kmeans": _divider(_by_kmeans, (5, 8, 10, 15, 20, 30, 40)),
    "dec": _divider(_by_embedding, (15, 30)),
}
