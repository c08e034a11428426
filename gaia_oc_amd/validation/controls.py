"""Control clusters: a cluster's model where the cone has no cluster, so that every star accepted is false."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ncx2

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.features import proper_motion_offset
from gaia_oc_amd.perspective import local_axes
from gaia_oc_amd.set_building import divide_cone
from gaia_oc_amd.source_sets import SourceSets
from gaia_oc_amd.validation.artificial import ClusterModel, fit_cluster_model
from gaia_oc_amd.validation.injection import Field, StarJudge, inside_cone

Array = NDArray[np.float64]

CORE_FRACTION = 0.9
"""Share of the members in the circle of a control that must be whole and free of the real cluster."""
HOLE_FRACTION = 0.97
"""Share of the members in the circle around the real cluster where field stars cannot be told from members. There
its likely members are removed and controls see nothing; what is accepted beyond counts as field, or a judge that
accepts everything would seem pure."""
LEAST_SHARE = 0.1
"""Stars at radii of which a control sees less than this share are not counted."""
_GRID = 80
_RING = np.linspace(0, 2 * np.pi, 180, endpoint=False)


@dataclass(frozen=True)
class Place:
    """Where a control cluster lies, relative to the real one.

    Parameters
    ----------
    kind : {'sky', 'proper motion'}
        What was changed; parallax and everything else stay, so that the isochrone fits.
    east, north : float
        Offset on the sky [deg].
    pmra, pmdec : float
        Offset in proper motion [mas/yr].
    """

    kind: str
    east: float = 0.0
    north: float = 0.0
    pmra: float = 0.0
    pmdec: float = 0.0


@dataclass(frozen=True)
class Controls:
    """What the control clusters of a cone showed.

    Parameters
    ----------
    places : list of Place
        Where they lay; may be empty.
    false_members : DataFrame
        Real stars that were accepted as members of one: control (number of the place), source_id,
        phot_g_mean_mag [mag],
        f_r [pc] from the control's centre, PMemb, weight: over how much of what the cone shows around the
        cluster it shows around the control.
    seen : ndarray, shape (n_controls, n_radii)
        Share of the ring at each of `radii` that a control sees, relative to the cluster's own.
    radii : ndarray, shape (n_radii,)
        [pc].
    """

    places: list[Place]
    false_members: pd.DataFrame
    seen: Array
    radii: Array


def control_places(
    field: Field, n_controls: int, *, model: ClusterModel | None = None, rng: np.random.Generator
) -> list[Place]:
    """Places in a cone that hold no cluster.

    Beside the cluster on the sky if the cone is wide enough for a control's circle of `CORE_FRACTION` of the
    members beside the cluster's of `HOLE_FRACTION`: there the field has the same proper motions, parallaxes and
    isochrone. Else at other proper motions at the cluster's own place, as far from it as the cone's cut lets the
    selection circle of a star without errors be whole. Opposite directions cancel gradients of the field.

    Parameters
    ----------
    field : Field
        The cone.
    n_controls : int
        How many.
    model : ClusterModel, optional
        By default fitted to the members.
    rng : Generator
        Turns the regular pattern of directions.

    Returns
    -------
    list of Place
        Empty, with one warning, if none fits.
    """
    if n_controls == 0:
        return []
    angle = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(n_controls) / n_controls
    model = model or fit_cluster_model(field.sets)
    core, hole = model.radius_of_fraction(CORE_FRACTION), model.radius_of_fraction(HOLE_FRACTION)
    places = _on_the_sky(field, core, hole, angle) or _in_proper_motion(field, angle)
    if not places:
        warnings.warn(
            "the cone is too small for a control cluster, on the sky and in proper motion: contamination is known "
            "from the mean of 1 - p alone. A larger --cone_radius or --cone_pm_sigmas of build_sets.py helps.",
            stacklevel=2,
        )
    return places


def _on_the_sky(field: Field, core: float, hole: float, angle: Array) -> list[Place]:
    dist = field.sets.cluster.dist
    reach = min(dist * np.radians(field.coverage.inner_radius), field.radius)
    nearest, farthest = hole + core, reach - core
    if nearest > farthest:
        return []
    offset = np.degrees(np.clip(reach / 2, nearest, farthest) / dist)
    return [Place("sky", east=float(offset * np.sin(a)), north=float(offset * np.cos(a))) for a in angle]


def _in_proper_motion(field: Field, angle: Array) -> list[Place]:
    region, limit, cluster = field.region, field.sets.limits.pm, field.sets.cluster
    aside = np.hypot(cluster.pmra - region.pmra, cluster.pmdec - region.pmdec)
    offset = region.pm_radius - aside - limit
    if not limit <= offset < np.inf:
        return []
    offset = min(offset, 3 * limit)
    return [
        Place("proper motion", pmra=float(offset * np.sin(a)), pmdec=float(offset * np.cos(a))) for a in angle
    ]


def move_stars(stars: pd.DataFrame, cluster: Cluster, place: Place) -> pd.DataFrame:
    """Stars of a cluster moved, with all their scatter, to another place.

    Parameters
    ----------
    stars : DataFrame
        Real or artificial members as measured.
    cluster : Cluster
        Gives the centre that is moved.
    place : Place
        Where to.

    Returns
    -------
    DataFrame
        A new table; offsets from the centre, and from the cluster's motion at a star's place, keep size and
        direction, errors and photometry are unchanged.
    """
    ra, dec = stars["ra"].to_numpy(float), stars["dec"].to_numpy(float)
    offset = proper_motion_offset(stars, cluster)
    if place.east or place.north:
        east, north = tangent_plane(ra, dec, cluster.ra, cluster.dec)
        ra, dec = directions(east, north, *moved_centre(cluster, place))
    pmra, pmdec = (offset + moved_cluster(cluster, place).motion_at(ra, dec)).T
    return stars.assign(ra=ra, dec=dec, pmra=pmra, pmdec=pmdec)


def moved_cluster(cluster: Cluster, place: Place) -> Cluster:
    """Cluster at a control's place and motion."""
    ra, dec = moved_centre(cluster, place)
    return replace(cluster, ra=ra, dec=dec, pmra=cluster.pmra + place.pmra, pmdec=cluster.pmdec + place.pmdec)


def moved_centre(cluster: Cluster, place: Place) -> tuple[float, float]:
    """Direction [deg] of a control's centre."""
    ra, dec = directions(np.array([place.east]), np.array([place.north]), cluster.ra, cluster.dec)
    return float(ra[0]), float(dec[0])


def directions(east: Array, north: Array, ra: float, dec: float) -> tuple[Array, Array]:
    """Directions of offsets in the tangent plane, the inverse of `gaia_oc_amd.astrometry.tangent_plane`.

    Parameters
    ----------
    east, north : ndarray, shape (n,)
        Offsets whose hypotenuse is the separation [deg].
    ra, dec : float
        Centre [deg].

    Returns
    -------
    ra, dec : ndarray, shape (n,)
        [deg].
    """
    separation = np.radians(np.hypot(east, north))
    along = np.sinc(separation / np.pi)  # sin(x) / x
    in_plane = np.radians(np.column_stack([east, north])) * along[:, None]
    x, y, z = (np.column_stack([in_plane, np.cos(separation)]) @ local_axes(ra, dec)).T
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def look_at_controls(
    field: Field,
    judge: StarJudge,
    places: list[Place],
    *,
    prob_threshold: float = 0.5,
    removal_threshold: float = 0.1,
    radii: Array,
    rng: np.random.Generator,
) -> Controls:
    """Build the sets of each control cluster and count the real stars that the judge accepts.

    The real cluster is moved, not copied: its training members train the control, and of its candidates each
    joins with its probability, so that the judge meets as many members in the control's cone as in the real
    one (a judge may estimate their share). Likely members near the cluster that do not join are removed.

    Parameters
    ----------
    field : Field
        The cone with its evaluated sets.
    judge : callable
        Gives the probabilities.
    places : list of Place
        From `control_places`.
    prob_threshold : float
        Smallest probability of an accepted star.
    removal_threshold : float
        Smallest PMemb of a likely member of the real cluster.
    radii : ndarray, shape (n_radii,)
        Radii [pc] at which the controls' coverage is reported.
    rng : Generator
        Source of randomness.

    Returns
    -------
    Controls
        A control whose sets cannot be built is left out, with a warning.
    """
    model = fit_cluster_model(field.sets, prob_threshold=prob_threshold)
    hole = model.radius_of_fraction(HOLE_FRACTION)
    likely = _likely_members(field.sets, removal_threshold, hole)
    found, looked_at, seen = list[pd.DataFrame](), list[Place](), list[Array]()
    for place, stream in zip(places, rng.spawn(len(places)), strict=True):
        try:
            accepted = _false_members(field, judge, place, likely, prob_threshold, stream)
        except ClusterError as error:
            warnings.warn(f"a control cluster could not be built and is left out: {error}", stacklevel=2)
            continue
        weight = _coverage_weights(accepted, field, place, hole)
        found.append(accepted.assign(control=len(looked_at), weight=weight)[weight > 0])
        looked_at.append(place)
        seen.append(ring_shares(field, place, hole, radii))
    columns = ["control", "source_id", "phot_g_mean_mag", "f_r", "PMemb", "weight"]
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns, dtype=float)
    return Controls(looked_at, table[columns], np.array(seen).reshape(len(looked_at), len(radii)), radii)


def _likely_members(sets: SourceSets, removal_threshold: float, radius: float) -> NDArray[np.bool_]:
    """Candidates that are taken away from the real cluster, shape (n_candidates,)."""
    stars = sets.candidates
    listed = sets.comparison["source_id"][sets.comparison["PMemb"] >= removal_threshold]
    likely = (stars["PMemb"] >= removal_threshold) & (stars["f_r"] < radius)
    return (likely | stars["source_id"].isin(listed)).to_numpy()


def _false_members(
    field: Field,
    judge: StarJudge,
    place: Place,
    likely: NDArray[np.bool_],
    prob_threshold: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Real stars of the field that are accepted as members of the cluster moved to a place."""
    sets = field.sets
    probability = np.nan_to_num(sets.candidates["PMemb"].to_numpy(float))
    joins = likely & (rng.uniform(size=len(probability)) < probability)
    gone = pd.concat([sets.candidates["source_id"][likely], sets.members["source_id"]])
    members = move_stars(sets.members, sets.cluster, place)
    hidden = move_stars(sets.candidates[joins], sets.cluster, place)
    hidden = hidden[inside_cone(hidden, field)] if len(hidden) else hidden
    sources = field.sources
    real = sources[~sources["source_id"].isin(gone)]
    listed_members = pd.Series(members["PMemb"].to_numpy(float), index=members["source_id"].to_numpy())
    cone = pd.concat([members, hidden, real], ignore_index=True)
    control = divide_cone(cone, sets.cluster, listed_members, field.points, sets.selection)
    stars = control.candidates[control.candidates["source_id"].isin(real["source_id"])]
    stars = stars.reset_index(drop=True)
    judged = judge(stars, control, rng=rng) if len(stars) else np.zeros(0)
    return stars.assign(PMemb=judged)[judged >= prob_threshold]


def _coverage_weights(stars: pd.DataFrame, field: Field, place: Place, hole: float) -> Array:
    """How many stars around the cluster each star around a control stands for; 0 for those that do not count."""
    if place.kind == "proper motion":
        share = _proper_motion_share(stars, field, place)
    else:
        grid = np.linspace(0, 1.01 * stars["f_r"].max() if len(stars) else 1.0, _GRID)
        share = np.interp(stars["f_r"].to_numpy(float), grid, ring_shares(field, place, hole, grid))
        share = np.where(_outside_the_cluster(stars, field.sets.cluster, hole), share, 0.0)
    counts = share >= LEAST_SHARE
    return np.where(counts, 1 / np.where(counts, share, 1.0), 0.0)


def _outside_the_cluster(stars: pd.DataFrame, cluster: Cluster, hole: float) -> NDArray[np.bool_]:
    """Stars beyond the real cluster's own circle, within which members that nobody noticed may be left."""
    ra, dec = stars["ra"].to_numpy(float), stars["dec"].to_numpy(float)
    return np.hypot(*tangent_plane(ra, dec, cluster.ra, cluster.dec)) > np.degrees(hole / cluster.dist)


def ring_shares(field: Field, place: Place, hole: float, radii: Array) -> Array:
    """Share of each ring around a control that has stars and is not the cluster's, over that around the cluster.

    Parameters
    ----------
    field : Field
        The cone.
    place : Place
        Of the control.
    hole : float
        Radius [pc] of the circle around the cluster in which field stars cannot be told from members.
    radii : ndarray, shape (n,)
        Radii of the rings [pc].

    Returns
    -------
    ndarray, shape (n,)
        At most 1; 0 where the cone shows nothing. A control in proper motion sees what the cluster does.
    """
    coverage, dist = field.coverage, field.sets.cluster.dist
    radius = np.degrees(radii / dist)[:, None]
    east, north = radius * np.sin(_RING), radius * np.cos(_RING)
    around_cluster = coverage.holds(east, north).mean(axis=1)
    if place.kind == "proper motion":
        return (around_cluster > 0).astype(float)
    east, north = east + place.east, north + place.north
    free = np.hypot(east, north) > np.degrees(hole / dist)
    around_control = (coverage.holds(east, north) & free).mean(axis=1)
    return np.where(around_cluster > 0, np.minimum(around_control / np.maximum(around_cluster, 1e-9), 1), 0.0)


def _proper_motion_share(stars: pd.DataFrame, field: Field, place: Place) -> Array:
    """Share of a star's own error circle inside the cone's cut, at the control's proper motion over the cluster's."""
    region, cluster = field.region, field.sets.cluster
    errors = stars[["pmra_error", "pmdec_error"]].to_numpy(float)
    scatter = field.sets.members[["pmra", "pmdec"]].std().to_numpy(float)
    variance = np.square(np.hypot(errors, scatter)).mean(axis=1)
    aside = np.array([cluster.pmra - region.pmra, cluster.pmdec - region.pmdec])
    moved = aside + np.array([place.pmra, place.pmdec])
    own = region.error_weight * np.sqrt(np.square(errors).mean(axis=1))
    limit = np.square(region.pm_radius + own) / variance
    here, there = (
        ncx2.cdf(limit, 2, np.maximum(np.square(offset).sum() / variance, 1e-12)) for offset in (aside, moved)
    )
    return np.minimum(there / np.maximum(here, 1e-12), 1.0)
