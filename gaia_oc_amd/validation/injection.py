"""Injection of artificial members into a cluster's own cone, to see which of them would be found."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.special import logit

from gaia_oc_amd.arguments import Scatter, checked
from gaia_oc_amd.astrometry import parallax_zero_point, tangent_plane
from gaia_oc_amd.candidates import select_candidates
from gaia_oc_amd.cone import ConeRegion, cut_to_region
from gaia_oc_amd.features import add_features
from gaia_oc_amd.simulation.stars import apparent_magnitudes
from gaia_oc_amd.source_sets import SourceSets
from gaia_oc_amd.spatial import SpatialModel, places_of, posterior
from gaia_oc_amd.validation.artificial import (
    ClusterModel,
    artificial_members,
    draw_systems,
    fit_cluster_model,
    flat_radii,
    king_radii,
    measure_by_donors,
)

Array = NDArray[np.float64]

StarJudge = Callable[..., Array]
"""Takes stars and sets, and rng as keyword, and gives probabilities:
`gaia_oc_amd.membership.membership_probabilities` with classifier and options filled in."""

_POOL = 40_000
"""Systems drawn from the initial mass function, of which each bin of G takes its share."""
_DEPTH_QUANTILE = 0.999
"""Of the cone's magnitudes, where its catalogue ends: the few fainter stars are those that noise put there."""


@dataclass(frozen=True)
class Coverage:
    """The part of the sky that the sources of a cone fill: their convex hull.

    Parameters
    ----------
    ra, dec : float
        Centre of the tangent plane [deg].
    facets : ndarray, shape (n_facets, 3)
        Normals (east, north) and offsets of the hull's edges [deg].
    """

    ra: float
    dec: float
    facets: Array

    @classmethod
    def of(cls, sources: pd.DataFrame, ra: float, dec: float) -> "Coverage":
        """Hull of at least three sources that span an area."""
        points = tangent_plane(sources["ra"].to_numpy(float), sources["dec"].to_numpy(float), ra, dec)
        return cls(ra, dec, ConvexHull(np.column_stack(points)).equations)

    def holds(self, east: Array, north: Array) -> NDArray[np.bool_]:
        """Whether points [deg from the centre] lie inside."""
        inside = np.ones(np.shape(east), bool)
        for a, b, c in self.facets:
            inside &= a * east + b * north + c <= 1e-9
        return inside

    def holds_directions(self, ra: Array, dec: Array) -> NDArray[np.bool_]:
        """Whether directions [deg] lie inside."""
        return self.holds(*tangent_plane(ra, dec, self.ra, self.dec))

    @property
    def inner_radius(self) -> float:
        """Largest circle around the centre that lies inside [deg]; 0 if the centre lies outside."""
        return max(float(np.min(-self.facets[:, 2])), 0.0)


@dataclass(frozen=True)
class Field:
    """A cluster's cone and everything that decides which stars are taken from it.

    Parameters
    ----------
    sets : SourceSets
        Evaluated sets.
    region : ConeRegion
        The cone's cut.
    points : DataFrame
        Points of the cluster's isochrone with Mini.
    """

    sets: SourceSets
    region: ConeRegion
    points: pd.DataFrame

    @property
    def sources(self) -> pd.DataFrame:
        """All sources of the cone, calibrated."""
        sets = self.sets
        return pd.concat([sets.members, sets.candidates, sets.non_members], ignore_index=True)

    @property
    def coverage(self) -> Coverage:
        """Where the cone has sources."""
        return Coverage.of(self.sources, self.sets.cluster.ra, self.sets.cluster.dec)

    @property
    def radius(self) -> float:
        """Radius of the cone [pc]."""
        return self.sets.cluster.dist * np.radians(self.region.radius)


N_PROFILES = 20
"""Profiles that artificial members stand for where the cluster's own is known with an uncertainty."""
_LIKE_MAGNITUDE = 20.0
"""Expected members on either side in magnitude among which the one is drawn that gives a star its radius."""
_ALL_BUT_CERTAIN = 1e-9


@checked
def inject_members(
    field: Field,
    judge: StarJudge,
    *,
    n_artificial: int,
    magnitude_edges: tuple[float, ...],
    binary_fraction: float = 0.3,
    model: ClusterModel | None = None,
    spatial: SpatialModel | None = None,
    ratio_scatter: Scatter = 0.0,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Put artificial members into a cluster's cone and follow each to its end.

    Every bin of G gets equally many stars, each with a weight that gives back the initial mass function; half
    of them lie as the cluster's members do, half at uniformly distributed radii within the cone.

    Parameters
    ----------
    field : Field
        The cone.
    judge : callable
        Gives the probabilities.
    n_artificial : int
        Number of artificial stars.
    magnitude_edges : tuple of float
        Edges of the bins of G [mag]; bins in which the cone has no star, or the cluster none, stay empty.
    binary_fraction : float
        Fraction of unresolved binaries at 0.7 Msun.
    model : ClusterModel, optional
        By default fitted to the members.
    spatial : SpatialModel, optional
        Core and halo that the evaluation fitted, see `radii_of_members`. Without one the radii follow the King
        profile of `model`.
    ratio_scatter : float
        Error of the judge's log ratios between cones.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame, one row per artificial star
        phot_g_mean_mag [mag], f_r [pc], weight, like_cluster (whether its radius is like those of the members),
        in_field, in_cone, selected, PMemb (NaN for those that are lost before or cannot be judged); with `spatial` also
        `PROFILE_WEIGHTS`, how much more often each of the models that the stars allow has a member there.
    """
    sets = field.sets
    model = model or fit_cluster_model(sets)
    systems = _systems_by_magnitude(field, n_artificial, magnitude_edges, binary_fraction, rng)
    like_cluster = np.arange(len(systems)) % 2 == 0
    like_members, by_profile = king_radii(model, len(systems), rng=rng), np.empty((len(systems), 0))
    if spatial is not None:
        g = _magnitudes(field, systems)
        like_members, by_profile = radii_of_members(field, spatial, g, ratio_scatter=ratio_scatter, rng=rng)
    radius = np.where(like_cluster, like_members, flat_radii(field.radius, len(systems), rng=rng))
    truth = artificial_members(sets.cluster, model, systems, radius, rng=rng)
    stars = measure_by_donors(truth, field.sources, rng=rng)
    fates = follow(stars, field, judge, rng=rng)
    fates = fates.assign(weight=systems["weight"].to_numpy(), like_cluster=like_cluster)
    return fates.assign(**dict(zip(PROFILE_WEIGHTS, by_profile.T, strict=False)))


PROFILE_WEIGHTS = tuple(f"profile_{number}" for number in range(N_PROFILES))
"""Columns of artificial stars."""


def radii_of_members(
    field: Field, spatial: SpatialModel, g: Array, *, ratio_scatter: float = 0.0, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Projected radii of members of given magnitudes, as far as the evaluation tells where such members stand.

    Within the largest circle that the cone fills, a radius is that of a judged star of similar magnitude, drawn by its
    probability: so radii hold what the stars show of the cluster's edge and of the segregation of masses, and the model
    decides only how far a doubtful star counts. Outside, where there are no stars, radii follow the model.

    Parameters
    ----------
    field : Field
        The cone, evaluated.
    spatial : SpatialModel
        That of the evaluation. `N_PROFILES` models are drawn from its covariance; each gives the judged stars
        probabilities of its own.
    g : ndarray, shape (n,)
        Magnitudes [mag].
    ratio_scatter : float
        Standard deviation of the error that each model supposes for the log ratios of this cone.
    rng : Generator
        Source of randomness.

    Returns
    -------
    radius : ndarray, shape (n,)
        [pc], from all models together.
    weights : ndarray, shape (n, N_PROFILES)
        Those that make each model's own distribution of it.
    """
    models = [spatial.drawn(rng=rng) for _ in range(N_PROFILES)]
    inner = min(field.sets.cluster.dist * np.radians(field.coverage.inner_radius), field.radius)
    errors = rng.normal(0, ratio_scatter, N_PROFILES)
    stars, chances = _chances_by_model(field, spatial, models, errors, inner)
    inner = inner if len(stars) else 0.0
    radius, outside = _radii_of_models(models, inner, field.radius, len(g), rng)
    weights = np.tile(outside / max(outside.mean(), _ALL_BUT_CERTAIN), (len(g), 1))
    seen, mean = np.flatnonzero(radius < inner), chances.mean(axis=1)
    donor = _of_like_magnitude(stars["phot_g_mean_mag"].to_numpy(float), mean, g[seen], rng)
    radius[seen] = stars["f_r"].to_numpy(float)[donor]
    weights[seen] = (
        chances[donor] / mean[donor, None] * (1 - outside) / max(1 - outside.mean(), _ALL_BUT_CERTAIN)
    )
    return radius, weights


def _chances_by_model(
    field: Field, spatial: SpatialModel, models: list[SpatialModel], errors: Array, inner: float
) -> tuple[pd.DataFrame, Array]:
    """Judged stars within a radius [pc] by magnitude, and what each model and error makes of their probabilities.

    The probabilities have the shape (n_stars, n_models) and the same sum in each: members are shared out, not counted.
    """
    stars = field.sets.scored()
    stars = stars[(stars["PMemb"] > 0) & stars["phot_g_mean_mag"].notna() & (stars["f_r"] < inner)]
    stars = stars.sort_values("phot_g_mean_mag", kind="stable")
    places, p = places_of(stars, field.sets.cluster), stars["PMemb"].to_numpy(float)
    ratios = logit(np.clip(p, _ALL_BUT_CERTAIN, 1 - _ALL_BUT_CERTAIN)) - spatial.log_odds(places)
    pairs = zip(models, errors, strict=True)
    chances = np.stack([posterior(ratios + error, model.log_odds(places)) for model, error in pairs], axis=1)
    total = chances.sum(axis=0)
    return stars, chances * (total.mean() / np.maximum(total, _ALL_BUT_CERTAIN))


def _radii_of_models(
    models: list[SpatialModel], inner: float, outer: float, size: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Radii [pc], each from one of the models, and the share that each model has beyond the inner one."""
    radius, number = np.empty(size), rng.integers(len(models), size=size)
    for i, model in enumerate(models):
        rows = np.flatnonzero(number == i)
        radius[rows] = model.draw_radii(len(rows), outer=outer, rng=rng)
    shares = [model.fraction_within(inner) / model.fraction_within(outer) for model in models]
    return radius, 1 - np.array(shares)


def _of_like_magnitude(
    known_g: Array, chance: Array, g: Array, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows of stars in the order of their magnitudes, drawn by chance among the members nearest to each magnitude."""
    below = np.concatenate([[0.0], np.cumsum(chance)])
    middle = below[np.searchsorted(known_g, g)]
    lower = np.maximum(middle - _LIKE_MAGNITUDE, 0.0)
    upper = np.minimum(middle + _LIKE_MAGNITUDE, below[-1])
    drawn = rng.uniform(lower, upper)
    return np.clip(np.searchsorted(below, drawn, side="right") - 1, 0, len(chance) - 1)


def _magnitudes(field: Field, systems: pd.DataFrame) -> Array:
    """G magnitudes of systems [mag] at the cluster's distance, without noise."""
    cluster = field.sets.cluster
    return apparent_magnitudes(systems, np.full(len(systems), cluster.dist), cluster.a0)["g"].to_numpy()


def follow(stars: pd.DataFrame, field: Field, judge: StarJudge, *, rng: np.random.Generator) -> pd.DataFrame:
    """Which stars the cone's cut, the candidate selection and the judge let pass.

    Parameters
    ----------
    stars : DataFrame
        Calibrated measurements, real or artificial, of whatever origin.
    field : Field
        The cone.
    judge : callable
        Gives the probabilities.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        phot_g_mean_mag, f_r, in_field (whether the field has stars at the place), in_cone, selected, PMemb, row by row.
    """
    sets = field.sets
    in_field, in_cone = _in_field(stars, field), inside_cone(stars, field)
    passed = select_candidates(stars, sets.cluster, sets.limits, sets.isochrone, sets.selection)
    selected = in_cone & passed["candidate"].to_numpy(bool)
    stars = add_features(stars, sets.cluster, sets.limits, sets.isochrone, sets.colour)
    probability = np.full(len(stars), np.nan)
    if selected.any():
        probability[selected] = judge(stars[selected].reset_index(drop=True), sets, rng=rng)
    fates = stars[["phot_g_mean_mag", "f_r"]].reset_index(drop=True)
    return fates.assign(in_field=in_field, in_cone=in_cone, selected=selected, PMemb=probability)


def inside_cone(stars: pd.DataFrame, field: Field) -> NDArray[np.bool_]:
    """Stars that the cone's query would have returned, by their raw parallaxes, where it has any stars."""
    raw = stars.assign(parallax=stars["parallax"] + parallax_zero_point(stars, speaks=False))
    kept = stars["source_id"].isin(cut_to_region(raw, field.region)["source_id"]).to_numpy()
    return kept & _in_field(stars, field)


def _in_field(stars: pd.DataFrame, field: Field) -> NDArray[np.bool_]:
    """Stars at places where the cone has stars."""
    return field.coverage.holds_directions(stars["ra"].to_numpy(float), stars["dec"].to_numpy(float))


def _systems_by_magnitude(
    field: Field, size: int, edges: tuple[float, ...], binary_fraction: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Systems, equally many in each bin of G that can have any, with the weight of each."""
    cluster = field.sets.cluster
    pool = draw_systems(field.points, _POOL, binary_fraction=binary_fraction, rng=rng)
    g = _magnitudes(field, pool)
    faintest = field.sources["phot_g_mean_mag"].quantile(_DEPTH_QUANTILE)
    g = np.where(g <= faintest, g, np.nan)
    bins = [np.flatnonzero((g >= low) & (g < high)) for low, high in pairwise(edges)]
    bins = [rows for rows in bins if len(rows)]
    if not bins:
        raise ValueError(
            f"{cluster.name}: its isochrone has no star in G {edges[0]:g} to {min(edges[-1], faintest):.1f}: "
            "are distance and extinction right?"
        )
    per_bin = max(size // len(bins), 1)
    parts = [pool.iloc[rng.choice(rows, per_bin)].assign(weight=len(rows) / per_bin / _POOL) for rows in bins]
    return pd.concat(parts, ignore_index=True)
