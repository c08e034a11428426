"""Search a field for the first members of its cluster: repeated runs, and the share that agrees."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.exceptions import NoClusterError, TooFewStarsError
from gaia_oc_amd.first_members.choice import (
    Expectation,
    GroupProfile,
    JudgedGroup,
    SkyMap,
    control_concentration,
    distinct,
    judge_groups,
    overlap,
    share_above_field,
    significance,
    sky_map,
    sky_peaks,
)
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
from gaia_oc_amd.first_members.stars import FieldStars, clustering_features, clustering_stars

if TYPE_CHECKING:
    from gaia_oc_amd.first_members.options import SearchOptions

logger = logging.getLogger(__name__)


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


Divide = Callable[[Array, KMeansOptions, np.random.Generator], Labels]
_NEAR_NUMBERS = (2, 3, 4, 5, 6, 8, 10)
"""Numbers of groups that the silhouette chooses from among the stars around a cluster."""
_COMPARED = 600

Search = Callable[[SearchField, "SearchOptions", np.random.Generator], list[Labels]]
Runs = Callable[[SearchField, Mask, "SearchOptions", np.random.Generator], Iterator[Array]]


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


def _search_hdbscan(field: SearchField, options: "SearchOptions", rng: np.random.Generator) -> list[Labels]:
    return hdbscan_groups(field.stars, options)


def _run_hdbscan(
    field: SearchField, core: Mask, options: "SearchOptions", rng: np.random.Generator
) -> Iterator[Array]:
    """Runs with motions drawn anew from their errors."""
    stars = field.stars
    for _ in range(options.n_runs):
        drawn = stars.motions + stars.errors * rng.standard_normal(stars.errors.shape)
        divisions = hdbscan_groups(replace(stars, motions=drawn), options, cuts=NEAR_CUTS)
        yield best_group(divisions, core)


def _search_mixture(field: SearchField, options: "SearchOptions", rng: np.random.Generator) -> list[Labels]:
    return mixture_groups(field.stars, options, rng=rng)


def _run_mixture(
    field: SearchField, core: Mask, options: "SearchOptions", rng: np.random.Generator
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
        field: SearchField, options: "SearchOptions", rng: np.random.Generator, n_groups: int | None
    ) -> Labels:
        values, used = clustering_features(field.table)
        labels = np.full(len(used), -1)
        division = KMeansOptions(
            n_groups=n_groups,
            numbers=_NEAR_NUMBERS,
            min_group_size=options.min_group_size,
            n_compared=_COMPARED,
        )
        if used.sum() >= max(n_groups or 2, 2) * options.min_group_size:
            labels[used] = groups(values, division, rng)
        return labels

    def search(field: SearchField, options: "SearchOptions", rng: np.random.Generator) -> list[Labels]:
        return [divide(field, options, rng, n_groups) for n_groups in numbers]

    def runs(
        field: SearchField, core: Mask, options: "SearchOptions", rng: np.random.Generator
    ) -> Iterator[Array]:
        for _ in range(options.n_runs):
            yield best_group([divide(field, options, rng, None)], core)

    return SearchMethod(search, runs)


def _by_kmeans(values: Array, division: KMeansOptions, rng: np.random.Generator) -> Labels:
    return kmeans_groups(values, division, rng=rng)


def _by_embedding(values: Array, division: KMeansOptions, rng: np.random.Generator) -> Labels:
    return embedded_groups(values, EmbeddingOptions(groups=division), rng=rng)


METHODS = {
    "hdbscan": SearchMethod(_search_hdbscan, _run_hdbscan),
    "gmm": SearchMethod(_search_mixture, _run_mixture),
    "kmeans": _divider(_by_kmeans, (5, 8, 10, 15, 20, 30, 40)),
    "dec": _divider(_by_embedding, (15, 30)),
}
"""Ways to find groups by the name of ``--method``."""


_KNOWN = 2.0
"""Least significance of a group that moves as the catalogue says."""
_NEAR = 12.0
"""Stars farther than this from the cluster, in standard deviations, take no part in the repeated runs."""
_MOST_NEAR = 20_000
_FAR = 0.35
"""Offset from the asked place, in field radii, that is said."""
_OFTEN = 3.0
"""Least number of groups' worth of stars in a field."""


@dataclass(frozen=True)
class FirstMembers:
    """What a search found.

    Parameters
    ----------
    name : str
        Of the cluster.
    stars : DataFrame
        The stars that took part, with PMemb.
    group : JudgedGroup
        The group that is the cluster.
    significance : float
        Of its concentration on the sky, in standard deviations of the controls.
    others : tuple of JudgedGroup
        Other groups of the field that are as significant as a cluster must be.
    neighbour : DataFrame, optional
        The stars with their PMemb in the other half of a double cluster, which moves as this one does.
    """

    name: str
    stars: pd.DataFrame
    group: JudgedGroup
    significance: float
    others: tuple[JudgedGroup, ...]
    neighbour: pd.DataFrame | None = None

    @property
    def members(self) -> pd.DataFrame:
        """Stars with a PMemb of 0.1 or more, the most probable first."""
        return _most_probable(self.stars)

    @property
    def neighbour_members(self) -> pd.DataFrame:
        """The same of the other half of a double cluster; nobody where there is none."""
        return _most_probable(self.stars.iloc[:0] if self.neighbour is None else self.neighbour)


def _most_probable(stars: pd.DataFrame) -> pd.DataFrame:
    listed = stars[stars["PMemb"] >= 0.1]
    return listed.sort_values(["PMemb", "source_id"], ascending=[False, True], ignore_index=True)


@dataclass(frozen=True)
class KnownMotion:
    """Mean motion of a cluster that a table knows, NaN where it does not.

    Parameters
    ----------
    mean, scatter : ndarray, shape (3,)
        pmra, pmdec [mas/yr], parallax [mas], and the standard deviations of the members.
    """

    mean: Array
    scatter: Array


def find_first_members(
    name: str,
    stars: pd.DataFrame,
    options: SearchOptions | None = None,
    *,
    ra: float,
    dec: float,
    known: KnownMotion | None = None,
    rng: np.random.Generator,
) -> FirstMembers:
    """Find the cluster in a field, and the probability of each star to belong to it.

    Parameters
    ----------
    name : str
        Cluster name, for messages.
    stars : DataFrame
        Stars of the field that passed the quality cuts, with the archive's columns.
    options : SearchOptions, optional
        How groups are found and judged.
    ra, dec : float
        Where the cluster should be [deg].
    known : KnownMotion, optional
        Where it should be in motion.
    rng : Generator
        Random numbers.

    Returns
    -------
    FirstMembers

    Raises
    ------
    TooFewStarsError
        If the field has fewer stars than a few groups.
    NoClusterError
        If no group stands out from the controls.
    """
    options = options or SearchOptions()
    _refuse_few(name, len(stars), options)
    field = SearchField(stars.reset_index(drop=True), clustering_stars(stars))
    sky = sky_map(field.stars)
    expected = _expectation(field.stars, ra, dec, known if options.use_catalogue_motion else None)
    method = METHODS[options.method]
    judged = judge_groups(field.stars, sky, method.search(field, options, rng), expected)
    controls = _controls(field, sky, judged, options, rng)
    found = [(group, significance(group.sky, controls)) for group in distinct(judged)]
    sure = [pair for pair in found if pair[1] >= _needed(pair[0], options)]
    if not sure:
        raise NoClusterError(_nothing_found(name, len(stars), found, options))
    group, sigma = sure[0]
    _report(name, group, sigma, [other for other, _ in sure[1:]])
    probability = membership_share(field, group.profile, options, rng=rng)
    probability *= share_above_field(sky, np.flatnonzero(group.profile.core), group.profile.expected)
    is_here = _half_asked_for(name, field.stars, sky, group, expected)
    table = field.table.assign(PMemb=np.round(probability * is_here, 3))
    neighbour = None if is_here.all() else field.table.assign(PMemb=np.round(probability * ~is_here, 3))
    return FirstMembers(name, table, group, sigma, tuple(other for other, _ in sure[1:]), neighbour)


def _half_asked_for(
    name: str, stars: FieldStars, sky: SkyMap, group: JudgedGroup, expected: Expectation
) -> Mask:
    """Stars on the side of the asked place, where the group is two on the sky; all where it is one."""
    peaks = np.stack(sky_peaks(sky, np.flatnonzero(group.profile.core)))
    chosen = int(np.argmin(((peaks - expected.sky) ** 2).sum(axis=1)))
    offset = float(np.sqrt(((peaks[chosen] - expected.sky) ** 2).sum()))
    if offset > _FAR:
        logger.warning(
            "%s: the group is centred %.3f deg away from the place that was asked for (the field has a radius of %.3f "
            "deg): is it another cluster? Give its --ra and --dec.",
            *(name, offset * stars.radius, stars.radius),
        )
    if len(peaks) == 1:
        return np.ones(len(stars), bool)
    nearest = ((stars.sky[:, None] - peaks) ** 2).sum(axis=2).argmin(axis=1)
    logger.warning(
        "%s: the group is two on the sky, %.3f deg apart, with %d and %d stars around one motion, a double cluster "
        "perhaps: the one nearer to the asked place is kept as %s, the other is listed as %s.",
        *(name, float(np.sqrt(((peaks[0] - peaks[1]) ** 2).sum())) * stars.radius),
        *((group.profile.core & (nearest == chosen)).sum(), (group.profile.core & (nearest != chosen)).sum()),
        *(name, neighbour_name(name)),
    )
    return nearest == chosen


def neighbour_name(name: str) -> str:
    """What the other half of a double cluster is called."""
    return f"{name}_B"


def _controls(
    field: SearchField,
    sky: SkyMap,
    judged: list[JudgedGroup],
    options: SearchOptions,
    rng: np.random.Generator,
) -> Array:
    """Largest concentration of each control; the search is done anew in each if it looks at places."""
    if options.position_weight == 0:
        return control_concentration(sky, judged, options.n_controls, rng=rng)
    largest = []
    for _ in range(options.n_controls):
        moved = replace(field.stars, sky=field.stars.sky[rng.permutation(len(field.stars))])
        divisions = METHODS[options.method].search(SearchField(field.table, moved), options, rng)
        groups = judge_groups(moved, sky_map(moved), divisions, Expectation(np.zeros(2)))
        largest.append(max((group.sky for group in groups), default=0.0))
    return np.array(largest)


def _needed(group: JudgedGroup, options: SearchOptions) -> float:
    """Least significance of a group; that of one which moves as the catalogue says may be smaller."""
    return min(options.min_significance, _KNOWN) if group.is_where_known else options.min_significance


def _refuse_few(name: str, n_stars: int, options: SearchOptions) -> None:
    least = int(_OFTEN * options.min_group_size)
    if n_stars < least:
        raise TooFewStarsError(
            f"{name}: {n_stars} stars of its field passed the quality cuts, at least {least} are needed for groups of "
            f"--min_group_size {options.min_group_size}: try a larger --radius, a fainter --search_g_max, or "
            "looser cuts."
        )


def _expectation(stars: FieldStars, ra: float, dec: float, known: KnownMotion | None) -> Expectation:
    offset = np.concatenate(tangent_plane(np.array([ra]), np.array([dec]), *stars.centre)) / stars.radius
    if known is None or not np.isfinite(known.mean).any():
        return Expectation(offset)
    return Expectation(offset, known.mean, np.nan_to_num(known.scatter))


def _nothing_found(
    name: str, n_stars: int, found: list[tuple[JudgedGroup, float]], options: SearchOptions
) -> str:
    best = max(found, key=lambda pair: pair[1], default=None)
    what = (
        "no group is compact enough"
        if best is None
        else f"the most significant of {len(found)} groups, {int(best[0].profile.core.sum())} stars at pmra "
        f"{best[0].profile.mean[0]:.2f}, pmdec {best[0].profile.mean[1]:.2f}, has {best[1]:.1f} sigma"
    )
    return (
        f"{name}: no cluster was found among {n_stars} stars: {what}, --min_significance {options.min_significance:g} "
        "is needed. Try a larger --radius (a cluster that fills its field does not stand out), or another "
        "--search_g_max or --method."
    )


def _report(name: str, group: JudgedGroup, sigma: float, others: list[JudgedGroup]) -> None:
    mean = group.profile.mean
    logger.info(
        "%s: %d stars around pmra %.2f, pmdec %.2f, parallax %.2f are the cluster (%.1f sigma).",
        *(name, group.profile.core.sum(), *mean, sigma),
    )
    for other in others:
        logger.warning(
            "%s: its field has another concentration, %d stars around pmra %.2f, pmdec %.2f, parallax %.2f, which is "
            "farther from what is known of the cluster, or weaker.",
            *(name, other.profile.core.sum(), *other.profile.mean),
        )


def membership_share(
    field: SearchField, profile: GroupProfile, options: SearchOptions, *, rng: np.random.Generator
) -> Array:
    """Share of repeated runs in which a star is in the cluster's group.

    Parameters
    ----------
    field : SearchField
        The whole field.
    profile : GroupProfile
        Of the cluster.
    options : SearchOptions
        Method and number of runs.
    rng : Generator
        Random numbers.

    Returns
    -------
    ndarray, shape (n_stars,)
        0 for stars far from the cluster, which take no part.
    """
    distance = profile.distance(field.stars)
    near = np.flatnonzero(distance < _NEAR)
    if len(near) > _MOST_NEAR:
        near = np.sort(np.argsort(distance)[:_MOST_NEAR])
    runs = METHODS[options.method].runs(field.part(near), profile.core[near], options, rng)
    share = np.zeros(len(distance))
    share[near] = np.mean(list(runs), axis=0)
    return share
