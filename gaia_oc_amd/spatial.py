"""Where the members of a cluster stand: core and halo over the field, and how many they are."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, log_expit

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
_MOST_LOG_ERROR = 10.0
"""Of the logarithm of a number of members; where there are next to none, a larger one is beyond all numbers."""
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
    look_alikes : float
        Number of field stars that measure as members do over that of the field stars which the ratios know of: more
        than the ratios expect, all over the cone, and no cluster. 0 where nothing shows them.
    """

    parameters: Array
    covariance: Array = field(default_factory=lambda: np.zeros((len(NAMES), len(NAMES))))
    gradient: Array = field(default_factory=lambda: np.zeros(2))
    look_alikes: float = 0.0

    def ratios(self, log_ratios: Array) -> Array:
        """Logarithm of L / (1 + u L) from that of L: u look-alikes make the field denser where members are."""
        if not self.look_alikes:
            return log_ratios
        bounded = np.clip(log_ratios, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
        with np.errstate(invalid="ignore"):  # nothing is known of a star without colour
            return np.asarray(-np.logaddexp(-bounded, np.log(self.look_alikes)))

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
        return log_odds_at(self.parameters, places, self.gradient)[0]

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
            parameters, covariance, gradient = (
                np.array(content[name], float) for name in ("parameters", "covariance", "gradient")
            )
            alike = float(content.get("look_alikes", 0.0))  # models of before know none
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"the spatial model lacks or garbles {error}: evaluate the cluster again."
            ) from error
        model = cls(parameters, covariance, gradient, alike)
        shapes = [np.shape(value) for value in vars(model).values()]
        whole = all(np.isfinite(value).all() for value in vars(model).values())
        expected = [(len(NAMES),), (len(NAMES), len(NAMES)), (2,), ()]
        if shapes != expected or not whole or model.look_alikes < 0:
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
    slope = log_odds_at(model.parameters, places[known], model.gradient)[1] @ spread
    common = number * np.hypot(_LEAST_ERROR, scatter * ambiguity(chance))
    return number, float(np.sqrt(spread.sum() + slope @ model.covariance @ slope + common**2))


def ambiguity(chance: Array) -> float:
    """A / (1 - A), where A is the share of the number of members that is in doubt: sum p (1 - p) over sum p."""
    share = float((chance * (1 - chance)).sum()) / max(float(chance.sum()), 1e-9)
    return min(share, _MOST_DOUBT) / (1 - min(share, _MOST_DOUBT))


def number_interval(number: float, error: float) -> tuple[float, float]:
    """68 % interval of a number of members: symmetric in its logarithm, in which the errors of the cones are so."""
    factor = float(np.exp(min(error / number, _MOST_LOG_ERROR))) if number > 0 else 1.0
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


def log_odds_at(parameters: Array, places: Array, gradient: Array) -> tuple[Array, Array]:
    """Logarithm of members over field stars, and its derivatives.

    Parameters
    ----------
    parameters : ndarray, shape (7,)
        `NAMES`.
    places : ndarray, shape (n, 3)
        From `places_of`.
    gradient : ndarray, shape (2,)
        Of the field, as in `SpatialModel`.

    Returns
    -------
    log_odds : ndarray, shape (n,)
    slopes : ndarray, shape (7, n)
        Derivatives with respect to the parameters.
    """
    log_scale, halo, log_core, log_ratio, e1, e2, segregation = parameters
    x, y, magnitude = places[:, 0], places[:, 1], places[:, 2] - _REFERENCE_G
    log_field = np.log(np.maximum(1 + places[:, :2] @ gradient, _LEAST_FIELD))
    size = np.sqrt(e1**2 + e2**2 + 1e-12)
    even, odd = np.cosh(size), np.sinh(size) / size
    circle, plus, cross = x**2 + y**2, x**2 - y**2, 2 * x * y
    turned = e1 * plus + e2 * cross
    squared = even * circle + odd * turned
    core, core_by_scale, core_by_squared = _log_density(squared, log_core + segregation * magnitude, part=0)
    wide, wide_by_scale, wide_by_squared = _log_density(squared, log_core + log_ratio, part=1)
    core, wide = core + log_expit(-halo), wide + log_expit(halo)
    with np.errstate(invalid="ignore"):  # of a star without a magnitude nothing is known
        odds = log_scale - np.log(np.pi) + np.logaddexp(core, wide) - log_field
    share = expit(wide - core)  # of the halo, here
    by_core, by_wide = (1 - share) * core_by_scale, share * wide_by_scale
    by_squared = (1 - share) * core_by_squared + share * wide_by_squared
    stretch = odd * circle + (even - odd) / size**2 * turned
    slopes = [np.ones_like(x), share - expit(halo), by_core + by_wide, by_wide]
    slopes += [by_squared * (e1 * stretch + odd * plus), by_squared * (e2 * stretch + odd * cross)]
    return odds, np.stack([*slopes, by_core * magnitude])


def _log_density(squared: Array, log_scale: Array | float, *, part: int) -> tuple[Array, Array, Array]:
    """Logarithm of pi times the surface density of one member [1/pc^2] at a squared radius [pc^2], and its slopes.

    These are the derivatives with respect to the logarithm of the scale and to the squared radius.
    """
    exponent, half = _EXPONENTS[part], _HALF[part]
    log_unit = np.log(half) - 2 * log_scale
    unit = np.exp(log_unit)
    within = squared * unit
    density = np.log(exponent - 1) + log_unit - exponent * np.log1p(within)
    return density, 2 * (exponent * within / (1 + within) - 1), -exponent * unit / (1 + within)
