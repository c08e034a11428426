"""Features of a star relative to its cluster, as measured and as drawn within its errors."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.astrometry import angular_separation, astrometric_covariance
from gaia_oc_amd.candidates import SelectionLimits, require_measurements
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import ASTROMETRIC_CORRELATIONS, SIGMA_OFFSETS, SOURCE_FEATURES
from gaia_oc_amd.files.tables import require_columns
from gaia_oc_amd.isochrones import Isochrone, isochrone_offsets
from gaia_oc_amd.perspective import projection
from gaia_oc_amd.photometry import photometric_covariance
from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]

_ASTROMETRY = ["parallax", "pmra", "pmdec"]
ISOCHRONE_ERRORS = (0.02, 0.10)
"""What an isochrone itself is wrong by in G-RP and in G [mag]: added in quadrature to a star's errors."""


def proper_motion_covariance(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """Covariance of `proper_motion_offset` that a member may have: its errors, the members' dispersion, the mean's.

    Parameters
    ----------
    sources : DataFrame
        With positions, errors and correlations.
    cluster : Cluster
        With pm_dispersion, the errors of the means and of the perspective's velocity.

    Returns
    -------
    ndarray, shape (n_sources, 2, 2)
        [(mas/yr)^2].
    """
    covariance = astrometric_covariance(sources)[:, 1:, 1:]
    mean_errors = np.nan_to_num([cluster.pmra_mean_error, cluster.pmdec_mean_error])
    covariance += np.diag(np.nan_to_num(cluster.pm_dispersion) ** 2 + np.square(mean_errors))
    unsure = cluster.motion_error_at(sources["ra"].to_numpy(float), sources["dec"].to_numpy(float))
    return covariance + unsure[:, :, None] * unsure[:, None, :]


def proper_motion_offset(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """Proper motion less that which the cluster has at the star's place [mas/yr], shape (n_sources, 2).

    f_pm is the size of the offset from the cluster's mean instead, as Eq. 15 defines it.
    """
    expected = cluster.motion_at(sources["ra"].to_numpy(float), sources["dec"].to_numpy(float))
    return sources[["pmra", "pmdec"]].to_numpy(float) - expected


def turned_offset(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """`proper_motion_offset` along the axes of the cluster's centre [mas/yr], shape (n_sources, 2).

    East and north turn over the sky; near a pole they turn by as much as the right ascension.
    """
    ra, dec = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
    turn = projection(ra, dec, (cluster.ra, cluster.dec), cluster.dist)[0]
    angle = np.arctan2(turn[:, 1, 0] - turn[:, 0, 1], turn[:, 0, 0] + turn[:, 1, 1])
    east, north = proper_motion_offset(sources, cluster).T
    return np.column_stack(
        [np.cos(angle) * east + np.sin(angle) * north, np.cos(angle) * north - np.sin(angle) * east]
    )


def parallax_scale(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """Standard deviation of the parallax offset that a member may have [mas], shape (n_sources,)."""
    extra = np.hypot(np.nan_to_num(cluster.parallax_dispersion), np.nan_to_num(cluster.parallax_mean_error))
    return np.hypot(sources["parallax_error"].to_numpy(float), extra)


def proper_motion_sigmas(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """Size of `proper_motion_offset` in standard deviations (Mahalanobis distance), shape (n_sources,)."""
    offset = proper_motion_offset(sources, cluster)
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


def projected_radius(sources: pd.DataFrame, cluster: Cluster) -> Array:
    """f_r [pc]: distance of the cluster times angular separation from its centre (Eqs. 13 and 14)."""
    separation = angular_separation(
        sources["ra"].to_numpy(), sources["dec"].to_numpy(), cluster.ra, cluster.dec
    )
    return cluster.dist * np.radians(separation)


def source_offsets(
    astrometry: Array, photometry: Array, cluster: Cluster, limits: SelectionLimits, isochrone: Isochrone
) -> dict[str, Array]:
    """Features that change with a star's measurements (Eqs. 15 to 17 of van Groeningen et al. 2023).

    Parameters
    ----------
    astrometry : ndarray, shape (..., 3)
        Parallax [mas], pmra and pmdec [mas/yr], as measured or as drawn.
    photometry : ndarray, shape (..., 2)
        G and the colour of the isochrone [mag].
    cluster : Cluster
        With means from the members.
    limits : SelectionLimits
        Scale the distance to the isochrone.
    isochrone : Isochrone
        The cluster's isochrone.

    Returns
    -------
    dict of ndarray, shape (...)
        f_pm, the size of the proper motion offset [mas/yr]; f_plx, the signed parallax offset [mas]; f_c and f_g, star
        minus isochrone [mag].
    """
    parallax, pmra, pmdec = np.moveaxis(astrometry, -1, 0)
    g, colour = np.moveaxis(photometry, -1, 0)
    f_c, f_g = isochrone_offsets(isochrone, colour.ravel(), g.ravel(), limits.colour, limits.g)
    return {
        "f_pm": np.hypot(pmra - cluster.pmra, pmdec - cluster.pmdec),
        "f_plx": parallax - cluster.parallax,
        "f_c": f_c.reshape(g.shape),
        "f_g": f_g.reshape(g.shape),
    }


@checked
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
        f_pm_sigma, f_plx_sigma, f_c_sigma and f_g_sigma, offsets in units of what the star's errors and the members'
        scatter allow: that of the proper motion is from the cluster's motion at the star's place, and the nearest
        point of the isochrone is the nearest in these units.

    Raises
    ------
    TypeError, ValueError
        If the sources are no table with these measurements.
    """
    sources = require_measurements(sources, colour, *ASTROMETRIC_CORRELATIONS)
    astrometry, photometry = (
        sources[names].to_numpy(float) for names in (_ASTROMETRY, ["phot_g_mean_mag", colour])
    )
    f_c_sigma, f_g_sigma = isochrone_sigmas(sources, isochrone, colour)
    return sources.assign(
        f_r=projected_radius(sources, cluster),
        **source_offsets(astrometry, photometry, cluster, limits, isochrone),
        f_pm_sigma=proper_motion_sigmas(sources, cluster),
        f_plx_sigma=parallax_sigmas(sources, cluster),
        f_c_sigma=f_c_sigma,
        f_g_sigma=f_g_sigma,
    )


SAMPLED_FEATURES = ("f_pm", "f_plx", "f_c", "f_g")
"""Features that change with a star's drawn measurements."""


def require_features(stars: pd.DataFrame, colour: str, what: str) -> pd.DataFrame:
    """Stars that can be judged in the cone of a cluster; other tables are refused.

    Parameters
    ----------
    stars : DataFrame
        As a user gives it from Python.
    colour : {'g_rp', 'bp_rp'}
        The colour of the selection.
    what : str
        What the rows are, "candidates".

    Returns
    -------
    DataFrame
        The same.

    Raises
    ------
    TypeError, ValueError
        If a measurement, its error, a feature or the identifier is missing, or no number.
    """
    features = ("source_id", *SOURCE_FEATURES, *SIGMA_OFFSETS)
    stars = require_columns(stars, features, what, "take the stars that `prepare_stars` gives")
    return require_measurements(stars, colour, *ASTROMETRIC_CORRELATIONS, what=what)


def can_be_sampled(candidates: pd.DataFrame, colour: str, names: list[str]) -> NDArray[np.bool_]:
    """Which stars have all measurements, errors and those of the named features that are not sampled.

    Parameters
    ----------
    candidates : DataFrame
        With the columns of the source sets.
    colour : {'g_rp', 'bp_rp'}
        The colour that is sampled.
    names : list of str
        Features that the classifier reads.

    Returns
    -------
    ndarray of bool, shape (n_candidates,)
    """
    needed = [
        "phot_g_mean_mag",
        colour,
        "phot_g_mean_mag_error",
        f"{colour}_error",
        "parallax",
        "pmra",
        "pmdec",
    ]
    errors = ["parallax_error", "pmra_error", "pmdec_error"]
    fixed = [name for name in names if name not in SAMPLED_FEATURES]
    return np.isfinite(candidates[[*needed, *errors, *fixed]].to_numpy(float)).all(axis=1)


def sample_features(
    sources: pd.DataFrame, sets: SourceSets, names: list[str], *, n_samples: int, rng: np.random.Generator
) -> Array:
    """Source features of stars drawn anew from their errors.

    Parameters
    ----------
    sources : DataFrame
        Stars with errors and correlations.
    sets : SourceSets
        Gives cluster, isochrone, limits and colour.
    names : list of str
        Features in the wanted order; those that do not change with the sample (f_r, or any other column) are
        repeated.
    n_samples : int
        Samples per star.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_sources, n_samples, n_features)
    """
    astrometry = sources[_ASTROMETRY].to_numpy(float)
    photometry = sources[["phot_g_mean_mag", sets.colour]].to_numpy(float)
    astrometry = draw_normal(astrometry, astrometric_covariance(sources), n_samples, rng=rng)
    photometry = draw_normal(photometry, photometric_covariance(sources, sets.colour), n_samples, rng=rng)
    sampled = source_offsets(astrometry, photometry, sets.cluster, sets.limits, sets.isochrone)
    fixed = {
        name: np.repeat(sources[name].to_numpy(float)[:, None], n_samples, axis=1)
        for name in names
        if name not in sampled
    }
    return np.stack([(sampled | fixed)[name] for name in names], axis=-1)


def draw_normal(mean: Array, covariance: Array, n_samples: int, *, rng: np.random.Generator) -> Array:
    """Draw from many normal distributions at once; singular covariances are allowed.

    Parameters
    ----------
    mean : ndarray, shape (n, k)
        Means.
    covariance : ndarray, shape (n, k, k)
        Covariances. Eigenvalues that rounding or inconsistent correlations made negative count as 0.
    n_samples : int
        Samples per distribution.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, n_samples, k)
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]  # (n, k, k)
    normal = rng.standard_normal((len(mean), n_samples, mean.shape[1]))
    return mean[:, None] + np.einsum("nsk,njk->nsj", normal, root)
