"""Age, extinction and distance of a cluster by a fit of isochrones to its colour-magnitude diagram."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.exceptions import ClusterError, TooFewMembersError
from gaia_oc_amd.files.tables import require_columns
from gaia_oc_amd.isochrone_fit.model import ObservedStars, ages_of
from gaia_oc_amd.isochrone_fit.options import IsochroneFitOptions
from gaia_oc_amd.isochrone_fit.posterior import AXES, Posterior, isochrone_posterior
from gaia_oc_amd.isochrones import OF_A_CURVE, OF_A_POINT, of_metallicity
from gaia_oc_amd.photometry import add_magnitude_errors, photometric_covariance

Array = NDArray[np.float64]

_LEVELS = (0.16, 0.5, 0.84)
_N_DRAWS = 200


@dataclass(frozen=True)
class IsochroneFit:
    """Age, extinction and distance with the ends of their ranges.

    The ranges are quantiles of a tempered posterior (`IsochroneFitOptions.n_independent`), no confidence intervals:
    with the right isochrones they hold the age of 97 % of simulated clusters (docs/isochrone_fit.md).

    Parameters
    ----------
    age, a0, dist : float
        Medians of the posterior: log10 of the age [yr], extinction at 550 nm [mag], distance [pc].
    age_lower, age_upper, a0_lower, a0_upper, dist_lower, dist_upper : float
        Quantiles of 16 and 84 %.
    best_age, best_a0, best_dist : float
        The most probable point of the grid.
    log_likelihood : float
        Of the stars at the most probable point.
    n_stars : int
        Stars that were fitted.
    youngest, oldest : float
        Ages of the table; an interval that reaches one of them is a limit.
    metal_fraction : float
        Z of the isochrones, whose uncertainty is not in the intervals.
    covariance : ndarray, shape (3, 3)
        Of (age [dex], A0 [mag], distance modulus [mag]).
    draws : ndarray, shape (n_draws, 3)
        Draws of (age, A0, distance modulus) from the posterior.
    """

    age: float
    age_lower: float
    age_upper: float
    a0: float
    a0_lower: float
    a0_upper: float
    dist: float
    dist_lower: float
    dist_upper: float
    best_age: float
    best_a0: float
    best_dist: float
    log_likelihood: float
    n_stars: int
    youngest: float
    oldest: float
    metal_fraction: float
    covariance: Array = field(repr=False)
    draws: Array = field(repr=False)

    @property
    def age_error(self) -> float:
        """Half the range between the 16 and 84 % quantiles [dex]."""
        return (self.age_upper - self.age_lower) / 2

    @property
    def a0_error(self) -> float:
        """Half the range between the 16 and 84 % quantiles [mag]."""
        return (self.a0_upper - self.a0_lower) / 2

    @property
    def dist_error(self) -> float:
        """Half the range between the 16 and 84 % quantiles [pc]."""
        return (self.dist_upper - self.dist_lower) / 2

    def age_limit(self) -> str:
        """``upper`` or ``lower`` if the interval of the age ends where the table does, ``both``, or nothing."""
        at_ends = (
            self.age_upper > self.oldest - 0.05,
            self.age_lower < self.youngest + 0.05,
        )
        return {(True, True): "both", (True, False): "lower", (False, True): "upper"}.get(at_ends, "")

    def as_dict(self) -> dict[str, Any]:
        """Everything but the draws, for a file."""
        names = [name for name in self.__dataclass_fields__ if name not in ("covariance", "draws")]
        errors = {name: getattr(self, name) for name in ("age_error", "a0_error", "dist_error")}
        return (
            {name: getattr(self, name) for name in names}
            | errors
            | {
                "age_limit": self.age_limit(),
                "covariance": {"of": [*AXES], "values": self.covariance.tolist()},
            }
        )


@checked
def fit_isochrone(
    members: pd.DataFrame,
    isochrones: pd.DataFrame,
    *,
    parallax: float,
    parallax_error: float,
    weights: Array | None = None,
    options: IsochroneFitOptions | None = None,
    rng: np.random.Generator,
) -> IsochroneFit:
    """Fit age, extinction and distance to a cluster's colour-magnitude diagram.

    Each star is a single star or an unresolved binary of the isochrone, or an outlier; the number of stars along the
    isochrone follows the initial mass function, so that what is not there (stars above the turn-off) tells as well.
    The posterior is summed on a grid of the table's ages, A0 and distance modulus.

    Parameters
    ----------
    members : DataFrame
        With phot_g_mean_mag and the colour [mag], and their errors or what `photometry.add_magnitude_errors` needs.
    isochrones : DataFrame
        From `isochrones.read_isochrones`, of several ages.
    parallax : float
        Mean parallax of the cluster, corrected for the zero point [mas].
    parallax_error : float
        Its statistical error [mas]; the systematic one of the options is added.
    weights : ndarray, shape (n_members,), optional
        Membership probabilities; by default all 1.
    options : IsochroneFitOptions, optional
        How it is fitted.
    rng : Generator
        Draws from the posterior, and stars where there are very many.

    Returns
    -------
    IsochroneFit

    Raises
    ------
    TooFewMembersError
        If fewer than n_min_stars have magnitude, colour and errors.
    ClusterError
        If the members have no colours, the isochrones one age, or the parallax is no number.
    TypeError, ValueError
        If the weights are no probabilities, or members or isochrones no tables of these.
    """
    options = options or IsochroneFitOptions()
    if not (np.isfinite(parallax) and np.isfinite(parallax_error) and parallax_error >= 0):
        raise ClusterError(
            f"the mean parallax is {parallax:g} +- {parallax_error:g} mas, but must be a number with an error of at "
            "least 0: give members with parallaxes."
        )
    require_columns(isochrones, (*OF_A_CURVE, *OF_A_POINT), "isochrones", "take what `read_isochrones` gives")
    ages = ages_of(isochrones, options.metal_fraction)
    if len(ages) < 2:
        raise ClusterError(
            f"the isochrones have {len(ages)} age at Z near {options.metal_fraction:g}, a fit needs at least 2: "
            "give a table of more ages with --isochrone_path."
        )
    stars = observed_stars(members, weights, options, rng=rng)
    posterior = isochrone_posterior(
        stars,
        isochrones,
        parallax=parallax,
        parallax_error=float(np.hypot(parallax_error, options.parallax_systematic)),
        options=options,
    )
    return _summary(posterior, len(stars.g), isochrones, ages, options, rng)


def observed_stars(
    members: pd.DataFrame,
    weights: Array | None,
    options: IsochroneFitOptions,
    *,
    rng: np.random.Generator,
) -> ObservedStars:
    """The stars that can be fitted: with magnitude, colour and errors, and not too faint.

    Parameters
    ----------
    members : DataFrame
        As `fit_isochrone` takes them.
    weights : ndarray, shape (n_members,), optional
        Membership probabilities.
    options : IsochroneFitOptions
        Colour, faint limit, fewest and most stars.
    rng : Generator
        Chooses among very many stars.

    Returns
    -------
    ObservedStars

    Raises
    ------
    TooFewMembersError, ClusterError, ValueError
        As `fit_isochrone`.
    """
    weight = np.ones(len(members)) if weights is None else np.asarray(weights, float)
    if weight.shape != (len(members),) or not ((weight >= 0) & (weight <= 1)).all():
        raise ValueError(
            f"weights have shape {weight.shape} and values that are not all in 0 to 1, but must be the membership "
            f"probabilities of the {len(members)} members."
        )
    members = _with_errors(members, options.colour)
    columns = ["phot_g_mean_mag", options.colour, "phot_g_mean_mag_error", f"{options.colour}_error"]
    usable = np.isfinite(members[columns].to_numpy(float)).all(axis=1) & (weight > 0)
    usable &= members["phot_g_mean_mag"].to_numpy(float) <= options.g_limit
    if usable.sum() < options.n_min_stars:
        raise TooFewMembersError(
            f"{usable.sum()} of {len(members)} members have a G of at most {options.g_limit:g} and {options.colour} "
            f"with errors, a fit needs at least {options.n_min_stars}: give more members, or lower --n_min_stars."
        )
    chosen = np.flatnonzero(usable)
    if len(chosen) > options.n_max_stars:
        warnings.warn(
            f"{options.n_max_stars} of {len(chosen)} stars are fitted (--n_max_stars).", stacklevel=4
        )
        chosen = np.sort(rng.choice(chosen, options.n_max_stars, replace=False))
    members = members.iloc[chosen]
    return ObservedStars(
        colour=members[options.colour].to_numpy(float),
        g=members["phot_g_mean_mag"].to_numpy(float),
        covariance=photometric_covariance(members, options.colour),
        weight=weight[chosen],
    )


def _with_errors(members: pd.DataFrame, colour: str) -> pd.DataFrame:
    """Members with the errors of magnitude and colour, which are added where they are missing."""
    absent = [name for name in ("phot_g_mean_mag", colour) if name not in members]
    if absent:
        raise ClusterError(
            f"the members have no {' and no '.join(absent)}: match the list to a cone with Gaia's photometry first."
        )
    if {"phot_g_mean_mag_error", f"{colour}_error"} <= set(members.columns):
        return members
    bands = [f"phot_{band}_mean_mag" for band in ("bp", "rp")]
    if not set(bands) <= set(members.columns):
        raise ClusterError(
            f"the members have neither {colour}_error nor {' and '.join(bands)}: match the list to a cone with "
            "Gaia's photometry first."
        )
    return add_magnitude_errors(members)


def _summary(
    posterior: Posterior,
    n_stars: int,
    isochrones: pd.DataFrame,
    ages: Array,
    options: IsochroneFitOptions,
    rng: np.random.Generator,
) -> IsochroneFit:
    quantiles = [posterior.quantiles(axis, _LEVELS) for axis in range(3)]
    quantiles[0] = np.clip(quantiles[0], ages[0], ages[-1])
    quantiles[1] = np.clip(quantiles[1], 0, options.max_a0)
    quantiles[2] = 10 ** (0.2 * quantiles[2] + 1)
    values: dict[str, float] = {}
    for name, (lower, middle, upper) in zip(("age", "a0", "dist"), quantiles, strict=True):
        values |= {name: float(middle), f"{name}_lower": float(lower), f"{name}_upper": float(upper)}
    best = np.unravel_index(posterior.log_posterior.argmax(), posterior.log_posterior.shape)
    return IsochroneFit(
        **values,
        best_age=float(posterior.ages[best[0]]),
        best_a0=float(posterior.a0[best[1]]),
        best_dist=float(10 ** (0.2 * posterior.moduli[best[2]] + 1)),
        log_likelihood=float(posterior.log_likelihood[best]),
        n_stars=n_stars,
        youngest=float(ages[0]),
        oldest=float(ages[-1]),
        metal_fraction=float(of_metallicity(isochrones, options.metal_fraction)["Zini"].iloc[0]),
        covariance=posterior.covariance(),
        draws=posterior.draw(_N_DRAWS, rng=rng),
    )


def fit_summary(fit: IsochroneFit) -> dict[str, str]:
    """Numbers of a fit as a table shows them: medians with the distances to the 16 and 84 % quantiles."""
    cells = {"stars": str(fit.n_stars)}
    for name, label, digits in (("age", "log age", 2), ("a0", "A0", 2), ("dist", "dist", 0)):
        middle, lower, upper = (getattr(fit, key) for key in (name, f"{name}_lower", f"{name}_upper"))
        cells[label] = f"{middle:.{digits}f} +{upper - middle:.{digits}f} -{middle - lower:.{digits}f}"
    return cells | {"age limit": fit.age_limit() or "-"}
