"""Where the members of a cluster stand: core and halo over the field, fitted in each cone."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from torch import Tensor

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.files.data_directory import read_json, write_json

Array = NDArray[np.float64]

NAMES = (
    "log_odds_scale",
    "halo_logit",
    "log_core",
    "log_halo_over_core",
    "ellipticity_1",
    "ellipticity_2",
    "segregation",
)
"""Parameters of the fit: logarithm of members over field stars per pc^2 of the field; logit of the halo's share;
logarithm of the core's scale [pc] and of the halo's over it; shape of the isodensity ellipse; change of the logarithm
of the core's scale per magnitude."""

_REFERENCE_G = 18.0  # mag, where the core has its scale
_PRIOR_MEAN = np.array([4.0, -2.3, 0.15, 1.7, 0.0, 0.0, 0.03])
_PRIOR_SCALE = np.array([4.0, 0.7, 0.2, 0.3, 0.1, 0.1, 0.01])
"""Simulated cones show, when their members are known, medians of -1.5, 0.15 (the core's scale over the listed members'
half-number radius) and 1.8 and scatters of 1.4, 0.2 and 0.4; 0.1 in ellipticity. The halo of a first reading, whose
ratios know no network, lies below that, and mass segregation is next to fixed: field stars far out and faint else make
a halo."""
_HALO = {"halo_logit": -1.0, "log_halo_over_core": 2.0}
"""Means of the prior for calibrated ratios, chosen on validation clusters: a mode lies below the mean where few members
show the halo, so these lie above what the simulated cones show."""
_STEP = np.array(
    [0.1, 0.3, 0.1, 0.2, 0.05, 0.05, 0.01]
)  # in which all parameters are about equally well known
_WIDEST = 4.0  # scales of the prior that a parameter may lie from its mean
_LARGEST_LOG_RATIO = 50.0
_CLOSED, _LOWEST_PRIOR = -5.0, -8.0
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
_LEAST_FIELD = 0.2  # of its mean, where a gradient would make it vanish
_LEAST_ERROR = 0.04
"""Of the number where hardly a star is in doubt, as validation clusters show; the selection loses half of that."""
_MOST_DOUBT = 0.9
_N_DRAWS = 200
_FARTHEST = 1e4


@dataclass(frozen=True)
class SpatialModel:
    """Surface density of a cluster over that of its field.

    Two concentric Plummer (1911) profiles, Sigma = N / (pi a^2) (1 + r^2 / a^2)^-2, for the core and the halo: a
    falling density whatever the parameters, with half of each part's stars within its scale a in projection. The
    isodensity lines are ellipses of equal area; the core's scale may change with magnitude (mass segregation); the
    field's density may have a gradient.

    Parameters
    ----------
    parameters : ndarray, shape (7,)
        `NAMES`.
    covariance : ndarray, shape (7, 7)
        Their covariance, from the curvature of the posterior at its maximum.
    gradient : ndarray, shape (2,)
        Relative change of the field's density to the east and north [1/pc].
    """

    parameters: Array
    covariance: Array = field(default_factory=lambda: np.zeros((len(NAMES), len(NAMES))))
    gradient: Array = field(default_factory=lambda: np.zeros(2))

    @property
    def halo_share(self) -> float:
        """Share of the members in the wider of the two parts."""
        return float(1 / (1 + np.exp(-self.parameters[1])))

    @property
    def scales(self) -> tuple[float, float]:
        """Radii that hold half of the core's and of the halo's members [pc]."""
        core = float(np.exp(self.parameters[2]))
        return core, core * float(np.exp(self.parameters[3]))

    def log_odds(self, places: Array) -> Array:
        """Logarithm of members over field stars at places from `places_of`, shape (n,)."""
        with torch.no_grad():
            odds = _log_odds(torch.from_numpy(self.parameters), *_tensors(places, self.gradient))
        return odds.numpy()

    def fraction_within(self, radius: float | Array) -> float | Array:
        """Share of all members within a projected radius [pc]."""
        core, halo = self.scales
        squared = np.square(radius)
        share = self.halo_share
        return (1 - share) * squared / (squared + core**2) + share * squared / (squared + halo**2)

    def radius_of_fraction(self, fraction: float, outer: float = _FARTHEST) -> float:
        """Projected radius [pc] that holds a fraction of the members within an outer radius."""
        wanted = fraction * self.fraction_within(outer)
        return float(brentq(lambda r: self.fraction_within(r) - wanted, 0.0, outer))

    @property
    def core_radius(self) -> float:
        """Projected radius at which the density is half of the central one, as King's r_c [pc]."""

        def excess(radius: float) -> float:
            return self._density(radius) - 0.5 * self._density(0.0)

        return float(brentq(excess, 0.0, 2 * max(self.scales)))

    def _density(self, radius: float) -> float:
        """Surface density of one member [1/pc^2]."""
        core, halo = self.scales
        parts = ((1 - self.halo_share, core), (self.halo_share, halo))
        return sum(share / (np.pi * a**2) * (1 + (radius / a) ** 2) ** -2 for share, a in parts)

    def draw_radii(self, size: int, *, outer: float, rng: np.random.Generator) -> Array:
        """Projected radii [pc] of members within an outer radius."""
        radius = np.concatenate([[0.0], np.geomspace(1e-3, outer, 2000)])
        within = np.asarray(self.fraction_within(radius))
        return np.interp(rng.uniform(size=size) * within[-1], within, radius)

    def drawn(self, *, rng: np.random.Generator) -> "SpatialModel":
        """Another model that the stars allow as well, drawn from the covariance."""
        return replace(self, parameters=rng.multivariate_normal(self.parameters, self.covariance))

    def as_dict(self) -> dict[str, Any]:
        """Values for a JSON file."""
        return {name: np.asarray(value).tolist() for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "SpatialModel":
        """Model that `as_dict` gave.

        Raises
        ------
        ValueError
            If the values are not those of a model.
        """
        try:
            model = cls(**{name: np.array(content[name], float) for name in cls.__dataclass_fields__})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"the spatial model lacks or garbles {error}: evaluate the cluster again."
            ) from error
        shapes = [model.parameters.shape, model.covariance.shape, model.gradient.shape]
        whole = all(np.isfinite(value).all() for value in vars(model).values())
        if shapes != [(len(NAMES),), (len(NAMES), len(NAMES)), (2,)] or not whole:
            raise ValueError("the spatial model is incomplete: evaluate the cluster again.")
        return model


def places_of(stars: pd.DataFrame, cluster: Cluster) -> Array:
    """Offsets to the east and north [pc] and G magnitudes, shape (n, 3)."""
    plane = tangent_plane(stars["ra"].to_numpy(float), stars["dec"].to_numpy(float), cluster.ra, cluster.dec)
    offsets = cluster.dist * np.radians(np.column_stack(plane))
    return np.column_stack([offsets, stars["phot_g_mean_mag"].to_numpy(float)])


def fit_spatial_model(
    log_ratios: Array, places: Array, *, size: float, weights: Array | None = None, calibrated: bool = False
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
        Radius that holds half of the known members [pc]; the core's scale is looked for around it.
    weights : ndarray, shape (n,), optional
        How many stars each stands for.
    calibrated : bool
        Whether the ratios are a model's. Then halos are expected as simulated members show them, and m is measured as
        far as it can be (`_Stars.field_means`), so that a ratio that is too high for the faint stars of this cone does
        not make members of them.

    Returns
    -------
    SpatialModel
    """
    known = np.isfinite(places).all(axis=1) & ~np.isnan(log_ratios)
    weights = np.ones(len(log_ratios)) if weights is None else weights
    stars = _Stars.of(
        np.clip(log_ratios[known], -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO), places[known], weights[known]
    )
    names = np.array(NAMES)
    prior = _PRIOR_MEAN + np.log(max(size, 0.05)) * (names == "log_core")
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
        model = _maximised(model, prior, stars, null, gradient)
    return model


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

    def closed(self, log_odds: Array) -> tuple[NDArray[np.bool_], Array, Array]:
        """Stars that no place would make members, with their number and the logarithm of their mean ratio by cell."""
        closed = self.log_ratios + np.maximum(log_odds, _LOWEST_PRIOR) < _CLOSED
        n_cells = int(self.cell.max()) + 1
        weight = self.weights[closed]
        number = _sums(self.cell[closed], weight, n_cells)
        ratio = _sums(self.cell[closed], weight * np.exp(self.log_ratios[closed]), n_cells)
        return closed, number, np.log(np.maximum(ratio, 1e-30) / np.maximum(number, 1e-9))


def _sums(cell: NDArray[np.int64], values: Array, n_cells: int = 0) -> Array:
    """Sum of the values in each cell."""
    return np.asarray(np.bincount(cell, values, minlength=n_cells), float)


def _maximised(
    start: SpatialModel, prior: Array, stars: _Stars, null: Array, gradient: Array
) -> SpatialModel:
    """Model of greatest posterior probability for one gradient and one mean ratio of the field."""
    centres, numbers, magnitude_bin = stars.cells()
    closed, numbers_closed, ratios_closed = stars.closed(start.log_odds(stars.places))
    open_places, cells = _tensors(stars.places[~closed], gradient), _tensors(centres, gradient)
    ratio, weight, total, n_closed, of_closed, mean, centre, scale, step = map(
        torch.from_numpy,
        (stars.log_ratios[~closed], stars.weights[~closed], numbers, numbers_closed, ratios_closed,
         null[magnitude_bin], prior, _PRIOR_SCALE, _STEP),
    )  # fmt: skip
    softplus = torch.nn.functional.softplus

    def loss(parameters: Tensor) -> Tensor:
        of_cells = _log_odds(parameters, *cells)
        likelihood = (weight * softplus(_log_odds(parameters, *open_places) + ratio)).sum()
        likelihood = likelihood + (n_closed * softplus(of_cells + of_closed)).sum()
        likelihood = likelihood - (total * softplus(of_cells + mean)).sum()
        return 0.5 * torch.square((parameters - centre) / scale).sum() - likelihood

    def value_and_gradient(values: Array) -> tuple[float, Array]:
        parameters = torch.tensor(values, requires_grad=True)
        value = loss(parameters * step)
        (gradient,) = torch.autograd.grad(value, parameters)
        return float(value.detach()), gradient.numpy()

    reach = _WIDEST * _PRIOR_SCALE
    bounds = list(zip((prior - reach) / _STEP, (prior + reach) / _STEP, strict=True))
    best = _STEP * minimize(
        value_and_gradient, start.parameters / _STEP, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": _MOST_STEPS},
    ).x  # fmt: skip
    curvature = torch.autograd.functional.hessian(loss, torch.from_numpy(best)).numpy()
    values, vectors = np.linalg.eigh(curvature)
    covariance = (vectors / np.maximum(values, 1 / np.square(_PRIOR_SCALE).max())) @ vectors.T
    return SpatialModel(best, covariance, gradient)


def posterior(log_ratios: Array, log_odds: Array) -> Array:
    """Probability of being a member by Bayes' theorem, from likelihood ratios and prior odds, shape (n,)."""
    total = np.clip(log_ratios, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO) + log_odds
    return 1 / (1 + np.exp(-np.clip(total, -2 * _LARGEST_LOG_RATIO, 2 * _LARGEST_LOG_RATIO)))


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


def members_with_error(
    model: SpatialModel, log_ratios: Array, places: Array, *, scatter: float = 0.0
) -> tuple[float, float]:
    """Number of members among stars, and its standard error.

    The error holds what each star's probability leaves open, the model's covariance, `_LEAST_ERROR`, and what a ratio
    that is wrong in this cone would do: with a share A of the number in doubt, an error d of the logarithm of all
    ratios changes that of the number by d A / (1 - A), since the prior odds follow the number (`ambiguity`).

    Parameters
    ----------
    model : SpatialModel
        From `fit_spatial_model`.
    log_ratios : ndarray, shape (n,)
        NaN does not count.
    places : ndarray, shape (n, 3)
        From `places_of`.
    scatter : float
        Standard deviation between cones of the error of the ratios' logarithm, `gaia_oc_amd.posterior.Calibration`.

    Returns
    -------
    number, error : float
    """
    known = ~np.isnan(log_ratios)
    chance = posterior(log_ratios[known], model.log_odds(places[known]))
    number, spread = float(chance.sum()), chance * (1 - chance)
    parameters = torch.tensor(model.parameters, requires_grad=True)
    odds = _log_odds(parameters, *_tensors(places[known], model.gradient))
    (of_number,) = torch.autograd.grad((odds * torch.from_numpy(spread)).sum(), parameters)
    slope = of_number.numpy()
    common = number * np.hypot(_LEAST_ERROR, scatter * ambiguity(chance))
    return number, float(np.sqrt(spread.sum() + slope @ model.covariance @ slope + common**2))


def ambiguity(chance: Array) -> float:
    """A / (1 - A), where A is the share of the number of members that is in doubt: sum p (1 - p) over sum p."""
    share = float((chance * (1 - chance)).sum()) / max(float(chance.sum()), 1e-9)
    return min(share, _MOST_DOUBT) / (1 - min(share, _MOST_DOUBT))


def number_interval(number: float, error: float) -> tuple[float, float]:
    """68 % interval of a number of members: symmetric in its logarithm, in which the errors of the cones are so."""
    factor = float(np.exp(error / number)) if number > 0 else 1.0
    return number / factor, number * factor


@dataclass(frozen=True)
class SpatialSummary:
    """What the model of a cone says of its cluster, each with its standard error.

    Parameters
    ----------
    n_members, n_members_error : float
        Number of members in the cone: sum of the probabilities of training members and candidates;
        `number_interval` gives its interval.
    core_radius, core_radius_error : float
        Projected radius of half the central surface density [pc].
    half_number_radius, half_number_radius_error : float
        Projected radius that holds half of the cone's members [pc].
    halo_share, halo_share_error : float
        Share of the members in the wider of the two parts of the profile.
    ellipticity, ellipticity_error : float
        1 - b/a of the isodensity lines.
    segregation, segregation_error : float
        Change of the logarithm of the core's scale per magnitude: positive where bright members stand inside.
    """

    n_members: float
    n_members_error: float
    core_radius: float
    core_radius_error: float
    half_number_radius: float
    half_number_radius_error: float
    halo_share: float
    halo_share_error: float
    ellipticity: float
    ellipticity_error: float
    segregation: float
    segregation_error: float


def summarise(
    model: SpatialModel, number: tuple[float, float], *, outer: float, rng: np.random.Generator
) -> SpatialSummary:
    """Results of a fitted model; errors are the scatter of 200 models drawn from its covariance.

    Parameters
    ----------
    model : SpatialModel
        From `fit_spatial_model`.
    number : tuple of float
        From `members_with_error`.
    outer : float
        Radius of the cone [pc].
    rng : Generator
        Source of randomness.
    """

    def results(of: SpatialModel) -> list[float]:
        ellipticity = 1 - np.exp(-np.hypot(*of.parameters[4:6]))
        radii = [of.core_radius, of.radius_of_fraction(0.5, outer)]
        return [*radii, of.halo_share, float(ellipticity), float(of.parameters[6])]

    errors = np.std([results(model.drawn(rng=rng)) for _ in range(_N_DRAWS)], axis=0)
    pairs = np.column_stack([results(model), errors])
    return SpatialSummary(*map(float, number), *pairs.ravel().tolist())


SPATIAL_FILE = "spatial.json"
"""In a cluster's folder, written by the evaluation: the model and what it says of the cluster."""


def save_spatial(folder: Path, model: SpatialModel, summary: SpatialSummary) -> None:
    """Write model and results into a cluster's folder."""
    write_json(folder / SPATIAL_FILE, {"results": asdict(summary), "model": model.as_dict()})


def remove_spatial(folder: Path) -> None:
    """Remove what an evaluation with another model left."""
    (folder / SPATIAL_FILE).unlink(missing_ok=True)


def read_spatial(folder: Path) -> tuple[SpatialModel, SpatialSummary] | None:
    """Model and results of an evaluated cluster; None where the evaluation had none.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    path = folder / SPATIAL_FILE
    if not path.exists():
        return None
    content = read_json(path)
    try:
        values = content["results"]
        summary = SpatialSummary(
            **{name: float(values[name]) for name in SpatialSummary.__dataclass_fields__}
        )
        return SpatialModel.from_dict(content["model"]), summary
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} lacks or garbles {error}: evaluate the cluster again.") from error


def _tensors(places: Array, gradient: Array) -> tuple[Tensor, Tensor, Tensor]:
    """Offsets (n, 2), magnitudes over the reference (n,), logarithm of the field's relative density (n,)."""
    offsets = torch.from_numpy(np.ascontiguousarray(places[:, :2]))
    magnitude = torch.from_numpy(places[:, 2] - _REFERENCE_G)
    density = np.maximum(1 + places[:, :2] @ gradient, _LEAST_FIELD)
    return offsets, magnitude, torch.from_numpy(np.log(density))


def _log_odds(parameters: Tensor, offsets: Tensor, magnitude: Tensor, log_field: Tensor) -> Tensor:
    """Logarithm of members over field stars, shape (n,)."""
    scale, halo, log_core, log_ratio, e1, e2, segregation = parameters
    size = torch.sqrt(e1**2 + e2**2 + 1e-12)
    even, odd = torch.cosh(size), torch.sinh(size) / size
    x, y = offsets.T
    squared = even * (x**2 + y**2) + odd * (e1 * (x**2 - y**2) + 2 * e2 * x * y)
    core = 2 * (log_core + segregation * magnitude)
    outer = 2 * (log_core + log_ratio)
    of_core = torch.nn.functional.logsigmoid(-halo) - core - 2 * torch.log1p(squared * torch.exp(-core))
    of_halo = torch.nn.functional.logsigmoid(halo) - outer - 2 * torch.log1p(squared * torch.exp(-outer))
    return scale - np.log(np.pi) + torch.logaddexp(of_core, of_halo) - log_field
