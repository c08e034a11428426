"""The fields of the first-members benchmark, each with what is known of its cluster."""

import sys
import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.astrometry import angular_separation
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.catalogues.tables import read_member_list, read_parameter_table
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.members import listed_members, match_to_cone
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.schematic_isochrones import SCHEMATIC_LOG_AGES, schematic_isochrones
from gaia_oc_amd.simulation.simulate import simulate_cluster, vary_options
from gaia_oc_amd.source_checks import check_sources

CERTAIN = 0.8 - 1e-9
G_MAX = 18.3
NEAREST = 1000.0
MOST = 8000
DUST = (0.0, 0.05, 0.15, 0.3, 0.5)
"""Standard deviations of the extinction at the size of a cluster [mag of A0]."""
DUSTY_STARS = (None, 4000, 9000)
MOTIONS = ["pmra", "pmdec", "parallax"]


@dataclass(frozen=True)
class KnownField:
    """Stars of a field, certain members (of a list or in truth), and all that may be members."""

    name: str
    sources: pd.DataFrame
    ra: float
    dec: float
    mean: np.ndarray
    scatter: np.ndarray
    members: pd.Series
    possible: pd.Series


@cache
def lists(real_dir):
    almeida = pd.read_parquet(real_dir / "almeida23_members.parquet", columns=["cluster", "Source"])
    return (
        read_parameter_table(real_dir / "cluster_parameters.csv").set_index("name"),
        read_member_list(real_dir / "cg18_members.csv.gz"),
        read_member_list(real_dir / "t22_members.csv.gz"),
        set(almeida["Source"]),
    )


def real_field(name, real_dir):
    """A real field: CG18 members with PMemb >= 0.8 that are in it, and the stars in any of three lists."""
    warnings.simplefilter("ignore")
    parameters, cg18, t22, almeida = lists(real_dir)
    sources = check_sources(read_table(real_dir / "cones" / f"{name}.csv.gz"), name)
    listed = match_to_cone(listed_members(cg18, name), sources)
    certain = listed.index[listed >= CERTAIN]
    known = set(listed.index) | set(cg18["source_id"]) | set(t22["source_id"]) | almeida
    stars = sources[sources["source_id"].isin(certain)]
    row = parameters.loc[name]
    return KnownField(
        name,
        sources,
        row["ra"],
        row["dec"],
        stars[MOTIONS].median().to_numpy(),
        stars[MOTIONS].std().to_numpy(),
        pd.Series(certain),
        sources["source_id"][sources["source_id"].isin(known)],
    )


def simulated_field(i, n_stars=None, pure=False, dust=None):
    """A simulated cluster in its whole field, of which the members brighter than G = 18 are to be found.

    The field reaches to 15 pc or, in rich fields, as far as its nearest 8,000 stars; with `n_stars` its density is
    chosen so that it has so many; `dust` is the standard deviation of its extinction at the size of the cluster.
    """
    warnings.simplefilter("ignore")
    name = f"{'Pure' if pure else 'Sim'}_{i}" if dust is None else f"Dust_{i}"
    rng = cluster_rng(7, name)
    options = vary_options(SimulationOptions(), rng=rng)
    while options.dist < NEAREST:  # whose fields of 15 pc hold millions of stars
        options = vary_options(SimulationOptions(), rng=rng)
    radius = max(15.0, 1.1 * options.tidal_radius)
    limits = {"cone_radius": radius, "cone_pm_sigmas": np.inf, "cone_plx_sigmas": np.inf, "g_max": G_MAX}
    limits |= {"n_members": max(60, options.n_members // 4), "list_g_max": 18.0, "list_radius": 0.8 * radius}
    if n_stars:
        area = np.pi * np.degrees(np.arctan2(radius, options.dist)) ** 2
        limits["field_density"] = 1.15 * n_stars / area
    if dust is not None:
        limits |= {"differential_reddening": dust, "a0": max(options.a0, 2 * dust)}
    options = replace(options, **limits)
    cluster = simulate_cluster(options, isochrones(), rng=rng, name=name)
    cone = cluster.cone.assign(is_member=cluster.truth["is_member"].to_numpy(bool))
    if not n_stars and len(cone) > MOST:
        distance = angular_separation(cone["ra"].to_numpy(), cone["dec"].to_numpy(), options.ra, options.dec)
        cone = cone[distance <= np.sort(distance)[MOST - 1]].reset_index(drop=True)
    is_member = cone.pop("is_member").to_numpy()
    if pure:
        nobody = pd.Series(dtype="int64")
        sources = cone[~is_member].reset_index(drop=True)
        return KnownField(name, sources, options.ra, options.dec, np.zeros(3), np.zeros(3), nobody, nobody)
    members = cone[is_member]
    bright = members[members["phot_g_mean_mag"] <= 18]
    mean, scatter = bright[MOTIONS].median().to_numpy(), bright[MOTIONS].std().to_numpy()
    ids = bright["source_id"], members["source_id"]
    return KnownField(name, cone, options.ra, options.dec, mean, scatter, *ids)


def dusty_field(i):
    """A simulated field without a cluster, of one of 15 kinds: 5 strengths of patchy dust, 3 numbers of stars."""
    return simulated_field(i, DUSTY_STARS[i % len(DUSTY_STARS)], pure=True, dust=DUST[i % len(DUST)])


@cache
def isochrones():
    return schematic_isochrones(SCHEMATIC_LOG_AGES)


def emptied_field(name, real_dir):
    """A real field without its cluster: listed stars, and all that move as the cluster does, were taken out."""
    field = real_field(name, real_dir)
    sources = field.sources
    errors = sources[[f"{name}_error" for name in MOTIONS]].to_numpy()
    offset = (sources[MOTIONS].to_numpy() - field.mean) / np.hypot(field.scatter, errors)
    is_of_cluster = sources["source_id"].isin(field.possible) | ((offset**2).sum(axis=1) < 4**2)
    nobody = pd.Series(dtype="int64")
    sources = sources[~is_of_cluster].reset_index(drop=True)
    return replace(field, name=f"{name}_emptied", sources=sources, members=nobody, possible=nobody)


def permuted_field(argument, real_dir):
    """A real field whose stars have exchanged their places: as clumped in motion as before, but no cluster."""
    name, i = argument
    field = real_field(name, real_dir)
    order = cluster_rng(i, name).permutation(len(field.sources))
    places = field.sources[["ra", "dec"]].to_numpy()[order]
    sources = field.sources.assign(ra=places[:, 0], dec=places[:, 1])
    nobody = pd.Series(dtype="int64")
    return replace(field, name=f"{name}_{i}", sources=sources, members=nobody, possible=nobody)
