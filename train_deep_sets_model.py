"""Train the Deep Sets network on clusters whose sets were built.

The clusters are split at random into training and validation clusters; the weights of the epoch with the best
F1 on the validation clusters are kept.

example: python train_deep_sets_model.py my_clusters.txt --model_dir my_model
"""

from pathlib import Path

from gaia_oc_amd.command_line import add_clusters, add_options, add_run_options, make_parser, parse, run
from gaia_oc_amd.options import FigureOptions, RunOptions, TrainingOptions


def main(argv: list[str] | None = None) -> int:
    """Train one model on all named clusters."""
    parser = make_parser(__doc__)
    add_clusters(parser)
    add_options(parser, train, model_dir="folder that the model is written to")
    add_options(
        parser,
        TrainingOptions,
        probability="what the network shall give: votes (published, learns from members and non-members) or posterior "
        "(learns from clusters with a truth.csv or labels.csv)",
        validation_fraction="share of the clusters that is used for validation",
        size_support_set="number of members in a support set",
        batch_size="number of examples in a batch",
        n_pos_duplicates="times that each member is shown per epoch, with different support sets",
        neg_pos_ratio="non-members shown per member shown",
        source_features="features of each source",
        cluster_features="features of each cluster",
        hidden_size="width of the network",
        dropout="share of the last layers' inputs that are dropped in training",
        n_epochs="largest number of epochs",
        lr="learning rate of Adam",
        lr_decay="how the learning rate falls over n_epochs",
        l2="strength of the L2 regularisation",
        weight_imbalance="weight of a member in the loss relative to a non-member",
        early_stopping_threshold="stop when the best epoch is so many epochs old",
    )
    add_options(parser, train, resume="go on from the checkpoint of an interrupted training")
    add_options(
        parser,
        FigureOptions,
        save_plots="save the plot of the metrics in the model folder",
        show_plots="show it",
        plot_format="its format",
    )
    add_run_options(parser, leave_out=("workers",))
    arguments, run_options, options, figures = parse(parser, argv, RunOptions, TrainingOptions, FigureOptions)
    return train(
        arguments.clusters,
        run_options,
        options,
        figures,
        model_dir=arguments.model_dir,
        resume=arguments.resume,
    )


def train(
    clusters: list[str],
    run_options: RunOptions,
    options: TrainingOptions,
    figures: FigureOptions,
    *,
    model_dir: Path = Path("deep_sets_model"),
    resume: bool = False,
) -> int:
    """Train, save and draw the metrics."""
    from gaia_oc_amd.catalogues.names import read_cluster_names
    from gaia_oc_amd.classifier import load_metrics
    from gaia_oc_amd.figures import save_and_show, training_metrics_figure
    from gaia_oc_amd.files.data_directory import locked
    from gaia_oc_amd.training import train_deep_sets_model

    with locked(model_dir, wait=False):
        train_deep_sets_model(
            read_cluster_names(clusters),
            run_options.data_dir,
            model_dir,
            options=options,
            seed=run_options.seed,
            resume=resume,
        )
        metrics = load_metrics(model_dir)
        if figures.save_plots or figures.show_plots:
            save_and_show({"metrics": training_metrics_figure(metrics)}, model_dir, figures)
    best = metrics["validation" if metrics["validation"] else "train"]
    values = {name: series[metrics["best_epoch"]] for name, series in best.items()}
    print(f"best epoch {metrics['best_epoch'] + 1}: " + ", ".join(f"{k} {v:.4f}" for k, v in values.items()))  # noqa: T201
    return 0


if __name__ == "__main__":
    run(main)
