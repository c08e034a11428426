"""Isochrones: the one of an age, and placing it at a cluster."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.extinction import passband_extinction

Array = NDArray[np.float64]

SOLAR_METAL_FRACTION = 0.0152
LAST_LABEL = 7
"""Last evolutionary stage kept (early asymptotic giant branch), as the published method does."""

FARTHEST_AGE = 0.5
"""Largest difference in log age between a cluster and the isochrone that stands for it."""

TIP_LABEL = 3
"""Evolutionary stage that ends at the tip of the red-giant branch."""


@dataclass(frozen=True)
class Isochrone:
    """An isochrone in the colour-magnitude diagram of one cluster, a curve of straight segments.

    Parameters
    ----------
    colour : ndarray, shape (n_points,)
        Reddened colour [mag], in the order of initial mass.
    g : ndarray, shape (n_points,)
        Apparent G magnitude [mag]. A NaN point separates pieces that no star connects: the tip of the
        red-giant branch and the start of helium burning.
    """

    colour: Array
    g: Array


def nearest_age(
    isochrones: pd.DataFrame, age: float, *, metal_fraction: float = SOLAR_METAL_FRACTION
) -> pd.DataFrame:
    """Points of the isochrone nearest in log age (at the metal fraction nearest to the wanted one).

    Parameters
    ----------
    isochrones : DataFrame
        From `isochrone_files.read_isochrones`.
    age : float
        log10 of the age [yr].
    metal_fraction : float
        Wanted Z; a file with one Z is used as it is.

    Returns
    -------
    DataFrame
        Points of one isochrone up to the early asymptotic giant branch, in the file's order.
    """
    available = isochrones["Zini"].unique()
    nearest_z = available[np.argmin(np.abs(available - metal_fraction))]
    points = isochrones[(isochrones["Zini"] == nearest_z) & (isochrones["label"] <= LAST_LABEL)]
    ages = points["logAge"].unique()
    nearest = ages[np.argmin(np.abs(ages - age))]
    if abs(nearest - age) > FARTHEST_AGE:
        raise ClusterError(
            f"the nearest isochrone to log age {age:.2f} is that of {nearest:.2f}, more than {FARTHEST_AGE:g} dex "
            "away: is the isochrone file complete? Give another with --isochrone_path."
        )
    if abs(nearest - age) > 0.2:
        warnings.warn(
            f"no isochrone within 0.2 dex of log age {age:.2f}: the one of {nearest:.2f} is used.",
            stacklevel=2,
        )
    return points[points["logAge"] == nearest]


def place_isochrone(points: pd.DataFrame, dist: float, a0: float, *, colour: str = "g_rp") -> Isochrone:
    """Move an isochrone to a cluster's distance and extinction.

    Parameters
    ----------
    points : DataFrame
        Points of one isochrone, from `nearest_age`.
    dist : float
        Distance [pc].
    a0 : float
        Extinction at 550 nm [mag].
    colour : {'g_rp', 'bp_rp'}
        Which colour.

    Returns
    -------
    Isochrone
        Distance modulus added, extinction of each passband at each point's effective temperature.
    """
    modulus = 5 * np.log10(dist) - 5
    teff = 10 ** points["logTe"].to_numpy()
    names = {"G": "Gmag", "Gbp": "G_BPmag", "Grp": "G_RPmag"}
    magnitude = {
        band: points[names[band]].to_numpy() + modulus + passband_extinction(band, teff, a0)
        for band in ("G", "Gbp", "Grp")
    }
    bluer = "G" if colour == "g_rp" else "Gbp"
    flash = np.flatnonzero(np.diff(points["label"].to_numpy() > TIP_LABEL)) + 1
    return Isochrone(
        colour=np.insert(magnitude[bluer] - magnitude["Grp"], flash, np.nan),
        g=np.insert(magnitude["G"], flash, np.nan),
    )
