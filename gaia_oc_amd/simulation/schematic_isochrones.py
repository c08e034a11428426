"""Schematic isochrones of solar composition in Gaia's bands, for work without a network.

Stars follow the published analytic relations in `analytic_stars`; magnitudes follow from the mean dwarf
sequence of Pecaut & Mamajek (2013) and the colour transformations of Riello et al. (2021). They are no
substitute for PARSEC: no pre-main sequence, no asymptotic giant branch, giants with the colours of dwarfs,
one composition (Z = 0.02).

At a given G-RP the main sequence lies within 0.3 mag of PARSEC's (v1.2S, Z = 0.0152 and 0.0205, log age 8
to 9.5) in G for most of G-RP 0 to 1.2: 0.1 to 0.3 mag fainter from G-RP 0 to 0.6, 0.2 mag brighter to 0.1
fainter at 0.7 to 0.8, 0.2 to 0.5 mag fainter at 1.0, within 0.4 beyond; BP-RP at a given G-RP agrees to
0.02 mag. The bluest point of a turn-off is up to 0.05 mag bluer, which makes the sequence next to it up to
1 mag fainter.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.simulation import analytic_stars as stars
from gaia_oc_amd.simulation.stars import number_below

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

SCHEMATIC_LOG_AGES = tuple(np.round(np.arange(7.0, 10.11, 0.05), 2).tolist())
"""Ages in the file that the simulator writes [log10 yr]."""
LOG_AGE_RANGE = (6.6, 10.12)
"""Ages with a main-sequence turn-off that the relations describe [log10 yr]."""
COLUMNS = (
    "Zini",
    "MH",
    "logAge",
    "Mini",
    "int_IMF",
    "Mass",
    "logL",
    "logTe",
    "logg",
    "label",
    "mbolmag",
    "Gmag",
    "G_BPmag",
    "G_RPmag",
)

_LOWEST_MASS = 0.1
_SOLAR_MBOL = 4.74
_SOLAR_LOGG = 4.438
_FORMATS = {
    "Zini": "%.4f",
    "MH": "%.5f",
    "logAge": "%.5f",
    "Mini": "%.10f",
    "int_IMF": "%.10f",
    "label": "%d",
}

# Teff [K], bolometric correction in V [mag] and V-Ic [mag] of dwarfs: "A Modern Mean Dwarf Stellar Color
# and Effective Temperature Sequence", version 2024.05.15, of E. Mamajek, the extension of Table 5 of Pecaut
# & Mamajek (2013, ApJS 208, 9). Rows O5V and O7V have no V-Ic there, that of O9V stands for it.
_DWARFS = np.array(
    [
        (2680, -4.99, 4.500),  # M7V
        (2810, -4.13, 4.100),
        (3060, -3.11, 3.278),
        (3210, -2.51, 2.831),
        (3430, -1.93, 2.420),
        (3560, -1.62, 2.173),
        (3660, -1.42, 2.005),
        (3850, -1.15, 1.766),  # M0V
        (4090, -0.93, 1.519),
        (4440, -0.63, 1.272),
        (4600, -0.52, 1.182),
        (4870, -0.365, 1.030),
        (5100, -0.26, 0.920),
        (5290, -0.195, 0.853),  # K0V
        (5480, -0.14, 0.786),
        (5660, -0.105, 0.738),
        (5770, -0.085, 0.713),
        (5930, -0.065, 0.673),  # G0V
        (6180, -0.04, 0.599),
        (6550, -0.02, 0.506),
        (6820, -0.005, 0.432),
        (7220, 0.01, 0.339),  # F0V
        (7760, 0.01, 0.242),
        (8100, 0.00, 0.186),
        (8600, -0.04, 0.108),
        (8840, -0.07, 0.091),
        (9300, -0.14, 0.044),
        (9700, -0.21, 0.004),  # A0V
        (10700, -0.42, -0.061),
        (12300, -0.73, -0.108),
        (14500, -1.13, -0.145),
        (15700, -1.34, -0.165),
        (17000, -1.54, -0.192),
        (20600, -2.03, -0.230),
        (26000, -2.58, -0.325),
        (31400, -2.99, -0.355),  # B0V
        (33300, -3.11, -0.369),
        (37900, -3.41, -0.369),
        (41400, -3.76, -0.369),  # O5V
    ]
)


def gaia_photometry(teff: Array) -> tuple[Array, Array, Array]:
    """Bolometric correction and colours of dwarfs in Gaia's bands.

    Parameters
    ----------
    teff : ndarray, shape (n,)
        Effective temperature [K]; outside 2,680-41,400 K the value at the edge is used.

    Returns
    -------
    bc_g, bp_rp, g_rp : ndarray, shape (n,)
        Bolometric correction in G (M_bol = M_G + BC_G), BP-RP and G-RP [mag]: BC_V and V-Ic interpolated in
        the sequence of Pecaut & Mamajek (2013), then G-V, BP-RP and G-RP as polynomials in V-Ic from
        Table C.2 of Riello et al. (2021, A&A 649, A3), through PyGaia.
    """
    from pygaia.photometry.transformations import gbrminv_from_vminic

    log_teff = np.clip(np.log10(teff), *np.log10(_DWARFS[[0, -1], 0]))
    bc_v, v_ic = PchipInterpolator(np.log10(_DWARFS[:, 0]), _DWARFS[:, 1:])(log_teff).T
    g_v, _, rp_v, bp_rp = gbrminv_from_vminic(v_ic)
    return bc_v - g_v, bp_rp, g_v - rp_v


def schematic_isochrones(log_ages: Iterable[float]) -> pd.DataFrame:
    """Isochrones from analytic relations, in the columns of PARSEC's files.

    Parameters
    ----------
    log_ages : iterable of float
        log10 of the ages [yr], 6.6 to 10.12.

    Returns
    -------
    DataFrame
        About 250 points an age, in the order of initial mass from 0.1 Msun. ``label`` is 1 on the main
        sequence, 2 on the subgiant branch, 3 on the red-giant branch and 4 in core helium burning; the last
        two only for turn-off masses below 12 Msun. ``int_IMF`` counts stars of a Kroupa (2001) mass
        function.

    Raises
    ------
    ValueError
        If an age is outside the range.
    """
    tables = [_isochrone(float(log_age)) for log_age in log_ages]
    return pd.concat(tables, ignore_index=True)


def write_isochrones(path: Path | str, table: pd.DataFrame) -> None:
    """Write isochrones as PARSEC's CMD web form does, saying in the header that they are schematic.

    Parameters
    ----------
    path : path
        File to write, readable by `gaia_oc_amd.isochrones.read_isochrones`.
    table : DataFrame
        From `schematic_isochrones`.
    """
    formats = [_FORMATS.get(name, "%.4f") for name in COLUMNS]
    with write_atomically(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(_HEADER)
        for _, points in table.groupby("logAge", sort=False):
            file.write(f"# Age = {10 ** points['logAge'].iloc[0]:.6E} yr\n# {' '.join(COLUMNS)}\n")
            np.savetxt(file, points[list(COLUMNS)].to_numpy(), fmt=formats)
        file.write("#isochrone terminated\n")
    logger.info("schematic isochrones written to %s", path)


_HEADER = """\
# SCHEMATIC isochrones: computed by gaia_oc_amd from published analytic relations, NOT by PARSEC
# Zero-age main sequence: Tout et al. (1996), MNRAS, 281, 257
# Lifetimes, turn-off and giants: Hurley et al. (2000), MNRAS, 315, 543
# Low-mass dwarfs, bolometric corrections and V-Ic: Pecaut & Mamajek (2013), ApJS, 208, 9
# Colours in Gaia's bands: Riello et al. (2021), A&A, 649, A3
# For measurements use isochrones of a stellar-evolution code: python download_isochrones.py
# Photometric system: Gaia EDR3 (Vegamags), approximately
# IMF: Kroupa (2001), MNRAS, 322, 231
# Kind of output: isochrone tables
"""


def _isochrone(log_age: float) -> pd.DataFrame:
    if not LOG_AGE_RANGE[0] <= log_age <= LOG_AGE_RANGE[1]:
        raise ValueError(f"log age {log_age:g} is outside {LOG_AGE_RANGE[0]} to {LOG_AGE_RANGE[1]}.")
    stages = [_main_sequence(10**log_age), _subgiants(10**log_age)]
    if stages[0]["Mini"].iloc[-1] < stars.GIANT_BRANCH_MASS:
        stages += [_red_giants(10**log_age), _clump(10**log_age)]
    points = pd.concat(stages, ignore_index=True)
    return _with_photometry(points, log_age)


def _main_sequence(age: float) -> pd.DataFrame:
    turn_off = stars.mass_at_time(stars.main_sequence_time, age)
    near_turn_off = turn_off * (1 - 0.1 * np.linspace(1, 0, 50) ** 2)
    mass = np.concatenate([np.geomspace(_LOWEST_MASS, 0.9 * turn_off, 90)[:-1], near_turn_off])
    luminosity, radius = stars.main_sequence_star(mass, age)
    return pd.DataFrame({"Mini": mass, "luminosity": luminosity, "radius": radius, "label": 1})


def _stage_masses(
    age: float, begin: Callable[[Array], Array], end: Callable[[Array], Array], fraction: Array
) -> Array:
    """Masses of stars that have spent a fraction of a stage between two lifetimes."""
    first, last = stars.mass_at_time(begin, age), stars.mass_at_time(end, age)
    return first + fraction * (last - first)


def _subgiants(age: float) -> pd.DataFrame:
    """Turn-off to the base of the giant branch, log L and log R linear in time (HPT Eqs. 26 and 27)."""
    fraction = np.linspace(0, 1, 41)[1:]
    mass = _stage_masses(age, stars.main_sequence_time, stars.giant_branch_time, fraction)
    start, end = stars.turn_off_luminosity(mass), stars.giant_branch_luminosity(mass)
    luminosity = start * (end / start) ** fraction
    start, end = stars.turn_off_radius(mass), stars.giant_branch_radius(mass, end)
    radius = start * (end / start) ** fraction
    return pd.DataFrame({"Mini": mass, "luminosity": luminosity, "radius": radius, "label": 2})


def _red_giants(age: float) -> pd.DataFrame:
    """Up the giant branch to helium ignition; the time left goes as L^-5/6 (p = 6 in HPT Eq. 38)."""
    rise = np.linspace(0, 1, 46)[1:]
    tip_mass = np.array([stars.mass_at_time(stars.red_giant_time, age)])
    base, tip = stars.giant_branch_luminosity(tip_mass), stars.helium_ignition_luminosity(tip_mass)
    luminosity = base * (tip / base) ** rise
    fraction = (1 - (luminosity / base) ** (-5 / 6)) / (1 - (tip / base) ** (-5 / 6))
    mass = _stage_masses(age, stars.giant_branch_time, stars.red_giant_time, fraction)
    radius = stars.giant_branch_radius(mass, luminosity)
    return pd.DataFrame({"Mini": mass, "luminosity": luminosity, "radius": radius, "label": 3})


def _clump(age: float) -> pd.DataFrame:
    """Core helium burning, schematic: up to 20 % smaller than a giant of that luminosity."""
    fraction = np.linspace(0, 1, 26)[1:]
    mass = _stage_masses(age, stars.red_giant_time, stars.helium_burning_time, fraction)
    massive = np.log10(stars.helium_ignition_luminosity(np.maximum(mass, stars.HELIUM_FLASH_MASS))) - 0.45
    luminosity = 10 ** (np.where(mass < stars.HELIUM_FLASH_MASS, 1.7, massive) + 0.1 * fraction**2)
    shrunk = 0.88 - 0.08 * np.sin(np.pi * fraction)
    radius = shrunk * stars.giant_branch_radius(mass, luminosity)
    return pd.DataFrame({"Mini": mass, "luminosity": luminosity, "radius": radius, "label": 4})


def _with_photometry(points: pd.DataFrame, log_age: float) -> pd.DataFrame:
    """Columns of PARSEC's files from mass, luminosity, radius and stage."""
    mass, luminosity, radius = points[["Mini", "luminosity", "radius"]].to_numpy().T
    teff = stars.effective_temperature(luminosity, radius)
    bc_g, bp_rp, g_rp = gaia_photometry(teff)
    mbol = _SOLAR_MBOL - 2.5 * np.log10(luminosity)
    columns = {
        "Zini": stars.METAL_FRACTION,
        "MH": np.log10(stars.METAL_FRACTION / 0.0152),
        "logAge": log_age,
        "Mini": mass,
        "int_IMF": number_below(mass),
        "Mass": mass,
        "logL": np.log10(luminosity),
        "logTe": np.log10(teff),
        "logg": _SOLAR_LOGG + np.log10(mass / radius**2),
        "label": points["label"].to_numpy(),
        "mbolmag": mbol,
        "Gmag": mbol - bc_g,
        "G_BPmag": mbol - bc_g - g_rp + bp_rp,
        "G_RPmag": mbol - bc_g - g_rp,
    }
    return pd.DataFrame(columns)[list(COLUMNS)]
