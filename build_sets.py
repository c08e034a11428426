"""Divide the stars around clusters into members, candidates and non-members.

For each cluster: a cone search (or a cut of a local table), its listed members, the selection limits that
follow from them, and the sets with the features that the network needs. A cluster whose sets are there already,
made with the same options, lists and code, is left as it is: the command of an interrupted run goes on with the rest.

A cluster that the parameter table lacks is given by --ra --dec --parallax --pmra --pmdec, and needs members in
--members_path.

example: python build_sets.py NGC_2509 "NGC 752"
"""

from functools import partial
from pathlib import Path
from typing import Any

from gaia_oc_amd.command_line import (
    add_clusters,
    add_options,
    add_run_options,
    command_of,
    make_parser,
    parse,
    run,
)
from gaia_oc_amd.first_members.options import FirstMembersOptions
from gaia_oc_amd.options import (
    ConeOptions,
    ExportOptions,
    FigureOptions,
    GivenCluster,
    MemberOptions,
    RunOptions,
    SelectionOptions,
    TablePaths,
)

HELP = {
    TablePaths: {
        "catalogue": "published catalogue whose members and parameters are used; where it lacks one of them (t22, "
        "dias21, groeningen23), the members are those of cg18, the parameters those of cg20",
        "comparison_catalogue": "published catalogue whose members are compared with (default: t22, if it is there)",
        "cluster_path": "cluster parameters, in place of the catalogue's",
        "members_path": "member list to learn from, in place of the catalogue's",
        "comparison_path": "member list to compare with, in place of the catalogue's",
        "isochrone_path": "PARSEC isochrones (default: isochrones.dat)",
        "credentials_path": "Gaia archive credentials (default: gaia_credentials, if it is there)",
    },
    GivenCluster: {
        "ra": "right ascension of the one cluster named, in place of the parameter table's [deg]",
        "dec": "its declination [deg]",
        "parallax": "its parallax [mas]",
        "pmra": "its proper motion in right ascension, times cos(dec) [mas/yr]",
        "pmdec": "its proper motion in declination [mas/yr]",
        "pmra_error": "standard deviation of its members in pmra [mas/yr]",
        "pmdec_error": "standard deviation of its members in pmdec [mas/yr]",
        "parallax_error": "standard deviation of its members in parallax [mas]",
        "age": "its age [log10(yr)]",
        "a0": "its extinction at 550 nm [mag]",
        "dist": "its distance [pc] (without it: 1000 / parallax)",
    },
    FirstMembersOptions: {
        "find_first_members": "find members and parameters in the cluster's field, instead of reading lists",
        "method": "how they are found, see find_first_members.py",
        "search_radius": "radius of that field [deg] (default: that of 15 pc at a known distance, else 0.3)",
        "first_prob_threshold": "smallest PMemb of a found star that is a training member",
    },
    ConeOptions: {
        "cone_source": "where the stars are; of several the first that has them: gaia, ari, gavo, vizier, the URL of "
        "a TAP service, a table, a folder of tables named after the clusters, parquet:FOLDER, hats:FOLDER, hats:URL",
        "cone_radius": "projected radius of the cone at the cluster's distance [pc]",
        "cone_pm_sigmas": "proper motion cut of the cone, in standard deviations of the members",
        "cone_plx_sigmas": "parallax cut of the cone, in standard deviations of the members",
        "cone_format": "format in which the cone is kept in the cluster's folder",
        "overwrite_cone": "fetch the cone again although it is there",
    },
    MemberOptions: {
        "prob_threshold": "smallest membership probability of a training member",
        "n_min_members": "smallest number of training members",
        "bootstrap_members": "let candidates that an earlier evaluation found join the training members",
        "bootstrap_prob": "smallest probability of a candidate that joins",
    },
    SelectionOptions: {
        "colour": "colour of the isochrone condition",
        "pm_error_weight": "sigmas of the members' proper motions in the proper motion limit (Eq. 6)",
        "source_error_weight": "sigmas of a star's own errors added to each limit (Eqs. 3 to 5)",
        "r_max_margin": "added to the radius that encloses the member fraction [pc] (Eq. 10)",
        "c_margin": "added to the colour limit [mag] (Eq. 11)",
        "g_margin": "added to the magnitude limit [mag] (Eq. 12)",
        "r_threshold_member_fraction": "share of the members inside the radius of Eq. 10",
        "iso_threshold_member_fraction": "share of the members that must pass the isochrone condition",
    },
    FigureOptions: {
        "save_plots": "save the plot of the candidates in the cluster's folder",
        "show_plots": "show the plot of each cluster on the screen",
        "plot_format": "format of the plots; pdf and svg for papers",
    },
    ExportOptions: {
        "table_format": "formats in which the sets are written: csv (always), votable, fits, ecsv, parquet",
    },
}


def main(argv: list[str] | None = None) -> int:
    """Build the sets of every named cluster; the exit code is 0 only if all succeeded."""
    parser = make_parser(__doc__)
    add_clusters(parser)
    for signature, helps in HELP.items():
        add_options(parser, signature, **helps)
    add_options(
        parser, build_cluster, overwrite="build sets again that are there, made with the same options"
    )
    add_run_options(parser)
    arguments, run_options, paths, given, first, cone, member, selection, figures, export = parse(
        parser, argv, RunOptions, *HELP
    )
    figures.refuse_windows_of(run_options)

    from gaia_oc_amd.batch.processes import prepare_processes

    prepare_processes(run_options.workers, "set_building", "four_panels", "figure_files")
    from gaia_oc_amd.batch.run import run_batch, summary_table
    from gaia_oc_amd.catalogues.names import read_cluster_names
    from gaia_oc_amd.catalogues.tables import read_input_tables
    from gaia_oc_amd.stages.find_first_members import read_tables_for_search

    clusters = read_cluster_names(arguments.clusters)
    if given.values() and len(clusters) > 1:
        parser.error(f"--{next(iter(given.values()))} is of one cluster, but {len(clusters)} are named.")
    work = partial(
        build_cluster,
        tables=(read_tables_for_search if first.find_first_members else read_input_tables)(
            run_options.data_dir, paths
        ),
        data_dir=run_options.data_dir,
        options={"cone": cone, "member": member, "selection": selection, "given": given},
        figures=figures,
        export=export,
        overwrite=arguments.overwrite,
        command=command_of(parser, arguments),
        first=first,
        seed=run_options.seed,
    )
    outcomes = run_batch(work, clusters, **run_options.where())
    print(summary_table(outcomes))  # noqa: T201
    return int(any(outcome.error for outcome in outcomes))


def build_cluster(
    name: str,
    *,
    tables: Any,
    data_dir: Path,
    options: dict[str, Any],
    figures: FigureOptions,
    export: ExportOptions = ExportOptions(),  # noqa: B008
    overwrite: bool = False,
    command: str = "",
    first: FirstMembersOptions | None = None,
    seed: int = RunOptions.seed,
) -> dict[str, Any]:
    """Build, save and draw the sets of one cluster, as far as it is not done; returns the numbers for the table."""
    from gaia_oc_amd.catalogues.lookup import find_cluster
    from gaia_oc_amd.exports.tables import export_tables
    from gaia_oc_amd.files.data_directory import cluster_directory, locked
    from gaia_oc_amd.files.provenance import Stage, read_provenance, run_stage
    from gaia_oc_amd.stages.recipes import sets_plot_recipe, sets_recipe

    if first and first.find_first_members:
        from gaia_oc_amd.stages.find_first_members import found_tables

        tables, options = found_tables(
            name, tables, data_dir, options, first, seed=seed, command=command.format(name)
        )
    cluster = find_cluster(name, tables, options.get("given"))
    folder = cluster_directory(data_dir, cluster.name)
    command = command.format(cluster.name)
    with locked(folder):
        judged_since = getattr(
            options.get("member"), "bootstrap_members", False
        ) and "evaluation" in read_provenance(folder)
        again = overwrite or getattr(options.get("cone"), "overwrite_cone", False) or judged_since
        sets = Stage("sets", sets_recipe(cluster, tables, options), command)
        summary = run_stage(folder, sets, partial(make_sets, name, tables, data_dir, options), again=again)
        if figures.save_plots or figures.show_plots:
            recipe = sets_plot_recipe(folder, {"figures": figures})
            plot = Stage("sets_plot", recipe, command)
            run_stage(folder, plot, partial(draw_sets, folder, figures), again=figures.show_plots)
        export_tables(folder, export.formats(), command)
    return summary


def make_sets(
    name: str, tables: Any, data_dir: Path, options: dict[str, Any]
) -> tuple[dict[str, int], list[str]]:
    """Build and save the sets; returns their sizes and the files that hold them."""
    from gaia_oc_amd.query import cone_files
    from gaia_oc_amd.set_building import build_sets
    from gaia_oc_amd.source_sets import SET_FILES, save_sets

    sets = build_sets(name, tables, data_dir, **options)
    folder = save_sets(sets, data_dir, made_with=options)
    return sets.counts(), [*SET_FILES, *cone_files(folder)]


def draw_sets(folder: Path, figures: FigureOptions) -> tuple[dict[str, Any], list[str]]:
    """Draw the sets that a folder holds; returns the files with the plots."""
    from gaia_oc_amd.figures import candidates_figure, save_and_show
    from gaia_oc_amd.source_sets import load_sets

    sets = load_sets(folder.name, folder.parents[1])
    return {}, save_and_show({"candidates": candidates_figure(sets)}, folder, figures)


if __name__ == "__main__":
    run(main)
