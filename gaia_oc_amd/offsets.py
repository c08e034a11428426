"""Offsets of stars from their cluster in units of what errors and the members' own scatter allow."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import astrometric_covariance
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.isochrones import Isochrone, isochrone_offsets

Array = NDArray[np.float64]

ISOCHRONE_ERRORS = (0.02, 0.10)
"""What an isochrone itself is wrong by in G-RP and in G [mag]: added in quadrature to a star's errors."""


def proper_motion_covariance(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """Covariance of the proper motion offset that a member may have: its errors and the members' dispersion.

    Parameters
    ----------
    sources : DataFrame
        With errors and correlations.
    cluster : Cluster
        With pm_dispersion and the errors of the means.

    Returns
    -------
    ndarray, shape (n_sources, 2, 2)
        [(mas/yr)^2].
    """
    covariance = astrometric_covariance(sources)[:, 1:, 1:]
    mean_errors = np.nan_to_num([cluster.pmra_mean_error, cluster.pmdec_mean_error])
    return covariance + np.diag(np.nan_to_num(cluster.pm_dispersion) ** 2 + np.square(mean_errors))


def parallax_scale(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """Standard deviation of the parallax offset that a member may have [mas], shape (n_sources,)."""
    extra = np.hypot(np.nan_to_num(cluster.parallax_dispersion), np.nan_to_num(cluster.parallax_mean_error))
    return np.hypot(sources["parallax_error"].to_numpy(float), extra)


def proper_motion_sigmas(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """Size of the proper motion offset in standard deviations (Mahalanobis distance), shape (n_sources,)."""
    offset = sources[["pmra", "pmdec"]].to_numpy(float) - [cluster.pmra, cluster.pmdec]
    covariance = proper_motion_covariance(sources, cluster)
    return np.sqrt(np.einsum("ni,nij,nj->n", offset, np.linalg.inv(covariance), offset))


def parallax_sigmas(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """Signed parallax offset in standard deviations, shape (n_sources,)."""
    return (sources["parallax"].to_numpy(float) - cluster.parallax) / parallax_scale(sources, cluster)


def isochrone_sigmas(sources: pd.DataFrame, isochrone: Isochrone, colour: str) -> tuple[Array, Array]:
    """Offset from the isochrone in standard deviations of each star's own colour and magnitude.

    The nearest point of the curve is the nearest in these units.

    Parameters
    ----------
    sources : DataFrame
        With G, colour and their errors.
    isochrone : Isochrone
        The curve in `colour`.
    colour : {'g_rp', 'bp_rp'}
        Which colour.

    Returns
    -------
    in_colour, in_g : ndarray, shape (n_sources,)
        Star minus isochrone, each divided by its scale; NaN without colour or error.
    """
    names = [colour, "phot_g_mean_mag", f"{colour}_error", "phot_g_mean_mag_error"]
    colours, g, colour_error, g_error = sources[names].to_numpy(float).T
    colour_scale = np.hypot(colour_error, ISOCHRONE_ERRORS[0])
    g_scale = np.hypot(g_error, ISOCHRONE_ERRORS[1])
    in_colour, in_g = isochrone_offsets(isochrone, colours, g, colour_scale, g_scale)
    return in_colour / colour_scale, in_g / g_scale
