"""The region of the sky and of motion where a cluster's stars are; the sources in it: checked, cut, calibrated."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.astrometry import (
    LARGEST_IDENTIFIER,
    angular_separation,
    near_their_pixels,
    parallax_zero_point,
)
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import ASTROMETRIC_ERRORS, FROM_ARCHIVE, MAGNITUDES
from gaia_oc_amd.exceptions import ClusterError, ConeUnavailableError
from gaia_oc_amd.files.tables import require_columns
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.perspective import VELOCITY_SCALE, turn_over_cone
from gaia_oc_amd.photometry import add_magnitude_errors

logger = logging.getLogger(__name__)

ERROR_WEIGHT = 3.0
"""How many of a star's own errors widen the cone's cuts in proper motion and parallax. Without them the cuts of
Eqs. 1 and 2, made from bright members, lose faint ones before anything else looks at them."""
MAXIMUM_RADIUS = 60.0
"""Largest radius of a cone on the sky [deg]."""
ERRORS_OF = {
    "pmra": ("pmra_error", "pmdec_error"),
    "pmdec": ("pmra_error", "pmdec_error"),
    "parallax": ("parallax_error",),
}
"""Errors that widen the limit of each quantity: their sum is at least what `cut_to_region` adds."""
N_OBS_COLUMNS = ("phot_g_n_obs", "phot_bp_n_obs", "phot_rp_n_obs")


@dataclass(frozen=True)
class ConeRegion:
    """A cone on the sky with a circle in proper motion and an interval in parallax.

    Parameters
    ----------
    ra, dec, radius : float
        Centre and radius on the sky [deg].
    pmra, pmdec, pm_radius : float
        Centre and radius in proper motion [mas/yr] (Eq. 1 of van Groeningen et al. 2023); an infinite radius is no
        limit.
    parallax, parallax_width : float
        Centre and half width in parallax [mas] (Eq. 2); an infinite width is no limit.
    error_weight : float
        How many of a star's own errors are added to `pm_radius` and `parallax_width`; 0 are the cuts of the paper.
        The error of its proper motion is the root mean square of both directions, as in Eq. 1.
    """

    ra: float
    dec: float
    radius: float
    pmra: float
    pmdec: float
    pm_radius: float
    parallax: float
    parallax_width: float
    error_weight: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Region by name, to be kept beside the cone file; None stands for no limit, as in JSON."""
        return {name: value if np.isfinite(value) else None for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "ConeRegion":
        """Region that `as_dict` gave; one without an error_weight has the cuts of the paper.

        Raises
        ------
        TypeError
            If the content is not that of a region.
        """
        return cls(**{name: np.inf if value is None else value for name, value in content.items()})

    @property
    def motion_intervals(self) -> dict[str, tuple[float, float]]:
        """Centre and half width of each quantity that is limited, by its archive name, for a star without errors."""
        intervals = {
            "pmra": (self.pmra, self.pm_radius),
            "pmdec": (self.pmdec, self.pm_radius),
            "parallax": (self.parallax, self.parallax_width),
        }
        return {name: interval for name, interval in intervals.items() if np.isfinite(interval[1])}


def radius_on_sky(cone_radius: float, dist: float, *, name: str | None = None) -> float:
    """Angle under which a radius is seen [deg], at most `MAXIMUM_RADIUS`.

    Parameters
    ----------
    cone_radius : float
        [pc].
    dist : float
        Distance [pc].
    name : str, optional
        Of the cluster, for the warning that the radius is capped; without it there is none.

    Returns
    -------
    float
    """
    radius = float(np.degrees(np.arctan2(cone_radius, dist)))
    if radius > MAXIMUM_RADIUS and name is not None:
        logger.warning(
            "%s: %g pc at %g pc are %.0f deg on the sky; the cone is capped at %g deg.",
            *(name, cone_radius, dist, radius, MAXIMUM_RADIUS),
        )
    return min(radius, MAXIMUM_RADIUS)


def cone_region(cluster: Cluster, options: ConeOptions) -> ConeRegion:
    """Region of the stars that are looked at around a cluster.

    Parameters
    ----------
    cluster : Cluster
        With the parameter table's means and standard deviations.
    options : ConeOptions
        Radius [pc], widths in standard deviations, and whether the cuts are those of the paper.

    Returns
    -------
    ConeRegion
        The radius on the sky is arctan(radius / distance), at most 60 deg. Unless the cuts are those of the paper,
        the radius in proper motion grows by as much as the cluster's motion may turn over the cone, and both cuts by
        three of a star's own errors.
    """
    radius = radius_on_sky(options.cone_radius, cluster.dist, name=cluster.name)
    pm_radius = options.cone_pm_sigmas * float(np.hypot(cluster.pmra_error, cluster.pmdec_error) / np.sqrt(2))
    if not options.published_cone:
        pm_radius += turn_over_cone(
            (cluster.ra, cluster.dec),
            radius,
            cluster.dist,
            (cluster.pmra, cluster.pmdec),
            *(cluster.known_velocity or (0.0, VELOCITY_SCALE)),
        )
    return ConeRegion(
        ra=cluster.ra,
        dec=cluster.dec,
        radius=radius,
        pmra=cluster.pmra,
        pmdec=cluster.pmdec,
        pm_radius=pm_radius,
        parallax=cluster.parallax,
        parallax_width=options.cone_plx_sigmas * cluster.parallax_error,
        error_weight=0.0 if options.published_cone else ERROR_WEIGHT,
    )


def cut_to_region(sources: pd.DataFrame, region: ConeRegion) -> pd.DataFrame:
    """Sources inside a region that were observed in all three bands, as an archive query would give them.

    Parameters
    ----------
    sources : DataFrame
        Any table of sources with the archive's columns.
    region : ConeRegion
        Where to cut.

    Returns
    -------
    DataFrame
        The rows inside, with a new index.
    """
    ra, dec = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
    inside = angular_separation(ra, dec, region.ra, region.dec) <= region.radius
    offset = np.hypot(*(sources[["pmra", "pmdec"]].to_numpy(float) - [region.pmra, region.pmdec]).T)
    aside = np.abs(sources["parallax"].to_numpy(float) - region.parallax)
    if region.error_weight:
        offset = offset - region.error_weight * np.hypot(
            sources["pmra_error"], sources["pmdec_error"]
        ) / np.sqrt(2)
        aside -= region.error_weight * sources["parallax_error"].to_numpy(float)
    inside &= (offset <= region.pm_radius) & (aside <= region.parallax_width)
    for name in N_OBS_COLUMNS:
        if name in sources:
            inside &= sources[name].to_numpy(float) > 0
    return rows_where(sources, inside)


_ROUNDING = 0.01
"""By what a service that publishes fewer digits than the archive may be off [mas/yr, mas]; in place a tenth [deg]."""
_MOST = 0.9  # of identifiers that must name their places before the others are called wrong


def wrong_rows(rows: pd.DataFrame, region: ConeRegion) -> str | None:
    """What is wrong with a service's answer to the query for a region.

    Parameters
    ----------
    rows : DataFrame
        With the archive's names, not yet checked.
    region : ConeRegion
        What was asked for.

    Returns
    -------
    str or None
        Rows outside the region or its limits, identifiers that can be none of Gaia's, or a few that name another place
        on the sky (where most do, the table is made up, and identifiers say nothing); None if there are none.
    """
    values = {name: pd.to_numeric(rows[name], errors="coerce") for name in _ASKED_FOR if name in rows}
    if len(values) < len(_ASKED_FOR) or rows.empty:
        return None  # for others to refuse
    ra, dec, pmra, pmdec, parallax = (values[name].to_numpy(float) for name in _ASKED_FOR[1:])
    ids = values["source_id"].to_numpy()
    if values["source_id"].dtype.kind not in "iu":
        return "source_id that are no integers"
    if (none := (ids <= 0) | (ids > LARGEST_IDENTIFIER)).any():
        return f"{none.sum()} source_id that are none of Gaia's, as {ids[none][0]}"
    outside = angular_separation(ra, dec, region.ra, region.dec) > region.radius + _ROUNDING / 10
    wider = np.zeros((2, len(rows)))  # by a star's own errors
    if region.error_weight and set(ASTROMETRIC_ERRORS) <= set(rows):
        errors = {
            name: pd.to_numeric(rows[name], errors="coerce").to_numpy(float) for name in ASTROMETRIC_ERRORS
        }
        wider[0] = region.error_weight * np.hypot(errors["pmra_error"], errors["pmdec_error"]) / np.sqrt(2)
        wider[1] = region.error_weight * errors["parallax_error"]
    outside |= np.hypot(pmra - region.pmra, pmdec - region.pmdec) > region.pm_radius + wider[0] + _ROUNDING
    outside |= np.abs(parallax - region.parallax) > region.parallax_width + wider[1] + _ROUNDING
    if outside.any():
        return f"{outside.sum()} rows outside what was asked for"
    near = near_their_pixels(ids, ra, dec)
    if _MOST <= near.mean() < 1:
        return f"{(~near).sum()} rows whose source_id names another place on the sky"
    return None


_ASKED_FOR = ("source_id", "ra", "dec", "pmra", "pmdec", "parallax")


def rows_where(sources: pd.DataFrame, kept: NDArray[np.bool_]) -> pd.DataFrame:
    """Some of the rows with a new index, without a copy where all are kept."""
    return (sources if kept.all() else sources[kept]).reset_index(drop=True)


def in_order(sources: pd.DataFrame) -> pd.DataFrame:
    """Sources sorted by identifier, so that every source of stars gives them in the same order."""
    is_sorted = sources["source_id"].is_monotonic_increasing
    return sources if is_sorted else sources.sort_values("source_id", ignore_index=True)


def no_star_in_cone(uncut: pd.DataFrame, region: ConeRegion, origin: str) -> ClusterError:
    """Why a local table has no star in the cone.

    Parameters
    ----------
    uncut : DataFrame
        The table before the cut: its ra and dec are enough.
    region : ConeRegion
        Where it was cut.
    origin : str
        Where the table comes from.

    Returns
    -------
    ClusterError
        If it has stars of the field, none of which passes the cuts: another source would have the same. A
        `ConeUnavailableError` if the table is of another field.
    """
    if uncut.empty:
        return ConeUnavailableError(f"{origin} holds no usable source.")
    ra, dec = uncut["ra"], uncut["dec"]
    near = angular_separation(ra.to_numpy(), dec.to_numpy(), region.ra, region.dec) <= region.radius
    is_radians = ra.max() <= 2 * np.pi and dec.abs().max() <= np.pi / 2
    hint = "are they in degrees?" if is_radians else "is it another field?"
    of_hours = (ra * 15).between(region.ra - 2 * region.radius, region.ra + 2 * region.radius)
    if ra.max() <= 24 and of_hours.any() and not is_radians:
        hint = "is ra in hours? Multiply it by 15, or state its unit in the file."
    if near.any():
        hint = (
            f"{near.sum()} sources are near enough on the sky but fail the cuts in proper motion or parallax, or "
            "were not observed in all three bands: try a larger --cone_pm_sigmas or --cone_plx_sigmas."
        )
    return (ClusterError if near.any() else ConeUnavailableError)(
        f"{origin} has no source within {region.radius:.3g} deg of ra {region.ra:.4f}, dec {region.dec:.4f} and in "
        f"the cone's proper motions and parallaxes; it spans ra {ra.min():.4f}..{ra.max():.4f}, "
        f"dec {dec.min():.4f}..{dec.max():.4f}: {hint}"
    )


@checked
def calibrate(sources: pd.DataFrame) -> pd.DataFrame:
    """Subtract the parallax zero point and add magnitude errors.

    Parameters
    ----------
    sources : DataFrame
        Cone sources as the archive gives them.

    Returns
    -------
    DataFrame
        A new table (see `astrometry.parallax_zero_point` and `photometry.add_magnitude_errors`).

    Raises
    ------
    TypeError, ValueError
        If it is no table with parallaxes and magnitudes.
    """
    sources = require_columns(sources, ("parallax", *MAGNITUDES), "sources", FROM_ARCHIVE)
    return add_magnitude_errors(sources.assign(parallax=sources["parallax"] - parallax_zero_point(sources)))
