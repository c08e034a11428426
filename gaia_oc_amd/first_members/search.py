"""Search a field for the first members of its cluster: repeated runs, and the share that agrees."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from gaia_oc_amd import images
from gaia_oc_amd.arguments import Latitude, Longitude, checked
from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.columns import FROM_ARCHIVE
from gaia_oc_amd.exceptions import NoClusterError, TooFewStarsError
from gaia_oc_amd.files.tables import require_columns
from gaia_oc_amd.first_members.choice import (
    Expectation,
    GroupProfile,
    JudgedGroup,
    control_concentration,
    distinct,
    judge_groups,
    why_no_cluster,
    with_significance,
)
from gaia_oc_amd.first_members.concentration import SkyMap, share_above_field, sky_map, sky_peaks
from gaia_oc_amd.first_members.methods import METHODS, SearchField
from gaia_oc_amd.first_members.options import SearchOptions
from gaia_oc_amd.first_members.stars import NEEDED, FieldStars, clustering_stars

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_KNOWN = 2.0
"""Least significance of a group that moves as the catalogue says."""
_POPULATION = 0.5
"""Least probability that a group of less than the usual significance is one population."""
_NEAR = 12.0
"""Stars farther than this from the cluster, in standard deviations, take no part in the repeated runs."""
_MOST_NEAR = 20_000
_FAR = 0.35
"""Offset from the asked place, in field radii, that is said."""
_OFTEN = 3.0
"""Least number of groups' worth of stars in a field."""


@dataclass(frozen=True)
class OtherGroup:
    """A group of the field beside the one that was looked for: a cluster that lists may not have.

    Parameters
    ----------
    group : JudgedGroup
        With its significance.
    members : DataFrame
        Its stars with PMemb of 0.1 or more, the most probable first.
    """

    group: JudgedGroup
    members: pd.DataFrame


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
    others : tuple of OtherGroup
        Other groups of the field that are as significant as a cluster must be.
    neighbour : DataFrame, optional
        The stars with their PMemb in the other half of a double cluster, which moves as this one does.
    population : float, optional
        Probability that the group is one population, where its significance alone would not do.
    """

    name: str
    stars: pd.DataFrame
    group: JudgedGroup
    others: tuple[OtherGroup, ...] = ()
    neighbour: pd.DataFrame | None = None
    population: float | None = None

    @property
    def significance(self) -> float:
        """Of the group's concentration on the sky, in standard deviations of the controls."""
        return self.group.significance

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


@checked
def find_first_members(
    name: str,
    stars: pd.DataFrame,
    options: SearchOptions | None = None,
    *,
    ra: Longitude,
    dec: Latitude,
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
    TypeError, ValueError
        If a star lacks a measurement, or the place is none on the sky.
    """
    options = options or SearchOptions()
    stars = require_columns(stars, ("source_id", *NEEDED), "the stars", FROM_ARCHIVE)
    if n_incomplete := int((~np.isfinite(stars[list(NEEDED)].to_numpy(float)).all(axis=1)).sum()):
        raise ValueError(f"{n_incomplete} of {len(stars)} stars lack a measurement: leave them out.")
    _refuse_few(name, len(stars), options)
    table = stars.sort_values("source_id", ignore_index=True)  # chance must not see the order of the rows
    field = SearchField(table, clustering_stars(table))
    sky = sky_map(field.stars)
    expected = _expectation(field.stars, ra, dec, known if options.use_catalogue_motion else None)
    judged = judge_groups(field.stars, sky, METHODS[options.method].search(field, options, rng), expected)
    controls = _controls(field, sky, judged, options, rng)
    measured = [with_significance(group, field.stars, sky, controls, rng=rng) for group in judged]
    sure = distinct([group for group in measured if group.significance >= _needed(group, options)])
    population: float | None = None
    found = list(_with_members(name, field, sky, sure, options, rng))
    if not found:
        found, population = _one_population(name, field, sky, measured, options, rng)
    if not found:
        raise NoClusterError(_nothing_found(name, len(stars), measured, sure, options))
    group, probability = found[0]
    is_here = _half_asked_for(name, field.stars, sky, group, expected)
    here, there = (field.table.assign(PMemb=np.round(probability * half, 3)) for half in (is_here, ~is_here))
    result = FirstMembers(
        name,
        here,
        group,
        tuple(_as_other(field, *pair) for pair in found[1:]),
        None if is_here.all() else there,
        population,
    )
    _report(result)
    return result


def _with_members(
    name: str,
    field: SearchField,
    sky: SkyMap,
    groups: list[JudgedGroup],
    options: SearchOptions,
    rng: np.random.Generator,
) -> Iterator[tuple[JudgedGroup, Array]]:
    """The groups that are like clusters once their members are known, with PMemb of all stars."""
    for group in groups:
        probability = membership_share(field, group.profile, options, rng=rng)
        probability *= share_above_field(sky, np.flatnonzero(group.profile.core), group.profile.expected)
        reason = why_no_cluster(group, probability)
        if reason is None:
            yield group, without_tails(field.stars, probability, options.tails)
        else:
            logger.info("%s: a group of %.1f sigma, %s, %s.", name, group.significance, _place(group), reason)


def _one_population(
    name: str,
    field: SearchField,
    sky: SkyMap,
    measured: list[JudgedGroup],
    options: SearchOptions,
    rng: np.random.Generator,
) -> tuple[list[tuple[JudgedGroup, Array]], float | None]:
    """The best group of less than the usual significance that is one population, and how probably it is."""
    possible = [
        group
        for group in measured
        if options.population_significance <= group.significance < _needed(group, options)
    ]
    for group, probability in _with_members(name, field, sky, distinct(possible), options, rng):
        members = field.table[probability >= 0.5]
        g, bp, rp = (members[f"phot_{band}_mean_mag"].to_numpy(float) for band in ("g", "bp", "rp"))
        try:
            population = images.population_probability(g, bp - rp)
        except TooFewStarsError:
            continue
        if population >= _POPULATION:
            return [(group, probability)], population
    return [], None


def without_tails(stars: FieldStars, probability: Array, tails: float) -> Array:
    """PMemb that is 0 for stars in the tails of the group's normal distributions.

    Parameters
    ----------
    stars : FieldStars
        The field.
    probability : ndarray, shape (n_stars,)
        PMemb.
    tails : float
        Share of the normal distribution of pmra, pmdec and parallax of the stars with PMemb >= 0.5 that is left out
        at each end; 0.1 leaves those between the quantiles of 10 and 90 %.

    Returns
    -------
    ndarray, shape (n_stars,)

    Notes
    -----
    Source: C. D. Alvaro Yunta, "Machine Learning Tools for Open Cluster Characterization" (slides), last step of
    DECOCC.
    """
    group = stars.motions[probability >= 0.5]
    if tails == 0 or len(group) < 2:
        return probability
    reach = float(norm.ppf(1 - tails))
    offset = np.abs(stars.motions - group.mean(axis=0)) / np.maximum(group.std(axis=0, ddof=1), 1e-9)
    return np.where((offset <= reach).all(axis=1), probability, 0.0)


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
    name: str, n_stars: int, measured: list[JudgedGroup], sure: list[JudgedGroup], options: SearchOptions
) -> str:
    best = max(measured, key=lambda group: group.significance, default=None)
    if best is None:
        what = "no group is compact enough"
    else:
        what = f"the most significant of {len(measured)} groups, {_place(best)}, has {best.significance:.1f} sigma"
        what += (
            f" (--min_significance {options.min_significance:g}), but its members are not like those of a cluster"
            if sure
            else f", --min_significance {options.min_significance:g} is needed, or --population_significance "
            f"{options.population_significance:g} with the colours and magnitudes of one population"
        )
    return (
        f"{name}: no cluster was found among {n_stars} stars: {what}. Try a larger --radius (a cluster that fills "
        "its field does not stand out), or another --search_g_max or --method."
    )


def _place(group: JudgedGroup) -> str:
    mean = group.profile.mean
    n_core = int(group.profile.core.sum())
    return f"{n_core} stars around pmra {mean[0]:.2f}, pmdec {mean[1]:.2f}, parallax {mean[2]:.2f}"


def _report(found: FirstMembers) -> None:
    """Say what the cluster is: how many stars the list has, not how many the core holds."""
    probability = found.members["PMemb"]
    if found.population is not None:
        logger.warning(
            "%s: no group has the significance that --min_significance asks for; this one is taken for its colours and "
            "magnitudes, which are those of one population with a probability of %.2f.",
            *(found.name, found.population),
        )
    logger.info(
        "%s: the cluster (%.1f sigma) is %s; %d stars are listed, %d of them with PMemb >= 0.5.",
        *(found.name, found.significance, _place(found.group), len(probability), (probability >= 0.5).sum()),
    )
    for other in found.others:
        logger.warning(
            "%s: its field has another group, %s (%.1f sigma), which is farther from what is known of the cluster, or "
            "weaker.",
            *(found.name, _place(other.group), other.group.significance),
        )


def _as_other(field: SearchField, group: JudgedGroup, probability: Array) -> OtherGroup:
    return OtherGroup(group, _most_probable(field.table.assign(PMemb=np.round(probability, 3))))


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
