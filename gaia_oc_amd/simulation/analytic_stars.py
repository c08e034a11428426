"""Luminosities, radii and lifetimes of stars of solar composition, from published analytic relations.

The zero-age main sequence is that of Tout et al. (1996, MNRAS 281, 257), lifetimes and later stages are
those of Hurley, Pols & Tout (2000, MNRAS 315, 543; HPT below), all at Z = 0.02. Their fits are good to a
few per cent; what is only schematic here says so. Below 0.55 Msun, where those models are too hot for real
stars, the mean dwarf sequence of Pecaut & Mamajek (2013) stands in.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float64]

METAL_FRACTION = 0.02
SOLAR_TEFF = 5772.0
"""Effective temperature of the Sun [K] (IAU 2015 Resolution B3)."""
HELIUM_FLASH_MASS = 1.995
"""M_HeF, mass below which helium ignites in a degenerate core [Msun] (HPT Eq. 2)."""
GIANT_BRANCH_MASS = 12.0
"""Above about this mass [Msun] helium ignites before the giant branch (HPT Eq. 3 gives 13)."""

_MS_FRACTION_OF_BGB = 0.95
"""x of HPT Eq. 6."""

# Mass [Msun], log10 of luminosity [Lsun] and radius [Rsun] of dwarfs: "A Modern Mean Dwarf Stellar Color
# and Effective Temperature Sequence", version 2024.05.15, of E. Mamajek, the extension of Table 5 of Pecaut
# & Mamajek (2013, ApJS 208, 9).
_LOW_MASS_DWARFS = np.array(
    [
        (0.090, -3.188, 0.120),  # M7V
        (0.105, -2.980, 0.137),
        (0.155, -2.520, 0.196),
        (0.240, -2.144, 0.274),
        (0.360, -1.788, 0.361),
        (0.450, -1.540, 0.446),
        (0.510, -1.336, 0.501),
        (0.585, -1.164, 0.588),  # M0V
        (0.640, -0.992, 0.630),
        (0.700, -0.780, 0.701),
        (0.760, -0.570, 0.755),  # K3V
    ]
)
_LOW_MASS_BLEND = (0.55, 0.75)
"""Masses [Msun] between which the mean dwarf sequence gives way to Tout et al. (1996)."""


def zams_luminosity(mass: Array) -> Array:
    """Luminosity on the zero-age main sequence, Eq. 1 of Tout et al. (1996).

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun], 0.1 to 100.

    Returns
    -------
    ndarray, shape (n,)
        [Lsun]; 0.698 at 1 Msun.
    """
    m = np.asarray(mass, float)
    numerator = 0.39704170 * m**5.5 + 8.52762600 * m**11
    denominator = 0.00025546 + m**3 + 5.43288900 * m**5 + 5.56357900 * m**7
    return numerator / (denominator + 0.78866060 * m**8 + 0.00586685 * m**9.5)


def zams_radius(mass: Array) -> Array:
    """Radius on the zero-age main sequence, Eq. 2 of Tout et al. (1996).

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun], 0.1 to 100.

    Returns
    -------
    ndarray, shape (n,)
        [Rsun]; 0.888 at 1 Msun.
    """
    m = np.asarray(mass, float)
    numerator = 1.71535900 * m**2.5 + 6.59778800 * m**6.5 + 10.08855000 * m**11
    numerator += 1.01249500 * m**19 + 0.07490166 * m**19.5
    denominator = 0.01077422 + 3.08223400 * m**2 + 17.84778000 * m**8.5
    return numerator / (denominator + m**18.5 + 0.00022582 * m**19.5)


def giant_branch_time(mass: Array) -> Array:
    """Age at the base of the giant branch, t_BGB of HPT Eq. 4.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].

    Returns
    -------
    ndarray, shape (n,)
        [yr].
    """
    m = np.asarray(mass, float)
    numerator = 1593.890 + 2706.708 * m**4 + 146.6143 * m**5.5 + m**7
    return 1e6 * numerator / (0.0414196 * m**2 + 0.3426349 * m**7)


def main_sequence_time(mass: Array) -> Array:
    """Main-sequence lifetime, t_MS = max(t_hook, 0.95 t_BGB) of HPT Eqs. 5 to 7.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].

    Returns
    -------
    ndarray, shape (n,)
        [yr].
    """
    m = np.asarray(mass, float)
    hook = 1 - 0.01 * np.maximum(19.49814 / m**4.903830, 0.05212154 + 1.312179 / m**0.8073972)
    return np.maximum(np.maximum(hook, 0.5), _MS_FRACTION_OF_BGB) * giant_branch_time(m)


def red_giant_time(mass: Array) -> Array:
    """Age at helium ignition, schematic: beyond t_BGB by 5 % for low masses and 0.3 % for high ones.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].

    Returns
    -------
    ndarray, shape (n,)
        [yr].
    """
    m = np.asarray(mass, float)
    return giant_branch_time(m) * (1.003 + 0.05 / (1 + (m / 1.8) ** 12))


def helium_burning_time(mass: Array) -> Array:
    """Age at the end of core helium burning, schematic: it lasts 0.2 t_BGB, never longer than 120 Myr.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].

    Returns
    -------
    ndarray, shape (n,)
        [yr].
    """
    duration = 1 / (1 / (0.2 * giant_branch_time(mass)) + 1 / 1.2e8)
    return red_giant_time(mass) + duration


def turn_off_luminosity(mass: Array) -> Array:
    """Luminosity at the end of the main sequence, L_TMS of HPT Eq. 8.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].

    Returns
    -------
    ndarray, shape (n,)
        [Lsun].
    """
    m = np.asarray(mass, float)
    a14 = 3858.911
    numerator = a14 * (1.031538 * m**3 + 1.043715 * m**4) + 785.9573 * m ** (7.196580 + 1.8)
    return numerator / (a14 + 288.8720 * m**5 + m**7.196580)


def turn_off_radius(mass: Array) -> Array:
    """Radius at the end of the main sequence, R_TMS of HPT Eq. 9.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].

    Returns
    -------
    ndarray, shape (n,)
        [Rsun].
    """
    m = np.asarray(mass, float)
    first_mass, second_mass = 10**0.1461, 10**0.1461 + 0.1  # a17 and M_* of HPT
    weight = np.clip((m - first_mass) / (second_mass - first_mass), 0, 1)
    low = _turn_off_radius_low(np.minimum(m, first_mass))
    high = _turn_off_radius_high(np.maximum(m, second_mass))
    return np.where(weight > 0, (1 - weight) * low + weight * high, np.maximum(low, 1.5 * zams_radius(m)))


def _turn_off_radius_low(m: Array) -> Array:
    a20 = 26.52091
    return a20 * (0.2187715 + 1.466440 * m**1.472103) / (a20 + m**3.071048)


def _turn_off_radius_high(m: Array) -> Array:
    a26 = 5.502535
    numerator = -8.672073e-2 * m**3 + 2.617890 * m**a26 + 1.075567e-2 * m ** (a26 + 1.5)
    return numerator / (1.476246 + m**5)


def giant_branch_luminosity(mass: Array) -> Array:
    """Luminosity at the base of the giant branch, L_BGB of HPT Eq. 10.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].

    Returns
    -------
    ndarray, shape (n,)
        [Lsun].
    """
    m = np.asarray(mass, float)
    numerator = 95.11033 * m**4.597479 + 31.13458 * m**9.301992
    return numerator / (1.413057**6.682518 + 39.10862 * m**4.637345 + m**6.682518)


def giant_branch_radius(mass: Array, luminosity: Array) -> Array:
    """Radius on the giant branch, R_GB of HPT Eq. 46.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].
    luminosity : ndarray, shape (n,)
        [Lsun].

    Returns
    -------
    ndarray, shape (n,)
        [Rsun].
    """
    m, luminosity = np.asarray(mass, float), np.asarray(luminosity, float)
    scale = np.minimum(0.9960283 * m**-0.2561062, 1.157338 * m**-0.4022765)
    b2 = 0.4771 - 9329.21 * METAL_FRACTION**2.94
    b3 = 0.7307 + 14265.1 * METAL_FRACTION**3.395
    return scale * (luminosity**0.397 + b2 * luminosity**b3)


def helium_ignition_luminosity(mass: Array) -> Array:
    """Luminosity at helium ignition, the tip of the giant branch: L_HeI of HPT Eq. 49.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial mass [Msun].

    Returns
    -------
    ndarray, shape (n,)
        [Lsun].
    """
    m = np.asarray(mass, float)
    at_flash = _helium_ignition_massive(np.asarray(HELIUM_FLASH_MASS))
    alpha = (_helium_ignition_degenerate(np.asarray(HELIUM_FLASH_MASS)) - at_flash) / at_flash
    smooth = 1 + alpha * np.exp(15 * (np.minimum(m, HELIUM_FLASH_MASS) - HELIUM_FLASH_MASS))
    return np.where(
        m < HELIUM_FLASH_MASS, _helium_ignition_degenerate(m) / smooth, _helium_ignition_massive(m)
    )


def _helium_ignition_degenerate(m: Array) -> Array:
    return 2751.631 * m**-0.03820831


def _helium_ignition_massive(m: Array) -> Array:
    return (107.1738**2 + 734.8793 * m**3.8) / (9.219293**2 + m**2)


def main_sequence_star(mass: Array, age: float) -> tuple[Array, Array]:
    """Luminosity and radius of main-sequence stars of one age.

    They start on the zero-age main sequence and end at HPT's L_TMS and R_TMS. In between HPT's 60 further
    coefficients are replaced by two schematic parabolas in the elapsed fraction of the lifetime, which put
    the Sun at its age within 0.02 dex of its luminosity and radius.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Initial masses [Msun].
    age : float
        Age [yr], at most the lifetime of the most massive star.

    Returns
    -------
    luminosity, radius : ndarray, shape (n,)
        [Lsun, Rsun].
    """
    elapsed = np.clip(age / main_sequence_time(mass), 0, 1)
    start, end = zams_luminosity(mass), turn_off_luminosity(mass)
    luminosity = start * (end / start) ** (0.6 * elapsed + 0.4 * elapsed**2)
    start, end = zams_radius(mass), turn_off_radius(mass)
    radius = start * (end / start) ** (0.1 * elapsed + 0.9 * elapsed**2)
    return _with_low_mass_dwarfs(mass, luminosity, radius)


def _with_low_mass_dwarfs(mass: Array, luminosity: Array, radius: Array) -> tuple[Array, Array]:
    """Luminosity and radius that pass into those of the mean dwarf sequence at low masses."""
    dwarf_mass, dwarf_log_luminosity, dwarf_radius = _LOW_MASS_DWARFS.T
    weight = np.clip(
        np.log(mass / _LOW_MASS_BLEND[0]) / np.log(_LOW_MASS_BLEND[1] / _LOW_MASS_BLEND[0]), 0, 1
    )
    sequence = PchipInterpolator(
        np.log10(dwarf_mass), np.column_stack([dwarf_log_luminosity, np.log10(dwarf_radius)])
    )
    dwarfs = sequence(np.log10(np.minimum(mass, dwarf_mass[-1]))).T
    blended = 10 ** (weight * np.log10([luminosity, radius]) + (1 - weight) * dwarfs)
    return blended[0], blended[1]


def effective_temperature(luminosity: Array, radius: Array) -> Array:
    """Effective temperature of stars of known luminosity and radius.

    Parameters
    ----------
    luminosity, radius : ndarray, shape (n,)
        [Lsun, Rsun].

    Returns
    -------
    ndarray, shape (n,)
        [K].
    """
    return SOLAR_TEFF * (luminosity / radius**2) ** 0.25


def mass_at_time(lifetime: Callable[[Array], Array], age: float) -> float:
    """Mass of the star whose stage ends at an age, for one of the ``*_time`` functions.

    Parameters
    ----------
    lifetime : callable
        One of the ``*_time`` functions, which decrease with mass.
    age : float
        [yr].

    Returns
    -------
    float
        Initial mass [Msun], between 0.3 and 100.
    """
    masses = np.geomspace(0.3, 100.0, 4000)
    return float(np.interp(-np.log(age), -np.log(lifetime(masses)), masses))
