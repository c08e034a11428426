"""The source features that a network judges a star by, and a reader too."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import angular_separation
from gaia_oc_amd.candidates import SelectionLimits
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.isochrones import Isochrone, isochrone_offsets
from gaia_oc_amd.offsets import isochrone_sigmas, parallax_sigmas, proper_motion_sigmas

Array = NDArray[np.float64]


def projected_radius(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """f_r [pc]: distance of the cluster times angular separation from its centre (Eqs. 13 and 14)."""
    separation = angular_separation(
        sources["ra"].to_numpy(), sources["dec"].to_numpy(), cluster.ra, cluster.dec
    )
    return cluster.dist * np.radians(separation)


def proper_motion_separation(pmra: Array, pmdec: Array, cluster: Cluster) -> Array:
    """f_pm [mas/yr]: size of the proper motion offset (Eq. 15), for arrays of any equal shape."""
    return np.hypot(pmra - cluster.pmra, pmdec - cluster.pmdec)


def parallax_separation(parallax: Array, cluster: Cluster) -> Array:
    """f_plx [mas]: signed parallax offset (Eq. 16), for an array of any shape."""
    return parallax - cluster.parallax


def add_features(
    sources: pd.DataFrame,
    cluster: Cluster,
    limits: SelectionLimits,
    isochrone: Isochrone,
    colour: str = "g_rp",
) -> pd.DataFrame:
    """Add the five source features of van Groeningen et al. (2023), Sect. 3.1, and the offsets in sigmas.

    Parameters
    ----------
    sources : DataFrame
        Cone sources with corrected parallaxes.
    cluster : Cluster
        With means from the members.
    limits : SelectionLimits
        Scale the distance to the isochrone (Eq. 17).
    isochrone : Isochrone
        The cluster's isochrone in `colour`.
    colour : {'g_rp', 'bp_rp'}
        Which colour.

    Returns
    -------
    DataFrame
        A new table with f_r [pc], f_pm [mas/yr], f_plx [mas], f_c and f_g [mag, star minus isochrone], and with
        f_pm_sigma, f_plx_sigma, f_c_sigma and f_g_sigma, the same offsets in units of what the star's errors and
        the members' scatter allow; the nearest point of the isochrone is then the nearest in these units.
    """
    f_c, f_g = isochrone_offsets(
        isochrone, sources[colour].to_numpy(), sources["phot_g_mean_mag"].to_numpy(), limits.colour, limits.g
    )
    f_c_sigma, f_g_sigma = isochrone_sigmas(sources, isochrone, colour)
    return sources.assign(
        f_r=projected_radius(sources, cluster),
        f_pm=proper_motion_separation(sources["pmra"].to_numpy(), sources["pmdec"].to_numpy(), cluster),
        f_plx=parallax_separation(sources["parallax"].to_numpy(), cluster),
        f_c=f_c,
        f_g=f_g,
        f_pm_sigma=proper_motion_sigmas(sources, cluster),
        f_plx_sigma=parallax_sigmas(sources, cluster),
        f_c_sigma=f_c_sigma,
        f_g_sigma=f_g_sigma,
    )
