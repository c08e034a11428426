"""Fit the isochrone of one cluster, save and draw the fit, and merge fits into one table."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd._version import __version__
from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.catalogues.names import cluster_rng, normalise_name
from gaia_oc_amd.catalogues.tables import InputTables, read_input_tables
from gaia_oc_amd.cluster import PARAMETERS
from gaia_oc_amd.figures import save_and_show
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, cluster_directory, locked, read_json, write_json
from gaia_oc_amd.files.provenance import Stage, run_stage, table_fingerprint
from gaia_oc_amd.files.tables import read_table, write_csv
from gaia_oc_amd.installation import for_cluster
from gaia_oc_amd.isochrone_fit.fit import IsochroneFit, fit_isochrone, fit_summary
from gaia_oc_amd.isochrone_fit.members import FittedMembers, cluster_folder, fitted_members, mean_parallax
from gaia_oc_amd.isochrone_fit.options import FitOptions
from gaia_oc_amd.isochrone_fit.plots import isochrone_fit_figure
from gaia_oc_amd.light_curves.prior import light_curve_prior
from gaia_oc_amd.options import FITTED_PARAMETERS, RunOptions
from gaia_oc_amd.source_sets import FIT, FIT_FILE, add_fit, check_sets, existing_name
from gaia_oc_amd.stages.many import for_clusters, named_clusters

_INTERVALS = tuple(f"{name}_{end}" for name in ("age", "a0", "dist") for end in ("lower", "upper"))


def fit_clusters(
    clusters: list[str],
    options: FitOptions = FitOptions(),
    run: RunOptions = RunOptions(),
    *,
    command: str = "",
) -> list[Outcome]:
    """Fit many clusters, each as `fit_cluster` does, and merge their rows. See `stages.many.for_clusters`."""
    tables = _read_tables(clusters, run.data_dir, options)
    outcomes = for_clusters(fit_cluster, clusters, options, run, command=command, tables=tables)
    if fitted := [outcome.cluster for outcome in outcomes if not outcome.error]:
        merge_fits(fitted, run.data_dir)
    return outcomes


@checked
def fit_cluster(
    name: str,
    data_dir: Path | str = "data",
    options: FitOptions = FitOptions(),
    *,
    tables: InputTables | None = None,
    seed: Seed = RunOptions.seed,
    command: str = "",
) -> dict[str, Any]:
    """Fit, save and draw the isochrone of one cluster, unless that is done.

    Parameters
    ----------
    name : str
        Cluster whose sets were built, or that the member list knows.
    data_dir : path
        The data directory.
    options : FitOptions
        What fit_isochrone.py takes.
    tables : InputTables, optional
        From `catalogues.tables.read_input_tables`; by default they are read.
    seed : int
        Together with the name it determines the random stream.
    command : str
        Shell command that does it, with ``{}`` for the cluster.

    Returns
    -------
    dict
        Numbers for the table at the end.

    Raises
    ------
    ClusterError, OSError, ValueError
        If the cluster is unknown, or has too few stars that can be fitted.
    """
    tables = tables or _read_tables([name], data_dir, options)
    with locked(folder := cluster_folder(name, tables, data_dir)):
        check_sets(folder, accept=options.accept_changes)
        members = fitted_members(name, tables, data_dir, cone=options.cone, options=options.member)
        if options.light_curve_age:
            age, error = light_curve_prior(members.cluster.name, data_dir)
            fit = replace(options.fit, age_prior=age, age_prior_error=error)
            options = replace(options, fit=fit, light_curve_age=False)
        made_with: dict[str, Any] = {
            key: asdict(getattr(options, key)) for key in ("member", "fit", "cone", "figures")
        }
        made_with |= {
            "paths": asdict(options.paths),
            "seed": seed,
            "stars": table_fingerprint(members.stars),
            "isochrones": table_fingerprint(tables.isochrones),
            "version": __version__,
        }
        work = partial(_fit, folder, members, tables, data_dir, options, seed=seed, command=command)
        stage = Stage(FIT, made_with, for_cluster(command, folder.name))
        return run_stage(folder, stage, work, again=options.overwrite or options.figures.show_plots)


def _read_tables(clusters: list[str], data_dir: Path | str, options: FitOptions) -> InputTables:
    """Tables of a fit; lists and parameters may be absent where the stars are those of sets."""
    folders = [
        cluster_directory(data_dir, existing_name(name, data_dir))
        for name in named_clusters(clusters, data_dir)
    ]
    need = options.member.from_list or not all((folder / CLUSTER_FILE).exists() for folder in folders)
    return read_input_tables(data_dir, options.paths, need_parameters=need, need_members=need)


def _fit(
    folder: Path,
    members: FittedMembers,
    tables: InputTables,
    data_dir: Path | str,
    options: FitOptions,
    *,
    seed: int,
    command: str,
) -> tuple[dict[str, Any], list[str]]:
    """Fit, save and draw; returns the numbers and the files."""
    parallax, parallax_error = mean_parallax(members.stars)
    fit = fit_isochrone(
        members.stars,
        tables.isochrones,
        parallax=parallax,
        parallax_error=parallax_error,
        weights=members.stars["PMemb"].to_numpy(float),
        options=options.fit,
        rng=cluster_rng(seed, members.cluster.name),
    )
    made_with: dict[str, Any] = {
        key: asdict(getattr(options, key)) for key in ("member", "fit", "cone", "paths")
    }
    made_with |= {"mean_parallax": parallax, "mean_parallax_error": parallax_error}
    save_fit(fit, members, data_dir, made_with=made_with, command=command)
    written = [FIT_FILE]
    if options.figures.wanted():
        figure = isochrone_fit_figure(
            members.cluster.name, members.stars, fit, tables.isochrones, members.known, options.fit
        )
        written += save_and_show({"isochrone_fit": figure}, folder, options.figures)
    if (folder / CLUSTER_FILE).exists():
        add_fit(folder)
        written.append(CLUSTER_FILE)
    return fit_summary(fit), written


def save_fit(
    fit: IsochroneFit,
    members: FittedMembers,
    data_dir: Path | str,
    *,
    made_with: dict[str, Any] | None = None,
    command: str = "",
) -> Path:
    """Write isochrone_fit.json into the cluster's folder.

    Parameters
    ----------
    fit : IsochroneFit
        What was fitted.
    members : FittedMembers
        The stars that it was fitted to.
    data_dir : path
        The data directory.
    made_with : dict, optional
        Recorded: options and other values by name.
    command : str
        Shell command that does it, with ``{}`` for the cluster.

    Returns
    -------
    Path
        The cluster's folder.
    """
    folder = cluster_directory(data_dir, members.cluster.name)
    record = {
        "fit": fit.as_dict(),
        "table": members.known,
        "row": parameter_row(fit, members),
        "stars_from": members.origin,
        "version": __version__,
        "command": for_cluster(command, members.cluster.name),
        "made_with": made_with or {},
    }
    write_json(folder / FIT_FILE, record)
    return folder


def parameter_row(fit: IsochroneFit, members: FittedMembers) -> dict[str, Any]:
    """Row of a parameter table: the stars' means and deviations, fitted age, a0 and dist, and their intervals."""
    cluster = replace(members.cluster, age=fit.age, a0=fit.a0, dist=fit.dist)
    row = {name: getattr(cluster, name) for name in ("name", *PARAMETERS)}
    return row | {name: getattr(fit, name) for name in _INTERVALS} | {"age_limit": fit.age_limit()}


def merge_fits(names: Iterable[str], data_dir: Path | str) -> Path:
    """Put the rows of fitted clusters into the table of all, in place of older ones of the same names in any spelling.

    Parameters
    ----------
    names : iterable of str
        Clusters that have an isochrone_fit.json, in any spelling.
    data_dir : path
        The data directory.

    Returns
    -------
    Path
        The table, sorted by name.
    """
    path = Path(data_dir) / FITTED_PARAMETERS
    folders = [cluster_directory(data_dir, existing_name(name, data_dir)) for name in names]
    rows = pd.DataFrame([read_json(folder / FIT_FILE)["row"] for folder in folders])
    with locked(data_dir):
        if path.exists():
            old = read_table(path, required=("name",))
            is_older = old["name"].astype(str).map(normalise_name).isin(rows["name"].map(normalise_name))
            rows = pd.concat([old[~is_older], rows], ignore_index=True)
        write_csv(path, rows.sort_values("name", ignore_index=True))
    return path
