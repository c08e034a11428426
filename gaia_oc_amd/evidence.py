"""What the posterior network sees of a star: its offsets, its quality, and the density of the field around it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, Delaunay, QhullError, cKDTree

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.features import (
    ISOCHRONE_ERRORS,
    parallax_scale,
    proper_motion_covariance,
    proper_motion_offset,
)
from gaia_oc_amd.parallel import n_threads
from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]

NEIGHBOURS = 32
"""Field stars that a density is taken from: 18 % of Poisson noise."""
MOST_STARS = 30_000
"""Field stars kept for the search; more make it slower and not better."""

_G_SCALE, _COLOUR_SCALE = 0.4, 0.08  # mag, over which the field's density changes little
_SHARE_OF_SPREAD = 0.2  # of the field's own spread in proper motion and parallax
_UNIT_BALL = 8 * np.pi**2 / 15  # volume of the unit ball in five dimensions
_G_STEP = 0.5
_FEWEST = 10


@dataclass(frozen=True)
class FieldDensity:
    """Number density of field stars in the space of the measurements.

    The distance to the `NEIGHBOURS`-th nearest field star, in scales that are the typical errors of that
    magnitude combined with the lengths over which the field changes. Magnitude-dependent scales let faint stars
    be compared over the errors that they have.

    Parameters
    ----------
    tree : cKDTree
        Field stars in scaled units.
    weights : ndarray, shape (n,)
        Number of field stars that each stands for.
    area : float
        Area of the sky that they come from [pc^2 at the cluster's distance].
    centre : ndarray, shape (3,)
        Mean pmra, pmdec [mas/yr] and parallax [mas] of the cluster, the origin of the scaled units.
    knots, scales : ndarray, shape (m,), (5, m)
        Scales of pmra, pmdec, parallax, G and colour at magnitudes G.
    colour : str
        Which colour.
    """

    tree: cKDTree
    weights: Array
    area: float
    centre: Array
    knots: Array
    scales: Array
    colour: str

    @classmethod
    def of(
        cls,
        field: pd.DataFrame,
        cluster: Cluster,
        colour: str,
        *,
        area: float,
        weights: Array | None = None,
        rng: np.random.Generator,
    ) -> "FieldDensity":
        """Density from a table of field stars.

        Parameters
        ----------
        field : DataFrame
            Calibrated sources. Those without colour do not count.
        cluster : Cluster
            Gives the centre.
        colour : {'g_rp', 'bp_rp'}
            Which colour.
        area : float
            Area they come from [pc^2].
        weights : ndarray, shape (n,), optional
            Chance of each star to be a field star.
        rng : Generator
            Chooses `MOST_STARS` where there are more.

        Returns
        -------
        FieldDensity
        """
        weights = np.ones(len(field)) if weights is None else np.asarray(weights, float)
        usable = np.flatnonzero(np.isfinite(_measurements(field, colour)).all(axis=1))
        share = min(1.0, MOST_STARS / max(len(usable), 1))
        if share < 1:
            usable = np.sort(rng.choice(usable, MOST_STARS, replace=False))
        field, weights = field.iloc[usable], weights[usable] / share
        centre = np.array([cluster.pmra, cluster.pmdec, cluster.parallax])
        knots, scales = _scales(field, centre, colour)
        empty = cls(cKDTree(np.empty((0, 5))), weights, area, centre, knots, scales, colour)
        return cls(cKDTree(empty._scaled(field)[0]), weights, area, centre, knots, scales, colour)

    def log_density(self, stars: pd.DataFrame) -> Array:
        """Natural logarithm of the field's density at the place of each star.

        Parameters
        ----------
        stars : DataFrame
            Calibrated sources. A field star does not count at its own place.

        Returns
        -------
        ndarray, shape (n_stars,)
            [per (mas/yr)^2 mas mag^2 pc^2]; NaN without colour, and everywhere if there is next to no field.
        """
        density = np.full(len(stars), np.nan)
        places, volume = self._scaled(stars)
        usable = np.isfinite(places).all(axis=1)
        n_neighbours = min(NEIGHBOURS, self.tree.n - 1)
        if not usable.any() or n_neighbours < _FEWEST:
            return density
        distance, neighbour = self.tree.query(places[usable], k=n_neighbours + 1, workers=n_threads())
        own = distance[:, 0] == 0
        weights = self.weights[neighbour]
        number = weights[:, :-1].sum(axis=1) - own * weights[:, 0]
        number = np.maximum(number * (n_neighbours - 1) / n_neighbours, 0.5)  # the outermost marks the volume
        radius = np.maximum(distance[:, -1], 1e-3)
        density[usable] = np.log(number / (_UNIT_BALL * radius**5)) - volume[usable] - np.log(self.area)
        return density

    def _scaled(self, stars: pd.DataFrame) -> tuple[Array, Array]:
        """Places in scaled units, shape (n, 5), and the logarithm of the unit volume, shape (n,)."""
        values = _measurements(stars, self.colour)
        scales = np.stack([np.interp(values[:, 3], self.knots, scale) for scale in self.scales], axis=1)
        return (values - [*self.centre, 0, 0]) / scales, np.log(scales).sum(axis=1)


def _measurements(stars: pd.DataFrame, colour: str) -> Array:
    return stars[["pmra", "pmdec", "parallax", "phot_g_mean_mag", colour]].to_numpy(float)


def _scales(field: pd.DataFrame, centre: Array, colour: str) -> tuple[Array, Array]:
    """Scales of the five measurements at steps of magnitude."""
    offsets = _measurements(field, colour)[:, :3] - centre
    spread = _SHARE_OF_SPREAD * 1.4826 * np.median(np.abs(offsets), axis=0) if len(field) else np.ones(3)
    spread = np.maximum(np.array([max(spread[:2]), max(spread[:2]), spread[2]]), 1e-3)
    g = field["phot_g_mean_mag"].to_numpy(float)
    knots = np.arange(8.0, 21.01, _G_STEP)
    errors = field[["pmra_error", "pmdec_error", "parallax_error", f"{colour}_error"]].to_numpy(float)
    nearest = np.clip(np.rint((g - knots[0]) / _G_STEP).astype(int), 0, len(knots) - 1)
    typical = pd.DataFrame(errors).groupby(nearest).median().reindex(range(len(knots)))
    typical = typical.interpolate(limit_direction="both").fillna(0.0).to_numpy().T
    g_scale = np.full(len(knots), _G_SCALE)
    in_colour = np.hypot(typical[3], _COLOUR_SCALE)
    return knots, np.vstack([np.hypot(typical[:3], spread[:, None]), g_scale, in_colour])


def sky_area(
    sources: pd.DataFrame, cluster: Cluster, *, beyond: float = 0.0, rng: np.random.Generator
) -> float:
    """Area of the sky that a table covers, at the cluster's distance, leaving out a circle around the centre.

    Parameters
    ----------
    sources : DataFrame
        With ra, dec; the hull of their positions bounds the area.
    cluster : Cluster
        Gives centre and distance.
    beyond : float
        Radius of the circle that does not count [pc].
    rng : Generator
        The circle's share is found with random points.

    Returns
    -------
    float
        [pc^2], at least 1e-6.
    """
    east, north = tangent_plane(sources["ra"].to_numpy(), sources["dec"].to_numpy(), cluster.ra, cluster.dec)
    places = np.column_stack([east, north]) * np.radians(1) * cluster.dist
    try:
        hull = ConvexHull(places)
    except (QhullError, ValueError):  # fewer than three stars, or all on a line
        return 1e-6
    if beyond <= 0:
        return max(float(hull.volume), 1e-6)  # what scipy calls volume is the area in two dimensions
    corners = places[hull.vertices]
    points = rng.uniform(corners.min(axis=0), corners.max(axis=0), (20_000, 2))
    inside = Delaunay(corners).find_simplex(points) >= 0
    outside_circle = np.hypot(*points[inside].T) > beyond
    return max(float(hull.volume * outside_circle.mean()), 1e-6)


STAR_FEATURES = (
    "log_radius", "log_radius_pc", "pm_sigma", "log_pm", "plx_sigma", "log_plx", "c_sigma", "g_sigma",
    "c_sequence", "g_sequence", "magnitude", "absolute_magnitude", "colour", "log_pm_error", "log_plx_error",
    "log_colour_error", "log_ruwe", "six_parameters", "log_field", "log_ratio",
)  # fmt: skip
"""Features of the star to be judged, see `star_evidence`."""
SUPPORT_FEATURES = ("log_radius", "pmra_sigma", "pmdec_sigma", "plx_sigma", "c_sigma", "g_sigma", "magnitude")
"""Features of a support star, see `star_evidence`."""
CONE_FEATURES = ("log_members", "log_r50", "log_velocity", "log_dist", "age", "a0", "log_field_stars")
"""Features of the cone, see `cone_evidence`."""

_LARGEST_SIGMA = 12.0
_LOWEST_LOG = -40.0
_EXTINCTION_G = 0.84  # A_G / A_0 of a solar-type star
_SEQUENCE_WIDTH = 0.75  # mag in G over which members are averaged
_SEQUENCE_NEIGHBOURS = 5
_PRIOR_MEMBERS = 2.0
_STARS_AT_ONCE = 4096
_ENOUGH_FIELD, _ENOUGH_SHARE = 500, 0.3
_FIELD_COLUMNS = (
    "ra", "dec", "f_r", "parallax", "pmra", "pmdec", "parallax_error", "pmra_error", "pmdec_error", "phot_g_mean_mag"
)  # fmt: skip


@dataclass(frozen=True)
class Background:
    """The field of a cone, and the lengths that its features are measured in.

    Parameters
    ----------
    density : FieldDensity
        Of the cone's field stars.
    n_stars : float
        Number of field stars that it rests on.
    whole : bool
        Whether it comes from the whole cone, members included as far as they are not known, because there is
        not enough of it outside the cluster.
    """

    density: FieldDensity
    n_stars: float
    whole: bool


def field_background(
    sets: SourceSets, *, membership: Array | None = None, rng: np.random.Generator
) -> Background:
    """Field of a cone: its sources beyond twice the radius that holds 90 % of the members.

    Where that leaves fewer than 500 stars or less than 30 % of the cone's, all sources count by their chance of
    being none of the members.

    Parameters
    ----------
    sets : SourceSets
        The cone.
    membership : ndarray, shape (n_candidates,), optional
        Membership probabilities of the candidates as far as they are known.
    rng : Generator
        Thins very many stars out.

    Returns
    -------
    Background
    """
    names = [*_FIELD_COLUMNS, sets.colour, f"{sets.colour}_error"]
    cone = pd.concat([sets.candidates[names], sets.non_members[names]], ignore_index=True)
    weights = np.ones(len(cone))
    if membership is not None:
        weights[: len(membership)] -= np.nan_to_num(membership)
    excluded = 2 * float(np.quantile(sets.members["f_r"], 0.9))
    outside = cone["f_r"].to_numpy() > excluded
    whole = outside.sum() < max(_ENOUGH_FIELD, _ENOUGH_SHARE * len(cone))
    if whole:
        outside, excluded = np.ones(len(cone), bool), 0.0
    density = FieldDensity.of(
        cone[outside],
        sets.cluster,
        sets.colour,
        area=sky_area(cone, sets.cluster, beyond=excluded, rng=rng),
        weights=weights[outside],
        rng=rng,
    )
    return Background(density, float(weights[outside].sum()), bool(whole))


def cone_evidence(sets: SourceSets, background: Background) -> dict[str, float]:
    """Features of the cone, the same for all its stars.

    Parameters
    ----------
    sets : SourceSets
        The cone.
    background : Background
        Its field.

    Returns
    -------
    dict
        `CONE_FEATURES`: logarithms of the number of training members, of the radius that holds half of them
        [pc], of their velocity dispersion [km/s], of the distance [pc] and of the number of field stars; age
        [log10 yr]; a0 [mag].
    """
    cluster = sets.cluster
    return {
        "log_members": float(np.log(max(len(sets.members), 1))),
        "log_r50": float(np.log(half_number_radius(sets))),
        "log_velocity": float(np.log(4.74 * cluster.pm_dispersion * cluster.dist / 1000)),
        "log_dist": float(np.log(cluster.dist)),
        "age": cluster.age,
        "a0": cluster.a0,
        "log_field_stars": float(np.log(max(background.n_stars, 1.0))),
    }


def half_number_radius(sets: SourceSets) -> float:
    """Projected radius that holds half of the training members [pc], at least 0.05."""
    return max(float(np.median(sets.members["f_r"])), 0.05)


def star_evidence(stars: pd.DataFrame, sets: SourceSets, background: Background) -> pd.DataFrame:
    """Features of stars.

    Parameters
    ----------
    stars : DataFrame
        With the columns of the source sets.
    sets : SourceSets
        The cone that they are judged in.
    background : Background
        Its field.

    Returns
    -------
    DataFrame, on the index of `stars`
        `STAR_FEATURES` and `SUPPORT_FEATURES`. log_radius: logarithm of f_r over the half-number radius;
        log_radius_pc: of f_r [pc]. pm_sigma, pmra_sigma, pmdec_sigma, plx_sigma, c_sigma, g_sigma: offsets in
        units of errors and scatter. log_pm, log_plx: logarithms of the density of the cluster's proper motions
        [per (mas/yr)^2] and parallaxes [per mas] at the star, its errors included. c_sequence, g_sequence: c_sigma
        and g_sigma relative to the members of similar magnitude, which takes out what the isochrone is wrong by.
        log_field: logarithm of the field's density; log_ratio: log_pm + log_plx - log_field. log errors are
        natural logarithms of errors in mas, mas/yr and mag, log_ruwe of RUWE. NaN where a star lacks colour.
    """
    table = _offsets(stars, sets)
    covariance = proper_motion_covariance(stars, sets.cluster)
    scale = parallax_scale(stars, sets.cluster)
    log_pm = -0.5 * np.square(table["pm_sigma"]) - 0.5 * np.log(np.linalg.det(covariance)) - np.log(2 * np.pi)
    log_plx = -0.5 * np.square(table["plx_sigma"]) - np.log(scale) - 0.5 * np.log(2 * np.pi)
    log_field = background.density.log_density(stars)
    if not np.isfinite(log_field).any():  # next to no field star: far too few to matter
        log_field = np.where(np.isfinite(stars[sets.colour]), _LOWEST_LOG / 2, np.nan)
    in_colour, in_g = _from_sequence(table, stars, sets)
    table = table.assign(
        log_pm=log_pm.clip(_LOWEST_LOG),
        log_plx=log_plx.clip(_LOWEST_LOG),
        c_sequence=in_colour,
        g_sequence=in_g,
        log_field=log_field,
        log_ratio=(log_pm + log_plx - log_field).clip(_LOWEST_LOG),
        **_quality(stars, sets),
    )
    return table[[*STAR_FEATURES, *(name for name in SUPPORT_FEATURES if name not in STAR_FEATURES)]]


def _offsets(stars: pd.DataFrame, sets: SourceSets) -> pd.DataFrame:
    """Offsets in units of errors, bounded so that one wild value says no more than that it is wild."""
    covariance = proper_motion_covariance(stars, sets.cluster)
    offset = proper_motion_offset(stars, sets.cluster)
    radius = stars["f_r"].to_numpy(float)
    sigmas = {
        "pm_sigma": stars["f_pm_sigma"],
        "pmra_sigma": offset[:, 0] / np.sqrt(covariance[:, 0, 0]),
        "pmdec_sigma": offset[:, 1] / np.sqrt(covariance[:, 1, 1]),
        "plx_sigma": stars["f_plx_sigma"],
        "c_sigma": stars["f_c_sigma"],
        "g_sigma": stars["f_g_sigma"],
    }
    table = pd.DataFrame(sigmas, index=stars.index).astype(float).clip(-_LARGEST_SIGMA, _LARGEST_SIGMA)
    return table.assign(
        log_radius=np.log(radius / half_number_radius(sets) + 0.1), log_radius_pc=np.log(radius + 0.1)
    )


def _quality(stars: pd.DataFrame, sets: SourceSets) -> dict[str, Array]:
    """Magnitudes, errors and signs of a bad solution."""
    g = stars["phot_g_mean_mag"].to_numpy(float)
    modulus = 5 * np.log10(sets.cluster.dist) - 5
    ruwe = stars["ruwe"].to_numpy(float) if "ruwe" in stars else np.ones(len(stars))
    solved = stars.get("astrometric_params_solved", 31)
    pm_error = np.sqrt(stars["pmra_error"].to_numpy(float) * stars["pmdec_error"].to_numpy(float))
    return {
        "magnitude": g,
        "absolute_magnitude": g - modulus - _EXTINCTION_G * sets.cluster.a0,
        "colour": stars[sets.colour].to_numpy(float),
        "log_pm_error": np.log(pm_error),
        "log_plx_error": np.log(stars["parallax_error"].to_numpy(float)),
        "log_colour_error": np.log(stars[f"{sets.colour}_error"].to_numpy(float)),
        "log_ruwe": np.log(np.clip(np.nan_to_num(ruwe, nan=1.0), 0.7, 6.0)),
        "six_parameters": np.broadcast_to(np.asarray(solved, float) == 95, g.shape).astype(float),
    }


def _from_sequence(table: pd.DataFrame, stars: pd.DataFrame, sets: SourceSets) -> tuple[Array, Array]:
    """Offsets in colour and G, in sigmas, from where members of similar magnitude lie beside the isochrone.

    A star that is itself a member does not count for its own sequence.
    """
    members = sets.members
    offsets = members[["f_c_sigma", "f_g_sigma"]].to_numpy(float) * _isochrone_scales(members, sets.colour)
    usable = np.isfinite(offsets).all(axis=1) & (np.abs(offsets) < [0.3, 1.5]).all(axis=1)
    member_g, ids = (
        members["phot_g_mean_mag"].to_numpy(float)[usable],
        members["source_id"].to_numpy()[usable],
    )
    g, star_ids = stars["phot_g_mean_mag"].to_numpy(float), stars["source_id"].to_numpy()
    chunks = [slice(i, i + _STARS_AT_ONCE) for i in range(0, len(g), _STARS_AT_ONCE)]
    shift = [_mean_offsets(g[part], star_ids[part], member_g, ids, offsets[usable]) for part in chunks]
    shift = np.concatenate([np.empty((0, 2)), *shift])
    shifted = table[["c_sigma", "g_sigma"]].to_numpy() - shift / _isochrone_scales(stars, sets.colour)
    return tuple(np.clip(shifted, -_LARGEST_SIGMA, _LARGEST_SIGMA).T)


def _mean_offsets(g: Array, star_ids: Array, member_g: Array, member_ids: Array, offsets: Array) -> Array:
    """Mean offsets [mag] of the members around each magnitude, drawn towards 0 where there are few."""
    if not len(member_g):
        return np.zeros((len(g), 2))
    apart = np.abs(g[:, None] - member_g)  # (stars, members)
    nearest = min(_SEQUENCE_NEIGHBOURS, len(member_g)) - 1
    width = np.maximum(_SEQUENCE_WIDTH, np.partition(apart, nearest, axis=1)[:, nearest])
    weight = np.exp(-0.5 * np.square(apart / width[:, None]))
    weight[star_ids[:, None] == member_ids] = 0
    return weight @ offsets / (weight.sum(axis=1) + _PRIOR_MEMBERS)[:, None]


def _isochrone_scales(stars: pd.DataFrame, colour: str) -> Array:
    """Scales of colour and G that f_c_sigma and f_g_sigma are measured in [mag], shape (n, 2)."""
    errors = stars[[f"{colour}_error", "phot_g_mean_mag_error"]].to_numpy(float)
    return np.hypot(errors, ISOCHRONE_ERRORS)
