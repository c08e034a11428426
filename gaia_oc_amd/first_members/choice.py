"""Which group is the cluster: its profile in motion, what speaks for it, and how significant that is."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from gaia_oc_amd.first_members.concentration import (
    SkyMap,
    sequence_concentration,
    sky_concentration,
    sky_peak,
)
from gaia_oc_amd.first_members.stars import FieldStars

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]

CORE = 2.5
"""Radius of a group's core in standard deviations of errors and scatter together."""
_SHELL = (4.0, 8.0)
"""Radii of the surroundings in the same units; Poisson counts there tell how many field stars are in the core."""
_LEAST_SCATTER = np.array([0.05, 0.05, 0.02])
_STEPS = 5
_LEAST_STARS = 8


@dataclass(frozen=True)
class GroupProfile:
    """A group's place in proper motion and parallax.

    Parameters
    ----------
    mean : ndarray, shape (3,)
        Median pmra, pmdec [mas/yr] and parallax [mas].
    scatter : ndarray, shape (3,)
        Standard deviations that the errors do not explain; at least 0.05 mas/yr and 0.02 mas.
    core : ndarray of bool, shape (n_stars,)
        Stars of the field within `CORE` standard deviations.
    expected : float
        Field stars that the surroundings let expect in the core.
    """

    mean: Array
    scatter: Array
    core: Mask
    expected: float

    @property
    def excess(self) -> float:
        """Significance of the core's number over the surroundings (signed root of the likelihood ratio)."""
        n = int(self.core.sum())
        if n <= self.expected:
            return 0.0
        return float(np.sqrt(2 * (n * np.log(n / self.expected) - n + self.expected)))

    def distance(self, stars: FieldStars) -> Array:
        """Distance of stars from the mean in standard deviations, shape (n_stars,)."""
        variance = self.scatter**2 + stars.errors**2
        return np.sqrt(((stars.motions - self.mean) ** 2 / variance).sum(axis=1))


def group_profile(stars: FieldStars, group: Mask) -> GroupProfile | None:
    """Profile of the concentration in proper motion and parallax that a group sits on.

    Median and scatter of the group are improved by those of all stars in the core, a few times over, so that a group
    that is too large or too small is described by the concentration that it holds.

    Parameters
    ----------
    stars : FieldStars
        The field.
    group : ndarray of bool, shape (n_stars,)
        The group.

    Returns
    -------
    GroupProfile or None
        None if fewer than 8 stars are left, or if it is too wide for a cluster (see `widest_motion`).
    """
    core = group
    for _ in range(_STEPS):
        if core.sum() < _LEAST_STARS:
            return None
        profile = _profile(stars, core)
        if np.array_equal(profile.core, core):
            break
        core = profile.core
    if core.sum() < _LEAST_STARS or profile.scatter[:2].max() > widest_motion(float(profile.mean[2])):
        return None
    return profile


def widest_motion(parallax: float) -> float:
    """Largest scatter of a cluster's proper motions in one direction [mas/yr].

    That of 5 km/s at its distance (Cantat-Gaudin & Anders 2020, A&A 633, A99), for parallaxes that may be 0.04 mas too
    small, at least 0.1 mas/yr. The 0.35 mas/yr that they allow a distant cluster are 17 km/s at 10 kpc, as much as
    the field's own stars have.
    """
    return max(0.1, 5 / 4.74 * (max(parallax, 0.0) + 0.04))


def _profile(stars: FieldStars, members: Mask) -> GroupProfile:
    motions, errors = stars.motions[members], stars.errors[members]
    mean = np.median(motions, axis=0)
    wide = (1.4826 * np.median(np.abs(motions - mean), axis=0)) ** 2
    excess = np.maximum(wide - np.median(errors**2, axis=0), 0)
    excess[:2] = excess[:2].mean()
    profile = GroupProfile(mean, np.maximum(np.sqrt(excess), _LEAST_SCATTER), members, 0.0)
    distance = profile.distance(stars)
    inner, outer = _SHELL
    around = np.count_nonzero((distance > inner) & (distance < outer))
    expected = max(around * CORE**3 / (outer**3 - inner**3), 0.5)  # the density of a small volume is uniform
    return GroupProfile(mean, profile.scatter, distance < CORE, expected)


_REACH = 0.5
"""Offset from the place that was asked for, in field radii, at which a group counts half."""
_MOTION_REACH = 3.0
"""Offset from the known motion, in standard deviations, that counts exp(-1/2)."""
LEAST_UNCERTAINTY = np.array([0.1, 0.1, 0.05])
"""What catalogues may differ by [mas/yr, mas/yr, mas]: zero points, and lists of other members."""
_AROUND, _LEAST_AROUND = 4, 200
"""Stars around a group that controls are drawn from: so many per star of its core, and at least."""
_LIKE, _LIKE_MAGNITUDE, _LIKE_RANK = 30, 0.5, 0.1
"""Number of stars that are like one, and what differences in G [mag] and in rank of colour weigh alike."""
_CLEAR = 0.05
"""Share of field stars in a core below which nothing in the field moves as it does: dust does not make such a group."""
_LEAST_OVERLAP = 0.1
"""Least share (intersection over union) that a group has in common with the core of the concentration under it."""
_MEMBERS_PER_CORE, _SURE = (0.5, 2.0), 10.0
"""Stars with a PMemb of 0.5 or more of a cluster, over those of its core that the field does not account for; the
lower bound is for groups of less than 10 sigma, for poor clusters in rich fields have few sure members."""
SAME = 0.2
"""Groups whose cores share more than this (intersection over union) are the same concentration."""


@dataclass(frozen=True)
class Expectation:
    """What is known of the cluster before the search.

    Parameters
    ----------
    sky : ndarray, shape (2,)
        Its place, in the units of `FieldStars.sky`.
    mean, scatter : ndarray, shape (3,), optional
        Mean pmra, pmdec, parallax and the standard deviations of its members.
    """

    sky: Array
    mean: Array | None = None
    scatter: Array | None = None


@dataclass(frozen=True)
class JudgedGroup:
    """A group with what speaks for it.

    Parameters
    ----------
    group : ndarray of bool, shape (n_stars,)
        Its stars.
    profile : GroupProfile
        The concentration it sits on.
    sky, sequence : float
        Concentration on the sky and along a sequence in colour [standard deviations of draws from the field].
    closeness : float
        How near it is to what is known of the cluster, 0 to 1.
    is_where_known : bool
        Whether its mean motion and parallax are known and agree with what is known.
    overlap : float
        Share of the group and the profile's core that they have in common.
    significance : float
        Of its concentration on the sky, in standard deviations of controls; NaN before it is measured.
    """

    group: Mask
    profile: GroupProfile
    sky: float
    sequence: float
    closeness: float
    is_where_known: bool
    overlap: float
    significance: float = np.nan

    @property
    def evidence(self) -> float:
        """Concentration on the sky and, at a quarter, along a sequence, which field stars of one distance form, too."""
        return max(self.sky, 0.0) + max(self.sequence, 0.0) / 4

    @property
    def score(self) -> float:
        """What the rule ranks groups by.

        Evidence times the root of the excess in proper motion and parallax, times the shares of overlap and
        closeness. The root keeps a rich part of the field, an excess without other evidence, from winning.
        """
        return self.evidence * float(np.sqrt(self.profile.excess)) * self.overlap * self.closeness


def judge_groups(
    stars: FieldStars,
    sky: SkyMap,
    divisions: Iterable[Labels],
    expected: Expectation,
) -> list[JudgedGroup]:
    """Judge all groups, the best first.

    Parameters
    ----------
    stars : FieldStars
        The field.
    sky : SkyMap
        From `first_members.concentration.sky_map`.
    divisions : iterable of ndarray of int, shape (n_stars,)
        Labels of one or several divisions of the field, -1 for stars in no group.
    expected : Expectation
        What is known of the cluster.

    Returns
    -------
    list of JudgedGroup
        Without groups that are too small or too wide to be clusters (see `first_members.choice.group_profile`), and
        without those that are a trifle of the concentration that they sit on.
    """
    judged, known = [], {}
    for group in _distinct_groups(divisions):
        profile = group_profile(stars, group)
        if profile is None or profile.excess == 0 or overlap(group, profile.core) < _LEAST_OVERLAP:
            continue
        key = np.packbits(profile.core).tobytes()
        if key not in known:
            core = np.flatnonzero(profile.core)
            known[key] = (
                sky_concentration(sky, core),
                sequence_concentration(stars, core),
                *_closeness(sky, profile, expected),
            )
        judged.append(JudgedGroup(group, profile, *known[key], overlap(group, profile.core)))
    return sorted(judged, key=lambda group: -group.score)


def _distinct_groups(divisions: Iterable[Labels]) -> list[Mask]:
    groups: dict[bytes, Mask] = {}
    for labels in divisions:
        for label in range(int(labels.max(initial=-1)) + 1):
            group = labels == label
            groups.setdefault(np.packbits(group).tobytes(), group)
    return list(groups.values())


def overlap(one: Mask, two: Mask) -> float:
    """Intersection over union of two sets of stars."""
    return float((one & two).sum() / max((one | two).sum(), 1))


def _closeness(sky: SkyMap, profile: GroupProfile, expected: Expectation) -> tuple[float, bool]:
    """Closeness, and whether the mean agrees with what is known in all of pmra, pmdec and parallax."""
    peak = sky_peak(sky, np.flatnonzero(profile.core))
    closeness = float(1 / (1 + ((peak - expected.sky) ** 2).sum() / _REACH**2))
    if expected.mean is None:
        return closeness, False
    scatter = np.zeros(3) if expected.scatter is None else expected.scatter
    offset = (profile.mean - expected.mean) / np.sqrt(profile.scatter**2 + scatter**2 + LEAST_UNCERTAINTY**2)
    near = float(np.exp(-0.5 * np.nansum(offset**2) / _MOTION_REACH**2))
    return closeness * near, bool(np.isfinite(offset).all() and np.abs(offset).max() < 2)


def distinct(judged: list[JudgedGroup]) -> list[JudgedGroup]:
    """The best group of every concentration, best first."""
    kept: list[JudgedGroup] = []
    for group in judged:
        if all(overlap(group.profile.core, other.profile.core) <= SAME for other in kept):
            kept.append(group)
    return kept


def control_concentration(
    sky: SkyMap, judged: list[JudgedGroup], n_controls: int, *, rng: np.random.Generator
) -> Array:
    """Largest concentration on the sky of any group, in fields in which places know nothing of motions.

    Each control gives every star the place of another one: places and motions are as clumped as before, each for
    itself, but no group lies together. The groups are those of the search, which does not look at places.

    Parameters
    ----------
    sky : SkyMap
        From `first_members.concentration.sky_map`.
    judged : list of JudgedGroup
        All groups that could have been chosen.
    n_controls : int
        Number of controls.
    rng : Generator
        Random numbers.

    Returns
    -------
    ndarray, shape (n_controls,)
        0 where there is no group.
    """
    n_stars = len(sky)
    cores = [
        np.flatnonzero(core)
        for core in {np.packbits(g.profile.core).tobytes(): g.profile.core for g in judged}.values()
    ]
    largest = np.zeros(n_controls)
    for i in range(n_controls):
        places = rng.permutation(n_stars)
        largest[i] = max((sky_concentration(sky, places[core]) for core in cores), default=0.0)
    return largest


def surrounding_concentration(
    stars: FieldStars, sky: SkyMap, profile: GroupProfile, n_controls: int, *, rng: np.random.Generator
) -> Array:
    """Concentration on the sky of stars like those of a group that move a little differently.

    Dust hides stars by distance, brightness and colour, and stars of one distance move alike: where it is patchy, a
    group of one motion is patchy, too, without being a cluster. The stars around the core in motion and parallax have
    the same distance, and of them those are drawn that are as bright and as red as the core's.

    Parameters
    ----------
    stars : FieldStars
        The field.
    sky : SkyMap
        Of the field.
    profile : GroupProfile
        The group's.
    n_controls : int
        Number of draws.
    rng : Generator
        Draws.

    Returns
    -------
    ndarray, shape (n_controls,)
        As large as draws of as many stars as the core has would have; 0 if there are not enough stars around.
    """
    distance = profile.distance(stars)
    core = np.flatnonzero(profile.core)
    around = np.flatnonzero(distance > _SHELL[0])
    n_near = max(_AROUND * len(core), _LEAST_AROUND, int((distance[around] < _SHELL[1]).sum()))
    around = around[np.argsort(distance[around], kind="stable")[:n_near]]
    if len(around) < 2 * _LEAST_STARS:
        return np.zeros(n_controls)
    weight = _likeness(stars, core, around)
    n_drawn = min(len(core), int(np.count_nonzero(weight)) // 2)
    scale = (len(core) - 1) / (n_drawn - 1)  # a patchy field's concentration grows with the number of stars
    drawn = (rng.choice(around, n_drawn, replace=False, p=weight) for _ in range(n_controls))
    return scale * np.array([sky_concentration(sky, np.sort(group)) for group in drawn])


def _likeness(stars: FieldStars, core: Indices, around: Indices) -> Array:
    """Probabilities with which stars are drawn so that they are as bright and red as a core's, shape (n_around,)."""
    kinds = np.column_stack([stars.g / _LIKE_MAGNITUDE, stars.colour_rank / _LIKE_RANK])
    near = KDTree(kinds[around]).query(kinds[core], k=min(_LIKE, len(around)))[1]
    weight = np.bincount(near.ravel(), minlength=len(around)).astype(float)
    return weight / weight.sum()


def significance(concentration: float, controls: Array) -> float:
    """How many standard deviations of the controls a concentration lies above their mean."""
    return float((concentration - controls.mean()) / max(controls.std(ddof=1), 0.5))


def with_significance(
    group: JudgedGroup,
    stars: FieldStars,
    sky: SkyMap,
    controls: Array,
    *,
    rng: np.random.Generator,
) -> JudgedGroup:
    """A group with the significance of its concentration on the sky.

    Parameters
    ----------
    group : JudgedGroup
        The group.
    stars : FieldStars
        The field.
    sky : SkyMap
        Of the field.
    controls : ndarray, shape (n_controls,)
        Largest concentrations of any group where places know nothing of motions.
    rng : Generator
        Draws of like stars.

    Returns
    -------
    JudgedGroup
        With the lesser of the significance over the controls and over like stars around it. The latter is not asked
        for where the core has hardly a field star: the stars around are then the cluster's own outliers.
    """
    sigma = significance(group.sky, controls)
    profile = group.profile
    if profile.expected > _CLEAR * profile.core.sum():
        around = surrounding_concentration(stars, sky, profile, len(controls), rng=rng)
        sigma = min(sigma, significance(group.sky, around))
    return replace(group, significance=sigma)


def why_no_cluster(group: JudgedGroup, probability: Array) -> str | None:
    """What is unlike a cluster in a group that stands out from the controls; None where nothing is.

    Every test of a group whose members are known belongs here; the first one that fails gives the reason.

    Parameters
    ----------
    group : JudgedGroup
        The group.
    probability : ndarray, shape (n_stars,)
        PMemb of all stars of the field.

    Returns
    -------
    str or None
        A clause for a message, whose subject is the group.
    """
    n_above = group.profile.core.sum() - group.profile.expected
    n_members = int((probability >= 0.5).sum())
    least, most = _MEMBERS_PER_CORE
    if n_members <= most * n_above and (n_members >= least * n_above or group.significance >= _SURE):
        return None
    return (
        f"has {n_members} stars with PMemb >= 0.5 where its core has {n_above:.0f} more than the field, of which "
        f"between {least:g} and {most:g} times as many would be like a cluster"
    )
