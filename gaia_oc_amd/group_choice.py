"""Which of many groups of stars is the cluster: one rule for every way of finding groups."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.concentration import SkyMap, sequence_concentration, sky_concentration, sky_peak
from gaia_oc_amd.field_stars import FieldStars
from gaia_oc_amd.group_profile import GroupProfile, group_profile

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int64]

_REACH = 0.5
"""Offset from the place that was asked for, in field radii, at which a group counts half."""
_MOTION_REACH = 3.0
"""Offset from the known motion, in standard deviations, that counts exp(-1/2)."""
LEAST_UNCERTAINTY = np.array([0.1, 0.1, 0.05])
"""What catalogues may differ by [mas/yr, mas/yr, mas]: zero points, and lists of other members."""
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
    """

    group: Mask
    profile: GroupProfile
    sky: float
    sequence: float
    closeness: float
    is_where_known: bool
    overlap: float

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
        From `concentration.sky_map`.
    divisions : iterable of ndarray of int, shape (n_stars,)
        Labels of one or several divisions of the field, -1 for stars in no group.
    expected : Expectation
        What is known of the cluster.

    Returns
    -------
    list of JudgedGroup
        Without groups that are too small or too wide to be clusters (see `group_profile.group_profile`).
    """
    judged, known = [], {}
    for group in _distinct_groups(divisions):
        profile = group_profile(stars, group)
        if profile is None or profile.excess == 0:
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
        From `concentration.sky_map`.
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


def significance(concentration: float, controls: Array) -> float:
    """How many standard deviations of the controls a concentration lies above their mean."""
    return float((concentration - controls.mean()) / max(controls.std(ddof=1), 0.5))
