"""Build the sets of one cluster, save and draw them, as far as that is not done; the same for many."""

import logging
import shlex
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd import exports, first_members, report, stages
from gaia_oc_amd._version import __version__
from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.catalogues.lookup import find_cluster
from gaia_oc_amd.catalogues.paths import comparison_path, list_name
from gaia_oc_amd.catalogues.tables import (
    InputTables,
    read_input_tables,
    read_member_list,
    read_parameter_table,
)
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.defaults import DEFAULTS_FILE, defaults_text, read_defaults
from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.files.data_directory import cluster_directory, locked, write_text
from gaia_oc_amd.files.provenance import (
    Stage,
    command_again,
    read_provenance,
    run_stage,
    table_fingerprint,
)
from gaia_oc_amd.first_members.options import FieldOptions, FindOptions, SearchOptions
from gaia_oc_amd.installation import for_cluster, values_of
from gaia_oc_amd.isochrone_stages import poor_stages
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.kept_cone import cone_files
from gaia_oc_amd.options import (
    FITTED_PARAMETERS,
    ConeOptions,
    FigureOptions,
    GivenCluster,
    RunOptions,
    TablePaths,
)
from gaia_oc_amd.query import has_new_source
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.source_sets import (
    SET_FILES,
    UNJUDGED_FILES,
    SourceSets,
    check_sets,
    load_sets,
    save_sets,
    set_fingerprints,
)
from gaia_oc_amd.stages.many import ALL, for_clusters, named_clusters, refuse_several
from gaia_oc_amd.stages.options import BuildOptions

logger = logging.getLogger(__name__)


def build_clusters(
    clusters: list[str],
    options: BuildOptions = BuildOptions(),
    run: RunOptions = RunOptions(),
    *,
    command: str = "",
) -> list[Outcome]:
    """Build the sets of many clusters, each as `build_cluster` does. See `stages.many.for_clusters`."""
    refuse_several(clusters, list(options.given.values()), run.data_dir)
    if clusters == [ALL] and not options.first.find_first_members:
        clusters = _without_own_inputs(named_clusters(clusters, run.data_dir), run.data_dir, options)
    tables = read_tables(run.data_dir, options)
    if tables.names_no_cluster:
        refuse_several(clusters, ["members_path"], run.data_dir)
    modules = ("numba", "scipy.spatial", *("gaia_oc_amd.figures",) * options.figures.wanted())
    outcomes = for_clusters(
        build_cluster, clusters, options, run, command=command, modules=modules, tables=tables
    )
    if any(not outcome.error for outcome in outcomes):
        _remember(run.data_dir, options)
        report.refresh_index(run.data_dir)
    return outcomes


def _without_own_inputs(names: list[str], data_dir: Path, options: BuildOptions) -> list[str]:
    """Clusters that can be built as all others; a line for each that only a command of its own builds.

    Raises
    ------
    UsageError
        If none is left.
    """
    folders = {name: cluster_directory(data_dir, name) for name in names}
    own = [name for name, folder in folders.items() if _has_own_inputs(folder, options)]
    for name in own:
        command = command_again(folders[name], "sets", "build_sets.py")
        logger.warning("%s has parameters or members of its own and is left as it is: %s", name, command)
    if len(own) == len(names):
        raise UsageError(
            "every cluster that is built has parameters or members of its own: name those that you mean."
        )
    return [name for name in names if name not in own]


def _has_own_inputs(folder: Path, options: BuildOptions) -> bool:
    """Whether sets were built with parameters, a list or a search that this command does not name."""
    built, remembered = command_again(folder, "sets", "build_sets.py"), read_defaults(folder.parents[1])
    named = {
        word.removeprefix("--").removeprefix("no-") for word in shlex.split(built) if word.startswith("--")
    }
    if named & {"find_first_members", *(each.name for each in fields(GivenCluster))}:
        return True
    return any(
        _is_of_its_own(values_of(built, f"--{name}")[1:], getattr(options.paths, name), remembered.get(name))
        for name in ("members_path", "cluster_path")
    )


def _is_of_its_own(built: list[str], now: Path | None, remembered: list[str] | None) -> bool:
    """Whether a file that a cluster was built with is not the one of this command, which names no other."""
    given = [] if now is None else [str(now)]
    if not built or given not in ([], remembered):
        return False
    return [Path(path).resolve() for path in built] != [Path(path).resolve() for path in given]


def _remember(data_dir: Path, options: BuildOptions) -> None:
    """Keep paths for later commands, if that is asked for or nothing is kept yet.

    A list of one cluster that was given by hand, or whose members were found, is not one for all clusters; nor is what
    find_first_members.py or fit_isochrone.py wrote.
    """
    if (data_dir / DEFAULTS_FILE).exists() and not options.save_defaults:
        return
    usual, given = vars(TablePaths()), vars(options.paths)
    new = {name: value for name, value in given.items() if value != usual[name]}
    if options.cone.cone_source != ConeOptions.cone_source:
        new["cone_source"] = options.cone.cone_source
    if not options.save_defaults:
        new = {
            name: value for name, value in new.items() if not _of_few_clusters(name, value, data_dir, options)
        }
    if new:
        path = data_dir / DEFAULTS_FILE
        write_text(path, defaults_text(data_dir, new))
        names = ", ".join(f"--{name}" for name in new)
        logger.info("%s keeps %s: later commands need not repeat them.", path, names)


def _of_few_clusters(name: str, value: Any, data_dir: Path, options: BuildOptions) -> bool:
    """Whether a list or table was given for one cluster, or made by our own scripts from few."""
    if name not in ("members_path", "cluster_path"):
        return False
    by_hand = bool(options.given.values()) or options.first.find_first_members
    path = Path(value).resolve()
    ours = path.is_relative_to((data_dir / "clusters").resolve()) or path.name == FITTED_PARAMETERS
    return by_hand or ours


@checked
def build_cluster(
    name: str,
    data_dir: Path | str = "data",
    options: BuildOptions = BuildOptions(),
    *,
    tables: InputTables | None = None,
    seed: Seed = RunOptions.seed,
    command: str = "",
) -> dict[str, Any]:
    """Build, save and draw the sets of one cluster, as far as that is not done.

    Parameters
    ----------
    name : str
        Cluster name in any spelling, or an alias.
    data_dir : path
        The data directory.
    options : BuildOptions
        What build_sets.py takes.
    tables : InputTables, optional
        From `read_tables`; by default they are read.
    seed : int
        Of the search for first members.
    command : str
        Shell command that does it, with ``{}`` for the cluster, for provenance.json.

    Returns
    -------
    dict
        Numbers of members, candidates, non-members and comparison members.

    Raises
    ------
    ClusterError
        If the cluster is unknown, lacks parameters, members or sources.
    OSError, ValueError
        If a table is missing or unreadable, or a file cannot be written.
    """
    data_dir = Path(data_dir)
    tables = tables or read_tables(data_dir, options)
    if options.first.find_first_members:
        tables, options = with_found_members(name, data_dir, options, tables, seed=seed, command=command)
    cluster = find_cluster(name, tables, options.given)
    folder = cluster_directory(data_dir, cluster.name)
    command = for_cluster(command, cluster.name)
    with locked(folder):
        if options.accept_changes:
            check_sets(folder, accept=True)
        judged_since = options.member.bootstrap_members and "evaluation" in read_provenance(folder)
        again = options.overwrite or options.cone.overwrite_cone or judged_since
        again = again or has_new_source(cluster.name, folder, options.cone.cone_source, options.paths.columns)
        stage = Stage("sets", _sets_made_with(cluster, tables, options), command)
        built: SourceSets | None = None

        def make() -> tuple[dict[str, Any], list[str]]:
            nonlocal built
            built = build_sets(name, tables, data_dir, **_building(options))
            return _saved(built, data_dir, options)

        summary = run_stage(folder, stage, make, again=again)
        if options.figures.wanted():
            draw_candidates(folder, options.figures, command=command, built=built)
        exports.export_tables(folder, options.export.formats(), command)
    return summary


def read_tables(data_dir: Path | str, options: BuildOptions) -> InputTables:
    """Tables that the sets are built with; without lists where members and parameters are still to be found.

    Parameters
    ----------
    data_dir : path
        Holds the tables under their default names.
    options : BuildOptions
        Other places, and whether first members are looked for; then only isochrones must exist.

    Returns
    -------
    InputTables

    Raises
    ------
    OSError, ValueError
        If a table is missing or unreadable.
    """
    if options.first.find_first_members:
        return _tables_without_members(Path(data_dir), options.paths)
    by_hand = options.given.ra is not None and options.given.dec is not None
    return read_input_tables(data_dir, options.paths, need_parameters=not by_hand)


def draw_candidates(
    folder: Path, figures: FigureOptions, *, command: str = "", built: SourceSets | None = None
) -> None:
    """Draw the candidate selection of sets that a folder holds, unless that is done.

    Parameters
    ----------
    folder : path
        The cluster's folder, held by `files.data_directory.locked`.
    figures : FigureOptions
        Where the figure goes.
    command : str
        Shell command that does it, for provenance.json.
    built : SourceSets, optional
        What was just saved there; by default it is read.
    """
    made_with = {
        "options": {"figures": asdict(figures)},
        "sets": set_fingerprints(folder, UNJUDGED_FILES),
        "version": __version__,
    }

    def draw() -> tuple[dict[str, Any], list[str]]:
        from gaia_oc_amd.figures import candidates_figure, save_and_show

        sets = built or load_sets(folder.name, folder.parents[1])
        drawn = candidates_figure(sets, panel=figures.single_panel)
        return {}, save_and_show({"candidates": drawn}, folder, figures)

    run_stage(folder, Stage("sets_plot", made_with, command), draw, again=figures.show_plots)


def with_found_members(
    name: str, data_dir: Path, options: BuildOptions, tables: InputTables, *, seed: int, command: str = ""
) -> tuple[InputTables, BuildOptions]:
    """Find a cluster's first members, and put them in the place of lists and parameter table.

    Age, extinction and distance are those of the parameter table, or fitted where it lacks one of them.

    Parameters
    ----------
    name : str
        Cluster name.
    data_dir : path
        The data directory.
    options : BuildOptions
        What build_sets.py takes.
    tables : InputTables
        From `read_tables`.
    seed : int
        Seed of the search.
    command : str
        Shell command, for the record.

    Returns
    -------
    tables : InputTables
        Members and parameters are those that were found.
    options : BuildOptions
        Without the position that was given, for that of the members is better, and with the lower threshold of
        PMemb that found members need.
    """
    given, first = options.given, options.first
    target = first_members.find_target(
        name, tables.parameters, FieldOptions(given.ra, given.dec, first.search_radius)
    )
    known = target.table_row | given.values()
    search = FindOptions(
        cone=options.cone,
        search=SearchOptions(method=first.method),
        figures=FigureOptions(save_plots=False),
        fit_isochrone=not all(pd.notna(known.get(key)) for key in ("age", "a0", "dist")),
        overwrite=options.cone.overwrite_cone,
    )
    read = first_members.SearchTables(
        *(tables.parameters, tables.isochrones, tables.credentials_path, tables.columns),
        first_members.read_catalogues(data_dir),
    )
    stages.search_and_save(target, data_dir, search, tables=read, seed=seed, command=command)
    folder = first_members.search_folder(target, data_dir)
    found = replace(
        tables,
        parameters=read_parameter_table(folder / first_members.PARAMETERS_FILE),
        parameters_path=str(folder / first_members.PARAMETERS_FILE),
        members=read_member_list(folder / first_members.MEMBERS_FILE),
    )
    threshold = min(options.member.prob_threshold, first.first_prob_threshold)
    return found, replace(
        options,
        given=replace(given, ra=None, dec=None),
        member=replace(options.member, prob_threshold=threshold),
    )


def _sets_made_with(cluster: Cluster, tables: InputTables, options: BuildOptions) -> dict[str, Any]:
    """Everything that the sets depend on, but for the source of the cone, which the cone's own record knows."""
    compared, compared_name = tables.compared_with(cluster.name)
    return {
        "options": {
            "cone": _without(asdict(options.cone), "overwrite_cone", "cone_source"),
            "member": asdict(options.member),
            "selection": asdict(options.selection),
            "given": asdict(options.given),
        },
        "cluster": cluster.as_dict(),
        "members": table_fingerprint(tables.listed_members(cluster.name)),
        "comparison": {"name": compared_name, "list": table_fingerprint(compared)},
        "isochrone": table_fingerprint(nearest_age(tables.isochrones, cluster.age)),
        "version": __version__,
    }


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in names}


def _building(options: BuildOptions) -> dict[str, Any]:
    """The options that `build_sets` takes and that are kept with the sets."""
    return {key: getattr(options, key) for key in ("cone", "member", "selection", "given")}


def _saved(sets: SourceSets, data_dir: Path, options: BuildOptions) -> tuple[dict[str, int], list[str]]:
    """Save sets, and warn of a poor isochrone; returns their sizes and the files that hold them."""
    folder = save_sets(sets, data_dir, made_with=_building(options))
    if poor := poor_stages(sets.stage_offsets):
        logger.warning(
            "%s: the members lie beside the isochrone: %s. Try another --age, --a0, --dist or metallicity, or "
            "fit_isochrone.py; the selection's margin covers it as far as %.2f mag.",
            sets.cluster.name,
            "; ".join(map(str, poor)),
            sets.limits.colour,
        )
    counts = {"training members" if name == "members" else name: n for name, n in sets.counts().items()}
    return counts, [*SET_FILES, *cone_files(folder)]


def _tables_without_members(data_dir: Path, paths: TablePaths) -> InputTables:
    found = first_members.read_search_tables(data_dir, paths, need_isochrones=True)
    compared = comparison_path(data_dir, paths)
    nothing = pd.DataFrame({"name": pd.Series(dtype=str)})
    return InputTables(
        parameters=nothing if found.parameters is None else found.parameters,
        parameters_path="the parameter table",
        members=None,
        comparison=read_member_list(compared, paths.columns) if compared else None,
        isochrones=found.isochrones,
        credentials_path=found.credentials_path,
        data_dir=data_dir,
        columns=paths.columns,
        members_name="first members",
        comparison_name=(paths.comparison_label or list_name(compared)) if compared else "",
    )
