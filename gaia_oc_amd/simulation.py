"""Simulated clusters in their fields, with known truth, in the tables that build_sets reads."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.cluster_model import cluster_stars
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.field_model import field_stars, mean_disc_motion
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.measurement import ScanningLaw, measure
from gaia_oc_amd.simulated_lists import catalogue_parameters, comparison_list, published_list
from gaia_oc_amd.simulation_options import SimulationOptions
from gaia_oc_amd.source_ids import source_ids
from gaia_oc_amd.space_motion import galactic_axes

TRUTH_COLUMNS = ("source_id", "is_member", "mass", "is_binary", "distance", "g_true")
"""Mass of the primary [Msun], distance [pc] and noiseless G [mag] of every source of a cone."""

_FEWEST_LISTED = 2


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
    """

    cone: pd.DataFrame
    truth: pd.DataFrame
    members: pd.DataFrame
    comparison: pd.DataFrame
    parameters: pd.DataFrame


@dataclass(frozen=True)
class _ConeCut:
    """Region of proper motion and parallax that is kept."""

    means: NDArray[np.float64]  # pmra, pmdec, parallax
    pm_limit: float
    parallax_limit: float

    @classmethod
    def around(cls, members: pd.DataFrame, options: SimulationOptions) -> "_ConeCut":
        values = members[["pmra", "pmdec", "parallax"]].to_numpy()
        deviations = values.std(axis=0, ddof=1)
        pm_limit = options.cone_pm_sigmas * np.sqrt(np.square(deviations[:2]).mean())
        return cls(values.mean(axis=0), pm_limit, options.cone_plx_sigmas * deviations[2])

    def keeps(self, sources: pd.DataFrame) -> NDArray[np.bool_]:
        pmra, pmdec, parallax = (sources[["pmra", "pmdec", "parallax"]].to_numpy() - self.means).T
        return (np.hypot(pmra, pmdec) < self.pm_limit) & (np.abs(parallax) < self.parallax_limit)


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
        Isochrones with the column Mini, from `gaia_oc_amd.schematic_isochrones.schematic_isochrones` or a
        grid, on which the members lie. The field always lies on schematic ones.
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
    scanning = ScanningLaw.draw(rng)
    members = cluster_stars(options, nearest_age(isochrones, options.age), rng=rng)
    measured = measure(members, scanning, rng=rng)
    cut = _ConeCut.around(_bright(measured, options), options)
    parts = [_kept(members.assign(is_member=True), measured, cut)]
    parts += [
        _kept(stars.assign(is_member=False), measure(stars, scanning, rng=rng), cut)
        for stars in field_stars(options, rng=rng)
    ]
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
    )


def vary_options(options: SimulationOptions, *, rng: np.random.Generator) -> SimulationOptions:
    """Options of another cluster, its parameters drawn over ranges like those of the catalogues.

    Parameters
    ----------
    options : SimulationOptions
        Gives what is not varied: limits, lists, binaries, cone.
    rng : Generator
        Source of randomness.

    Returns
    -------
    SimulationOptions
        Low Galactic latitude, 500 to 3,500 pc, log age 7.5 to 9.5, disc motion with 8 km/s of its own, 100
        to 1,200 members, extinction growing with distance.
    """
    longitude, latitude = rng.uniform(0, 2 * np.pi), np.radians(np.clip(rng.laplace(0, 3), -20, 20))
    direction = [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    x, y, z = np.array(direction) @ galactic_axes()
    ra, dec = float(np.degrees(np.arctan2(y, x)) % 360), float(np.degrees(np.arcsin(z)))
    dist = float(500 * 7 ** rng.uniform())
    pmra, pmdec = np.add(mean_disc_motion(ra, dec, dist), rng.normal(0, 8, 2) / (4.74 * dist / 1000))
    core_radius = float(rng.uniform(0.8, 3))
    return replace(
        options,
        ra=ra,
        dec=dec,
        dist=dist,
        age=float(rng.uniform(7.5, 9.5)),
        a0=float(rng.uniform(0.1, 0.6) * (0.5 + dist / 1000)),
        pmra=float(pmra),
        pmdec=float(pmdec),
        n_members=int(100 * 12 ** rng.uniform()),
        core_radius=core_radius,
        tidal_radius=min(core_radius * float(rng.uniform(4, 8)), 0.9 * options.cone_radius),
        velocity_dispersion=float(rng.uniform(0.4, 1.2)),
        field_density=float(8000 * 4 ** rng.uniform()),
        vary=False,
    )


def _bright(measured: pd.DataFrame, options: SimulationOptions) -> pd.DataFrame:
    bright = measured[measured["phot_g_mean_mag"] < options.list_g_max]
    if len(bright) < _FEWEST_LISTED:
        raise ValueError(
            f"{len(bright)} of {options.n_members} members are brighter than list_g_max = "
            f"{options.list_g_max:g}, at least {_FEWEST_LISTED} are needed: raise n_members or list_g_max."
        )
    return bright


def _kept(stars: pd.DataFrame, measured: pd.DataFrame, cut: _ConeCut) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measured and true columns of the stars that pass the cut."""
    kept = cut.keeps(measured)
    truth = stars.loc[kept].rename(columns={"g": "g_true"})
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
