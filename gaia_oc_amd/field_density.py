"""How many field stars a cone holds at a star's proper motion, parallax, magnitude and colour."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, Delaunay, QhullError, cKDTree

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.parallel import n_threads

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
