"""The likelihood of stars in the colour-magnitude diagram, given an isochrone's extinction and distance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.compiled import compiled
from gaia_oc_amd.isochrone_fit_options import IsochroneFitOptions
from gaia_oc_amd.isochrone_stars import PredictedStars

Array = NDArray[np.float64]

_REACH = 4.5
"""Stars see the points within so many standard deviations."""
_REDDENING = {"bp_rp": (0.42, 0.83), "g_rp": (0.20, 0.83)}
"""Reddening and extinction in G per A0 of a typical star, for the scatter of the extinction."""
_OUTLIER_MARGIN = 0.3
"""The region of the outliers reaches so far beyond the stars [mag]."""


@dataclass(frozen=True)
class ObservedStars:
    """What the fit knows of a cluster's stars.

    Parameters
    ----------
    colour, g : ndarray, shape (n_stars,)
        [mag].
    covariance : ndarray, shape (n_stars, 2, 2)
        Of G and colour [mag^2].
    weight : ndarray, shape (n_stars,)
        Probability to be a member.
    """

    colour: Array
    g: Array
    covariance: Array
    weight: Array

    def outlier_density(self) -> float:
        """Density of a star that may lie anywhere in the region of the diagram that the stars fill [mag^-2]."""
        return float(1 / np.prod([np.ptp(values) + 2 * _OUTLIER_MARGIN for values in (self.colour, self.g)]))


def log_likelihood(
    stars: ObservedStars,
    predicted: PredictedStars,
    a0: float,
    moduli: Array,
    options: IsochroneFitOptions,
    *,
    blur: tuple[float, float] = (0.0, 0.0),
) -> Array:
    """Logarithm of the stars' likelihood at one age and extinction and several distances.

    A star is a member with its weight (less the share of outliers): then its density is the sum over the predicted
    points, each a normal distribution of the star's errors and the scatters of the options, over the share of the
    points that are brighter than the faintest star. Else its density is uniform.

    Parameters
    ----------
    stars : ObservedStars
        Stars of the cluster.
    predicted : PredictedStars
        Stars of one age.
    a0 : float
        Extinction [mag].
    moduli : ndarray, shape (n_moduli,)
        At least two rising distance moduli, equally spaced [mag].
    options : IsochroneFitOptions
        Scatters and shares.
    blur : tuple of float
        Scatter in colour and G that is added, so that a coarse grid misses no maximum [mag].

    Returns
    -------
    ndarray, shape (n_moduli,)
    """
    colour, g = predicted.reddened(a0)
    limit = stars.g.max()
    seen = g + moduli[0] < limit + 1
    order = np.flatnonzero(seen)[np.argsort(g[seen])]
    colour, g, weight = colour[order], g[order], predicted.weight[order]
    if not len(g):
        return np.full(len(moduli), stars.weight.size * np.log(1e-300))
    brighter = np.interp(limit - moduli, g, np.cumsum(weight), left=0.0)
    spread = np.array([[options.g_width**2 + blur[1] ** 2, 0], [0, options.colour_width**2 + blur[0] ** 2]])
    towards = np.array(_REDDENING[options.colour][::-1]) * options.reddening_width * a0
    covariance = stars.covariance + spread + np.outer(towards, towards)
    member = stars.weight * (1 - options.outlier_fraction)
    return _sum_over_stars(
        np.column_stack([stars.colour, stars.g, member, (1 - member) * stars.outlier_density()]),
        covariance,
        np.column_stack([colour, g, weight]),
        np.asarray(moduli, float),
        np.maximum(brighter, 1e-12 * weight.sum()),
    )


@compiled
def _sum_over_stars(stars: Array, covariance: Array, points: Array, moduli: Array, total: Array) -> Array:
    """Sum of the logarithms of the mixture; points are sorted by G, columns as `log_likelihood` stacks them.

    From one modulus to the next a normal density changes by a factor, which itself changes by a constant factor: that
    saves most of the exponentials.
    """
    step = moduli[1] - moduli[0]
    result = np.zeros(len(moduli))
    density = np.empty(len(moduli))
    g_points = points[:, 1].copy()
    for i in range(len(stars)):
        colour, g = stars[i, 0], stars[i, 1]
        colour_variance, slope = covariance[i, 1, 1], covariance[i, 0, 1] / covariance[i, 1, 1]
        g_variance = covariance[i, 0, 0] - slope * covariance[i, 0, 1]
        reach_colour = _REACH * np.sqrt(colour_variance)
        reach, reach_g = _REACH * np.sqrt(covariance[i, 0, 0]), _REACH * np.sqrt(g_variance)
        shrink = np.exp(-step * step / g_variance)
        first = np.searchsorted(g_points, g - moduli[-1] - reach)
        last = np.searchsorted(g_points, g - moduli[0] + reach)
        density[:] = 0
        for k in range(first, last):
            offset = colour - points[k, 0]
            if abs(offset) > reach_colour:
                continue
            factor = points[k, 2] * np.exp(-0.5 * offset * offset / colour_variance)
            rest = g - points[k, 1] - slope * offset
            rest = rest - moduli[0]
            start = max(int(np.ceil((rest - reach_g) / step)), 0)
            stop = min(int(np.floor((rest + reach_g) / step)) + 1, len(moduli))
            if start >= stop:
                continue
            rest -= start * step
            factor *= np.exp(-0.5 * rest * rest / g_variance)
            ratio = np.exp((rest - 0.5 * step) * step / g_variance)
            for j in range(start, stop):
                density[j] += factor
                factor *= ratio
                ratio *= shrink
        scale = stars[i, 2] / (2 * np.pi * np.sqrt(colour_variance * g_variance))
        for j in range(len(moduli)):
            result[j] += np.log(scale * density[j] / total[j] + stars[i, 3])
    return result
