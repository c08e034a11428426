"""Where the members of a cluster stand: core and halo over the field, and how many they are."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
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

_EXPONENTS = (2.0, 3.0)
"""Of the profiles of core and halo. The halo's falls more steeply, since tides bound it: with 2 for both, stars beyond
10 pc are told worse in simulated cones, and 4 or a Gaussian gain nothing more on validation clusters."""
_HALF = tuple(2 ** (1 / (exponent - 1)) - 1 for exponent in _EXPONENTS)
"""Square of the radius of half the members in the profiles' own scale."""
_REFERENCE_G = 18.0  # mag, where the core has its scale
LARGEST_LOG_RATIO = 50.0
"""A greater one is as sure."""
_LEAST_FIELD = 0.2  # of its mean, where a gradient would make it vanish
_LEAST_ERROR = 0.04
"""Of the number where hardly a star is in doubt, as validation clusters show; the selection loses half of that."""
_MOST_DOUBT = 0.9
_N_DRAWS = 200
_FARTHEST = 1e4


@dataclass(frozen=True)
class SpatialModel:
    """Surface density of a cluster over that of its field.

    Two concentric profiles of Elson, Fall & Freeman (1987, ApJ 323, 54) for the core and the halo,
    Sigma = N (n - 1) / (pi a^2) (1 + r^2 / a^2)^-n, with n = 2 in the core (Plummer 1911, MNRAS 71, 460) and n = 3 in
    the halo: a falling density whatever the parameters. Scales are radii that hold half of a part's stars in
    projection, a (2^(1 / (n - 1)) - 1)^(1/2). The isodensity lines are ellipses of equal area; the core's scale may
    change with magnitude (mass segregation); the field's density may have a gradient.

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
            odds = log_odds_at(torch.from_numpy(self.parameters), *place_tensors(places, self.gradient))
        return odds.numpy()

    def fraction_within(self, radius: float | Array) -> float | Array:
        """Share of all members within a projected radius [pc]."""
        squared = np.square(radius)
        return sum(
            share * (1 - (1 + half * squared / scale**2) ** (1 - n)) for share, scale, n, half in self._parts
        )

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
        return sum(
            share * (n - 1) * half / (np.pi * scale**2) * (1 + half * (radius / scale) ** 2) ** -n
            for share, scale, n, half in self._parts
        )

    @property
    def _parts(self) -> list[tuple[float, float, float, float]]:
        """Share, scale [pc], exponent and `_HALF` of core and halo."""
        shares = (1 - self.halo_share, self.halo_share)
        return list(zip(shares, self.scales, _EXPONENTS, _HALF, strict=True))

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


def posterior(log_ratios: Array, log_odds: Array) -> Array:
    """Probability of being a member by Bayes' theorem, from likelihood ratios and prior odds, shape (n,)."""
    total = np.clip(log_ratios, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO) + log_odds
    return 1 / (1 + np.exp(-np.clip(total, -2 * LARGEST_LOG_RATIO, 2 * LARGEST_LOG_RATIO)))


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
    odds = log_odds_at(parameters, *place_tensors(places[known], model.gradient))
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


def place_tensors(places: Array, gradient: Array) -> tuple[Tensor, Tensor, Tensor]:
    """Offsets (n, 2), magnitudes over the reference (n,), logarithm of the field's relative density (n,)."""
    offsets = torch.from_numpy(np.ascontiguousarray(places[:, :2]))
    magnitude = torch.from_numpy(places[:, 2] - _REFERENCE_G)
    density = np.maximum(1 + places[:, :2] @ gradient, _LEAST_FIELD)
    return offsets, magnitude, torch.from_numpy(np.log(density))


def log_odds_at(parameters: Tensor, offsets: Tensor, magnitude: Tensor, log_field: Tensor) -> Tensor:
    """Logarithm of members over field stars, shape (n,)."""
    log_scale, halo, log_core, log_ratio, e1, e2, segregation = parameters
    size = torch.sqrt(e1**2 + e2**2 + 1e-12)
    even, odd = torch.cosh(size), torch.sinh(size) / size
    x, y = offsets.T
    squared = even * (x**2 + y**2) + odd * (e1 * (x**2 - y**2) + 2 * e2 * x * y)
    scales = (log_core + segregation * magnitude, log_core + log_ratio)
    shares = (torch.nn.functional.logsigmoid(-halo), torch.nn.functional.logsigmoid(halo))
    of_core, of_halo = (
        share + _log_density(squared, 2 * scale, n, half)
        for share, scale, n, half in zip(shares, scales, _EXPONENTS, _HALF, strict=True)
    )
    return log_scale - np.log(np.pi) + torch.logaddexp(of_core, of_halo) - log_field


def _log_density(squared: Tensor, log_squared_scale: Tensor, exponent: float, half: float) -> Tensor:
    """Logarithm of pi times the surface density of one member [1/pc^2] at a squared radius [pc^2]."""
    inner = np.log(half) - log_squared_scale
    return np.log(exponent - 1) + inner - exponent * torch.log1p(squared * torch.exp(inner))
