"""What Gaia DR3 would publish of stars: noise, correlations, systematic offsets and the archive's columns."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import parallax_zero_point
from gaia_oc_amd.columns import (
    ARCHIVE_COLUMNS,
    ASTROMETRIC_CORRELATIONS,
    ASTROMETRIC_ERRORS,
    ASTROMETRY,
    MAGNITUDES,
)
from gaia_oc_amd.simulation.errors import (
    ScanningLaw,
    astrometric_errors,
    blended_light,
    draw_error_factors,
    draw_ruwe,
    flux_errors,
    observation_counts,
    pseudocolour_error,
    six_parameter_fraction,
)
from gaia_oc_amd.simulation.space import ecliptic_latitude, galactic_coordinates

Array = NDArray[np.float64]

ZERO_POINTS = {"g": 25.6873668671, "bp": 25.3385422158, "rp": 24.7478955012}
"""Magnitude of 1 electron/s in the EDR3 Vega system (Riello et al. 2021, A&A 649, A3)."""
NOISE_FACTOR = "error_factor"
"""Column that the archive does not have: noise of the astrometry over its published error."""

_BP_SHARE_OF_BLENDS = 0.4
_POSITION_ERROR = (0.75, 0.7)  # of ra and dec over that of parallax
_ZERO_POINT_RANGE = (6.0, 21.0)
_NU_EFF_RANGE = (1.11, 1.89)
_NU_EFF_SCATTER = 0.006  # at a given colour, for extinction and kinds of stars
_PSEUDOCOLOUR_RANGE = (1.245, 1.715)
_FAINTEST_FLUX = 1.0  # [electron/s]
_LEAST_SHARE = (
    0.2  # of the true flux that noise leaves: what was nearly lost is not published with a colour of -5 mag
)
_DECIMALS = {"ra": 9, "dec": 9, "l": 6, "b": 6, "ecl_lat": 6, "ruwe": 3, "phot_bp_rp_excess_factor": 4}
_DECIMALS |= {"nu_eff_used_in_astrometry": 4, "pseudocolour": 4, NOISE_FACTOR: 3}
_DECIMALS |= {
    name: 4 if name.endswith("_corr") else 5
    for name in (*ASTROMETRY[2:], *ASTROMETRIC_ERRORS, *ASTROMETRIC_CORRELATIONS)
}
_DECIMALS |= {f"phot_{band}_mean_{name}": 3 for band in ZERO_POINTS for name in ("flux", "flux_error")}
_DECIMALS |= dict.fromkeys((*MAGNITUDES, "bp_rp", "g_rp"), 5)


def measure(stars: pd.DataFrame, scanning: ScanningLaw, *, rng: np.random.Generator) -> pd.DataFrame:
    """Measure stars as Gaia DR3 did.

    Errors are those of real stars of the same magnitude (`gaia_oc_amd.simulation.errors`); noise of parallax and
    proper motion is drawn from the full covariance, for a few per cent of the stars with more noise than
    published. The zero point of Lindegren et al. (2021) is added to the parallax. Members and field stars
    are treated alike.

    Parameters
    ----------
    stars : DataFrame
        True ra, dec [deg], parallax [mas], pmra, pmdec [mas/yr], g, bp, rp [mag]; and, if there, is_binary,
        and what was drawn before: bad_fit, whether RUWE is above 1.4, and parallax_deviate, the normal deviate of the
        parallax.
    scanning : ScanningLaw
        Common to all stars of the field.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        The columns of `gaia_oc_amd.columns.ARCHIVE_COLUMNS` without source_id, and error_factor, rounded, on
        the index of `stars`.
    """
    g = stars["g"].to_numpy(float)
    n_obs, log_depth = observation_counts(g, scanning, rng=rng)
    is_binary = stars["is_binary"].to_numpy() if "is_binary" in stars else np.zeros(len(stars), bool)
    bad_fit = stars["bad_fit"].to_numpy(bool) if "bad_fit" in stars else None
    ruwe = draw_ruwe(g, is_binary, bad_fit=bad_fit, rng=rng)
    factor = draw_error_factors(ruwe, is_binary, rng=rng)
    errors = np.round(astrometric_errors(g, ruwe, log_depth, scanning, rng=rng), 5)
    table = pd.DataFrame(
        _photometry(stars, n_obs, scanning, rng) | _astrometry(stars, errors, factor, scanning, rng)
    )
    table["l"], table["b"] = galactic_coordinates(table["ra"].to_numpy(), table["dec"].to_numpy())
    table["ecl_lat"] = ecliptic_latitude(table["ra"].to_numpy(), table["dec"].to_numpy())
    table = table.assign(ruwe=ruwe, **_solution(table, scanning, rng), **{NOISE_FACTOR: factor})
    table["parallax"] += _zero_point(table)
    names = [name for name in (*ARCHIVE_COLUMNS, NOISE_FACTOR) if name != "source_id"]
    rounded = {name: _rounded(table.pop(name).to_numpy(), name) for name in names}
    return pd.DataFrame(rounded, stars.index, copy=False)


def _rounded(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Values with the digits of their column, counts as they are; a database does not keep the sign of -0.0."""
    return np.round(values, _DECIMALS[name]) + 0.0 if name in _DECIMALS else values


def effective_wavenumber(bp_rp: Array) -> Array:
    """Effective wavenumber of a source of known colour BP-RP.

    Eq. 4 of Lindegren et al. (2021, A&A 649, A2), kept within the range of the parallax zero point.

    Parameters
    ----------
    bp_rp : ndarray, shape (n,)
        [mag].

    Returns
    -------
    ndarray, shape (n,)
        [1/um].
    """
    return np.clip(1.76 - 1.61 / np.pi * np.arctan(0.531 * np.asarray(bp_rp)), *_NU_EFF_RANGE)


def _photometry(
    stars: pd.DataFrame,
    n_obs: dict[str, NDArray[np.int64]],
    scanning: ScanningLaw,
    rng: np.random.Generator,
) -> dict[str, Array | NDArray[np.int64]]:
    """Magnitudes, fluxes, their errors, colours and the excess factor."""
    columns: dict[str, Array] = {}
    true_g = 10 ** (-0.4 * (stars["g"].to_numpy() - ZERO_POINTS["g"]))
    blend = true_g * blended_light(stars["g"].to_numpy(), scanning.crowding, rng=rng)
    neighbours: dict[str, float | Array] = {
        "g": 0.0,
        "bp": _BP_SHARE_OF_BLENDS * blend,
        "rp": (1 - _BP_SHARE_OF_BLENDS) * blend,
    }
    for band, count in n_obs.items():
        magnitude = stars[band].to_numpy()
        flux = 10 ** (-0.4 * (magnitude - ZERO_POINTS[band]))
        error = flux * flux_errors(magnitude, count, band, rng=rng) * np.log(10) / 2.5
        noisy = flux + neighbours[band] + error * rng.normal(size=len(flux))
        noisy = np.maximum(noisy, np.maximum(_FAINTEST_FLUX, _LEAST_SHARE * flux))
        magnitude = np.round(ZERO_POINTS[band] - 2.5 * np.log10(noisy), 5)
        columns[f"phot_{band}_mean_mag"] = magnitude
        columns[f"phot_{band}_mean_flux"] = 10 ** (-0.4 * (magnitude - ZERO_POINTS[band]))
        columns[f"phot_{band}_mean_flux_error"] = error
    g, bp, rp = (columns[f"phot_{band}_mean_mag"] for band in ("g", "bp", "rp"))
    flux_g, flux_bp, flux_rp = (columns[f"phot_{band}_mean_flux"] for band in ("g", "bp", "rp"))
    counts = {f"phot_{band}_n_obs": count for band, count in n_obs.items()}
    return (
        counts
        | columns
        | {
            "bp_rp": bp - rp,
            "g_rp": g - rp,
            "phot_bp_rp_excess_factor": (flux_bp + flux_rp) / flux_g,
        }
    )


def _astrometry(
    stars: pd.DataFrame, errors: Array, noise_factor: Array, scanning: ScanningLaw, rng: np.random.Generator
) -> dict[str, Array]:
    """Noisy positions, parallaxes and proper motions, with errors and correlations.

    `errors` [mas, mas/yr], shape (stars, 3), are those of parallax, pmra and pmdec.
    """
    factor = _correlation_factor(len(errors), scanning, rng)
    deviates = rng.normal(size=(len(errors), 3))
    if "parallax_deviate" in stars:
        deviates[:, 0] = stars["parallax_deviate"].to_numpy()  # the factor's first row is (1, 0, 0)
    noise = noise_factor[:, None] * errors * np.einsum("nij,nj->ni", factor, deviates)
    east, north = (
        share * noise_factor * errors[:, 0] / 3.6e6 * rng.normal(size=len(errors))
        for share in _POSITION_ERROR
    )
    columns = {
        "ra": (stars["ra"].to_numpy() + east / np.cos(np.radians(stars["dec"].to_numpy()))) % 360,
        "dec": np.clip(stars["dec"].to_numpy() + north, -90, 90),
    }
    for column, name in enumerate(("parallax", "pmra", "pmdec")):
        columns[name] = stars[name].to_numpy() + noise[:, column]
        columns[f"{name}_error"] = errors[:, column]
    correlation = factor @ factor.transpose(0, 2, 1)
    columns["parallax_pmra_corr"] = correlation[:, 1, 0]
    columns["parallax_pmdec_corr"] = correlation[:, 2, 0]
    columns["pmra_pmdec_corr"] = correlation[:, 2, 1]
    return columns


def _correlation_factor(size: int, scanning: ScanningLaw, rng: np.random.Generator) -> Array:
    """Triangular factors of correlation matrices, rows of unit length: shape (size, 3, 3)."""
    factor = np.tile(np.eye(3), (size, 1, 1))
    for (row, column), mean in zip(((1, 0), (2, 0), (2, 1)), scanning.factor, strict=True):
        factor[:, row, column] = np.clip(mean + rng.normal(0, scanning.scatter, size), -0.8, 0.8)
    return factor / np.linalg.norm(factor, axis=2, keepdims=True)


def _solution(table: pd.DataFrame, scanning: ScanningLaw, rng: np.random.Generator) -> dict[str, Array]:
    """Kind of solution, and the wavenumber that was used or solved for."""
    g, size = table["phot_g_mean_mag"].to_numpy(), len(table)
    wavenumber = effective_wavenumber(table["bp_rp"].to_numpy()) + _NU_EFF_SCATTER * rng.normal(size=size)
    wavenumber = np.clip(wavenumber, *_NU_EFF_RANGE)
    six = rng.uniform(size=size) < six_parameter_fraction(g, scanning.crowding)
    pseudocolour = np.clip(wavenumber + pseudocolour_error(g) * rng.normal(size=size), *_PSEUDOCOLOUR_RANGE)
    return {
        "astrometric_params_solved": np.where(six, 95, 31),
        "nu_eff_used_in_astrometry": np.round(np.where(six, np.nan, wavenumber), 4),
        "pseudocolour": np.round(np.where(six, pseudocolour, np.nan), 4),
    }


def _zero_point(table: pd.DataFrame) -> Array:
    """Zero point [mas] to add: 0 where the recipe has none, so that removing it gives back the parallax."""
    zero_point = np.zeros(len(table))
    defined = table["phot_g_mean_mag"].between(*_ZERO_POINT_RANGE, inclusive="neither").to_numpy()
    zero_point[defined] = parallax_zero_point(table[defined])
    return zero_point
