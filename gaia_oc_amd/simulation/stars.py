"""Masses of stars, and what systems of one or two of them look like on an isochrone."""

from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from gaia_oc_amd.photometry import A0_RANGE, TEFF_RANGE, passband_extinction

Array = NDArray[np.float64]

_BREAKS = np.array([0.01, 0.08, 0.5, 100.0])
"""Masses between which the slope is constant [Msun]."""
_SLOPES = np.array([0.3, 1.3, 2.3])
"""dN/dM is proportional to M^-slope: Eq. 2 of Kroupa (2001, MNRAS 322, 231)."""


def number_below(mass: ArrayLike) -> Array:
    """Number of stars below a mass in a population of 1 Msun, the column int_IMF of PARSEC's isochrones.

    Parameters
    ----------
    mass : array_like, shape (n,)
        Mass [Msun]; below 0.01 gives 0, above 100 the number of all.

    Returns
    -------
    ndarray, shape (n,)
        Stars per solar mass formed between 0.01 and 100 Msun.
    """
    return _integral(np.asarray(mass, float), 0) / _integral(_BREAKS[-1:], 1)[0]


def sample_masses(lower: float, upper: float, size: int, *, rng: np.random.Generator) -> Array:
    """Masses drawn from the initial mass function.

    Parameters
    ----------
    lower, upper : float
        Bounds [Msun], within 0.01 to 100.
    size : int
        How many.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (size,)
        [Msun].

    Raises
    ------
    ValueError
        If the bounds are not in order, or outside the function's range.
    """
    if not _BREAKS[0] <= lower < upper <= _BREAKS[-1]:
        raise ValueError(
            f"masses from {lower:g} to {upper:g} Msun were asked for, they must lie in 0.01 to 100."
        )
    masses = np.unique(np.concatenate([np.geomspace(lower, upper, 2000), _BREAKS[1:-1]]))
    masses = masses[(masses >= lower) & (masses <= upper)]
    number = number_below(masses)
    return np.interp(rng.uniform(number[0], number[-1], size), number, masses)


def _integral(mass: Array, power: int) -> Array:
    """Integral of M^power dN from the lowest break to each mass, for a continuous dN/dM."""
    steps = _BREAKS[1:-1] ** np.diff(_SLOPES)
    scales = np.concatenate([[1.0], np.cumprod(steps)])
    total = np.zeros(mass.shape)
    for lower, upper, slope, scale in zip(_BREAKS[:-1], _BREAKS[1:], _SLOPES, scales, strict=True):
        exponent = power + 1 - slope
        total += scale * (np.clip(mass, lower, upper) ** exponent - lower**exponent) / exponent
    return total


BANDS: dict[str, tuple[str, Literal["G", "Gbp", "Grp"]]] = {
    "g": ("Gmag", "G"),
    "bp": ("G_BPmag", "Gbp"),
    "rp": ("G_RPmag", "Grp"),
}
"""Column of the isochrone and name of the passband's extinction, by band."""

_GRID_SIZE = (80, 100)  # in log Teff and log A0: linear interpolation is then good to 0.1 %

# Change of G, BP-RP and G-RP per dex of metallicity at a given mass on the main sequence, against absolute G,
# and of giants at a given luminosity: rounded from PARSEC v1.2S, Z = 0.0105 and 0.0205, log age 9 to 10.
_DWARF_SHIFTS = np.array(
    [(1.0, 0.7, 0.3, 0.15), (4.0, 1.2, 0.38, 0.2), (5.5, 1.45, 0.5, 0.245), (7.1, 1.7, 0.8, 0.35),
     (9.2, 1.5, 0.95, 0.31), (11.0, 1.3, 1.13, 0.29), (12.2, 1.45, 1.35, 0.3)]
)  # fmt: skip
_GIANT_SHIFT = np.array([0.2, 0.32, 0.14])
_FIRST_GIANT_LABEL = 3


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


def draw_mass_ratios(size: int, binary_fraction: ArrayLike, *, rng: np.random.Generator) -> Array:
    """Mass ratio of companion and primary, uniform in 0 to 1 for binaries and 0 for single stars.

    Parameters
    ----------
    size : int
        How many.
    binary_fraction : array_like, scalar or shape (size,)
        Fraction of binaries.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (size,)
    """
    ratio = rng.uniform(0, 1, size)
    return np.where(rng.uniform(size=size) < np.asarray(binary_fraction), 1 - ratio, 0.0)


def binary_fractions(mass: Array, mean: float) -> Array:
    """Fraction of binaries against mass: massive stars have companions more often.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Mass of the primary [Msun].
    mean : float
        The fraction at 0.7 Msun.

    Returns
    -------
    ndarray, shape (n,)
        Goes as mass^0.3 between 0.6 and 2 times the mean, about the trend of Fig. 1 of Duchene & Kraus
        (2013, ARA&A 51, 269).
    """
    return np.minimum(mean * np.clip((mass / 0.7) ** 0.3, 0.6, 2.0), 1.0)


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


def metallicity_shift(points: pd.DataFrame) -> Array:
    """Change of absolute G, BP-RP and G-RP per dex of metallicity along an isochrone.

    Parameters
    ----------
    points : DataFrame
        Points of one isochrone.

    Returns
    -------
    ndarray, shape (n_points, 3)
        [mag/dex], schematic: rounded from PARSEC's difference between Z = 0.0105 and 0.0205.
    """
    knots, *shifts = _DWARF_SHIFTS.T
    dwarfs = np.column_stack([np.interp(points["Gmag"], knots, shift) for shift in shifts])
    giant = points["label"].to_numpy() >= _FIRST_GIANT_LABEL
    return np.where(giant[:, None], _GIANT_SHIFT, dwarfs)


def extinction(band: str, teff: Array, a0: ArrayLike) -> Array:
    """Extinction in a band from a table of `gaia_oc_amd.photometry.passband_extinction`, quick for millions.

    Parameters
    ----------
    band : {'g', 'bp', 'rp'}
        Band.
    teff : ndarray, shape (n,)
        Effective temperature [K].
    a0 : array_like, scalar or shape (n,)
        Extinction at 550 nm [mag].

    Returns
    -------
    ndarray, shape (n,)
        [mag].
    """
    a0 = np.broadcast_to(np.asarray(a0, float), np.shape(teff))
    axes = zip((teff, a0), (TEFF_RANGE, A0_RANGE), _GRID_SIZE, strict=True)
    places = [
        (np.log(np.clip(value, *bounds)) - np.log(bounds[0])) / np.log(bounds[1] / bounds[0]) * (size - 1)
        for value, bounds, size in axes
    ]
    return a0 * map_coordinates(_extinction_table(BANDS[band][1]), places, order=1, mode="nearest")


@cache
def _extinction_table(passband: Literal["G", "Gbp", "Grp"]) -> Array:
    """Extinction per A0 on a grid in log Teff and log A0."""
    teff, a0 = (
        np.geomspace(*bounds, n) for bounds, n in zip((TEFF_RANGE, A0_RANGE), _GRID_SIZE, strict=True)
    )
    teff, a0 = np.meshgrid(teff, a0, indexing="ij")
    return (passband_extinction(passband, teff.ravel(), a0.ravel()) / a0.ravel()).reshape(_GRID_SIZE)


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
        {band: systems[band].to_numpy() + modulus + extinction(band, teff, a0) for band in BANDS}
    )
