"""The posterior of age, extinction and distance on a grid that is refined around its maximum."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.isochrone_fit.model import (
    ObservedStars,
    PredictedStars,
    ages_of,
    log_likelihood,
    predicted_stars,
)
from gaia_oc_amd.isochrone_fit.options import IsochroneFitOptions

Array = NDArray[np.float64]
Box = list[tuple[float, float]]

AXES = ("age", "a0", "modulus")


@dataclass(frozen=True)
class Refinement:
    """One pass over the grid: steps of log age [dex], A0 and modulus [mag], and how many of the stars it looks at.

    The likelihood is blurred by about half a step, so that no maximum falls between the points. What is less likely
    than the maximum by more than `drop` in the logarithm is left out of the next stage.
    """

    age_step: float
    a0_step: float
    modulus_step: float
    n_stars: int
    blur: tuple[float, float]
    drop: float


STAGES = (
    Refinement(0.1, 0.2, 0.2, 300, (0.06, 0.12), 12.0),
    Refinement(0.05, 0.1, 0.1, 600, (0.02, 0.05), 8.0),
    Refinement(0.02, 0.02, 0.03, 10**9, (0.0, 0.0), 8.0),
)
_MOST_POINTS = 25
"""The last stages have at most so many points on the axes of extinction and modulus."""
_FEWEST_POINTS = 7
_PARALLAX_SIGMAS = 4.0
_FARTHEST = 20_000.0
"""Largest distance [pc]."""
_MOST_MOVES = 6


@dataclass(frozen=True)
class Posterior:
    """Probability on a grid.

    Parameters
    ----------
    ages, a0, moduli : ndarray
        Points of the three axes [log10 yr, mag, mag].
    log_likelihood, log_posterior : ndarray, shape (n_ages, n_a0, n_moduli)
        The latter as `isochrone_posterior` defines it, not normalised.
    """

    ages: Array
    a0: Array
    moduli: Array
    log_likelihood: Array
    log_posterior: Array

    def axes(self) -> tuple[Array, Array, Array]:
        """Points of age, A0 and modulus."""
        return self.ages, self.a0, self.moduli

    def probability(self) -> Array:
        """Probability of each cell, shape (n_ages, n_a0, n_moduli), with sum 1."""
        widths = [np.diff(cell_edges(axis)) for axis in self.axes()]
        cells = np.exp(self.log_posterior - self.log_posterior.max()) * np.einsum("i,j,k->ijk", *widths)
        return cells / cells.sum()

    def quantiles(self, axis: int, levels: tuple[float, ...]) -> Array:
        """Quantiles of one parameter, each cell spread evenly over its width.

        Parameters
        ----------
        axis : int
            0 age, 1 A0, 2 modulus.
        levels : tuple of float
            Probabilities.

        Returns
        -------
        ndarray, shape (n_levels,)
        """
        others = tuple(other for other in range(3) if other != axis)
        cumulative = np.concatenate([[0.0], np.cumsum(self.probability().sum(axis=others))])
        return np.interp(levels, cumulative / cumulative[-1], cell_edges(self.axes()[axis]))

    def draw(self, size: int, *, rng: np.random.Generator) -> Array:
        """Draws of (age, A0, modulus), shape (size, 3), at the points of the grid."""
        cells = rng.choice(self.log_posterior.size, size, p=self.probability().ravel())
        indices = np.unravel_index(cells, self.log_posterior.shape)
        return np.column_stack([axis[index] for axis, index in zip(self.axes(), indices, strict=True)])

    def covariance(self) -> Array:
        """Covariance of (age, A0, modulus), shape (3, 3), with the variance within the cells."""
        probability = self.probability()
        points = np.stack(np.meshgrid(*self.axes(), indexing="ij"), axis=-1).reshape(-1, 3)
        weight = probability.ravel()
        offset = points - weight @ points
        within = [np.median(np.diff(cell_edges(axis))) ** 2 / 12 for axis in self.axes()]
        return (offset * weight[:, None]).T @ offset + np.diag(within)


def cell_edges(points: Array) -> Array:
    """Edges half-way between rising points; the outer cells end at the outer points' other half."""
    if len(points) == 1:
        return points[0] + np.array([-0.5, 0.5]) * 1e-3
    middle = (points[1:] + points[:-1]) / 2
    return np.concatenate([[2 * points[0] - middle[0]], middle, [2 * points[-1] - middle[-1]]])


def isochrone_posterior(
    stars: ObservedStars,
    isochrones: pd.DataFrame,
    *,
    parallax: float,
    parallax_error: float,
    options: IsochroneFitOptions,
) -> Posterior:
    """Posterior of age, A0 and distance modulus.

    The logarithm of the likelihood of n stars is multiplied with N / (N + n), N = n_independent. Priors: even in log
    age over the table, or the normal distribution of age_prior; exp(-A0 / a0_scale); even in modulus times the normal
    distribution of the parallax.

    Parameters
    ----------
    stars : ObservedStars
        Stars of the cluster.
    isochrones : DataFrame
        Of several ages.
    parallax, parallax_error : float
        Mean parallax and its whole error [mas].
    options : IsochroneFitOptions
        How it is fitted.

    Returns
    -------
    Posterior
        Of the last stage.
    """
    grids = _Grids(stars, isochrones, parallax, parallax_error, options)
    bounds = grids.bounds()
    box = bounds
    posterior = grids.evaluated(STAGES[0], box, most=10**6)
    for before, stage in pairwise(STAGES):
        box = _likely_box(posterior, before.drop, bounds)
        posterior = grids.evaluated(stage, box, most=_MOST_POINTS)
        for _ in range(_MOST_MOVES):  # as long as the maximum lies at the edge of its box
            wider = _likely_box(posterior, stage.drop, bounds)
            if all(new[0] >= old[0] and new[1] <= old[1] for new, old in zip(wider, box, strict=True)):
                break
            box = wider
            posterior = grids.evaluated(stage, box, most=_MOST_POINTS)
    return posterior


class _Grids:
    """The posterior of one cluster on any grid; what is predicted for an age is kept for the next grid."""

    def __init__(
        self,
        stars: ObservedStars,
        isochrones: pd.DataFrame,
        parallax: float,
        parallax_error: float,
        options: IsochroneFitOptions,
    ) -> None:
        self._stars, self._isochrones, self._options = stars, isochrones, options
        self._parallax, self._parallax_error = parallax, parallax_error
        self._ages = ages_of(isochrones, options.metal_fraction)
        self._predictions: dict[float, PredictedStars] = {}

    def bounds(self) -> Box:
        """All ages of the table, all extinctions, and the moduli that the parallax allows."""
        moduli = _modulus_range(self._parallax, self._parallax_error)
        return [(float(self._ages[0]), float(self._ages[-1])), (0.0, self._options.max_a0), moduli]

    def evaluated(self, stage: Refinement, box: Box, *, most: int) -> Posterior:
        """Posterior in a box, with at most so many points of A0 and of modulus."""
        ages = _thinned(self._ages, stage.age_step, box[0])
        a0, moduli = (
            _points(limits, step, most)
            for limits, step in zip(box[1:], (stage.a0_step, stage.modulus_step), strict=True)
        )
        stars = _every(self._stars, stage.n_stars)
        likelihood = np.array(
            [
                [
                    log_likelihood(stars, self._predicted(age), dust, moduli, self._options, blur=stage.blur)
                    for dust in a0
                ]
                for age in ages
            ]
        )
        offsets = (10 ** (2 - 0.2 * moduli) - self._parallax) / self._parallax_error
        prior = (
            -0.5 * offsets**2 - a0[:, None] / self._options.a0_scale + self._age_prior(ages)[:, None, None]
        )
        share = 1 / (1 + len(stars.g) / self._options.n_independent)
        return Posterior(ages, a0, moduli, likelihood, share * likelihood + prior)

    def _age_prior(self, ages: Array) -> Array:
        if self._options.age_prior is None:
            return np.zeros(len(ages))
        return -0.5 * ((ages - self._options.age_prior) / self._options.age_prior_error) ** 2

    def _predicted(self, age: float) -> PredictedStars:
        if age not in self._predictions:
            self._predictions[age] = predicted_stars(
                self._isochrones,
                age,
                self._options.colour,
                metal_fraction=self._options.metal_fraction,
                binary_fraction=self._options.binary_fraction,
            )
        return self._predictions[age]


def _modulus_range(parallax: float, error: float) -> tuple[float, float]:
    """Moduli that the parallax allows [mag]."""
    largest = max(parallax + _PARALLAX_SIGMAS * error, 1000 / _FARTHEST * 2)
    smallest = max(parallax - _PARALLAX_SIGMAS * error, 1000 / _FARTHEST)
    return 10 - 5 * np.log10(largest), 10 - 5 * np.log10(smallest)


def _points(limits: tuple[float, float], step: float, most: int) -> Array:
    count = int(np.ceil((limits[1] - limits[0]) / step - 1e-9)) + 1
    return np.linspace(*limits, int(np.clip(count, _FEWEST_POINTS, most)))


def _thinned(ages: Array, step: float, limits: tuple[float, float]) -> Array:
    """Ages of the table within limits, at least about a step apart."""
    ages = ages[(ages >= limits[0] - 1e-6) & (ages <= limits[1] + 1e-6)]
    kept = [ages[0]]
    for age in ages[1:]:
        if age - kept[-1] > step - 1e-3:
            kept.append(age)
    return np.array(kept)


def _every(stars: ObservedStars, most: int) -> ObservedStars:
    """At most so many stars, evenly over the magnitudes whatever their order."""
    if len(stars.g) <= most:
        return stars
    order = np.lexsort((stars.colour, stars.g))
    kept = order[np.round(np.linspace(0, len(order) - 1, most)).astype(int)]
    parts = {name: getattr(stars, name)[kept] for name in ("colour", "g", "covariance", "weight")}
    return replace(stars, **parts)


def _likely_box(posterior: Posterior, drop: float, bounds: Box) -> Box:
    """Ranges of the cells that are not less likely than the best by more than `drop`, and one cell around them."""
    likely = np.nonzero(posterior.log_posterior > posterior.log_posterior.max() - drop)
    box = []
    for axis, index, bound in zip(posterior.axes(), likely, bounds, strict=True):
        step = np.max(np.diff(axis)) if len(axis) > 1 else 0.1
        box.append((max(axis[index.min()] - step, bound[0]), min(axis[index.max()] + step, bound[1])))
    return box
