"""The fit of core and halo to the stars of a cone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from gaia_oc_amd.spatial import LARGEST_LOG_RATIO, NAMES, SpatialModel, log_odds_at, posterior

Array = NDArray[np.float64]

_PRIOR_MEAN = np.array([4.0, -2.3, 0.15, 1.7, 0.0, 0.0, 0.03])
_PRIOR_SCALE = np.array([4.0, 0.7, 0.2, 0.3, 0.1, 0.1, 0.01])
"""Simulated cones show, when their members are known, medians of -1.5, 0.15 (the core's scale over the listed members'
half-number radius) and 1.8 and scatters of 1.4, 0.2 and 0.4; 0.1 in ellipticity. The halo of a first reading, whose
ratios know no network, lies below that, and mass segregation is next to fixed: field stars far out and faint else make
a halo."""
_HALO = {"halo_logit": -1.0, "log_halo_over_core": 2.1}
"""Means of the prior for calibrated ratios, chosen on validation clusters: a mode lies below the mean where few members
show the halo, so these lie above what the simulated cones show. With -0.6 and 2.2 a fifth of the bright
stars that look like members is accepted 45 pc away."""
_STEP = np.array([0.1, 0.3, 0.1, 0.2, 0.05, 0.05, 0.01])
"""Units in which all parameters are about equally well known."""
_LARGEST_SIZE = 6.0
"""Half-number radius [pc] beyond which a list says nothing of the core: no list of a cluster here reaches it in
simulations, and one of the 42 real ones (NGC_2204, 6.1 pc). One of field stars has that of its cone."""
_ALIKE_MEAN, _ALIKE_SCALE, _ALIKE_STEP = -10.0, 2.5, 0.3
"""Prior of the logarithm of `SpatialModel.look_alikes`: next to none."""
_ALIKE_BOUNDS = (-20.0, 3.0)
_ALIKE_STARTS = np.arange(-7.0, 2.5)
_DECISIVE = float(np.log(10))
"""Logarithm of how much more probable look-alikes have to make a cone: one cone in ten may hold them."""
_NEAR = 1e-3
"""Part of a step over which the gradient's change gives the curvature to 1e-7."""
_WIDEST = 4.0  # scales of the prior that a parameter may lie from its mean
_CLOSED, _LOWEST_PRIOR, _LOWEST_WITH_ALIKE = -5.0, -8.0, -3.0
"""Log odds below which a star counts with its cell's mean ratio, and log prior odds that are granted everywhere."""
_RINGS_PER_FACTOR_E, _SECTORS = 6, 8
_MAGNITUDE_EDGES = np.array([14.0, 15.0, 16.0, 17.0, 18.0, 18.5, 19.0, 19.5, 20.0, 20.4])
_ENOUGH_BEHIND_A_MEAN = 5.0
_DEPTH_QUANTILE = 0.999
_FAINT = 18.0  # mag, from which enough field stars are hard to tell that their mean ratio is known
_DEPTHS = np.array([18.0, 18.5, 19.0, 19.5, 20.0, 20.4, 20.7])
_FAINT_SHARES = np.array([0.0, 0.18, 0.31, 0.42, 0.51, 0.56, 0.60])
"""Share of the mean ratio that stars fainter than `_FAINT` have in a typical cone that ends at G of `_DEPTHS`: that of
validation clusters at 20.7, and in proportion to their members' magnitudes before it."""
_ROUNDS = 3
_MOST_STEPS = 200


def fit_spatial_model(
    log_ratios: Array,
    places: Array,
    *,
    size: float,
    weights: Array | None = None,
    calibrated: bool = False,
    field_is_seen: bool = True,
) -> SpatialModel:
    """Core, halo and number of members of greatest posterior probability, given each star's likelihood ratio.

    The likelihood of a star with ratio L where members stand to field stars as o is (1 + o L) / (1 + o m), which is the
    marginal likelihood that expectation maximisation climbs (Saerens, Latinne & Decaestecker 2002, Neural Computation
    14, 21, for one o in all places); it is maximised by its gradient here. m is the mean of L over the field: 1 for a
    ratio that is right.

    Parameters
    ----------
    log_ratios : ndarray, shape (n,)
        Logarithm of each star's likelihood as a member over that as a field star, place left aside; NaN does not
        count. Known members have plus, known field stars minus infinity.
    places : ndarray, shape (n, 3)
        From `places_of`.
    size : float
        Radius that holds half of the known members [pc]; the core's scale is looked for around it, or around
        `_LARGEST_SIZE` where it is larger.
    weights : ndarray, shape (n,), optional
        How many stars each stands for.
    calibrated : bool
        Whether the ratios are a model's. Then halos are expected as simulated members show them, and m is measured as
        far as it can be (`_Stars.field_means`), so that a ratio that is too high for the faint stars of this cone does
        not make members of them; and the field may hold look-alikes (`_unless_alike`).
    field_is_seen : bool
        Whether the cone reaches beyond its members. In a frame that they fill they are what stands everywhere, and none
        is taken for a look-alike.

    Returns
    -------
    SpatialModel
    """
    known = np.isfinite(places).all(axis=1) & ~np.isnan(log_ratios)
    weights = np.ones(len(log_ratios)) if weights is None else weights
    stars = _Stars.of(
        np.clip(log_ratios[known], -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO), places[known], weights[known]
    )
    names = np.array(NAMES)
    prior = _PRIOR_MEAN + np.log(np.clip(size, 0.05, _LARGEST_SIZE)) * (names == "log_core")
    for name, mean in _HALO.items() if calibrated else ():
        prior[names == name] = mean
    model = SpatialModel(prior)
    if not len(stars.log_ratios):
        return model
    null = np.zeros(len(_MAGNITUDE_EDGES) + 1)
    for done in range(_ROUNDS):
        chance = posterior(stars.log_ratios, model.log_odds(stars.places))
        gradient = field_gradient(stars.places, stars.weights * (1 - chance))
        if calibrated and done:  # chances from before any fit hardly know members in a thin field
            null = stars.field_means(chance)
        model = _Posterior.of(model, prior, stars, null, gradient).maximised()[0]
    return _unless_alike(model, prior, stars, null) if calibrated and field_is_seen else model


def _unless_alike(model: SpatialModel, prior: Array, stars: "_Stars", null: Array) -> SpatialModel:
    """A model, or one with look-alikes where these make the stars far more probable.

    A list of field stars finds stars that measure as it does all over the cone. Without look-alikes they become a halo
    that fills it, and a mean ratio and a gradient that were measured without them are not the field's: where the mean
    is below 1 it is not used to compare, and the gradient is that of all stars.
    """
    fair, gradient = np.maximum(null, 0.0), field_gradient(stars.places, stars.weights)
    start = SpatialModel(prior, gradient=gradient)
    alone = _Posterior.of(model, prior, stars, fair, gradient).maximised()[1]
    with_alike, value = _Posterior.of(start, prior, stars, fair, gradient, alike=True).maximised()
    return with_alike if value < alone - _DECISIVE else model


@dataclass(frozen=True)
class _Stars:
    """Stars of a cone, and the cells of sky and magnitude that they are counted in.

    Parameters
    ----------
    log_ratios, weights : ndarray, shape (n,)
        See `fit_spatial_model`.
    places : ndarray, shape (n, 3)
        From `places_of`.
    magnitude_bin, cell : ndarray of int, shape (n,)
        Where each is counted.
    """

    log_ratios: Array
    places: Array
    weights: Array
    magnitude_bin: NDArray[np.int64]
    cell: NDArray[np.int64]

    @classmethod
    def of(cls, log_ratios: Array, places: Array, weights: Array) -> "_Stars":
        """Count stars in rings, sectors and bins of magnitude."""
        east, north, g = places.T
        ring = np.floor(_RINGS_PER_FACTOR_E * np.log(np.hypot(east, north) + 0.4)).astype(int)
        sector = np.floor(_SECTORS * (np.arctan2(north, east) / (2 * np.pi) + 0.5)).astype(int)
        magnitude_bin = np.digitize(g, _MAGNITUDE_EDGES)
        columns = np.column_stack([ring, sector, magnitude_bin])
        cell = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)
        return cls(log_ratios, places, np.asarray(weights, float), magnitude_bin, cell)

    def cells(self) -> tuple[Array, Array, NDArray[np.int64]]:
        """Mean place (n_cells, 3), number of stars and bin of magnitude of each cell."""
        total = _sums(self.cell, self.weights)
        means = [_sums(self.cell, self.weights * values) / total for values in self.places.T]
        magnitude_bin = np.zeros(len(total), int)
        magnitude_bin[self.cell] = self.magnitude_bin
        return np.column_stack(means), total, magnitude_bin

    def field_means(self, chance: Array) -> Array:
        """Logarithm of the mean ratio of the field at each bin of magnitude; a star counts by its chance to be field.

        In a deep cone one mean for all: the faint part as measured, the bright part as in a typical cone. Few bright
        field stars have a ratio near the members', so their sample mean says nothing; and a mean that is measured
        over all stars agrees with any number of members, since the sum of (1 - p) o L is that of p whatever o. The part
        that is expected, not measured, keeps the number.
        """
        depth = np.quantile(self.places[:, 2], _DEPTH_QUANTILE)
        expected = float(np.interp(depth, _DEPTHS, _FAINT_SHARES))
        if not expected:
            return self._shallow_field_means(chance)
        field = self.weights * (1 - chance)
        faint = (field * np.exp(self.log_ratios))[self.places[:, 2] >= _FAINT].sum() / max(field.sum(), 1e-9)
        return np.full(len(_MAGNITUDE_EDGES) + 1, np.log(1 - expected + faint))

    def _shallow_field_means(self, chance: Array) -> Array:
        """Means where no star is faint: of each magnitude.

        Few stars of the highest ratios make the mean of a bright bin. The fewer they are, the more it is drawn towards
        what the members themselves say: their share of that magnitude over the field's.
        """
        ratio, n_bins = np.exp(self.log_ratios), len(_MAGNITUDE_EDGES) + 1

        def total(values: Array) -> Array:
            return _sums(self.magnitude_bin, self.weights * values, n_bins)

        stars, first, second = (total((1 - chance) * ratio**power) for power in range(3))
        members = total(chance) + 0.3
        implied = np.log(members / members.sum()) - np.log((stars + 1e-9) / max(stars.sum(), 1e-9))
        effective = first**2 / np.maximum(second, 1e-300)
        trust = np.where(stars > _ENOUGH_BEHIND_A_MEAN, effective / (effective + _ENOUGH_BEHIND_A_MEAN), 0.0)
        measured = np.log(np.maximum(first, 1e-9)) - np.log(stars + 1e-9)
        return trust * measured + (1 - trust) * implied

    def closed(self, log_odds: Array, lowest: float) -> tuple[NDArray[np.bool_], Array, Array]:
        """Stars that no place would make members, with their number and the logarithm of their mean ratio by cell."""
        closed = self.log_ratios + np.maximum(log_odds, lowest) < _CLOSED
        n_cells = int(self.cell.max()) + 1
        weight = self.weights[closed]
        number = _sums(self.cell[closed], weight, n_cells)
        ratio = _sums(self.cell[closed], weight * np.exp(self.log_ratios[closed]), n_cells)
        return closed, number, np.log(np.maximum(ratio, 1e-30) / np.maximum(number, 1e-9))


def _sums(cell: NDArray[np.int64], values: Array, n_cells: int = 0) -> Array:
    """Sum of the values in each cell."""
    return np.asarray(np.bincount(cell, values, minlength=n_cells), float)


@dataclass(frozen=True)
class _Posterior:
    """Posterior of the parameters for one gradient and one mean ratio of the field.

    Parameters
    ----------
    prior, scale, step : ndarray, shape (7,) or (8,)
        Means and standard deviations of the prior, and units in which all parameters are about equally well known; the
        eighth is the logarithm of `SpatialModel.look_alikes`.
    begin : ndarray, shape (7,) or (8,)
        Parameters to begin with.
    gradient : ndarray, shape (2,)
        Of the field.
    log_ratios, weights, places : ndarray, shape (n,), (n,), (n, 3)
        Stars that a place might make members.
    centres, numbers, means : ndarray, shape (n_cells, 3), (n_cells,), (n_cells,)
        Of cells of sky and magnitude: mean place, number of stars and logarithm of the field's mean ratio.
    closed_numbers, closed_ratios : ndarray, shape (n_cells,)
        Number of the other stars of each cell, and logarithm of their mean ratio.
    """

    prior: Array
    scale: Array
    step: Array
    begin: Array
    gradient: Array
    log_ratios: Array
    weights: Array
    places: Array
    centres: Array
    numbers: Array
    means: Array
    closed_numbers: Array
    closed_ratios: Array

    @classmethod
    def of(
        cls,
        start: SpatialModel,
        prior: Array,
        stars: _Stars,
        null: Array,
        gradient: Array,
        *,
        alike: bool = False,
    ) -> "_Posterior":
        """For the stars of a cone and the field's mean ratio in bins of magnitude, with look-alikes or without."""
        centres, numbers, magnitude_bin = stars.cells()
        lowest = _LOWEST_WITH_ALIKE if alike else _LOWEST_PRIOR
        closed, closed_numbers, closed_ratios = stars.closed(start.log_odds(stars.places), lowest)
        parts = (prior, _ALIKE_MEAN), (_PRIOR_SCALE, _ALIKE_SCALE), (_STEP, _ALIKE_STEP)
        prior, scale, step = (np.append(seven, eighth) if alike else seven for seven, eighth in parts)
        begin = np.append(start.parameters, _ALIKE_MEAN) if alike else start.parameters
        open_ = ~closed
        return cls(
            prior, scale, step, begin, gradient, stars.log_ratios[open_], stars.weights[open_], stars.places[open_],
            centres, numbers, null[magnitude_bin], closed_numbers, closed_ratios,
        )  # fmt: skip

    def __call__(self, steps: Array) -> tuple[float, Array]:
        """Minus the posterior's logarithm, and its change with each parameter in units of `step`, shape (n,)."""
        deviates = (steps * self.step - self.prior) / self.scale
        odds, slopes = self._odds(steps, self.places)
        of_cells, slopes_of_cells = self._odds(steps, self.centres)
        value = 0.5 * np.square(deviates).sum() - self.weights @ np.logaddexp(0, odds + self.log_ratios)
        value -= self.closed_numbers @ np.logaddexp(0, of_cells + self.closed_ratios)
        value += self.numbers @ np.logaddexp(0, of_cells + self.means)
        excess = self.numbers * expit(of_cells + self.means)
        excess -= self.closed_numbers * expit(of_cells + self.closed_ratios)
        slope = slopes_of_cells @ excess - slopes @ (self.weights * expit(odds + self.log_ratios))
        return float(value), (deviates / self.scale + slope) * self.step

    def _odds(self, steps: Array, places: Array) -> tuple[Array, Array]:
        """Logarithm of members and look-alikes over field stars, and its slopes, shape (n,), (n_parameters, n)."""
        parameters, n = steps * self.step, len(NAMES)
        odds, slopes = log_odds_at(parameters[:n], places, self.gradient)
        if len(parameters) == n:
            return odds, slopes
        total = np.logaddexp(odds, parameters[n])
        return total, np.vstack([slopes * np.exp(odds - total), np.exp(parameters[n] - total)])

    def maximised(self) -> tuple[SpatialModel, float]:
        """Model of greatest posterior probability, and minus the logarithm of that."""
        reach, n, begin = _WIDEST * self.scale, len(NAMES), self.begin / self.step
        lower, upper = self.prior - reach, self.prior + reach
        if len(begin) > n:
            lower[n], upper[n] = _ALIKE_BOUNDS
            starts = [np.where(np.arange(len(begin)) == n, u / self.step, begin) for u in _ALIKE_STARTS]
            begin = min(starts, key=lambda start: self(start)[0])
        found = minimize(
            self, begin, jac=True, method="L-BFGS-B",
            bounds=list(zip(lower / self.step, upper / self.step, strict=True)), options={"maxiter": _MOST_STEPS},
        )  # fmt: skip
        best = found.x * self.step
        covariance = self._covariance(found.x)[:n, :n]
        alike = float(np.exp(best[n:]).sum())
        return SpatialModel(best[:n], covariance, self.gradient, alike), float(found.fun)

    def _covariance(self, best: Array) -> Array:
        """Inverse of the curvature; the curvature holds the prior's, so no direction is known worse than by the prior.

        Where the stars' own part is negative, as beside a bound, the prior is left.
        """
        ends = [[self(best + sign * way)[1] for sign in (1, -1)] for way in _NEAR * np.eye(len(best))]
        in_scales = np.outer(self.scale / self.step, self.scale / self.step)
        curvature = np.array([(after - before) / (2 * _NEAR) for after, before in ends]) * in_scales
        values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
        covariance = (vectors / np.maximum(values, 1.0)) @ vectors.T
        return np.asarray(covariance * np.outer(self.scale, self.scale))


def field_gradient(places: Array, weights: Array) -> Array:
    """Relative change of the field's density [1/pc], from the mean place of its stars.

    In a region that is symmetric about its centre a density proportional to 1 + g x has the mean place C g, where C
    is the covariance of an even density.
    """
    offsets = places[:, :2]
    total = weights.sum()
    if total < 50:
        return np.zeros(2)
    mean = weights @ offsets / total
    covariance = (offsets * weights[:, None]).T @ offsets / total
    return np.linalg.pinv(covariance) @ mean
