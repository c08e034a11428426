"""Where a group of stars lies in proper motion and parallax, and how much denser than its surroundings it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.field_stars import FieldStars

Array = NDArray[np.float64]
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

    That of 5 km/s at its distance, at least 0.35 mas/yr: the limits that Cantat-Gaudin & Anders (2020, A&A 633, A99)
    give for what may be a cluster.
    """
    return max(0.5 / np.sqrt(2), 5 / 4.74 * max(parallax, 0.0))


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
