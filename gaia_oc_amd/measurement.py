"""What Gaia DR3 would publish of stars: noise, correlations, systematic offsets and the archive's columns."""

from dataclasses import dataclass

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
from gaia_oc_amd.photometry import magnitude_error
from gaia_oc_amd.space_motion import ecliptic_latitude, galactic_coordinates

Array = NDArray[np.float64]

MEAN_N_OBS = {"g": 351, "bp": 40, "rp": 40}
"""Observations that PyGaia's dr3 errors stand for."""
ZERO_POINTS = {"g": 25.6873668671, "bp": 25.3385422158, "rp": 24.7478955012}
"""Magnitude of 1 electron/s in the EDR3 Vega system (Riello et al. 2021, A&A 649, A3)."""

_N_OBS_SCATTER = {"g": 35.0, "bp": 3.0, "rp": 3.0}
_ZERO_POINT_RANGE = (6.0, 21.0)
_NU_EFF_RANGE = (1.11, 1.89)
_PSEUDOCOLOUR_RANGE = (1.245, 1.715)
_DECIMALS = {"ra": 9, "dec": 9, "l": 6, "b": 6, "ecl_lat": 6, "ruwe": 3, "phot_bp_rp_excess_factor": 4}
_DECIMALS |= {"nu_eff_used_in_astrometry": 4, "pseudocolour": 4}
_DECIMALS |= {
    name: 4 if name.endswith("_corr") else 5
    for name in (*ASTROMETRY[2:], *ASTROMETRIC_ERRORS, *ASTROMETRIC_CORRELATIONS)
}
_DECIMALS |= {f"phot_{band}_mean_{name}": 3 for band in MEAN_N_OBS for name in ("flux", "flux_error")}
_DECIMALS |= dict.fromkeys((*MAGNITUDES, "bp_rp", "g_rp"), 5)


@dataclass(frozen=True)
class ScanningLaw:
    """What Gaia's scanning made common to all stars of a small field.

    Parameters
    ----------
    factor : tuple of float
        Mean entries (pmra, parallax), (pmdec, parallax), (pmdec, pmra) below the diagonal of the triangular
        factor of the correlation matrix of parallax, pmra and pmdec: about the mean correlations.
    """

    factor: tuple[float, float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "ScanningLaw":
        """Mean correlations of the size they have in real fields.

        Parameters
        ----------
        rng : Generator
            Source of randomness.

        Returns
        -------
        ScanningLaw
            Entries of 0.15 with either sign, at most 0.4.
        """
        return cls(tuple(np.clip(rng.normal(0, 0.15, 3), -0.4, 0.4).tolist()))


def measure(stars: pd.DataFrame, scanning: ScanningLaw, *, rng: np.random.Generator) -> pd.DataFrame:
    """Measure stars as Gaia DR3 did.

    Errors are PyGaia's for DR3, scaled by the square root of the number of observations; noise of parallax
    and proper motion is drawn from the full covariance. The zero point of Lindegren et al. (2021) is added
    to the parallax. Members and field stars are treated alike.

    Parameters
    ----------
    stars : DataFrame
        True ra, dec [deg], parallax [mas], pmra, pmdec [mas/yr], g, bp, rp [mag].
    scanning : ScanningLaw
        Common to all stars of the field.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        The columns of `gaia_oc_amd.columns.ARCHIVE_COLUMNS` without source_id, rounded, on the index of
        `stars`.
    """
    n_obs = _observations(len(stars), rng)
    photometry = _photometry(stars, n_obs, rng)
    depth = np.sqrt(MEAN_N_OBS["g"] / n_obs["g"])
    astrometry = _astrometry(stars, depth, scanning, rng)
    table = pd.DataFrame(photometry | astrometry)
    table["l"], table["b"] = galactic_coordinates(table["ra"].to_numpy(), table["dec"].to_numpy())
    table["ecl_lat"] = ecliptic_latitude(table["ra"].to_numpy(), table["dec"].to_numpy())
    table = table.assign(ruwe=_ruwe(len(table), rng), **_solution(table, rng))
    table["parallax"] += _zero_point(table)
    columns = [name for name in ARCHIVE_COLUMNS if name != "source_id"]
    rounded = table[columns].round(_DECIMALS).set_index(stars.index)
    return rounded.assign(
        **(rounded.select_dtypes("float") + 0.0)
    )  # a database does not keep the sign of -0.0


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


def six_parameter_fraction(g: Array) -> Array:
    """Fraction of sources with a 6-parameter solution: few bright ones, half of the faint ones.

    Parameters
    ----------
    g : ndarray, shape (n,)
        G magnitude [mag].

    Returns
    -------
    ndarray, shape (n,)
    """
    return 0.03 + 0.55 / (1 + np.exp((19.3 - np.asarray(g)) / 0.4))


def _observations(size: int, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Numbers of observations; stars that were crossed more often in G were so in BP and RP too."""
    g = rng.normal(MEAN_N_OBS["g"], _N_OBS_SCATTER["g"], size)
    relative = g / MEAN_N_OBS["g"]
    counts = {"g": np.maximum(np.rint(g), 60)}
    for band in ("bp", "rp"):
        counts[band] = np.maximum(
            np.rint(MEAN_N_OBS[band] * relative + rng.normal(0, _N_OBS_SCATTER[band], size)), 5
        )
    return {band: count.astype(np.int64) for band, count in counts.items()}


def _photometry(
    stars: pd.DataFrame, n_obs: dict[str, NDArray[np.int64]], rng: np.random.Generator
) -> dict[str, Array]:
    """Magnitudes, fluxes, their errors, colours and the excess factor."""
    columns: dict[str, Array] = {}
    for band, count in n_obs.items():
        true = stars[band].to_numpy()
        error = magnitude_error(true, count, band)
        magnitude = np.round(true + error * rng.normal(size=len(true)), 5)
        flux = 10 ** (-0.4 * (magnitude - ZERO_POINTS[band]))
        columns[f"phot_{band}_n_obs"] = count
        columns[f"phot_{band}_mean_mag"] = magnitude
        columns[f"phot_{band}_mean_flux"] = flux
        columns[f"phot_{band}_mean_flux_error"] = flux * error * np.log(10) / 2.5
    g, bp, rp = (columns[f"phot_{band}_mean_mag"] for band in ("g", "bp", "rp"))
    flux_g, flux_bp, flux_rp = (columns[f"phot_{band}_mean_flux"] for band in ("g", "bp", "rp"))
    return columns | {
        "bp_rp": bp - rp,
        "g_rp": g - rp,
        "phot_bp_rp_excess_factor": (flux_bp + flux_rp) / flux_g,
    }


def _astrometry(
    stars: pd.DataFrame, depth: Array, scanning: ScanningLaw, rng: np.random.Generator
) -> dict[str, Array]:
    """Noisy positions, parallaxes and proper motions, with errors and correlations.

    `depth` multiplies the errors that PyGaia gives for the mean number of observations.
    """
    from pygaia.errors.astrometric import (
        parallax_uncertainty,
        position_uncertainty,
        proper_motion_uncertainty,
    )

    g = stars["g"].to_numpy(float)
    errors = [parallax_uncertainty(g, release="dr3"), *proper_motion_uncertainty(g, release="dr3")]
    errors = np.round(np.transpose(errors) * depth[:, None] / 1000, 5)  # (stars, 3) [mas, mas/yr]
    factor = _correlation_factor(len(g), scanning, rng)
    noise = errors * np.einsum("nij,nj->ni", factor, rng.normal(size=(len(g), 3)))
    east, north = (
        error * depth / 1000 / 3.6e6 * rng.normal(size=len(g))
        for error in position_uncertainty(g, release="dr3")
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
        factor[:, row, column] = np.clip(mean + rng.normal(0, 0.1, size), -0.8, 0.8)
    return factor / np.linalg.norm(factor, axis=2, keepdims=True)


def _solution(table: pd.DataFrame, rng: np.random.Generator) -> dict[str, Array]:
    """Kind of solution, and the wavenumber that was used or solved for."""
    wavenumber = effective_wavenumber(table["bp_rp"].to_numpy())
    g = table["phot_g_mean_mag"].to_numpy()
    six = rng.uniform(size=len(table)) < six_parameter_fraction(g)
    error = 0.01 + 0.1 * np.minimum(10 ** (0.4 * (g - 20)), 3)
    pseudocolour = np.clip(wavenumber + error * rng.normal(size=len(g)), *_PSEUDOCOLOUR_RANGE)
    return {
        "astrometric_params_solved": np.where(six, 95, 31),
        "nu_eff_used_in_astrometry": np.round(np.where(six, np.nan, wavenumber), 4),
        "pseudocolour": np.round(np.where(six, pseudocolour, np.nan), 4),
    }


def _ruwe(size: int, rng: np.random.Generator) -> Array:
    """About 1, with a tail for one source in twenty."""
    return rng.lognormal(0.01, 0.05, size) + np.where(
        rng.uniform(size=size) < 0.05, rng.exponential(0.6, size), 0
    )


def _zero_point(table: pd.DataFrame) -> Array:
    """Zero point [mas] to add: 0 where the recipe has none, so that removing it gives back the parallax."""
    zero_point = np.zeros(len(table))
    defined = table["phot_g_mean_mag"].between(*_ZERO_POINT_RANGE, inclusive="neither").to_numpy()
    zero_point[defined] = parallax_zero_point(table[defined])
    return zero_point
