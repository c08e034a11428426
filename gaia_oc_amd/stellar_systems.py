"""Magnitudes of single stars and unresolved binaries along an isochrone."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gaia_oc_amd.extinction import passband_extinction

Array = NDArray[np.float64]

BANDS = {"g": ("Gmag", "G"), "bp": ("G_BPmag", "Gbp"), "rp": ("G_RPmag", "Grp")}
"""Column of the isochrone and name of the passband's extinction, by band."""


def in_order_of_mass(points: pd.DataFrame) -> pd.DataFrame:
    """Points of one isochrone with strictly increasing initial mass, so that they can be interpolated in.

    Parameters
    ----------
    points : DataFrame
        Points of one isochrone with the column Mini.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If the initial masses are not there.
    """
    if "Mini" not in points:
        raise ValueError(
            "the isochrones have no column Mini, the initial mass: stars cannot be placed on them."
        )
    return points.sort_values("Mini", kind="stable").drop_duplicates("Mini")


def draw_mass_ratios(size: int, binary_fraction: float, *, rng: np.random.Generator) -> Array:
    """Mass ratio of companion and primary, uniform in 0 to 1 for binaries and 0 for single stars.

    Parameters
    ----------
    size : int
        How many.
    binary_fraction : float
        Fraction of binaries.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (size,)
    """
    ratio = rng.uniform(0, 1, size)
    return np.where(rng.uniform(size=size) < binary_fraction, 1 - ratio, 0.0)


def absolute_magnitudes(points: pd.DataFrame, mass: Array, mass_ratio: Array) -> pd.DataFrame:
    """Absolute magnitudes of systems, the fluxes of both stars added in each band.

    Parameters
    ----------
    points : DataFrame
        Points of one isochrone, from `in_order_of_mass`.
    mass : ndarray, shape (n,)
        Initial mass of the primary [Msun], within the isochrone.
    mass_ratio : ndarray, shape (n,)
        From `draw_mass_ratios`; companions below the isochrone's lowest mass give no light.

    Returns
    -------
    DataFrame
        Columns g, bp, rp [mag] and teff [K] of the primary.
    """
    knots = points["Mini"].to_numpy()
    companion = mass_ratio * mass
    shines = companion >= knots[0]
    systems = {}
    for band, (column, _) in BANDS.items():
        magnitude = points[column].to_numpy()
        primary = np.interp(mass, knots, magnitude)
        difference = np.interp(companion, knots, magnitude) - primary
        systems[band] = primary - 2.5 * np.log10(1 + np.where(shines, 10 ** (-0.4 * difference), 0.0))
    teff = 10 ** np.interp(mass, knots, points["logTe"].to_numpy())
    return pd.DataFrame(systems | {"teff": teff})


def apparent_magnitudes(systems: pd.DataFrame, distance: Array, a0: ArrayLike) -> pd.DataFrame:
    """Apparent magnitudes of systems at their distances behind dust.

    Parameters
    ----------
    systems : DataFrame
        From `absolute_magnitudes`; the extinction is that of a star with the primary's temperature.
    distance : ndarray, shape (n,)
        [pc].
    a0 : array_like, scalar or shape (n,)
        Extinction at 550 nm [mag].

    Returns
    -------
    DataFrame
        Columns g, bp, rp [mag].
    """
    modulus = 5 * np.log10(distance) - 5
    teff = systems["teff"].to_numpy()
    return pd.DataFrame(
        {
            band: systems[band].to_numpy() + modulus + passband_extinction(passband, teff, a0)
            for band, (_, passband) in BANDS.items()
        }
    )
