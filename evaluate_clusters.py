"""Give the candidates of clusters their membership probabilities, and draw what came of it.

candidates.csv of each cluster gets its PMemb column. The sets must have been built with build_sets.py. What an
earlier run did to the same sets with the same model, options and code is left as it is.

example: python evaluate_clusters.py NGC_2509 --n_samples 100
"""

from dataclasses import asdict, replace
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
from gaia_oc_amd.options import ExportOptions, FigureOptions, PlotOptions, RunOptions, SamplingOptions

HELP = {
    SamplingOptions: {
        "probability": "posterior (calibrated) or votes (published definition); by default what the model was made for",
        "n_samples": "noisy samples of each candidate, for votes",
        "size_support_set": "number of members in a support set",
        "stop_early": "leave a star after 10 or 20 samples if these leave no doubt, for votes",
        "device": "where the network is computed: cpu, cuda, or cuda:1",
        "precision": "precision of the network: bfloat16 pays on processors and GPUs that have it",
    },
    PlotOptions: {
        "candidate_prob_threshold": "smallest probability of a member in comparisons with another list",
        "new_members_prob_threshold": "smallest probability of a new member",
        "use_tidal_radius": "show only members inside the fitted tidal radius",
        "use_comparison_tidal_radius": "show only members inside the tidal radius of the comparison members",
        "new_members_plot": "training members and new members",
        "comparison_plot": "our members and the comparison members",
        "additional_members_plot": "members that the comparison list does not have",
        "missed_members_plot": "comparison members that we do not have",
        "venn_diagram_plot": "overlap of the two lists",
        "membership_matrix_plot": "our verdict against the comparison list's",
        "density_profile_plot": "surface density with King profile",
        "mass_segregation_plot": "mass segregation ratio",
        "report": "write report.html in the cluster's folder, and index.html in the data directory",
    },
    FigureOptions: {
        "save_plots": "save the plots in the cluster's folder",
        "show_plots": "show the plots of each cluster on the screen",
        "plot_format": "format of the plots; pdf and svg for papers",
    },
    ExportOptions: {
        "table_format": "formats in which the sets are written: csv (always), votable, fits, ecsv, parquet",
        "send_to_topcat": "send the members, and the candidates above candidate_prob_threshold, to a running TOPCAT",
    },
}


def main(argv: list[str] | None = None) -> int:
    """Evaluate every named cluster; the exit code is 0 only if all succeeded."""
    parser = make_parser(__doc__)
    add_clusters(parser)
    add_options(parser, evaluate, model_dir="folder of the trained model")
    add_options(parser, evaluate, plot_only="draw the plots of an earlier evaluation again")
    add_options(
        parser, evaluate, overwrite="evaluate again what is evaluated, with the same model and options"
    )
    for signature, helps in HELP.items():
        add_options(parser, signature, **helps)
    add_run_options(parser)
    arguments, run_options, sampling, plots, figures, export = parse(parser, argv, RunOptions, *HELP)
    figures.refuse_windows_of(run_options)
    return evaluate(
        arguments.clusters,
        run_options,
        {"sampling": sampling, "plots": plots, "figures": figures, "export": export},
        model_dir=arguments.model_dir,
        plot_only=arguments.plot_only,
        overwrite=arguments.overwrite,
        command=command_of(parser, arguments),
    )


def evaluate(
    clusters: list[str],
    run_options: RunOptions,
    options: dict[str, Any],
    *,
    model_dir: Path = Path("deep_sets_model"),
    plot_only: bool = False,
    overwrite: bool = False,
    command: str = "",
) -> int:
    """Evaluate a batch and print its table."""
    from gaia_oc_amd.batch.processes import prepare_processes

    report = options["plots"].report
    modules = ["membership", "evaluation_plots", "figure_files", *(["report"] if report else [])]
    prepare_processes(run_options.workers, *modules)
    from gaia_oc_amd.batch.run import run_batch, summary_table
    from gaia_oc_amd.catalogues.names import read_cluster_names
    from gaia_oc_amd.classifier import Classifier
    from gaia_oc_amd.fast_deep_sets import torch_device

    names = read_cluster_names(clusters)
    classifier = None if plot_only else Classifier.load(model_dir)
    if classifier and run_options.scheduler is None:  # one line now instead of one for every cluster
        torch_device(options["sampling"].device)
    work = partial(
        evaluate_one,
        run_options=run_options,
        classifier=classifier,
        overwrite=overwrite,
        command=command,
        **options,
    )
    outcomes = run_batch(work, names, **run_options.where())
    for outcome in outcomes:
        if not outcome.error:
            print_truth(outcome.cluster, run_options.data_dir)
    if report:
        from gaia_oc_amd.report.page import write_index

        write_index(run_options.data_dir)
    print(summary_table(outcomes))  # noqa: T201
    failed = any(outcome.error for outcome in outcomes)
    if options["export"].send_to_topcat:
        done = [outcome.cluster for outcome in outcomes if not outcome.error]
        failed |= not send(done, run_options.data_dir, options["plots"].candidate_prob_threshold)
    return int(failed)


def evaluate_one(
    name: str,
    *,
    run_options: RunOptions,
    classifier: Any,
    sampling: SamplingOptions,
    plots: PlotOptions,
    figures: FigureOptions,
    export: ExportOptions = ExportOptions(),  # noqa: B008
    overwrite: bool = False,
    command: str = "",
) -> dict[str, Any]:
    """Evaluate one cluster and draw its plots, as far as it is not done; returns the numbers for the table."""
    from gaia_oc_amd.exports.tables import export_tables
    from gaia_oc_amd.files.data_directory import locked
    from gaia_oc_amd.files.provenance import Stage, run_stage
    from gaia_oc_amd.membership import evaluation_summary
    from gaia_oc_amd.source_sets import load_sets, sets_folder
    from gaia_oc_amd.stages.recipes import evaluation_plots_recipe, evaluation_recipe

    folder = sets_folder(name, run_options.data_dir)
    command = command.format(folder.name)
    with locked(folder):
        if classifier is not None:
            options = {"sampling": sampling, "seed": run_options.seed}
            evaluation = Stage(
                "evaluation", evaluation_recipe(folder, classifier.fingerprint(), options), command
            )
            judge = partial(judge_candidates, folder.name, run_options, classifier, sampling)
            run_stage(folder, evaluation, judge, again=overwrite)
        sets = load_sets(folder.name, run_options.data_dir)
        if sets.candidates["PMemb"].isna().all() and classifier is None:
            raise ValueError(f"{name} was never evaluated: run without --plot_only first.")
        if plots.switched_on() and (figures.save_plots or figures.show_plots):
            options = {"plots": replace(plots, report=False), "figures": figures, "seed": run_options.seed}
            drawing = Stage("evaluation_plots", evaluation_plots_recipe(folder, options), command)
            draw = partial(draw_evaluation, sets, folder, plots, figures, run_options.seed)
            run_stage(folder, drawing, draw, again=classifier is None or figures.show_plots)
        export_tables(folder, export.formats(), command)
        if plots.report:
            write = partial(write_report_of, sets, run_options.data_dir, plots)
            run_stage(folder, Stage("report", {"plots": asdict(plots)}, command), write, again=True)
    return evaluation_summary(sets, plots.candidate_prob_threshold, plots.new_members_prob_threshold)


def judge_candidates(
    name: str, run_options: RunOptions, classifier: Any, sampling: SamplingOptions
) -> tuple[dict[str, Any], list[str]]:
    """Give the candidates their PMemb; returns the file that holds it."""
    from gaia_oc_amd.membership import evaluate_cluster

    evaluate_cluster(name, run_options.data_dir, classifier, options=sampling, seed=run_options.seed)
    return {}, ["candidates.csv"]


def draw_evaluation(
    sets: Any, folder: Path, plots: PlotOptions, figures: FigureOptions, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Draw an evaluated cluster; returns the files with the plots."""
    from gaia_oc_amd.figures import evaluation_figures, save_and_show

    return {}, save_and_show(evaluation_figures(sets, plots, seed=seed), folder, figures)


def send(clusters: list[str], data_dir: Path, prob_threshold: float) -> bool:
    """Send clusters to TOPCAT; returns whether it has them all, and says in one line why not."""
    import logging

    from gaia_oc_amd.exports.samp import SampError, send_cluster

    try:
        for cluster in clusters:
            programs = send_cluster(cluster, data_dir, prob_threshold)
            logging.info("%s: sent to %s", cluster, ", ".join(programs))
    except SampError as error:
        logging.error("--send_to_topcat: %s", error)
        return False
    return True


def write_report_of(sets: Any, data_dir: Path, plots: PlotOptions) -> tuple[dict[str, Any], list[str]]:
    """Write the report of a cluster; returns its file."""
    from gaia_oc_amd.report.page import write_report

    return {}, [write_report(sets, data_dir, plots).name]


def print_truth(name: str, data_dir: Path) -> None:
    """Compare the members of a simulated cluster with the truth; say nothing of a real one."""
    from gaia_oc_amd.source_sets import existing_name, load_sets
    from gaia_oc_amd.truth import read_truth, score_against_truth, truth_text

    truth = read_truth(existing_name(name, data_dir), data_dir)
    if truth is not None:
        sets = load_sets(name, data_dir)
        scores = truth_text(score_against_truth(sets, truth))
        print(f"{sets.cluster.name} is simulated; members with p >= 0.5 against the truth:\n{scores}\n")  # noqa: T201


if __name__ == "__main__":
    run(main)
