"""Measure how complete and how contaminated the member lists of clusters are, each in its own cone.

Artificial members are injected into the cone, and control clusters are looked for where there is none.
selection_function.csv of each cluster gets completeness and contamination against magnitude and radius. The
clusters must have been evaluated with evaluate_clusters.py, with the same model and options.

example: python validate_clusters.py NGC_2509 --n_controls 4
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
from gaia_oc_amd.options import FigureOptions, RunOptions, SamplingOptions, TablePaths
from gaia_oc_amd.validation.options import ValidationOptions

HELP = {
    ValidationOptions: {
        "n_artificial": "artificial members to inject",
        "n_controls": "control clusters; 0 leaves the mean of 1 - p alone",
        "prob_threshold": "smallest probability of an accepted star",
        "removal_threshold": "smallest probability of stars taken away before a control is looked at",
        "binary_fraction": "fraction of unresolved binaries among the artificial members",
        "magnitude_edges": "edges of the bins of G [mag]",
        "radius_edges": "edges of the bins of projected radius [pc]",
    },
    SamplingOptions: {
        "probability": "definition of the probability, as in the evaluation (default: the model's own)",
        "n_samples": "samples of each star",
        "size_support_set": "number of members in a support set",
    },
    TablePaths: {"isochrone_path": "PARSEC isochrones of the evaluation (default: isochrones.dat)"},
    FigureOptions: {
        "save_plots": "save the plot of the selection function in the cluster's folder",
        "show_plots": "show the plot of each cluster on the screen",
        "plot_format": "format of the plots; pdf and svg for papers",
    },
}


def main(argv: list[str] | None = None) -> int:
    """Validate every named cluster; the exit code is 0 only if all succeeded."""
    parser = make_parser(__doc__)
    add_clusters(parser)
    add_options(parser, validate, model_dir="folder of the trained model")
    add_options(
        parser, validate, overwrite="validate again what was validated with the same model and options"
    )
    for signature, helps in HELP.items():
        add_options(parser, signature, **helps)
    add_run_options(parser)
    arguments, run_options, validation, sampling, paths, figures = parse(parser, argv, RunOptions, *HELP)
    figures.refuse_windows_of(run_options)
    return validate(
        arguments.clusters,
        run_options,
        {"validation": validation, "sampling": sampling, "paths": paths, "figures": figures},
        model_dir=arguments.model_dir,
        overwrite=arguments.overwrite,
        command=command_of(parser, arguments),
    )


def validate(
    clusters: list[str],
    run_options: RunOptions,
    options: dict[str, Any],
    *,
    model_dir: Path = Path("deep_sets_model"),
    overwrite: bool = False,
    command: str = "",
) -> int:
    """Validate a batch and print its table."""
    from gaia_oc_amd.batch.processes import prepare_processes

    prepare_processes(run_options.workers, "membership", "validation", "validation_plots", "figure_files")
    from gaia_oc_amd.batch.run import run_batch, summary_table
    from gaia_oc_amd.catalogues.names import read_cluster_names
    from gaia_oc_amd.classifier import Classifier
    from gaia_oc_amd.files.data_directory import ISOCHRONES
    from gaia_oc_amd.isochrones import read_isochrones

    names = read_cluster_names(clusters)
    classifier = Classifier.load(model_dir)
    work = partial(
        validate_one,
        run_options=run_options,
        isochrones=read_isochrones(options["paths"].isochrone_path or run_options.data_dir / ISOCHRONES),
        classifier=classifier,
        overwrite=overwrite,
        command=command,
        **{name: options[name] for name in ("sampling", "validation", "figures")},
    )
    outcomes = run_batch(work, names, **run_options.where())
    print(summary_table(outcomes))  # noqa: T201
    return int(any(outcome.error for outcome in outcomes))


def validate_one(
    name: str,
    *,
    run_options: RunOptions,
    isochrones: Any,
    classifier: Any,
    sampling: SamplingOptions,
    validation: ValidationOptions,
    figures: FigureOptions,
    overwrite: bool = False,
    command: str = "",
) -> dict[str, Any]:
    """Validate one cluster if it is not done; returns the numbers for the table at the end."""
    from gaia_oc_amd.files.data_directory import locked
    from gaia_oc_amd.files.provenance import Stage, run_stage
    from gaia_oc_amd.source_sets import sets_folder
    from gaia_oc_amd.stages.recipes import validation_recipe

    folder = sets_folder(name, run_options.data_dir)
    options = {"validation": validation, "sampling": sampling, "figures": figures, "seed": run_options.seed}
    with locked(folder):
        recipe = validation_recipe(folder, classifier.fingerprint(), isochrones, options)
        stage = Stage("validation", recipe, command.format(folder.name))
        work = partial(
            measure, folder, run_options.seed, isochrones, classifier, sampling, validation, figures
        )
        return run_stage(folder, stage, work, again=overwrite or figures.show_plots)


def measure(
    folder: Path,
    seed: int,
    isochrones: Any,
    classifier: Any,
    sampling: SamplingOptions,
    validation: ValidationOptions,
    figures: FigureOptions,
) -> tuple[dict[str, Any], list[str]]:
    """Measure completeness and contamination, write table and plot; returns the numbers and the files."""
    from gaia_oc_amd.figures import save_and_show
    from gaia_oc_amd.files.tables import write_csv
    from gaia_oc_amd.membership import membership_probabilities
    from gaia_oc_amd.validation.plots import selection_function_figure
    from gaia_oc_amd.validation.validate import (
        SELECTION_FUNCTION,
        selection_function,
        validate_cluster,
        validation_summary,
    )

    judge = partial(membership_probabilities, classifier=classifier, options=sampling)
    result = validate_cluster(
        folder.name, folder.parents[1], isochrones, judge, options=validation, seed=seed
    )
    table = selection_function(result, validation.magnitude_edges, validation.radius_edges)
    write_csv(folder / SELECTION_FUNCTION, table)
    written = [SELECTION_FUNCTION]
    if figures.save_plots or figures.show_plots:
        figure = selection_function_figure(table, result.name, validation.prob_threshold)
        written += save_and_show({"selection_function": figure}, folder, figures)
    return validation_summary(result), written


if __name__ == "__main__":
    run(main)
