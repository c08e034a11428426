"""Artificial members: drawn like the cluster's own, and measured as its field stars are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial import cKDTree

from gaia_oc_amd.astrometry import astrometric_covariance, intrinsic_dispersion, tangent_plane
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.features import draw_normal, proper_motion_offset
from gaia_oc_amd.perspective import KM_S_PER_AU_YR, local_axes
from gaia_oc_amd.photometry import BANDS, add_magnitude_errors, magnitude_error
from gaia_oc_amd.profiles import UnconstrainedProfileError, density_profile, field_radius, king_profile
from gaia_oc_amd.simulation.cluster import king_fraction, sample_king_radii
from gaia_oc_amd.simulation.errors import draw_error_factors
from gaia_oc_amd.simulation.space import (
    ecliptic_latitude,
    galactic_coordinates,
    seen_from_the_sun,
    space_velocity,
)
from gaia_oc_amd.simulation.stars import (
    absolute_magnitudes,
    apparent_magnitudes,
    binary_fractions,
    draw_mass_ratios,
    in_order_of_mass,
    sample_masses,
)
from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]

LARGEST_DISPERSION = 5.0
"""Largest velocity dispersion of an open cluster [km/s]; more is contamination of its list."""
_SMALLEST_DISPERSION = 0.2
_LEAST_CONCENTRATION = 1.05
_ROUNDNESS = 1e-3


@dataclass(frozen=True)
class ClusterModel:
    """What artificial members need to know besides the cluster's parameters.

    Parameters
    ----------
    core_radius, tidal_radius : float
        r_c and r_t of the King profile [pc].
    dispersion : tuple of float
        Standard deviations of the velocities in right ascension and declination [km/s], without errors.
    """

    core_radius: float
    tidal_radius: float
    dispersion: tuple[float, float]

    def radius_of_fraction(self, fraction: float) -> float:
        """Projected radius [pc] that holds a fraction of the members."""
        return brentq(
            lambda r: king_fraction(r, self.core_radius, self.tidal_radius) - fraction, 0.0, self.tidal_radius
        )


def fit_cluster_model(sets: SourceSets, *, prob_threshold: float = 0.5) -> ClusterModel:
    """King profile of all members of an evaluated cluster, and the velocity dispersion of its training members.

    Parameters
    ----------
    sets : SourceSets
        Evaluated sets.
    prob_threshold : float
        Smallest PMemb of a member among the candidates.

    Returns
    -------
    ClusterModel
        Where all members do not constrain a King profile, that of the training members; where these do not, the
        one that ends at the outermost of 98 in 100 of them and has their median radius.
    """
    accepted = sets.candidates[sets.candidates["PMemb"] >= prob_threshold]
    everything = pd.concat([sets.members, sets.candidates, sets.non_members])
    east, north = tangent_plane(
        everything["ra"].to_numpy(float), everything["dec"].to_numpy(float), sets.cluster.ra, sets.cluster.dec
    )
    outer = sets.cluster.dist * np.radians(field_radius(east, north))
    core, tidal = _king_radii(sets.members["f_r"].to_numpy(float), accepted["f_r"].to_numpy(float), outer)
    return ClusterModel(core, max(tidal, _LEAST_CONCENTRATION * core), _velocity_dispersion(sets))


def _king_radii(training: Array, accepted: Array, outer: float) -> tuple[float, float]:
    """Core and tidal radius [pc] of all members, else of the training members, else from their quantiles."""
    for radii in (np.concatenate([training, accepted]), training):
        try:
            king = king_profile(density_profile(radii, outer_radius=outer if outer > 0 else None))
            return king.core_radius, king.tidal_radius
        except UnconstrainedProfileError:
            continue
    return _king_of_quantiles(training)


def _king_of_quantiles(radii: Array) -> tuple[float, float]:
    """Core and tidal radius [pc] from the median and the outermost radii."""
    middle, tidal = np.quantile(radii[np.isfinite(radii)], [0.5, 0.98])
    tidal = max(float(tidal), _ROUNDNESS)

    def excess(core: float) -> float:
        return float(king_fraction(middle, core, tidal)) - 0.5

    smallest, largest = _ROUNDNESS * tidal, tidal / _LEAST_CONCENTRATION
    if excess(largest) >= 0:  # more concentrated than any of them: take the widest that is allowed
        return largest, tidal
    return (smallest if excess(smallest) <= 0 else brentq(excess, smallest, largest)), tidal


def _velocity_dispersion(sets: SourceSets) -> tuple[float, float]:
    """Dispersion [km/s] in each direction that the errors of the training members do not explain."""
    scale = KM_S_PER_AU_YR * sets.cluster.dist / 1000
    in_each = []
    for name, offsets in zip(
        ("pmra", "pmdec"), proper_motion_offset(sets.members, sets.cluster).T, strict=True
    ):
        dispersion = intrinsic_dispersion(offsets, sets.members[f"{name}_error"].to_numpy(float))
        in_each.append(float(np.clip(scale * dispersion, _SMALLEST_DISPERSION, LARGEST_DISPERSION)))
    return in_each[0], in_each[1]


def flat_radii(largest: float, size: int, *, rng: np.random.Generator) -> Array:
    """Projected radii [pc] with equally many stars in each equal interval, for completeness against radius."""
    return largest * rng.uniform(size=size)


def king_radii(model: ClusterModel, size: int, *, rng: np.random.Generator) -> Array:
    """Projected radii [pc] as the cluster's own members have them."""
    return sample_king_radii(model.core_radius, model.tidal_radius, size, rng=rng)


def artificial_members(
    cluster: Cluster,
    model: ClusterModel,
    systems: pd.DataFrame,
    radius: Array,
    *,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Members as they are, at given projected radii.

    Depth along the line of sight is one coordinate of a second draw from the King profile. Proper motions
    carry the perspective of the cluster's direction and motion in space, as far as its radial velocity is known.

    Parameters
    ----------
    cluster : Cluster
        Gives place, motion, distance, extinction and mean parallax.
    model : ClusterModel
        From `fit_cluster_model`.
    systems : DataFrame, n rows
        Absolute magnitudes, from `draw_systems`.
    radius : ndarray, shape (n,)
        Projected radii [pc].
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame, n rows
        True ra, dec [deg], distance [pc], parallax [mas], pmra, pmdec [mas/yr], g, bp, rp [mag], mass [Msun],
        is_binary. Parallaxes agree with the members' mean in the middle of the cluster.
    """
    angle = rng.uniform(0, 2 * np.pi, (2, len(radius)))
    depth = king_radii(model, len(radius), rng=rng) * np.cos(angle[1])
    axes = local_axes(cluster.ra, cluster.dec)
    position = np.column_stack([radius * np.cos(angle[0]), radius * np.sin(angle[0]), cluster.dist + depth])
    velocity = space_velocity(
        *(cluster.ra, cluster.dec, cluster.dist, (cluster.pmra, cluster.pmdec)),
        float(np.nan_to_num(cluster.perspective_velocity)),
    )
    scatter = rng.normal(size=(len(radius), 2)) * model.dispersion
    stars = seen_from_the_sun(position @ axes, velocity + scatter @ axes[:2])
    stars["parallax"] += cluster.parallax - 1000 / cluster.dist
    magnitudes = apparent_magnitudes(systems, stars["distance"].to_numpy(), cluster.a0)
    kept = systems[["mass", "is_binary"]].reset_index(drop=True)
    return pd.concat([stars, magnitudes.reset_index(drop=True), kept], axis=1)


def draw_systems(
    points: pd.DataFrame, size: int, *, binary_fraction: float = 0.3, rng: np.random.Generator
) -> pd.DataFrame:
    """Single stars and unresolved binaries of a cluster's age, with masses from Kroupa's IMF.

    Parameters
    ----------
    points : DataFrame
        Points of the cluster's isochrone with Mini, from `gaia_oc_amd.isochrones.nearest_age`.
    size : int
        How many.
    binary_fraction : float
        Fraction of binaries at 0.7 Msun.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        Absolute g, bp, rp [mag], teff [K], mass [Msun] of the primary, is_binary.

    Raises
    ------
    ValueError
        If the points lack the initial masses.
    """
    points = in_order_of_mass(points)
    mass = sample_masses(points["Mini"].iloc[0], points["Mini"].iloc[-1], size, rng=rng)
    ratio = draw_mass_ratios(size, binary_fractions(mass, binary_fraction), rng=rng)
    return absolute_magnitudes(points, mass, ratio).assign(mass=mass, is_binary=ratio > 0)


NEAREST = 10
"""Donors among which each star's is drawn."""
_SCALES = np.array([0.1, 0.2])
"""Differences in G and in colour [mag] that count alike."""


def find_donors(stars: pd.DataFrame, field: pd.DataFrame, *, rng: np.random.Generator) -> NDArray[np.integer]:
    """A real star near in magnitude and colour for each artificial one.

    Parameters
    ----------
    stars : DataFrame
        True g and rp [mag] of artificial stars.
    field : DataFrame
        Real sources with phot_g_mean_mag, g_rp and finite errors.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n_stars,)
        Row numbers in `field`.

    Raises
    ------
    ValueError
        If no source has magnitude and colour.
    """
    photometry = field[["phot_g_mean_mag", "g_rp"]].to_numpy(float)
    usable = np.flatnonzero(np.isfinite(photometry).all(axis=1))
    if not len(usable):
        raise ValueError("no source of the cone has a colour: there is none to take errors from.")
    wanted = np.column_stack([stars["g"], stars["g"] - stars["rp"]])
    n_nearest = min(NEAREST, len(usable))
    nearest = cKDTree(photometry[usable] / _SCALES).query(wanted / _SCALES, k=n_nearest)[1]
    nearest = nearest.reshape(len(stars), n_nearest)
    chosen = rng.integers(n_nearest, size=len(stars))
    return usable[nearest[np.arange(len(stars)), chosen]]


def measure_by_donors(stars: pd.DataFrame, field: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Measure artificial stars with the errors that real stars of the field have.

    Each takes errors, correlations, numbers of observations, flux errors, RUWE and kind of solution of one
    star, and noise drawn from them; for a few per cent of the stars the noise is larger than the published
    error (`gaia_oc_amd.simulation.errors.draw_error_factors`). Fluxes keep the absolute error of the donor's.

    Parameters
    ----------
    stars : DataFrame
        From `gaia_oc_amd.validation.artificial.artificial_members`: true values.
    field : DataFrame
        Calibrated sources of the cone.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        The columns of `field` that a measurement has, parallaxes without zero-point offset. source_id is -1,
        -2, ...: no Gaia source has such a one.
    """
    donors = field.iloc[find_donors(stars, field, rng=rng)].reset_index(drop=True)
    factor = draw_error_factors(_ruwe(donors), stars["is_binary"].to_numpy(), rng=rng)
    truth = stars[["parallax", "pmra", "pmdec"]].to_numpy(float)
    noise = draw_normal(np.zeros_like(truth), astrometric_covariance(donors), 1, rng=rng)[:, 0]
    astrometry = truth + factor[:, None] * noise
    ra, dec = stars["ra"].to_numpy(float), stars["dec"].to_numpy(float)
    longitude, latitude = galactic_coordinates(ra, dec)
    measured = donors.assign(
        source_id=-1 - np.arange(len(stars), dtype=np.int64),
        ra=ra, dec=dec, l=longitude, b=latitude, ecl_lat=ecliptic_latitude(ra, dec),
        parallax=astrometry[:, 0], pmra=astrometry[:, 1], pmdec=astrometry[:, 2],
        **_photometry(stars, donors, rng),
    )  # fmt: skip
    measured = measured.assign(
        bp_rp=measured["phot_bp_mean_mag"] - measured["phot_rp_mean_mag"],
        g_rp=measured["phot_g_mean_mag"] - measured["phot_rp_mean_mag"],
    )
    return add_magnitude_errors(measured[[name for name in field if name in measured]])


def _ruwe(donors: pd.DataFrame) -> Array:
    return (
        np.nan_to_num(donors["ruwe"].to_numpy(float), nan=1.0) if "ruwe" in donors else np.ones(len(donors))
    )


def _photometry(stars: pd.DataFrame, donors: pd.DataFrame, rng: np.random.Generator) -> dict[str, Array]:
    """Noisy magnitudes [mag] and, where the donors have them, fluxes of each band."""
    columns = {}
    for band in BANDS:
        true = stars[band].to_numpy(float)
        relative = _relative_flux_error(true, donors, band)
        ratio = 1 + relative * rng.normal(size=len(true))
        with np.errstate(invalid="ignore", divide="ignore"):  # a negative flux has no magnitude
            magnitude = true - 2.5 * np.log10(np.where(ratio > 0, ratio, np.nan))
        columns[f"phot_{band}_mean_mag"] = magnitude
        flux = f"phot_{band}_mean_flux"
        if flux in donors:
            donor = donors[[flux, f"phot_{band}_mean_mag"]].to_numpy(float)
            columns[flux] = donor[:, 0] * 10 ** (-0.4 * (magnitude - donor[:, 1]))
    return columns


def _relative_flux_error(true: Array, donors: pd.DataFrame, band: str) -> Array:
    """Error over true flux: the donor's absolute error where it has one, else that of its observations."""
    donor_magnitude = donors[f"phot_{band}_mean_mag"].to_numpy(float)
    names = [f"phot_{band}_mean_flux", f"phot_{band}_mean_flux_error"]
    relative = np.full(len(true), np.nan)
    if all(name in donors for name in names):
        flux, error = donors[names].to_numpy(float).T
        relative = error / flux * 10 ** (-0.4 * (donor_magnitude - true))
    if f"phot_{band}_n_obs" in donors:
        by_count = (
            magnitude_error(true, donors[f"phot_{band}_n_obs"].to_numpy(float), band) * np.log(10) / 2.5
        )
        relative = np.where(np.isfinite(relative), relative, by_count)
    return np.nan_to_num(relative)
