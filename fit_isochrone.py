"""Fit age, extinction and distance of clusters to the colour-magnitude diagrams of their members.

The stars are those of the cluster's sets where build_sets.py has made them, else the listed members in the cone. The
cluster need not have an age. Each cluster's folder gets isochrone_fit.json and a plot; fitted_parameters.csv in the
data directory holds one row for each, as build_sets.py --cluster_path takes it.

example: python fit_isochrone.py NGC_2509
         python build_sets.py NGC_2509 --cluster_path data/fitted_parameters.csv
"""

from functools import partial
from pathlib import Path
from typing import Any

from gaia_oc_amd.command_line import add_clusters, add_options, add_run_options, make_parser, parse, run
from gaia_oc_amd.isochrone_fit.options import FittedMembersOptions, IsochroneFitOptions
from gaia_oc_amd.options import ConeOptions, FigureOptions, RunOptions, TablePaths

HELP = {
    FittedMembersOptions: {
        "prob_threshold": "smallest membership probability of a star that is fitted",
        "from_list": "fit the stars of the member list even where sets were built",
    },
    IsochroneFitOptions: {
        "colour": "colour of the diagram",
        "metal_fraction": "Z; the isochrones with the nearest one are fitted",
        "colour_width": "scatter in colour that errors and companions do not explain [mag]",
        "g_width": "the same in G [mag]",
        "reddening_width": "scatter of the extinction over the cluster, relative to A0",
        "binary_fraction": "fraction of stars with an unresolved companion",
        "outlier_fraction": "share of stars anywhere in the diagram",
        "n_independent": "the stars count like fewer than so many, as models err for all alike; inf trusts the models",
        "parallax_systematic": "error that the mean parallax has however many stars it is of [mas]",
        "max_a0": "largest extinction [mag]",
        "a0_scale": "the prior of the extinction falls as exp(-A0 / a0_scale) [mag]",
        "g_limit": "fainter stars are left out [mag]",
        "n_min_stars": "fewest stars that are fitted",
        "n_max_stars": "of more stars so many are drawn at random",
    },
    TablePaths: {
        "catalogue": "published catalogue of members and parameters",
        "cluster_path": "cluster parameters, in place of the catalogue's; age, a0 and dist may be empty",
        "members_path": "member list, in place of the catalogue's",
        "isochrone_path": "PARSEC isochrones (default: isochrones.dat)",
        "credentials_path": "Gaia archive credentials (default: gaia_credentials, if it is there)",
    },
    ConeOptions: {
        "cone_source": "where the stars are, as for build_sets.py",
        "cone_radius": "projected radius of the cone at the cluster's distance [pc]",
    },
    FigureOptions: {
        "save_plots": "save the plot of the fit in the cluster's folder",
        "show_plots": "show the plot of each cluster on the screen",
        "plot_format": "format of the plots; pdf and svg for papers",
    },
}


def main(argv: list[str] | None = None) -> int:
    """Fit every named cluster; the exit code is 0 only if all succeeded."""
    parser = make_parser(__doc__)
    add_clusters(parser)
    for signature, helps in HELP.items():
        add_options(parser, signature, **helps)
    add_run_options(parser)
    arguments, run_options, member, fit, paths, cone, figures = parse(parser, argv, RunOptions, *HELP)
    figures.refuse_windows_of(run_options)

    from gaia_oc_amd.batch.processes import prepare_processes

    prepare_processes(run_options.workers, "fitted_members", "isochrone_fit_plots", "figure_files")
    from gaia_oc_amd.batch.run import run_batch, summary_table
    from gaia_oc_amd.catalogues.names import read_cluster_names
    from gaia_oc_amd.catalogues.tables import read_input_tables
    from gaia_oc_amd.stages.fit_isochrone import merge_fits

    work = partial(
        fit_cluster,
        tables=read_input_tables(run_options.data_dir, paths),
        run_options=run_options,
        options={"member": member, "fit": fit, "cone": cone, "paths": paths},
        figures=figures,
    )
    outcomes = run_batch(work, read_cluster_names(arguments.clusters), **run_options.where())
    print(summary_table(outcomes))  # noqa: T201
    fitted = [outcome.cluster for outcome in outcomes if not outcome.error]
    if fitted:
        merge_fits(fitted, run_options.data_dir)
    return int(any(outcome.error for outcome in outcomes))


def fit_cluster(
    name: str, *, tables: Any, run_options: RunOptions, options: dict[str, Any], figures: FigureOptions
) -> dict[str, Any]:
    """Fit, save and draw one cluster; returns the numbers for the table at the end."""
    from gaia_oc_amd.catalogues.names import cluster_rng
    from gaia_oc_amd.files.data_directory import locked
    from gaia_oc_amd.isochrone_fit.fit import fit_isochrone, fit_summary
    from gaia_oc_amd.isochrone_fit.members import cluster_folder, fitted_members, mean_parallax
    from gaia_oc_amd.stages.fit_isochrone import save_fit

    data_dir = run_options.data_dir
    with locked(cluster_folder(name, tables, data_dir)):
        members = fitted_members(name, tables, data_dir, cone=options["cone"], options=options["member"])
        parallax, parallax_error = mean_parallax(members.stars)
        fit = fit_isochrone(
            members.stars,
            tables.isochrones,
            parallax=parallax,
            parallax_error=parallax_error,
            weights=members.stars["PMemb"].to_numpy(float),
            options=options["fit"],
            rng=cluster_rng(run_options.seed, members.cluster.name),
        )
        parallaxes = {"mean_parallax": parallax, "mean_parallax_error": parallax_error}
        folder = save_fit(fit, members, data_dir, made_with=options | parallaxes)
        if figures.save_plots or figures.show_plots:
            draw(members, fit, tables.isochrones, options["fit"], folder, figures)
    return fit_summary(fit)


def draw(
    members: Any,
    fit: Any,
    isochrones: Any,
    options: IsochroneFitOptions,
    folder: Path,
    figures: FigureOptions,
) -> None:
    """Draw the fit of one cluster into its folder."""
    from gaia_oc_amd.figures import save_and_show
    from gaia_oc_amd.isochrone_fit.plots import isochrone_fit_figure

    figure = isochrone_fit_figure(
        members.cluster.name, members.stars, fit, isochrones, members.known, options
    )
    save_and_show({"isochrone_fit": figure}, folder, figures)


if __name__ == "__main__":
    run(main)
