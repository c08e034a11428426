"""How a group is concentrated: on the sky and along a sequence of colours, both against draws from the field."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from gaia_oc_amd.first_members.stars import FieldStars

Array = NDArray[np.float64]
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
