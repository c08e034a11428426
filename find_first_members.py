"""Find the first members of clusters that no list knows, from the stars of their fields alone.

Give a name that the parameter table or SIMBAD knows, or a position. The result is a member list and a parameter row
that build_sets.py reads, with a record of how they were made and a plot, in the cluster's folder.

example: python find_first_members.py NGC_2509
         python find_first_members.py My_1 --ra 120.2 --dec -19.05 --radius 0.25
         python build_sets.py NGC_2509 --find_first_members
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
from gaia_oc_amd.first_members.options import FieldOptions, QualityOptions, SearchOptions
from gaia_oc_amd.options import ConeOptions, FigureOptions, RunOptions, TablePaths

HELP = {
    FieldOptions: {
        "ra": "right ascension of the one cluster named [deg] (default: of the parameter table, else of Sesame)",
        "dec": "its declination [deg]",
        "radius": "radius of the field [deg] (default: that of search_pc where the distance is known, else 0.3)",
        "search_pc": "radius of the field at the distance of a cluster that the table knows [pc]",
    },
    QualityOptions: {
        "search_g_max": "faint limit of the stars among which groups are looked for [mag]",
        "astrometric_quality": "leave out bad astrometric solutions, by unit weight error or RUWE",
        "max_ruwe": "largest RUWE",
        "flux_excess": "leave out stars whose BP and RP fluxes do not fit their G flux",
        "min_parallax_snr": "smallest parallax over error; distant clusters need -inf, the default",
        "min_flux_snr": "smallest flux over error in G, BP and RP",
    },
    SearchOptions: {
        "method": "how groups are found",
        "n_runs": "repeated runs whose agreement is PMemb",
        "n_controls": "controls that the significance is measured with",
        "min_significance": "a group less significant than this [sigma] is not called a cluster",
        "use_catalogue_motion": "let the mean motion of the parameter table help to choose the group",
        "min_group_size": "stars in the smallest group",
        "position_weight": "weight of positions beside motions in the search of hdbscan and gmm",
    },
    ConeOptions: {
        "cone_source": "where the stars are, as in build_sets.py",
        "cone_format": "format in which the field is kept in the cluster's folder",
        "overwrite_cone": "fetch the field again although it is there",
    },
    TablePaths: {
        "catalogue": "published catalogue whose parameters are used, if it was downloaded",
        "cluster_path": "cluster parameters, in place of the catalogue's",
        "isochrone_path": "PARSEC isochrones (default: isochrones.dat, if it is there)",
        "credentials_path": "Gaia archive credentials (default: gaia_credentials, if it is there)",
    },
    FigureOptions: {
        "save_plots": "save the plot of the group in the cluster's folder",
        "show_plots": "show the plot of each cluster on the screen",
        "plot_format": "format of the plots; pdf and svg for papers",
    },
}


def main(argv: list[str] | None = None) -> int:
    """Find the first members of every named cluster; the exit code is 0 only if all succeeded."""
    parser = make_parser(__doc__)
    add_clusters(parser)
    for signature, helps in HELP.items():
        add_options(parser, signature, **helps)
    add_options(
        parser,
        search_one,
        fit_isochrone="fit age, extinction and distance to the colours and magnitudes of the members",
        overwrite="search again although it was done with the same options",
    )
    add_run_options(parser)
    arguments, run_options, field, quality, search, cone, paths, figures = parse(
        parser, argv, RunOptions, *HELP
    )
    figures.refuse_windows_of(run_options)

    from gaia_oc_amd.batch.processes import prepare_processes

    prepare_processes(run_options.workers, "first_members_chain", "first_members_plot", "figure_files")
    from gaia_oc_amd.batch.run import run_batch, summary_table
    from gaia_oc_amd.catalogues.names import read_cluster_names
    from gaia_oc_amd.first_members.field import read_search_tables

    clusters = read_cluster_names(arguments.clusters)
    if field.ra is not None and len(clusters) > 1:
        parser.error(f"--ra is of one cluster, but {len(clusters)} are named.")
    work = partial(
        search_one,
        tables=read_search_tables(run_options.data_dir, paths, need_isochrones=arguments.fit_isochrone),
        data_dir=run_options.data_dir,
        field=field,
        settings={"quality": quality, "search": search, "cone": cone},
        figures=figures,
        seed=run_options.seed,
        fit_isochrone=arguments.fit_isochrone,
        overwrite=arguments.overwrite,
        command=command_of(parser, arguments),
    )
    outcomes = run_batch(work, clusters, **run_options.where())
    print(summary_table(outcomes))  # noqa: T201
    return int(any(outcome.error for outcome in outcomes))


def search_one(
    name: str,
    *,
    tables: Any,
    data_dir: Path,
    field: FieldOptions,
    settings: dict[str, Any],
    figures: FigureOptions,
    seed: int,
    fit_isochrone: bool = False,
    overwrite: bool = False,
    command: str = "",
) -> dict[str, Any]:
    """Search, save and draw the first members of one cluster, unless that is done; returns the table's numbers."""
    from gaia_oc_amd.first_members.field import find_target
    from gaia_oc_amd.stages.find_first_members import search_stage

    target = find_target(name, tables.parameters, field)
    return search_stage(
        target,
        tables,
        data_dir,
        settings,
        seed=seed,
        fit_isochrone=fit_isochrone,
        command=command.format(target.name),
        again=overwrite or settings["cone"].overwrite_cone or figures.show_plots,
        draw=partial(draw, tables.isochrones, figures) if figures.save_plots or figures.show_plots else None,
    )


def draw(isochrones: Any, figures: FigureOptions, search: Any, folder: Path) -> list[str]:
    """Draw what was found; returns the names of the files."""
    from gaia_oc_amd.figures import save_and_show
    from gaia_oc_amd.first_members.plots import first_members_figure

    return save_and_show({"first_members": first_members_figure(search, isochrones)}, folder, figures)


if __name__ == "__main__":
    run(main)
