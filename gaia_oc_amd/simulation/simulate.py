"""Simulated clusters in their fields, with known truth, in the tables that build_sets reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.astrometry import angular_separation, source_ids, tangent_plane
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import ERROR_WEIGHT, radius_on_sky
from gaia_oc_amd.isochrones import SOLAR_METAL_FRACTION, nearest_age, of_metallicity
from gaia_oc_amd.perspective import VELOCITY_SCALE, turn_over_cone
from gaia_oc_amd.simulation.catalogue import (
    MOST_VARIED_STARS,
    catalogue_parameters,
    comparison_list,
    published_list,
    vary_options,
    without_outliers,
)
from gaia_oc_amd.simulation.cluster import cluster_stars
from gaia_oc_amd.simulation.errors import USUAL_DENSITY, ScanningLaw
from gaia_oc_amd.simulation.field import ConeCut, field_stars
from gaia_oc_amd.simulation.galaxy import Dust
from gaia_oc_amd.simulation.measurement import NOISE_FACTOR, measure
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.space import ecliptic_latitude, galactic_coordinates

__all__ = ["TRUTH_COLUMNS", "SimulatedCluster", "simulate_cluster", "vary_options"]

TRUTH_COLUMNS = (
    "source_id",
    "is_member",
    "mass",
    "is_binary",
    "distance",
    "g_true",
    "a0",
    "population",
    NOISE_FACTOR,
)
"""Of every source of a cone: mass of the primary [Msun], distance [pc], noiseless G [mag], extinction A0
[mag], population (cluster, cluster halo, tidal tail, thin disc, thick disc, halo) and noise of the astrometry
over its published error."""

_FEWEST_LISTED = 2
_PILOT_SHARE = 0.02


@dataclass(frozen=True)
class SimulatedCluster:
    """A simulated cluster as Gaia and the catalogues show it, and the truth.

    Parameters
    ----------
    cone : DataFrame
        Sources around the cluster with the columns of `gaia_oc_amd.columns.ARCHIVE_COLUMNS`, sorted by
        source_id. Parallaxes are raw: they carry the zero-point offset.
    truth : DataFrame
        `TRUTH_COLUMNS`, row by row for the cone.
    members, comparison : DataFrame
        A published member list and a wider, less complete one: cluster, source_id, PMemb, ra, dec, pmra,
        pmdec, parallax, phot_g_mean_mag.
    parameters : DataFrame
        One row: name, ra, dec, pmra, pmdec, pmra_error, pmdec_error, parallax, parallax_error, age, a0, dist.
    field_share : float
        Share of the Galaxy's field stars that the cone holds, below 1 where max_field_stars thinned it.
    """

    cone: pd.DataFrame
    truth: pd.DataFrame
    members: pd.DataFrame
    comparison: pd.DataFrame
    parameters: pd.DataFrame
    field_share: float = 1.0


@checked
def simulate_cluster(
    options: SimulationOptions,
    isochrones: pd.DataFrame,
    *,
    rng: np.random.Generator,
    name: str = "Simulated_1",
) -> SimulatedCluster:
    """Simulate a cluster in its field, and the lists that know some of its members.

    Stars of the cluster and of the field are measured alike and mixed: only physics tells them apart.

    Parameters
    ----------
    options : SimulationOptions
        What to simulate.
    isochrones : DataFrame
        Isochrones with the column Mini, from `gaia_oc_amd.simulation.schematic_isochrones.schematic_isochrones` or a
        grid, on which the members lie. The field lies on them too if they cover its ages, 6e7 to 1.3e10
        years, and masses from 0.15 Msun; else on schematic ones.
    rng : Generator
        Source of randomness.
    name : str
        Name in the lists and the parameter row.

    Returns
    -------
    SimulatedCluster

    Raises
    ------
    ValueError
        If fewer than two members are bright enough for the published list.
    """
    dust = Dust(options, rng=rng)
    points = nearest_age(isochrones, options.age, metal_fraction=options.metal_fraction)
    members = _in_cone(options, cluster_stars(options, points, dust=dust, rng=rng))
    scanning = _scanning_law(options, rng)
    measured = measure(members, scanning, rng=rng)
    cut = _cone_cut(options, measured)
    draw_field = partial(
        field_stars,
        options,
        dust=dust,
        cut=cut,
        error_scale=10**scanning.log_error,
        isochrones=of_metallicity(isochrones, SOLAR_METAL_FRACTION),
    )
    share = _field_share(options, draw_field, scanning, cut, rng)
    parts = [_kept(members.assign(is_member=True), measured, cut)]
    for stars in draw_field(rng=rng, share=share):
        stars = _in_square(options, stars.assign(is_member=False))
        parts.append(_kept(stars, measure(stars, scanning, rng=rng), cut))
    cone, truth = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    cone, truth = _identified(cone, truth, rng)
    is_member = truth["is_member"].to_numpy()
    published = published_list(options, cone, is_member, rng=rng)
    wider = comparison_list(options, cone, is_member, rng=rng)
    parameters = {"name": name} | catalogue_parameters(options, published, rng=rng)
    return SimulatedCluster(
        cone=cone,
        truth=truth,
        members=_named(published, name),
        comparison=_named(wider, name),
        parameters=pd.DataFrame([parameters]),
        field_share=share,
    )


def _in_cone(options: SimulationOptions, stars: pd.DataFrame) -> pd.DataFrame:
    separation = angular_separation(stars["ra"].to_numpy(), stars["dec"].to_numpy(), options.ra, options.dec)
    return _in_square(options, stars[separation < radius_on_sky(options.cone_radius, options.dist)])


def _in_square(options: SimulationOptions, stars: pd.DataFrame) -> pd.DataFrame:
    """Stars within the square, if there is one."""
    if options.square_half_width is None:
        return stars.reset_index(drop=True)
    east, north = tangent_plane(stars["ra"].to_numpy(), stars["dec"].to_numpy(), options.ra, options.dec)
    largest = np.radians(np.maximum(np.abs(east), np.abs(north))) * options.dist
    return stars[largest < options.square_half_width].reset_index(drop=True)


def _field_share(
    options: SimulationOptions,
    draw_field: Callable[..., Iterator[pd.DataFrame]],
    scanning: ScanningLaw,
    cut: ConeCut,
    rng: np.random.Generator,
) -> float:
    """Share of the field that keeps it below max_field_stars, from a small sample of it."""
    if options.max_field_stars is None:
        return 1.0
    if (
        options.max_field_stars == MOST_VARIED_STARS
    ):  # a limit that nobody asked for leaves smaller fields as they are
        rng = rng.spawn(1)[0]
    kept = 0
    for stars in draw_field(rng=rng, share=_PILOT_SHARE):
        stars = _in_square(options, stars)
        kept += int(cut.keeps(measure(stars, scanning, rng=rng)).sum()) if len(stars) else 0
    return min(1.0, options.max_field_stars * _PILOT_SHARE / max(kept, 1))


def _scanning_law(options: SimulationOptions, rng: np.random.Generator) -> ScanningLaw:
    """A scanning law of the cluster's place, with the crowding there."""
    ra, dec = np.array([options.ra]), np.array([options.dec])
    _, latitude = galactic_coordinates(ra, dec)
    density = options.field_density
    if density is None:  # near enough: half as many stars 8 deg from the plane
        density = 60_000 * 2 ** (-abs(latitude[0]) / 8)
    return ScanningLaw.draw(rng, ecl_lat=ecliptic_latitude(ra, dec)[0], crowding=density / USUAL_DENSITY)


def _cone_cut(options: SimulationOptions, measured: pd.DataFrame) -> ConeCut:
    """So many standard deviations about what a list of the bright members would give, as `cone.cone_region` widens it.

    Raises
    ------
    ValueError
        If fewer than two members are bright enough.
    """
    bright = measured[measured["phot_g_mean_mag"] < options.list_g_max]
    if len(bright) < _FEWEST_LISTED:
        raise ValueError(
            f"{len(bright)} of {options.n_members} members are brighter than list_g_max = "
            f"{options.list_g_max:g}, at least {_FEWEST_LISTED} are needed: raise n_members or list_g_max."
        )
    values = bright[["pmra", "pmdec", "parallax"]].to_numpy()
    values = values[without_outliers(values)]
    deviations = np.maximum(values.std(axis=0, ddof=1), 1e-3)
    pm_limit = options.cone_pm_sigmas * np.sqrt(np.square(deviations[:2]).mean()) + _turn(options)
    pmra, pmdec, parallax = values.mean(axis=0).tolist()
    parallax_limit = options.cone_plx_sigmas * deviations[2]
    return ConeCut(pmra, pmdec, parallax, pm_limit, parallax_limit, ERROR_WEIGHT)


def _turn(options: SimulationOptions) -> float:
    """How far the cluster's motion turns over the cone [mas/yr], also for one who does not know its radial velocity."""
    centre, pm = (options.ra, options.dec), (options.pmra, options.pmdec)
    cone = (centre, radius_on_sky(options.cone_radius, options.dist), options.dist, pm)
    return max(turn_over_cone(*cone, 0.0, VELOCITY_SCALE), turn_over_cone(*cone, options.radial_velocity))


def _kept(stars: pd.DataFrame, measured: pd.DataFrame, cut: ConeCut) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measured and true columns of the stars that pass the cut."""
    kept = cut.keeps(measured)
    truth = (
        stars.loc[kept]
        .rename(columns={"g": "g_true"})
        .assign(**{NOISE_FACTOR: measured.loc[kept, NOISE_FACTOR]})
    )
    return measured.loc[kept], truth[[name for name in TRUTH_COLUMNS if name != "source_id"]]


def _identified(
    cone: pd.DataFrame, truth: pd.DataFrame, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with source_id, in its order, which mixes members and field."""
    identifiers = source_ids(cone["ra"].to_numpy(), cone["dec"].to_numpy(), rng=rng)
    order = np.argsort(identifiers)
    tables = (
        table.assign(source_id=identifiers).iloc[order].reset_index(drop=True) for table in (cone, truth)
    )
    cone, truth = tables
    return cone[list(ARCHIVE_COLUMNS)], truth[list(TRUTH_COLUMNS)]


def _named(listed: pd.DataFrame, name: str) -> pd.DataFrame:
    table = listed.reset_index(drop=True)
    table.insert(0, "cluster", name)
    return table
