"""What the posterior network sees of a star: its offsets, its quality, and the density of the field around it."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gaia_oc_amd.cluster import Cluster, update_from_members
from gaia_oc_amd.features import (
    ISOCHRONE_ERRORS,
    parallax_scale,
    parallax_sigmas,
    proper_motion_covariance,
    proper_motion_offset,
    proper_motion_sigmas,
    turned_offset,
)
from gaia_oc_amd.parallel import n_threads
from gaia_oc_amd.source_sets import SourceSets
from gaia_oc_amd.spatial import places_of, posterior
from gaia_oc_amd.spatial_fit import fit_spatial_model

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
    """Probability density of field stars in the space of the measurements.

    The distance to the `NEIGHBOURS`-th nearest field star, in scales that are the typical errors of that magnitude
    combined with the lengths over which the field changes. Magnitude-dependent scales let faint stars be compared over
    the errors that they have. Proper motions are `turned_offset`: along axes that turn, a field near a pole would be
    smeared around a circle. The density is that of one field star, whatever their number.

    Parameters
    ----------
    tree : cKDTree
        Field stars in scaled units.
    weights : ndarray, shape (n,)
        Number of field stars that each stands for.
    cluster : Cluster
        Its motion and parallax are the origin of the scaled units.
    knots, scales : ndarray, shape (m,), (5, m)
        Scales of pmra, pmdec, parallax, G and colour at magnitudes G.
    colour : str
        Which colour.
    total : float
        Number of field stars that the density is divided by.
    """

    tree: cKDTree
    weights: Array
    cluster: Cluster
    knots: Array
    scales: Array
    colour: str
    total: float

    @classmethod
    def of(
        cls,
        field: pd.DataFrame,
        cluster: Cluster,
        colour: str,
        *,
        weights: Array | None = None,
        counted: NDArray[np.bool_] | None = None,
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
        weights : ndarray, shape (n,), optional
            Chance of each star to be a field star.
        counted : ndarray of bool, shape (n,), optional
            The stars whose number the density is of, by default all.
        rng : Generator
            Chooses `MOST_STARS` where there are more.

        Returns
        -------
        FieldDensity
        """
        weights = np.ones(len(field)) if weights is None else np.asarray(weights, float)
        usable = np.flatnonzero(np.isfinite(_measurements(field, cluster, colour)).all(axis=1))
        if len(usable) > MOST_STARS:
            usable = np.sort(rng.choice(usable, MOST_STARS, replace=False))
        field, weights = field.iloc[usable], weights[usable]
        total = weights.sum() if counted is None else weights[counted[usable]].sum()
        knots, scales = _scales(field, cluster, colour)
        empty = cls(
            cKDTree(np.empty((0, 5))), weights, cluster, knots, scales, colour, max(float(total), 1.0)
        )
        # the neighbours are the same of any tree; in this one they are found in four fifths of the time
        return replace(empty, tree=cKDTree(empty._scaled(field)[0], leafsize=32, balanced_tree=False))

    def log_density(self, stars: pd.DataFrame) -> Array:
        """Natural logarithm of the field's density at the place of each star.

        It is low by the factor 1 - 1 / `NEIGHBOURS` (3 %) everywhere, since the outermost neighbour is discounted
        twice; networks were trained on these values.

        Parameters
        ----------
        stars : DataFrame
            Calibrated sources. A field star does not count at its own place.

        Returns
        -------
        ndarray, shape (n_stars,)
            [per (mas/yr)^2 mas mag^2], of one field star; NaN without colour, and everywhere if there is next to no
            field.
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
        density[usable] = np.log(number / (_UNIT_BALL * radius**5)) - volume[usable] - np.log(self.total)
        return density

    def _scaled(self, stars: pd.DataFrame) -> tuple[Array, Array]:
        """Places in scaled units, shape (n, 5), and the logarithm of the unit volume, shape (n,)."""
        values = _measurements(stars, self.cluster, self.colour)
        scales = np.stack([np.interp(values[:, 3], self.knots, scale) for scale in self.scales], axis=1)
        return values / scales, np.log(scales).sum(axis=1)


def _measurements(stars: pd.DataFrame, cluster: Cluster, colour: str) -> Array:
    """Offsets in proper motion and parallax, G and colour, shape (n, 5)."""
    others = stars[["parallax", "phot_g_mean_mag", colour]].to_numpy(float) - [cluster.parallax, 0, 0]
    return np.column_stack([turned_offset(stars, cluster), others])


def _scales(field: pd.DataFrame, cluster: Cluster, colour: str) -> tuple[Array, Array]:
    """Scales of the five measurements at steps of magnitude."""
    offsets = _measurements(field, cluster, colour)[:, :3]
    spread = _SHARE_OF_SPREAD * 1.4826 * np.median(np.abs(offsets), axis=0) if len(field) else np.ones(3)
    spread = np.maximum(np.array([max(spread[:2]), max(spread[:2]), spread[2]]), 1e-3)
    g = field["phot_g_mean_mag"].to_numpy(float)
    knots = np.arange(8.0, 21.01, _G_STEP)
    errors = field[["pmra_error", "pmdec_error", "parallax_error", f"{colour}_error"]].to_numpy(float)
    nearest = np.clip(np.rint((g - knots[0]) / _G_STEP).astype(int), 0, len(knots) - 1)
    medians = pd.DataFrame(errors).groupby(nearest).median().reindex(range(len(knots)))
    typical = medians.interpolate(limit_direction="both").fillna(0.0).to_numpy().T
    g_scale = np.full(len(knots), _G_SCALE)
    in_colour = np.hypot(typical[3], _COLOUR_SCALE)
    return knots, np.vstack([np.hypot(typical[:3], spread[:, None]), g_scale, in_colour])


STAR_FEATURES = (
    "pm_sigma", "log_pm", "plx_sigma", "log_plx", "c_sigma", "g_sigma", "c_sequence", "g_sequence", "magnitude",
    "absolute_magnitude", "colour", "log_pm_error", "log_plx_error", "log_colour_error", "log_ruwe",
    "six_parameters", "log_field", "log_ratio",
)  # fmt: skip
"""Features of the star to be judged, see `star_evidence`. Where it stands is not among them."""
SUPPORT_FEATURES = ("pmra_sigma", "pmdec_sigma", "plx_sigma", "c_sigma", "g_sigma", "magnitude")
"""Features of a support star, see `star_evidence`."""
CONE_FEATURES = ("log_members", "log_velocity", "log_dist", "age", "a0", "log_field_stars")
"""Features of the cone, see `cone_evidence`."""

_LARGEST_SIGMA = 12.0
_LOWEST_LOG = -40.0
_EXTINCTION_G = 0.84  # A_G / A_0 of a solar-type star
_SEQUENCE_WIDTH = 0.75  # mag in G over which members are averaged
_SEQUENCE_NEIGHBOURS = 5
_SEQUENCE_RANGE = (np.array([-0.15, -0.75]), np.array([0.15, 0.75]))  # mag; beyond it strays
_PRIOR_MEMBERS, _PRIOR_SCATTER = 2.0, 5.0
_STARS_AT_ONCE = 4096
_ENOUGH_FIELD, _ENOUGH_SHARE = 500, 0.3
_FARTHEST_LISTED = 12.5
"""Radius of 90 % of the listed members [pc] up to which a list is believed: of 341 simulated and real ones the widest
has it. One of field stars reaches as far as its cone, and would leave no field."""
_FIELD_COLUMNS = (
    "ra", "dec", "parallax", "pmra", "pmdec", "parallax_error", "pmra_error", "pmdec_error", "phot_g_mean_mag"
)  # fmt: skip
_HOPELESS = 45.0
"""Sum of the squared offsets in sigmas beyond which the first reading does not look at a star's field."""
_SINGLE = 0.75  # share of members near the sequence; the others are binaries and strays
_STRAY_RANGE = 0.4  # mag in colour over which these spread
_LUMINOSITY_KNOTS = np.arange(5.0, 21.6, 0.75)
_LUMINOSITY_PRIOR = 3.0  # stars for each knot
_ROUNDS = 3
_SMALL_FIELD_ROUNDS = 3
_SURE, _LISTED = 0.9, 0.5
_FEWEST_SURE = 15
_LARGEST_CHANCE = 0.95
"""A sure member still counts a twentieth for the field: else a small field could vanish altogether."""


@dataclass(frozen=True)
class ConeReading:
    """What a cone says of its cluster and of its field; the network is told this.

    Parameters
    ----------
    sets : SourceSets
        The cone.
    cluster : Cluster
        With the means and dispersions of `members`.
    members : DataFrame
        Stars that are members for certain: the sequence and the support sets come from them.
    density : FieldDensity
        Of the cone's field stars.
    luminosity : ndarray, shape (n_knots,)
        Natural logarithm of the density of the members' G magnitudes [1/mag] at `_LUMINOSITY_KNOTS`.
    members_everywhere : bool
        Whether the cone holds too little of the field beyond its members to see it alone.
    """

    sets: SourceSets
    cluster: Cluster
    members: pd.DataFrame
    density: FieldDensity
    luminosity: Array
    members_everywhere: bool = False


def read_cone(sets: SourceSets, *, rng: np.random.Generator) -> ConeReading:
    """Read a cone twice: first with the listed members, then with what that reading found.

    The first reading compares each star with normal distributions about the listed members' means and with the
    density of the field, finds where the members stand (`gaia_oc_amd.spatial_fit`) and how their magnitudes are
    distributed, and gives each star a chance. Stars that are surely members then give means, dispersions and
    sequence. No network takes part, so that a training reads cones as an evaluation does.

    The field is what lies beyond twice the radius that holds 90 % of the listed members (25 pc at most), and its
    density that of one candidate: candidates are what is judged, so the likelihoods of theirs have to add up to 1.
    Where that leaves fewer than 500 stars or less than 30 % of the cone's, all stars count by their chance of being
    none of the members, and the density is that of one star, since nobody knows how many candidates are field;
    elsewhere such chances would only thin the field where it looks like the cluster.

    Parameters
    ----------
    sets : SourceSets
        The cone.
    rng : Generator
        Thins very many stars out.

    Returns
    -------
    ConeReading
    """
    field = pd.concat([sets.candidates, sets.non_members], ignore_index=True)[
        ["f_r", *_FIELD_COLUMNS, sets.colour, f"{sets.colour}_error"]
    ]
    excluded = 2 * min(float(np.quantile(sets.members["f_r"], 0.9)), _FARTHEST_LISTED)
    far, candidate = field["f_r"].to_numpy() > excluded, np.arange(len(field)) < len(sets.candidates)
    whole = far.sum() < max(_ENOUGH_FIELD, _ENOUGH_SHARE * len(field))
    if whole:
        far[:] = True
    state, weights = rng.bit_generator.state, np.ones(len(field))

    def density() -> FieldDensity:
        rng.bit_generator.state = state  # the same stars in both readings
        return FieldDensity.of(
            field[far],
            sets.cluster,
            sets.colour,
            weights=weights[far],
            counted=None if whole else candidate[far],
            rng=rng,
        )

    luminosity = np.full(len(_LUMINOSITY_KNOTS), -np.log(np.ptp(_LUMINOSITY_KNOTS)))
    first = ConeReading(sets, sets.cluster, sets.members, density(), luminosity, bool(whole))
    stars = pd.concat([sets.candidates, sets.members], ignore_index=True)
    chance, luminosity = _first_chances(stars, first)
    for _ in range(_SMALL_FIELD_ROUNDS if whole else 0):  # members hide the field until they are known
        weights[: len(sets.candidates)] = 1 - _LARGEST_CHANCE * chance[: len(sets.candidates)]
        first = replace(first, density=density(), luminosity=luminosity)
        chance, luminosity = _first_chances(stars, first)
    members = _sure_members(stars, chance, sets)
    cluster = update_from_members(sets.cluster, members)
    return replace(first, cluster=cluster, members=members, luminosity=luminosity)


def _sure_members(stars: pd.DataFrame, chance: Array, sets: SourceSets) -> pd.DataFrame:
    """Stars of a high chance, and listed ones of a fair one; all listed ones where these are too few."""
    listed = np.arange(len(stars)) >= len(sets.candidates)
    sure = (chance >= _SURE) | (listed & (chance >= _LISTED))
    usable = np.isfinite(stars[[sets.colour, "f_c_sigma", "f_g_sigma"]].to_numpy(float)).all(axis=1)
    if (sure & usable).sum() < _FEWEST_SURE:
        sure = sure | listed
    return stars[sure & usable].reset_index(drop=True)


def _first_chances(stars: pd.DataFrame, reading: ConeReading) -> tuple[Array, Array]:
    """Chance of each star to be a member, and the members' distribution of magnitudes."""
    sets = reading.sets
    log_ratio = np.full(len(stars), -np.inf)
    hopeful = np.flatnonzero(_squared_offset(stars, reading.cluster) < _HOPELESS)
    log_ratio[hopeful] = star_evidence(stars.iloc[hopeful], reading)["log_ratio"].to_numpy()
    log_ratio = np.where(log_ratio <= _LOWEST_LOG, -np.inf, np.nan_to_num(log_ratio, nan=-np.inf))
    places, g = places_of(stars, reading.cluster), stars["phot_g_mean_mag"].to_numpy(float)
    luminosity, size = reading.luminosity, half_number_radius(sets.members)
    for _ in range(_ROUNDS):
        total = log_ratio + np.interp(g, _LUMINOSITY_KNOTS, luminosity - reading.luminosity)
        chance = posterior(total, fit_spatial_model(total, places, size=size).log_odds(places))
        luminosity = _luminosity(g, chance)
    return chance, luminosity


def _squared_offset(stars: pd.DataFrame, cluster: Cluster) -> Array:
    """Squared offset in proper motion and parallax, in sigmas."""
    return np.square(proper_motion_sigmas(stars, cluster)) + np.square(parallax_sigmas(stars, cluster))


def _luminosity(g: Array, chance: Array) -> Array:
    """Logarithm of the density of magnitudes at the knots, drawn towards an even one."""
    knots, step = _LUMINOSITY_KNOTS, _LUMINOSITY_KNOTS[1] - _LUMINOSITY_KNOTS[0]
    hats = np.maximum(1 - np.abs(g[:, None] - knots) / step, 0)  # (stars, knots)
    counts = chance @ hats
    smooth = np.convolve(np.pad(counts, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    smooth = smooth + _LUMINOSITY_PRIOR * min(1.0, counts.sum() / 100)
    return np.log(smooth / (smooth.sum() * step) + 1e-9)


def cone_evidence(reading: ConeReading) -> dict[str, float]:
    """Features of the cone, the same for all its stars.

    Parameters
    ----------
    reading : ConeReading
        The cone.

    Returns
    -------
    dict
        `CONE_FEATURES`: logarithms of the number of sure members, of their velocity dispersion [km/s], of the
        distance [pc] and of the number of field stars that the density rests on; age [log10 yr]; a0 [mag].
    """
    cluster = reading.cluster
    return {
        "log_members": float(np.log(max(len(reading.members), 1))),
        "log_velocity": float(np.log(4.74 * cluster.pm_dispersion * cluster.dist / 1000)),
        "log_dist": float(np.log(cluster.dist)),
        "age": cluster.age,
        "a0": cluster.a0,
        "log_field_stars": float(np.log(max(reading.density.tree.n, 1))),
    }


def half_number_radius(members: pd.DataFrame) -> float:
    """Projected radius that holds half of the members [pc], at least 0.05."""
    return max(float(np.median(members["f_r"])), 0.05)


def star_evidence(stars: pd.DataFrame, reading: ConeReading) -> pd.DataFrame:
    """Features of stars.

    Parameters
    ----------
    stars : DataFrame
        With the columns of the source sets.
    reading : ConeReading
        The cone that they are judged in.

    Returns
    -------
    DataFrame, on the index of `stars`
        `STAR_FEATURES` and `SUPPORT_FEATURES`. pm_sigma, pmra_sigma, pmdec_sigma, plx_sigma, c_sigma, g_sigma:
        offsets in units of errors and scatter. log_pm, log_plx: logarithms of the density of the cluster's proper
        motions [per (mas/yr)^2] and parallaxes [per mas] at the star, its errors included. c_sequence, g_sequence:
        c_sigma and g_sigma relative to the members of similar magnitude, which takes out what the isochrone is wrong
        by. log_field: logarithm of the field's density; log_ratio: that of the cluster over that of the field, with
        the densities of magnitude and colour. log errors are natural logarithms of errors in mas, mas/yr and mag,
        log_ruwe of RUWE. NaN where a star lacks colour.
    """
    table = _offsets(stars, reading)
    covariance = proper_motion_covariance(stars, reading.cluster)
    scale = parallax_scale(stars, reading.cluster)
    log_pm = -0.5 * np.square(table["pm_sigma"]) - 0.5 * np.log(np.linalg.det(covariance)) - np.log(2 * np.pi)
    log_plx = -0.5 * np.square(table["plx_sigma"]) - np.log(scale) - 0.5 * np.log(2 * np.pi)
    log_field = reading.density.log_density(stars)
    if not np.isfinite(log_field).any():  # next to no field star: far too few to matter
        log_field = np.where(np.isfinite(stars[reading.sets.colour]), _LOWEST_LOG / 2, np.nan)
    sequence, unit = _from_sequence(table, stars, reading)
    log_photometry = _log_photometry(stars, np.hypot(*sequence.T), unit[:, 0], reading)
    log_ratio = (log_pm + log_plx + log_photometry - log_field).clip(_LOWEST_LOG)
    table = table.assign(
        log_pm=log_pm.clip(_LOWEST_LOG),
        log_plx=log_plx.clip(_LOWEST_LOG),
        c_sequence=sequence[:, 0],
        g_sequence=sequence[:, 1],
        log_field=log_field,
        log_ratio=log_ratio,
        **_quality(stars, reading),
    )
    return table[[*STAR_FEATURES, *(name for name in SUPPORT_FEATURES if name not in STAR_FEATURES)]]


def _log_photometry(stars: pd.DataFrame, offset: Array, scale: Array, reading: ConeReading) -> Array:
    """Logarithm of the density of the members' magnitudes and colours [1/mag^2], from offsets in units of a scale."""
    near = _SINGLE * np.exp(-0.5 * np.square(offset)) / (np.sqrt(2 * np.pi) * scale)
    stray = (1 - _SINGLE) * np.exp(-0.5 * np.square(offset * scale / _STRAY_RANGE * 2)) / _STRAY_RANGE
    g = stars["phot_g_mean_mag"].to_numpy(float)
    return np.log(near + stray) + np.interp(g, _LUMINOSITY_KNOTS, reading.luminosity)


def _offsets(stars: pd.DataFrame, reading: ConeReading) -> pd.DataFrame:
    """Offsets in units of errors, bounded so that one wild value says no more than that it is wild."""
    cluster = reading.cluster
    covariance = proper_motion_covariance(stars, cluster)
    offset = proper_motion_offset(stars, cluster)
    sigmas = {
        "pm_sigma": proper_motion_sigmas(stars, cluster),
        "pmra_sigma": offset[:, 0] / np.sqrt(covariance[:, 0, 0]),
        "pmdec_sigma": offset[:, 1] / np.sqrt(covariance[:, 1, 1]),
        "plx_sigma": parallax_sigmas(stars, cluster),
        "c_sigma": stars["f_c_sigma"],
        "g_sigma": stars["f_g_sigma"],
    }
    return pd.DataFrame(sigmas, index=stars.index).astype(float).clip(-_LARGEST_SIGMA, _LARGEST_SIGMA)


def _quality(stars: pd.DataFrame, reading: ConeReading) -> dict[str, Array]:
    """Magnitudes, errors and signs of a bad solution."""
    sets = reading.sets
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


def _from_sequence(table: pd.DataFrame, stars: pd.DataFrame, reading: ConeReading) -> tuple[Array, Array]:
    """Offsets in colour and G from where members of similar magnitude lie beside the isochrone, and their unit.

    Both have the shape (n_stars, 2). The unit [mag] holds errors and the scatter of the members' own sequence:
    binaries, differential reddening. A star that is itself a member does not count for its own sequence.
    """
    members, colour = reading.members, reading.sets.colour
    scales = _isochrone_scales(members, colour)
    offsets = members[["f_c_sigma", "f_g_sigma"]].to_numpy(float) * scales
    usable = np.isfinite(offsets).all(axis=1) & (np.abs(offsets) < [0.3, 1.5]).all(axis=1)
    sequence = _Sequence(
        members["phot_g_mean_mag"].to_numpy(float)[usable],
        members["source_id"].to_numpy()[usable],
        offsets[usable],
        scales[usable],
    )
    g, ids = stars["phot_g_mean_mag"].to_numpy(float), stars["source_id"].to_numpy()
    chunks = [slice(i, i + _STARS_AT_ONCE) for i in range(0, max(len(g), 1), _STARS_AT_ONCE)]
    found = [sequence.at(g[part], ids[part]) for part in chunks]
    shift, scatter = (np.concatenate(part) for part in zip(*found, strict=True))
    own = _isochrone_scales(stars, colour)
    unit = np.hypot(own, scatter)
    shifted = (table[["c_sigma", "g_sigma"]].to_numpy() * own - shift) / unit
    return np.clip(shifted, -_LARGEST_SIGMA, _LARGEST_SIGMA), unit


@dataclass(frozen=True)
class _Sequence:
    """Magnitudes and identifiers of members, their offsets from the isochrone and the scales of these [mag]."""

    g: Array
    ids: NDArray[np.int64]
    offsets: Array
    scales: Array

    def at(self, g: Array, star_ids: NDArray[np.int64]) -> tuple[Array, Array]:
        """Mean offsets of the members around each magnitude and their scatter beyond errors, drawn towards 0."""
        if not len(self.g):
            return np.zeros((len(g), 2)), np.zeros((len(g), 2))
        apart = np.abs(g[:, None] - self.g)  # (stars, members)
        nearest = min(_SEQUENCE_NEIGHBOURS, len(self.g)) - 1
        width = np.maximum(_SEQUENCE_WIDTH, np.partition(apart, nearest, axis=1)[:, nearest])
        weight = np.exp(-0.5 * np.square(apart / width[:, None]))
        weight[star_ids[:, None] == self.ids] = 0
        total = weight.sum(axis=1)[:, None]
        mean = weight @ self.offsets / (total + _PRIOR_MEMBERS)
        bounded = np.clip(self.offsets, *_SEQUENCE_RANGE)
        square = weight @ (np.square(bounded) - np.square(self.scales))
        excess = square - total * np.square(np.clip(mean, *_SEQUENCE_RANGE))
        return mean, np.sqrt(np.maximum(excess, 0) / (total + _PRIOR_SCATTER))


def _isochrone_scales(stars: pd.DataFrame, colour: str) -> Array:
    """Scales of colour and G that f_c_sigma and f_g_sigma are measured in [mag], shape (n, 2)."""
    errors = stars[[f"{colour}_error", "phot_g_mean_mag_error"]].to_numpy(float)
    return np.hypot(errors, ISOCHRONE_ERRORS)
