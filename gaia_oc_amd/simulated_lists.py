"""The lists and the parameters that a catalogue would give of a simulated cluster."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import angular_separation, mean_direction
from gaia_oc_amd.simulation_options import SimulationOptions

LIST_COLUMNS = ("source_id", "PMemb", "ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag")

_CERTAIN_MEMBERS, _CERTAIN_CONTAMINANTS = 0.75, 0.3
_COMPARISON_COMPLETENESS = 0.75
_OUTLIER_SIGMAS = 3.5


def published_list(
    options: SimulationOptions, cone: pd.DataFrame, is_member: NDArray[np.bool_], *, rng: np.random.Generator
) -> pd.DataFrame:
    """Members that a published list like that of Cantat-Gaudin et al. (2018) knows.

    Parameters
    ----------
    options : SimulationOptions
        Limits, completeness and contamination of the list.
    cone : DataFrame
        Measured sources; at least the members.
    is_member : ndarray of bool, shape (n,)
        The truth. Contaminants are field stars that look like members.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        source_id, PMemb in steps of 0.1 (1.0 for three members in four and for three contaminants in ten),
        position, proper motion, parallax and G magnitude.
    """
    listed = _listed(options, cone, is_member, options.list_radius, options.list_completeness, rng)
    certain = np.where(is_member[listed], _CERTAIN_MEMBERS, _CERTAIN_CONTAMINANTS)
    lower = rng.integers(1, 10, len(listed)) / 10
    probability = np.where(rng.uniform(size=len(listed)) < certain, 1.0, lower)
    return cone.iloc[listed].assign(PMemb=probability)[list(LIST_COLUMNS)]


def comparison_list(
    options: SimulationOptions, cone: pd.DataFrame, is_member: NDArray[np.bool_], *, rng: np.random.Generator
) -> pd.DataFrame:
    """Members that a wider but less complete list like that of Tarricq et al. (2022) knows.

    Parameters
    ----------
    options : SimulationOptions
        Limits and contamination; it reaches to the tidal radius.
    cone : DataFrame
        Measured sources.
    is_member : ndarray of bool, shape (n,)
        The truth.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        The columns of `published_list`, PMemb in steps of 0.01.
    """
    completeness = min(_COMPARISON_COMPLETENESS, options.list_completeness)
    listed = _listed(options, cone, is_member, options.tidal_radius, completeness, rng)
    probability = np.where(
        is_member[listed], 1 - rng.beta(1, 4, len(listed)), rng.uniform(0.05, 1, len(listed))
    )
    return cone.iloc[listed].assign(PMemb=np.round(probability, 2))[list(LIST_COLUMNS)]


def catalogue_parameters(
    options: SimulationOptions, members: pd.DataFrame, *, rng: np.random.Generator
) -> dict[str, float]:
    """Parameters as a catalogue gives them.

    Parameters
    ----------
    options : SimulationOptions
        The truth.
    members : DataFrame
        The published list, of which means and standard deviations are taken.
    rng : Generator
        Draws the catalogue's errors, of the size in the options.

    Returns
    -------
    dict
        ra, dec [deg], pmra, pmdec, their standard deviations [mas/yr], parallax and its standard deviation
        [mas], age [log10 yr], a0 [mag], dist [pc].
    """
    ra, dec = mean_direction(members["ra"].to_numpy(), members["dec"].to_numpy())
    row = {"ra": round(ra, 4), "dec": round(dec, 4)}
    for name in ("pmra", "pmdec", "parallax"):
        row |= {name: round(members[name].mean(), 4), f"{name}_error": round(members[name].std(), 4)}
    order = ("ra", "dec", "pmra", "pmdec", "pmra_error", "pmdec_error", "parallax", "parallax_error")
    return {name: float(row[name]) for name in order} | {
        "age": round(options.age + rng.normal(0, options.age_error), 2),
        "a0": round(max(options.a0 + rng.normal(0, options.a0_error), 0.0), 2),
        "dist": round(options.dist * (1 + rng.normal(0, options.dist_error)), 1),
    }


def without_outliers(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows within 3.5 robust standard deviations of the median in every column.

    Catalogues are made by clustering: they know no member that moves unlike the others, whatever the reason.

    Parameters
    ----------
    values : ndarray, shape (n, n_columns)
        Proper motions and parallaxes.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    deviation = np.abs(values - np.median(values, axis=0))
    sigma = 1.4826 * np.median(deviation, axis=0)
    return np.all(deviation <= _OUTLIER_SIGMAS * sigma, axis=1)


def _listed(
    options: SimulationOptions,
    cone: pd.DataFrame,
    is_member: NDArray[np.bool_],
    radius: float,
    completeness: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Rows of the listed members and of the contaminants among them, in the cone's order."""
    separation = angular_separation(cone["ra"].to_numpy(), cone["dec"].to_numpy(), options.ra, options.dec)
    near = np.tan(np.radians(separation)) * options.dist < radius
    eligible = near & (cone["phot_g_mean_mag"].to_numpy() < options.list_g_max)
    members = np.flatnonzero(eligible & is_member)
    if len(members):
        members = members[without_outliers(cone.iloc[members][["pmra", "pmdec", "parallax"]].to_numpy())]
    members = members[rng.uniform(size=len(members)) < completeness]
    lookalikes = np.flatnonzero(eligible & ~is_member & _looks_like(cone, members))
    share = options.list_contamination / (1 - options.list_contamination)
    n_contaminants = min(rng.poisson(share * len(members)), len(lookalikes))
    return np.sort(np.concatenate([members, rng.choice(lookalikes, n_contaminants, replace=False)]))


def _looks_like(cone: pd.DataFrame, members: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Sources within three standard deviations of the members' proper motion and parallax."""
    near = np.ones(len(cone), bool)
    for name in ("pmra", "pmdec", "parallax"):
        values = cone[name].to_numpy()
        near &= (
            np.abs(values - values[members].mean()) < 3 * values[members].std() if len(members) > 1 else False
        )
    return near
