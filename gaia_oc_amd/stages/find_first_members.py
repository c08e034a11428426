"""Find the first members of one cluster, save and draw them, unless that is done; the same for many."""

import shlex
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from gaia_oc_amd._version import __version__
from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.command_line import CommandLine
from gaia_oc_amd.figures import save_and_show
from gaia_oc_amd.files.data_directory import cluster_directory, locked
from gaia_oc_amd.files.provenance import Stage, run_stage, table_fingerprint
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.first_members.field import (
    FIELD_FOLDER,
    SearchTables,
    SearchTarget,
    find_target,
    read_search_tables,
)
from gaia_oc_amd.first_members.options import FindOptions
from gaia_oc_amd.first_members.plots import first_members_figure
from gaia_oc_amd.first_members.results import (
    MEMBERS_FILE,
    PARAMETERS_FILE,
    MemberSearch,
    save_search,
    search_folder,
    search_members,
)
from gaia_oc_amd.installation import for_cluster, values_of
from gaia_oc_amd.options import RunOptions
from gaia_oc_amd.query import has_new_source
from gaia_oc_amd.source_sets import existing_name
from gaia_oc_amd.stages.many import for_clusters, refuse_several
from gaia_oc_amd.stages.options import BuildOptions, FirstMembersOptions


def search_clusters(
    clusters: list[str],
    options: FindOptions = FindOptions(),
    run: RunOptions = RunOptions(),
    *,
    command: str = "",
) -> list[Outcome]:
    """Find the first members of many clusters, each as `search_cluster` does. See `stages.many.for_clusters`."""
    refuse_several(clusters, ["ra"] if options.field.ra is not None else [], run.data_dir)
    tables = _read_tables(run.data_dir, options)
    return for_clusters(search_cluster, clusters, options, run, command=command, tables=tables)


@checked
def search_cluster(
    name: str,
    data_dir: Path | str = "data",
    options: FindOptions = FindOptions(),
    *,
    tables: SearchTables | None = None,
    seed: Seed = RunOptions.seed,
    command: str = "",
) -> dict[str, Any]:
    """Find, save and draw the first members of one cluster, unless that is done.

    Parameters
    ----------
    name : str
        Cluster name that the parameter table or Sesame knows, or a new name with a position in the options.
    data_dir : path
        The data directory.
    options : FindOptions
        What find_first_members.py takes.
    tables : SearchTables, optional
        From `first_members.field.read_search_tables`; by default they are read.
    seed : int
        Together with the name it determines the random stream.
    command : str
        Shell command that does it, with ``{}`` for the cluster, for the record.

    Returns
    -------
    dict
        Numbers for the table at the end.

    Raises
    ------
    UnknownClusterError, NoClusterError, ClusterError
        If the name has no place, or the field no cluster or too few stars.
    """
    tables = tables or _read_tables(data_dir, options)
    target = find_target(name, tables.parameters, options.field)
    return search_and_save(target, data_dir, options, tables=tables, seed=seed, command=command)


def search_and_save(
    target: SearchTarget,
    data_dir: Path | str,
    options: FindOptions,
    *,
    tables: SearchTables,
    seed: int,
    command: str = "",
) -> dict[str, Any]:
    """Search a field, save and draw what was found, unless that was done in the same way before.

    For a figure that is wanted otherwise than before the same search is made anew. This leaves the list, and what was
    built from it, as they are.

    Parameters
    ----------
    target : SearchTarget
        Where to look.
    data_dir : path
        The data directory.
    options : FindOptions
        How.
    tables : SearchTables
        Isochrones and credentials.
    seed : int
        Seed of the run.
    command : str
        Shell command that does it, with ``{}`` for the cluster, for the record.

    Returns
    -------
    dict
        Numbers for the table at the end.
    """
    target = replace(target, columns=tables.columns)
    folder = search_folder(target, data_dir)
    command, made_with = for_cluster(command, target.name), _made_with(target, options, tables, seed=seed)
    again = options.overwrite or options.cone.overwrite_cone
    searched = cache(
        partial(_search, target, Path(data_dir), options, tables, seed)
    )  # once for list and figure

    def save() -> tuple[dict[str, Any], list[str]]:
        return searched().counts(), save_search(searched(), data_dir, tables.catalogues)

    def draw() -> tuple[dict[str, Any], list[str]]:
        figure = first_members_figure(searched(), tables.isochrones)
        return {}, save_and_show({"first_members": figure}, folder, options.figures)

    with locked(folder):
        again = again or has_new_source(
            target.name, folder / FIELD_FOLDER, options.cone.cone_source, tables.columns
        )
        summary = run_stage(folder, Stage("first_members", made_with, command), save, again=again)
        if options.figures.wanted():
            plot = Stage("first_members_plot", made_with | {"figures": asdict(options.figures)}, command)
            run_stage(folder, plot, draw, again=options.figures.show_plots)
    return summary


def words_that_go_on(given: CommandLine[FindOptions], outcomes: list[Outcome]) -> list[str]:
    """Options of build_sets.py that go on with what was found.

    Parameters
    ----------
    given : CommandLine
        Of find_first_members.py.
    outcomes : list of Outcome
        From `search_clusters`.

    Returns
    -------
    list of str
        What was given, and --find_first_members. Where build_sets.py does not take all of it and would search
        otherwise, the files of the one cluster that was searched, if its age is known.
    """
    (shared, is_all), data_dir = given.shared_with(BuildOptions, radius="search_radius"), given.run.data_dir
    done = [outcome.cluster for outcome in outcomes if not outcome.error]
    if not is_all and len(done) == 1:
        folder = cluster_directory(data_dir, existing_name(done[0], data_dir))
        row = read_table(folder / PARAMETERS_FILE)
        if row.reindex(columns=["age", "a0", "dist"]).notna().all(axis=None):
            found = {
                "members_path": folder / MEMBERS_FILE,
                "cluster_path": folder / PARAMETERS_FILE,
                "prob_threshold": FirstMembersOptions.first_prob_threshold,
            }
            words = [word for name, value in found.items() for word in (f"--{name}", str(value))]
            command = shlex.join(shared)
            return [*words, *(word for name in _LISTS_AND_STARS for word in values_of(command, f"--{name}"))]
    return ["--find_first_members", *shared]


_LISTS_AND_STARS = ("isochrone_path", "isochrone_rotation", "credentials_path", "cone_source", "columns")
"""Options that building from lists of found members needs, too."""


def _read_tables(data_dir: Path | str, options: FindOptions) -> SearchTables:
    return read_search_tables(data_dir, options.paths, need_isochrones=options.fit_isochrone)


def _made_with(
    target: SearchTarget, options: FindOptions, tables: SearchTables, *, seed: int
) -> dict[str, Any]:
    isochrones = tables.isochrones if options.fit_isochrone else None
    cone = asdict(options.cone)
    cone.pop("overwrite_cone")
    return {
        "target": target.as_dict(),
        "options": {
            "cone": cone,
            "quality": asdict(options.quality),
            "search": asdict(options.search),
            "seed": seed,
        },
        "isochrones": None if isochrones is None else table_fingerprint(isochrones),
        "catalogues": {name: table_fingerprint(table) for name, table in tables.catalogues.items()},
        "version": __version__,
    }


def _search(
    target: SearchTarget, data_dir: Path, options: FindOptions, tables: SearchTables, seed: int
) -> MemberSearch:
    return search_members(
        target,
        data_dir,
        cone=options.cone,
        quality=options.quality,
        search=options.search,
        isochrones=tables.isochrones,
        fit_isochrone=options.fit_isochrone,
        credentials_path=tables.credentials_path,
        seed=seed,
    )
