"""Give the candidates of clusters their membership probabilities, and draw what came of it.

candidates.csv of each cluster gets its PMemb column. The sets must have been built with build_sets.py.

example: python evaluate_clusters.py NGC_2509 --n_samples 100
"""

from functools import partial
from pathlib import Path
from typing import Any

from gaia_oc_amd.command_line import add_clusters, add_options, add_run_options, make_parser, parse, run
from gaia_oc_amd.options import FigureOptions, PlotOptions, RunOptions, SamplingOptions

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
    },
    FigureOptions: {
        "save_plots": "save the plots in the cluster's folder",
        "show_plots": "show the plots of each cluster on the screen",
    },
}


def main(argv: list[str] | None = None) -> int:
    """Evaluate every named cluster; the exit code is 0 only if all succeeded."""
    parser = make_parser(__doc__)
    add_clusters(parser)
    add_options(parser, evaluate, model_dir="folder of the trained model")
    add_options(parser, evaluate, plot_only="draw the plots of an earlier evaluation again")
    for signature, helps in HELP.items():
        add_options(parser, signature, **helps)
    add_run_options(parser)
    arguments, run_options, sampling, plots, figures = parse(parser, argv, RunOptions, *HELP)
    figures.refuse_windows_of(run_options)
    return evaluate(
        arguments.clusters,
        run_options,
        {"sampling": sampling, "plots": plots, "figures": figures},
        model_dir=arguments.model_dir,
        plot_only=arguments.plot_only,
    )


def evaluate(
    clusters: list[str],
    run_options: RunOptions,
    options: dict[str, Any],
    *,
    model_dir: Path = Path("deep_sets_model"),
    plot_only: bool = False,
) -> int:
    """Evaluate a batch and print its table."""
    from gaia_oc_amd.batch_processes import prepare_processes

    prepare_processes(run_options.workers, "membership", "evaluation_plots", "figure_files")
    from gaia_oc_amd.batch import run_batch, summary_table
    from gaia_oc_amd.classifier import Classifier
    from gaia_oc_amd.cluster_names import read_cluster_names
    from gaia_oc_amd.inference import torch_device

    names = read_cluster_names(clusters)
    classifier = None if plot_only else Classifier.load(model_dir)
    if classifier and run_options.scheduler is None:  # one line now instead of one for every cluster
        torch_device(options["sampling"].device)
    work = partial(evaluate_one, run_options=run_options, classifier=classifier, **options)
    outcomes = run_batch(work, names, **run_options.where())
    for outcome in outcomes:
        if not outcome.error:
            print_truth(outcome.cluster, run_options.data_dir)
    print(summary_table(outcomes))  # noqa: T201
    return int(any(outcome.error for outcome in outcomes))


def evaluate_one(
    name: str,
    *,
    run_options: RunOptions,
    classifier: Any,
    sampling: SamplingOptions,
    plots: PlotOptions,
    figures: FigureOptions,
) -> dict[str, Any]:
    """Evaluate one cluster and draw its plots; returns the numbers for the table at the end."""
    from gaia_oc_amd.data_directory import cluster_directory
    from gaia_oc_amd.evaluation_plots import evaluation_figures
    from gaia_oc_amd.figure_files import save_and_show
    from gaia_oc_amd.membership import evaluate_cluster, evaluation_summary
    from gaia_oc_amd.source_sets import load_sets

    if classifier is None:
        sets = load_sets(name, run_options.data_dir)
        if sets.candidates["PMemb"].isna().all():
            raise ValueError(f"{name} was never evaluated: run without --plot_only first.")
    else:
        sets = evaluate_cluster(
            name, run_options.data_dir, classifier, options=sampling, seed=run_options.seed
        )
    if plots.switched_on() and (figures.save_plots or figures.show_plots):
        folder = cluster_directory(run_options.data_dir, sets.cluster.name)
        save_and_show(evaluation_figures(sets, plots, seed=run_options.seed), folder, figures)
    return evaluation_summary(sets, plots.candidate_prob_threshold, plots.new_members_prob_threshold)


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
