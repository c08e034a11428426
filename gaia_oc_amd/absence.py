"""Why a listed star is not among the sources of a cone: its place, its motion, its parallax, or none of them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import angular_separation, identifier_positions, tangent_plane
from gaia_oc_amd.cone import ConeRegion

Array = NDArray[np.float64]

BEYOND = "beyond"
"""Column that says which limit a star lies beyond, one of `LIMITS`."""
LIMITS = ("radius", "field", "proper_motion", "parallax", "unmeasured", "within", "unplaced")
"""The cone's radius; the field whose stars there are, where a table ends before the cone does; its proper motions; its
parallaxes; one of these two, as the star's own are not known; none of all; not known, for lack of a place."""
CUT = ("proper_motion", "parallax", "unmeasured")
"""Of a star that stands in the field, but that the cone's limits in motion and parallax leave out."""


def why_absent(stars: pd.DataFrame, region: ConeRegion, sources: pd.DataFrame) -> pd.DataFrame:
    """Which limit of a cone each star lies beyond that is none of its sources.

    Parameters
    ----------
    stars : DataFrame
        ra and dec [deg], or source_id, which tells the place; pmra and pmdec [mas/yr] and parallax [mas] as far as
        they are known.
    region : ConeRegion
        What the cone was cut to. A star's own errors widen its limits; one that is not in the cone is not within
        them, so those of a star without errors decide.
    sources : DataFrame
        ra and dec of the cone's sources [deg]: a table may end before the cone does.

    Returns
    -------
    DataFrame
        With the index of the stars: ``apart`` from the centre [deg], ``motion`` from the region's [mas/yr] and
        ``parallax`` minus the region's [mas], NaN where they are not known; `BEYOND`, one of `LIMITS`.
    """
    ra, dec = stars.reindex(columns=["ra", "dec"]).to_numpy(float).T.copy()
    unplaced = np.isnan(ra) | np.isnan(dec)
    if unplaced.any():
        identifiers = stars["source_id"].fillna(-1).to_numpy(np.int64)[unplaced]
        ra[unplaced], dec[unplaced] = identifier_positions(identifiers)
    measured = stars.reindex(columns=["pmra", "pmdec", "parallax"]).to_numpy(float)
    apart = angular_separation(ra, dec, region.ra, region.dec)
    motion = np.hypot(measured[:, 0] - region.pmra, measured[:, 1] - region.pmdec)
    parallax = measured[:, 2] - region.parallax
    unknown = np.isfinite(region.pm_radius) & np.isnan(motion)
    unknown |= np.isfinite(region.parallax_width) & np.isnan(parallax)
    conditions = {
        "unplaced": np.isnan(apart),
        "radius": apart > region.radius,
        "field": _outside_hull(ra, dec, sources, region),
        "proper_motion": motion > region.pm_radius,
        "parallax": np.abs(parallax) > region.parallax_width,
        "unmeasured": unknown,
    }
    beyond = np.select(list(conditions.values()), list(conditions), "within")
    return pd.DataFrame(
        {"apart": apart, "motion": motion, "parallax": parallax, BEYOND: beyond}, index=stars.index
    ).astype({BEYOND: "str"})


def _outside_hull(ra: Array, dec: Array, sources: pd.DataFrame, region: ConeRegion) -> NDArray[np.bool_]:
    """Whether places lie outside the hull of a cone's sources."""
    from scipy.spatial import ConvexHull, Delaunay, QhullError  # here: its import takes a third of a second

    centre = (region.ra, region.dec)
    corners = np.column_stack(tangent_plane(sources["ra"].to_numpy(), sources["dec"].to_numpy(), *centre))
    places = np.column_stack(tangent_plane(ra, dec, *centre))
    outside = np.zeros(len(places), bool)
    usable = np.isfinite(places).all(axis=1)
    try:
        corners = corners[ConvexHull(corners).vertices]
        outside[usable] = Delaunay(corners).find_simplex(places[usable]) < 0
    except (QhullError, ValueError):  # fewer than three sources, or all on a line
        pass
    return outside
