"""Train the network on clusters whose sets were built, save the model, draw its metrics."""

from pathlib import Path
from typing import Any

from gaia_oc_amd.catalogues.names import read_cluster_names
from gaia_oc_amd.classifier import load_metrics
from gaia_oc_amd.figures import save_and_show, training_metrics_figure
from gaia_oc_amd.files.data_directory import locked
from gaia_oc_amd.options import RunOptions
from gaia_oc_amd.source_sets import check_sets, sets_folder
from gaia_oc_amd.stages.options import TrainOptions
from gaia_oc_amd.training import train_deep_sets_model


def train_model(
    clusters: list[str],
    data_dir: Path | str = "data",
    options: TrainOptions = TrainOptions(),
    *,
    seed: int = RunOptions.seed,
) -> dict[str, Any]:
    """Train one model on clusters, save it and draw its metrics.

    Parameters
    ----------
    clusters : list of str
        Names of clusters whose sets were built, or files with one name a line.
    data_dir : path
        The data directory.
    options : TrainOptions
        What train_deep_sets_model.py takes.
    seed : int
        Of the split, the initial weights, dropout and the order of the examples.

    Returns
    -------
    dict
        Metrics of each epoch, as `classifier.load_metrics` gives them.

    Raises
    ------
    OSError, ValueError
        If sets are missing or damaged, too few for a split, or another training writes into the same folder.
    """
    folder = options.model_dir
    names = read_cluster_names(clusters)
    with locked(folder, wait=False):
        for name in names if options.accept_changes else ():
            check_sets(sets_folder(name, data_dir), accept=True)
        train_deep_sets_model(
            names,
            data_dir,
            folder,
            options=options.training,
            seed=seed,
            resume=options.resume,
        )
        metrics = load_metrics(folder)
        if options.figures.wanted():
            save_and_show({"metrics": training_metrics_figure(metrics)}, folder, options.figures)
    return metrics


def best_epoch_text(metrics: dict[str, Any]) -> str:
    """One line with the metrics of the best epoch.

    Parameters
    ----------
    metrics : dict
        From `train_model`.

    Returns
    -------
    str
    """
    best = metrics["validation" if metrics["validation"] else "train"]
    values = {name: series[metrics["best_epoch"]] for name, series in best.items()}
    return f"best epoch {metrics['best_epoch'] + 1}: " + ", ".join(f"{k} {v:.4f}" for k, v in values.items())
