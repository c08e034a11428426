"""What an isochrone predicts for a cluster's diagram, and the likelihood of the observed stars."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.isochrone_fit.options import IsochroneFitOptions
from gaia_oc_amd.isochrones import TIP_LABEL, of_metallicity, one_isochrone
from gaia_oc_amd.parallel import compiled
from gaia_oc_amd.photometry import A0_RANGE, passband_extinction
from gaia_oc_amd.simulation.stars import BANDS, absolute_magnitudes, in_order_of_mass, number_below

Array = NDArray[np.float64]

_STEP_G, _STEP_COLOUR = 0.08, 0.02
"""Largest distance of neighbouring points on the curve [mag], below the scatter that the fit allows."""
_RATIO_EDGES = np.array([0.0, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0])
"""Bins of the mass ratio; companions in the first give too little light to be seen."""
_THINNING = 2
"""Systems are smeared over mass ratios, so that they need fewer masses than single stars."""


@dataclass(frozen=True)
class PredictedStars:
    """Weighted points that stand for all stars of one age.

    Parameters
    ----------
    age : float
        log10 of the age [yr].
    place : ndarray, shape (2, n_points)
        Colour and absolute G without extinction [mag].
    coefficients : ndarray, shape (2, 4, n_points)
        Reddening and extinction in G are A0 times a polynomial in A0, of these coefficients.
    weight : ndarray, shape (n_points,)
        Relative number of stars, by the initial mass function and the binary fraction.
    """

    age: float
    place: Array
    coefficients: Array
    weight: Array

    def reddened(self, a0: float) -> tuple[Array, Array]:
        """Colour and G [mag] behind an extinction of A0 [mag], without distance; each of shape (n_points,)."""
        powers = a0 * np.clip(a0, *A0_RANGE) ** np.arange(4)
        colour, g = self.place + np.einsum("p,bpn->bn", powers, self.coefficients)
        return colour, g


def ages_of(isochrones: pd.DataFrame, metal_fraction: float) -> Array:
    """Ages in a table at the metal fraction nearest to the wanted one, rising [log10 yr]."""
    return np.unique(of_metallicity(isochrones, metal_fraction)["logAge"].to_numpy(float))


def predicted_stars(
    isochrones: pd.DataFrame, age: float, colour: str, *, metal_fraction: float, binary_fraction: float
) -> PredictedStars:
    """Single stars and unresolved binaries of one age in the table.

    Parameters
    ----------
    isochrones : DataFrame
        From `isochrones.read_isochrones`.
    age : float
        One of `ages_of`.
    colour : {'bp_rp', 'g_rp'}
        Which colour.
    metal_fraction : float
        Wanted Z, the nearest is taken.
    binary_fraction : float
        Fraction of stars with a companion; mass ratios are uniform in 0 to 1.

    Returns
    -------
    PredictedStars
        Up to the early asymptotic giant branch. The extinction of a system is that of its primary.
    """
    points = in_order_of_mass(one_isochrone(isochrones, age, metal_fraction=metal_fraction))
    masses, number = _masses_along(points)
    share = np.diff(_RATIO_EDGES) * binary_fraction
    middle = (_RATIO_EDGES[1:] + _RATIO_EDGES[:-1]) / 2
    tables = [absolute_magnitudes(points, masses, np.zeros(len(masses)))]
    weights = [number * (1 - binary_fraction + share[0])]
    few = np.add.reduceat(number, np.arange(0, len(number), _THINNING))
    for ratio, part in zip(middle[1:], share[1:], strict=True):
        tables.append(absolute_magnitudes(points, masses[::_THINNING], np.full(len(few), ratio)))
        weights.append(few * part)
    systems = pd.concat(tables, ignore_index=True)
    teff = systems["teff"].to_numpy()
    bluer = "bp" if colour == "bp_rp" else "g"
    magnitude = {name: systems[name].to_numpy() for name in ("g", bluer, "rp")}
    dimming = {name: _extinction_polynomial(BANDS[name][1], teff) for name in magnitude}
    place, coefficients = (np.stack([band[bluer] - band["rp"], band["g"]]) for band in (magnitude, dimming))
    return PredictedStars(float(age), place, coefficients, np.concatenate(weights))


def _extinction_polynomial(passband: Literal["G", "Gbp", "Grp"], teff: Array) -> Array:
    """Coefficients, shape (4, n), of the extinction over A0, which the model has as a cubic of A0."""
    nodes = np.array([0.5, 2.0, 4.0, 6.0])
    ratios = np.stack([passband_extinction(passband, teff, a0) / a0 for a0 in nodes])
    return np.linalg.solve(np.vander(nodes, increasing=True), ratios)


def _masses_along(points: pd.DataFrame) -> tuple[Array, Array]:
    """Masses at equal steps along the curve, and the number of stars that each stands for."""
    knots = points["Mini"].to_numpy(float)
    g, colour = points["Gmag"].to_numpy(float), (points["G_BPmag"] - points["G_RPmag"]).to_numpy(float)
    steps = np.hypot(np.diff(g) / _STEP_G, np.diff(colour) / _STEP_COLOUR)
    steps[np.diff(points["label"].to_numpy() > TIP_LABEL)] = 0  # no star is seen between tip and clump
    length = np.concatenate([[0], np.cumsum(steps)])
    edges = np.interp(np.linspace(0, length[-1], int(length[-1]) + 2), length, knots)
    return (edges[1:] + edges[:-1]) / 2, np.diff(number_below(edges))


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
