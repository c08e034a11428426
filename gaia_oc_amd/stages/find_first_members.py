"""Find the first members of one cluster, save and draw them, or hand them to build_sets as its tables."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd._version import __version__
from gaia_oc_amd.catalogues.tables import InputTables, comparison_path, read_member_list, read_parameter_table
from gaia_oc_amd.files.data_directory import locked
from gaia_oc_amd.files.provenance import Stage, run_stage, table_fingerprint
from gaia_oc_amd.first_members.field import SearchTables, SearchTarget, find_target, read_search_tables
from gaia_oc_amd.first_members.options import FieldOptions, FirstMembersOptions, SearchOptions
from gaia_oc_amd.first_members.results import (
    MEMBERS_FILE,
    PARAMETERS_FILE,
    RECORD_FILE,
    MemberSearch,
    save_search,
    search_folder,
    search_members,
)
from gaia_oc_amd.options import GivenCluster, TablePaths
from gaia_oc_amd.stages.recipes import as_dicts

Settings = dict[str, Any]
Draw = Callable[[MemberSearch, Path], list[str]]


def search_stage(
    target: SearchTarget,
    tables: SearchTables,
    data_dir: Path | str,
    settings: Settings,
    *,
    seed: int,
    fit_isochrone: bool,
    command: str = "",
    again: bool = False,
    draw: Draw | None = None,
) -> dict[str, Any]:
    """Search and save a cluster's first members, unless that was done in the same way before.

    Parameters
    ----------
    target : SearchTarget
        Where to look.
    tables : SearchTables
        Isochrones and credentials.
    data_dir : path
        The data directory.
    settings : dict of options
        ``cone``, ``quality`` and ``search``, as `first_members.results.search_members` takes them.
    seed : int
        Seed of the run.
    fit_isochrone : bool
        Whether age, extinction and distance are fitted.
    command : str
        Shell command that does it, for the record.
    again : bool
        Whether to do it even if it is done.
    draw : callable, optional
        ``draw(search, folder)`` draws what was found and returns the names of its files.

    Returns
    -------
    dict
        Numbers for the table at the end.
    """
    folder = search_folder(target, data_dir)
    isochrones = tables.isochrones
    options = as_dicts(settings)
    options.get("cone", {}).pop("overwrite_cone", None)
    recipe = {
        "target": target.as_dict(),
        "options": options | {"seed": seed, "drawn": draw is not None},
        "isochrones": table_fingerprint(isochrones) if fit_isochrone and isochrones is not None else None,
        "version": __version__,
    }

    def work() -> tuple[dict[str, Any], list[str]]:
        search = search_members(
            target,
            data_dir,
            **settings,
            isochrones=isochrones,
            fit_isochrone=fit_isochrone,
            credentials_path=tables.credentials_path,
            seed=seed,
        )
        save_search(search, data_dir)
        drawn = draw(search, folder) if draw else []
        return search.counts(), [MEMBERS_FILE, PARAMETERS_FILE, RECORD_FILE, *drawn]

    with locked(folder):
        return run_stage(folder, Stage("first_members", recipe, command), work, again=again)


def read_tables_for_search(data_dir: Path | str, paths: TablePaths) -> InputTables:
    """Tables of build_sets where members and parameters are still to be found; only isochrones must exist.

    Parameters
    ----------
    data_dir : path
        Holds the tables under their default names.
    paths : TablePaths
        Other places; a path given here must exist.

    Returns
    -------
    InputTables
        Without members; without parameters if there is no table of them.
    """
    tables = read_search_tables(data_dir, paths, need_isochrones=True)
    nobody = pd.DataFrame(
        {"cluster": pd.Series(dtype=str), "source_id": pd.Series(dtype="int64"), "PMemb": []}
    )
    compared = comparison_path(Path(data_dir), paths)
    known = tables.parameters
    return InputTables(
        parameters=pd.DataFrame({"name": pd.Series(dtype=str)}) if known is None else known,
        parameters_path="the parameter table",
        members=nobody,
        comparison=read_member_list(compared) if compared else nobody,
        isochrones=tables.isochrones,
        credentials_path=tables.credentials_path,
        data_dir=Path(data_dir),
    )


def found_tables(
    name: str,
    tables: InputTables,
    data_dir: Path | str,
    options: dict[str, Any],
    first: FirstMembersOptions,
    *,
    seed: int,
    command: str = "",
) -> tuple[InputTables, dict[str, Any]]:
    """Find a cluster's first members, and put them in the place of lists and parameter table.

    Age, extinction and distance are those of the parameter table, or fitted where it lacks one of them.

    Parameters
    ----------
    name : str
        Cluster name.
    tables : InputTables
        From `read_tables_for_search`.
    data_dir : path
        The data directory.
    options : dict of option dataclasses
        What build_sets takes: ``cone``, ``member``, ``given`` and others.
    first : FirstMembersOptions
        How they are found.
    seed : int
        Seed of the run.
    command : str
        Shell command, for the record.

    Returns
    -------
    tables : InputTables
        Members and parameters are those that were found.
    options : dict
        Without the position that was given, for that of the members is better, and with the lower threshold of
        PMemb that found members need.
    """
    given: GivenCluster = options["given"]
    field = FieldOptions(given.ra, given.dec, first.search_radius)
    target = find_target(name, tables.parameters, field)
    known = target.table_row | given.values()
    search_stage(
        target,
        SearchTables(tables.parameters, tables.isochrones, tables.credentials_path),
        data_dir,
        {"cone": options["cone"], "search": SearchOptions(method=first.method)},
        seed=seed,
        fit_isochrone=not all(pd.notna(known.get(key)) for key in ("age", "a0", "dist")),
        command=command,
        again=options["cone"].overwrite_cone,
    )
    folder = search_folder(target, data_dir)
    found = replace(
        tables,
        parameters=read_parameter_table(folder / PARAMETERS_FILE),
        parameters_path=str(folder / PARAMETERS_FILE),
        members=read_member_list(folder / MEMBERS_FILE),
    )
    member = options["member"]
    threshold = min(member.prob_threshold, first.first_prob_threshold)
    changed = {
        "given": replace(given, ra=None, dec=None),
        "member": replace(member, prob_threshold=threshold),
    }
    return found, options | changed
