"""Simulate clusters into a data directory of their own, laid out as build_sets reads it."""

import logging
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.batch import run_batch
from gaia_oc_amd.catalogues.names import cluster_rng, normalise_name
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, cluster_directory, locked, write_json, write_text
from gaia_oc_amd.files.tables import read_table, write_csv, write_table
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.options import CLUSTER_PARAMETERS, ISOCHRONES, RunOptions
from gaia_oc_amd.simulation.catalogue import draw_cluster
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.schematic_isochrones import (
    SCHEMATIC_LOG_AGES,
    schematic_isochrones,
    write_isochrones,
)
from gaia_oc_amd.simulation.simulate import simulate_cluster

MEMBERS = "cg18_members.csv"
COMPARISON = "t22_members.csv"
CONES = "cones"
_MERGED = {CLUSTER_PARAMETERS: "name", MEMBERS: "cluster", COMPARISON: "cluster"}
"""Tables of all clusters, and the column that names one."""
SETTINGS = "simulation.json"
"""In each cluster's folder: what it was simulated with, and the share of the field that was kept."""
MARKER = "SIMULATED.txt"
README = "README.txt"

_NOT_OURS = (CLUSTER_PARAMETERS, MEMBERS, COMPARISON, "cg20_members.csv", CONES, "clusters", README)
"""What a data directory without our marker must not hold already."""

_MARKER_TEXT = "Every cluster, member list and source table in this folder is SIMULATED by gaia_oc_amd.\n"
_README_TEXT = """\
SIMULATED DATA, made by simulate_clusters.py of gaia_oc_amd. No star in this folder exists.

cluster_parameters.csv   what a catalogue would say of the clusters
cg18_members.csv         a published member list: bright members of the inner cluster, with a few field stars
t22_members.csv          a wider, less complete list to compare with
cones/<NAME>.parquet     sources around the cluster with the Gaia archive's columns
clusters/<NAME>/simulation.json  what the cluster was simulated with
clusters/<NAME>/truth.csv  what the sources of the cone really are
isochrones.dat           SCHEMATIC isochrones, unless you put others here before

Go on with: python build_sets.py <NAME> --data_dir <this folder> --cone_source <this folder>/cones
"""

_TRUTH_DECIMALS = {"mass": 4, "distance": 2, "g_true": 5, "a0": 3}

logger = logging.getLogger(__name__)


@checked
def simulate_clusters(
    names: Iterable[str],
    data_dir: Path | str,
    options: SimulationOptions | None = None,
    *,
    seed: Seed = RunOptions.seed,
    workers: int = 1,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Simulate clusters and write what build_sets reads, and the truth, into a data directory.

    Isochrones that are there already are used for the members and stay as they are. Clusters simulated
    earlier in the same directory are kept, those of the same name replaced.

    Parameters
    ----------
    names : iterable of str
        One cluster each.
    data_dir : path
        A new or empty directory, or one of earlier simulations.
    options : SimulationOptions, optional
        What to simulate; with ``vary`` each cluster gets parameters of its own, by default all have these.
    seed : int
        With its name it determines a cluster, whatever others are simulated beside it.
    workers : int
        Processes that share the clusters; the files are the same for any number.
    scheduler : str, optional
        Address or scheduler file of a Dask cluster that shares the clusters instead.

    Returns
    -------
    DataFrame
        The parameter rows of the clusters that succeeded, sorted by name; failures are logged.

    Raises
    ------
    ValueError
        If the directory holds data that were not simulated, if a name occurs twice or cannot name a folder,
        if isochrones.dat cannot be read, or if no cluster succeeded.
    """
    data_dir, options = Path(data_dir), options or SimulationOptions()
    folders = _folders(names, data_dir)
    _refuse_real_data(data_dir)
    isochrones = _isochrones(data_dir)
    write_text(data_dir / MARKER, _MARKER_TEXT)
    write_text(data_dir / README, _README_TEXT)
    work = partial(_simulate_one, data_dir=data_dir, options=options, isochrones=isochrones, seed=seed)
    folder_names = [folder.name for folder in folders]
    outcomes = run_batch(work, folder_names, workers=workers, scheduler=scheduler, data_dir=data_dir)
    clusters = [outcome for outcome in outcomes if not outcome.error]
    if not clusters:
        raise ValueError(outcomes[0].error)
    names = [cluster.cluster for cluster in clusters]
    with locked(data_dir):  # two runs that merge their rows into the same tables
        for file, column in _MERGED.items():
            rows = pd.concat([cluster.summary[file] for cluster in clusters], ignore_index=True)
            _merge(data_dir / file, rows, column, names)
    parameters = pd.concat([cluster.summary[CLUSTER_PARAMETERS] for cluster in clusters], ignore_index=True)
    return parameters.sort_values("name", ignore_index=True)


def next_command(names: Iterable[str], data_dir: Path | str) -> str:
    """Command that builds the sets of simulated clusters."""
    cones = str(Path(data_dir) / CONES)
    return script_command("build_sets.py", *names, "--cone_source", cones, data_dir=data_dir)


def _folders(names: Iterable[str], data_dir: Path) -> list[Path]:
    """Folder of each cluster, sorted by name."""
    folders: dict[str, Path] = {}
    for name in names:
        if normalise_name(name) == "all":
            raise ValueError(
                "'all' stands for all clusters that are built: give the simulated cluster another name."
            )
        folder = cluster_directory(data_dir, name)
        if folders.setdefault(normalise_name(name), folder) is not folder:
            raise ValueError(f"{name!r} is named twice: give every simulated cluster a name of its own.")
    if not folders:
        raise ValueError("no cluster was named: give at least one name.")
    return sorted(folders.values())


def _refuse_real_data(data_dir: Path) -> None:
    found = [name for name in _NOT_OURS if (data_dir / name).exists()]
    if found and not (data_dir / MARKER).exists():
        raise ValueError(
            f"{data_dir} holds {', '.join(found)} and no {MARKER}, so these are not simulated and would be "
            "mixed up or lost: choose another --data_dir."
        )


def _isochrones(data_dir: Path) -> pd.DataFrame:
    """Isochrones with initial masses: those of the data directory, else schematic ones, written there."""
    path = data_dir / ISOCHRONES
    if not path.exists():
        write_isochrones(path, schematic_isochrones(SCHEMATIC_LOG_AGES))
    return read_isochrones(path)


def _simulate_one(
    name: str, *, data_dir: Path, options: SimulationOptions, isochrones: pd.DataFrame, seed: int
) -> dict[str, Any]:
    """Write cone and truth of one cluster; returns its rows of the tables that hold all clusters."""
    folder, rng = cluster_directory(data_dir, name), cluster_rng(seed, name)
    if options.vary:
        options = draw_cluster(options, isochrones, rng=rng)
    cluster = simulate_cluster(options, isochrones, rng=rng, name=name)
    with locked(folder):
        write_table(data_dir / CONES / f"{name}.parquet", cluster.cone, "parquet")
        write_csv(folder / "truth.csv", cluster.truth.round(_TRUTH_DECIMALS))
        write_json(folder / SETTINGS, asdict(options) | {"field_share": cluster.field_share})
        stale_cone = data_dir / CONES / f"{name}.csv.gz"  # as cones were written before
        for stale in (*folder.glob("cone.*"), folder / CLUSTER_FILE, stale_cone):  # of an earlier simulation
            stale.unlink(missing_ok=True)
    counts = len(cluster.cone), int(cluster.truth["is_member"].sum()), len(cluster.members)
    thinned = f"; the field thinned to {cluster.field_share:.0%}" if cluster.field_share < 1 else ""
    logger.info("%s: %d sources, %d of them members, %d listed%s", name, *counts, thinned)
    return {CLUSTER_PARAMETERS: cluster.parameters, MEMBERS: cluster.members, COMPARISON: cluster.comparison}


def _merge(path: Path, rows: pd.DataFrame, column: str, replaced: list[str]) -> None:
    """Write rows into a table, in place of its rows of the same clusters, sorted by cluster."""
    if path.exists():
        old = read_table(path, required=(column,))
        old[column] = old[column].astype(str)
        names = [normalise_name(name) for name in replaced]
        rows = pd.concat([old[~old[column].map(normalise_name).isin(names)], rows])
    write_csv(path, rows.sort_values(column, kind="stable"))
