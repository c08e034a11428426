"""Which group is the cluster: its profile in motion, its concentration, its significance."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from gaia_oc_amd.first_members.stars import FieldStars

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


Indices = NDArray[np.int64]

SKY_SCALES = (0.1, 0.2, 0.4)
"""Widths of the kernels on the sky, in units of the field's radius."""
_COLOUR_WIDTH = 0.08
"""Width of the kernel in ranks of colour: a main sequence takes up a tenth of the field's colours."""
_MAGNITUDE_WIDTH = 0.5
_MOST_PAIRED = 400
"""Stars of a group of which all pairs are looked at; of larger groups an even sample."""
_CELLS = 48
"""Cells of the map in each direction, smaller than the smallest width."""
_LEAST_PEAK, _LOWEST_PEAK, _PEAK_SIGMAS = 8.0, 0.2, 4.0
"""Stars under the kernel, their share of the densest place's, and sigmas above the field, of a second cluster."""
_GAP, _GAP_SIGMAS = 0.5, 2.0
"""Share of the lower density that a gap falls below, and by how many of its errors."""


@dataclass(frozen=True)
class SkyMap:
    """The field's stars on a grid on the sky, and what draws from the field give, for each width in `SKY_SCALES`.

    Parameters
    ----------
    cells : ndarray of int, shape (n_stars, 2)
        Cell of each star in x and y.
    kernels : ndarray, shape (n_scales, 2, n_cells, n_cells)
        Gaussian kernel between the cells, in x and in y.
    edges : ndarray, shape (2, n_cells + 1)
        Edges of the cells, in the units of `FieldStars.sky`.
    means : ndarray, shape (n_scales, n_stars)
        Mean kernel of a star with the other stars of the field.
    mean_square : ndarray, shape (n_scales,)
        Mean square of the centred kernel of a pair.
    """

    cells: Indices
    kernels: Array
    edges: Array
    means: Array
    mean_square: Array

    def __len__(self) -> int:
        return len(self.cells)

    def counts(self, group: Indices) -> Array:
        """Stars of a group in each cell, shape (n_cells, n_cells)."""
        flat = self.cells[group, 0] * _CELLS + self.cells[group, 1]
        return np.bincount(flat, minlength=_CELLS**2).reshape(_CELLS, _CELLS).astype(float)

    def density(self, group: Indices, scale: int) -> Array:
        """Kernels of a group's stars summed in each cell, shape (n_cells, n_cells)."""
        in_x, in_y = self.kernels[scale]
        return in_x @ self.counts(group) @ in_y


def sky_map(stars: FieldStars) -> SkyMap:
    """Map of a field.

    Parameters
    ----------
    stars : FieldStars

    Returns
    -------
    SkyMap
    """
    low, high = stars.sky.min(axis=0), stars.sky.max(axis=0)
    edges = np.linspace(low, high + 1e-9, _CELLS + 1).T
    cells = np.stack([np.searchsorted(edges[i], stars.sky[:, i], "right") - 1 for i in range(2)], axis=1)
    cells = np.clip(cells, 0, _CELLS - 1)
    squares = (
        ((edges[:, :-1] + edges[:, 1:]) / 2)[:, :, None] - ((edges[:, :-1] + edges[:, 1:]) / 2)[:, None]
    ) ** 2
    kernels = np.stack([np.exp(-squares / (2 * width**2)) for width in SKY_SCALES])
    whole = SkyMap(cells, kernels, edges, np.empty((0, 0)), np.empty(0))
    everyone, n = np.arange(len(stars)), len(stars)
    counts = whole.counts(everyone)
    means, mean_square = [], []
    for scale in range(len(SKY_SCALES)):
        mean = (whole.density(everyone, scale)[cells[:, 0], cells[:, 1]] - 1) / (n - 1)
        in_x, in_y = kernels[scale] ** 2
        square = ((counts * (in_x @ counts @ in_y)).sum() - n) / (n * (n - 1))
        means.append(mean)
        mean_square.append(square - 2 * (mean**2).mean() + mean.mean() ** 2)
    return SkyMap(cells, kernels, edges, np.array(means), np.maximum(mean_square, 1e-12))


def sky_concentration(sky: SkyMap, group: Indices) -> float:
    """Sum of the kernel over the pairs of a group, in standard deviations of groups drawn from the field at random.

    The kernel is centred, so that the sum over random pairs is 0 and its variance is twice that of a pair times
    their number, less what drawing without replacement takes away.

    Parameters
    ----------
    sky : SkyMap
        Of the field.
    group : ndarray of int, shape (n_group,)
        The group's stars.

    Returns
    -------
    float
        The largest over the widths; 0 for fewer than 3 stars.
    """
    n, field = len(group), len(sky)
    if n < 3:
        return 0.0
    counts, pairs = sky.counts(group), n * (n - 1)
    left = max((field - n) * (field - n - 1) / (field * (field - 1)), 1e-3)
    values = []
    for scale, mean_square in enumerate(sky.mean_square):
        kernels = (counts * sky.density(group, scale)).sum() - n
        means = sky.means[scale]
        centred = kernels - 2 * (n - 1) * means[group].sum() + pairs * means.mean()
        values.append(centred / np.sqrt(2 * pairs * mean_square * left))
    return float(max(values))


def sky_peak(sky: SkyMap, group: Indices) -> Array:
    """Place where a group is densest in excess of the field, shape (2,), in the units of `FieldStars.sky`."""
    everyone = np.arange(len(sky))
    excess = sky.density(group, 1) - len(group) / len(sky) * sky.density(everyone, 1)
    cell = np.unravel_index(excess.argmax(), excess.shape)
    return np.array([sky.edges[i, cell[i] : cell[i] + 2].mean() for i in range(2)])


def sky_peaks(sky: SkyMap, group: Indices) -> list[Array]:
    """Places where a group is concentrated: two of a double cluster, whose motions are one group.

    Parameters
    ----------
    sky : SkyMap
        Of the field.
    group : ndarray of int, shape (n_group,)
        The group's stars.

    Returns
    -------
    list of ndarray, shape (2,)
        The densest place first, then those that hold enough stars for a cluster and are divided from it by a gap; in
        the units of `FieldStars.sky`.
    """
    share = len(group) / len(sky)
    everyone = sky.density(np.arange(len(sky)), 0)
    excess = sky.density(group, 0) - share * everyone  # stars under a kernel of the smallest width
    noise = np.sqrt(np.maximum(share * everyone, 1))
    places = np.stack([(edges[:-1] + edges[1:]) / 2 for edges in sky.edges])
    highest = excess.max()
    least = np.maximum(np.maximum(_LEAST_PEAK, _LOWEST_PEAK * highest), _PEAK_SIGMAS * noise)
    is_peak = (excess == maximum_filter(excess, size=5)) & (excess >= least)
    cells = np.argwhere(is_peak)
    cells = cells[np.argsort(-excess[tuple(cells.T)])] if len(cells) else np.argwhere(excess == highest)[:1]
    kept = [cells[0]]
    for cell in cells[1:]:
        if all(_is_apart(excess, cell, other) for other in kept):
            kept.append(cell)
    return [np.array([places[0, x], places[1, y]]) for x, y in kept]


def _is_apart(excess: Array, cell: Indices, other: Indices) -> bool:
    """Whether a gap divides two places of a map: the density between falls well below that of the lower one."""
    steps = np.linspace(0, 1, 2 * _CELLS)[:, None]
    between = np.round(cell + steps * (other - cell)).astype(int)
    along = excess[between[:, 0], between[:, 1]]
    lower = min(along[0], along[-1])
    lowest = max(float(along.min()), 0.0)
    return bool(lowest < _GAP * lower and lower - lowest > _GAP_SIGMAS * np.sqrt(lower + lowest))


def share_above_field(sky: SkyMap, group: Indices, expected: float) -> Array:
    """Share of the stars of a group, around each star's place, that the field does not account for.

    Parameters
    ----------
    sky : SkyMap
        Of the field.
    group : ndarray of int, shape (n_group,)
        The group's stars.
    expected : float
        How many of them are field stars, which lie as the field does.

    Returns
    -------
    ndarray, shape (n_stars,)
        Between 0 and 1; the density of the group is smoothed with the smallest width, without the star itself.
    """
    found = sky.density(group, 0)[sky.cells[:, 0], sky.cells[:, 1]]
    found[group] -= 1
    by_chance = sky.means[0] * expected
    return np.clip(1 - by_chance / np.maximum(found, 1e-9), 0, 1)


def sequence_concentration(stars: FieldStars, group: Indices) -> float:
    """How much the colours of stars of like brightness agree, in standard deviations of stars of the field.

    A single sequence of stars, whatever its age and reddening, takes up few of the colours that the field has at
    a magnitude. Ranks are uniform and independent for stars drawn from the field at any magnitudes, so the sum of a
    periodic kernel over pairs has mean 0 and a variance that is known.

    Parameters
    ----------
    stars : FieldStars
        The field.
    group : ndarray of int, shape (n_group,)
        The group's stars.

    Returns
    -------
    float
        0 for fewer than 3 stars.
    """
    if len(group) < 3:
        return 0.0
    sample = _even_sample(group)
    rank = stars.colour_rank[sample]
    like = np.exp(-0.5 * ((stars.g[sample][:, None] - stars.g[sample]) / _MAGNITUDE_WIDTH) ** 2)
    np.fill_diagonal(like, 0)
    apart = np.abs(rank[:, None] - rank)
    mean, variance = _kernel_moments()
    agreement = np.exp(-0.5 * (np.minimum(apart, 1 - apart) / _COLOUR_WIDTH) ** 2) - mean
    return float((like * agreement).sum() / np.sqrt(2 * (like**2).sum() * variance))


def _kernel_moments() -> tuple[float, float]:
    """Mean and variance of the periodic kernel of two uniform ranks."""
    apart = (np.arange(1000) + 0.5) / 2000
    kernel = np.exp(-0.5 * (apart / _COLOUR_WIDTH) ** 2)
    return float(kernel.mean()), float(kernel.var())


def _even_sample(group: Indices) -> Indices:
    if len(group) <= _MOST_PAIRED:
        return group
    return group[np.linspace(0, len(group) - 1, _MOST_PAIRED).astype(int)]


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
        From `first_members.choice.sky_map`.
    divisions : iterable of ndarray of int, shape (n_stars,)
        Labels of one or several divisions of the field, -1 for stars in no group.
    expected : Expectation
        What is known of the cluster.

    Returns
    -------
    list of JudgedGroup
        Without groups that are too small or too wide to be clusters (see `first_members.choice.group_profile`).
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
        From `first_members.choice.sky_map`.
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
