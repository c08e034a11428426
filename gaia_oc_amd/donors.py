"""Artificial stars as Gaia would measure them in a given field: real stars there lend them their errors."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gaia_oc_amd.astrometry import astrometric_covariance
from gaia_oc_amd.photometry import BANDS, add_magnitude_errors, magnitude_error
from gaia_oc_amd.simulation.errors import draw_error_factors
from gaia_oc_amd.simulation.space import ecliptic_latitude, galactic_coordinates
from gaia_oc_amd.votes import draw_normal

Array = NDArray[np.float64]

NEAREST = 10
"""Donors among which each star's is drawn."""
_SCALES = np.array([0.1, 0.2])
"""Differences in G and in colour [mag] that count alike."""


def find_donors(stars: pd.DataFrame, field: pd.DataFrame, *, rng: np.random.Generator) -> NDArray[np.integer]:
    """A real star near in magnitude and colour for each artificial one.

    Parameters
    ----------
    stars : DataFrame
        True g and rp [mag] of artificial stars.
    field : DataFrame
        Real sources with phot_g_mean_mag, g_rp and finite errors.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n_stars,)
        Row numbers in `field`.

    Raises
    ------
    ValueError
        If no source has magnitude and colour.
    """
    photometry = field[["phot_g_mean_mag", "g_rp"]].to_numpy(float)
    usable = np.flatnonzero(np.isfinite(photometry).all(axis=1))
    if not len(usable):
        raise ValueError("no source of the cone has a colour: there is none to take errors from.")
    wanted = np.column_stack([stars["g"], stars["g"] - stars["rp"]])
    n_nearest = min(NEAREST, len(usable))
    nearest = cKDTree(photometry[usable] / _SCALES).query(wanted / _SCALES, k=n_nearest)[1]
    nearest = nearest.reshape(len(stars), n_nearest)
    chosen = rng.integers(n_nearest, size=len(stars))
    return usable[nearest[np.arange(len(stars)), chosen]]


def measure_by_donors(stars: pd.DataFrame, field: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Measure artificial stars with the errors that real stars of the field have.

    Each takes errors, correlations, numbers of observations, flux errors, RUWE and kind of solution of one
    star, and noise drawn from them; for a few per cent of the stars the noise is larger than the published
    error (`gaia_oc_amd.simulation.errors.draw_error_factors`). Fluxes keep the absolute error of the donor's.

    Parameters
    ----------
    stars : DataFrame
        From `gaia_oc_amd.artificial_members.artificial_members`: true values.
    field : DataFrame
        Calibrated sources of the cone.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        The columns of `field` that a measurement has, parallaxes without zero-point offset. source_id is -1,
        -2, ...: no Gaia source has such a one.
    """
    donors = field.iloc[find_donors(stars, field, rng=rng)].reset_index(drop=True)
    factor = draw_error_factors(_ruwe(donors), stars["is_binary"].to_numpy(), rng=rng)
    truth = stars[["parallax", "pmra", "pmdec"]].to_numpy(float)
    noise = draw_normal(np.zeros_like(truth), astrometric_covariance(donors), 1, rng=rng)[:, 0]
    astrometry = truth + factor[:, None] * noise
    ra, dec = stars["ra"].to_numpy(float), stars["dec"].to_numpy(float)
    longitude, latitude = galactic_coordinates(ra, dec)
    measured = donors.assign(
        source_id=-1 - np.arange(len(stars), dtype=np.int64),
        ra=ra, dec=dec, l=longitude, b=latitude, ecl_lat=ecliptic_latitude(ra, dec),
        parallax=astrometry[:, 0], pmra=astrometry[:, 1], pmdec=astrometry[:, 2],
        **_photometry(stars, donors, rng),
    )  # fmt: skip
    measured = measured.assign(
        bp_rp=measured["phot_bp_mean_mag"] - measured["phot_rp_mean_mag"],
        g_rp=measured["phot_g_mean_mag"] - measured["phot_rp_mean_mag"],
    )
    return add_magnitude_errors(measured[[name for name in field if name in measured]])


def _ruwe(donors: pd.DataFrame) -> Array:
    return (
        np.nan_to_num(donors["ruwe"].to_numpy(float), nan=1.0) if "ruwe" in donors else np.ones(len(donors))
    )


def _photometry(stars: pd.DataFrame, donors: pd.DataFrame, rng: np.random.Generator) -> dict[str, Array]:
    """Noisy magnitudes [mag] and, where the donors have them, fluxes of each band."""
    columns = {}
    for band in BANDS:
        true = stars[band].to_numpy(float)
        relative = _relative_flux_error(true, donors, band)
        ratio = 1 + relative * rng.normal(size=len(true))
        with np.errstate(invalid="ignore", divide="ignore"):  # a negative flux has no magnitude
            magnitude = true - 2.5 * np.log10(np.where(ratio > 0, ratio, np.nan))
        columns[f"phot_{band}_mean_mag"] = magnitude
        flux = f"phot_{band}_mean_flux"
        if flux in donors:
            donor = donors[[flux, f"phot_{band}_mean_mag"]].to_numpy(float)
            columns[flux] = donor[:, 0] * 10 ** (-0.4 * (magnitude - donor[:, 1]))
    return columns


def _relative_flux_error(true: Array, donors: pd.DataFrame, band: str) -> Array:
    """Error over true flux: the donor's absolute error where it has one, else that of its observations."""
    donor_magnitude = donors[f"phot_{band}_mean_mag"].to_numpy(float)
    names = [f"phot_{band}_mean_flux", f"phot_{band}_mean_flux_error"]
    relative = np.full(len(true), np.nan)
    if all(name in donors for name in names):
        flux, error = donors[names].to_numpy(float).T
        relative = error / flux * 10 ** (-0.4 * (donor_magnitude - true))
    if f"phot_{band}_n_obs" in donors:
        by_count = (
            magnitude_error(true, donors[f"phot_{band}_n_obs"].to_numpy(float), band) * np.log(10) / 2.5
        )
        relative = np.where(np.isfinite(relative), relative, by_count)
    return np.nan_to_num(relative)
