"""Train the network on clusters whose sets were built, save the model, draw its metrics."""

import logging
import shutil
from pathlib import Path
from typing import Any

from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.classifier import Classifier, load_metrics
from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.figures import save_and_show, training_metrics_figure
from gaia_oc_amd.files.data_directory import LOCK_FILE, locked
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.model_files import MODEL_PARAMETERS
from gaia_oc_amd.options import RunOptions
from gaia_oc_amd.source_sets import check_sets, sets_folder
from gaia_oc_amd.stages.many import named_clusters
from gaia_oc_amd.stages.options import TrainOptions
from gaia_oc_amd.training import CHECKPOINT, train_deep_sets_model

logger = logging.getLogger(__name__)


@checked
def train_model(
    clusters: list[str],
    data_dir: Path | str = "data",
    options: TrainOptions = TrainOptions(),
    *,
    seed: Seed = RunOptions.seed,
) -> dict[str, Any]:
    """Train one model on clusters, save it and draw its metrics.

    A model that is in the folder is only replaced if that is asked for, and a copy of it is kept.

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
    UsageError
        If the folder holds a model, and it is not said that it may be replaced.
    OSError, ValueError
        If sets are missing or damaged, too few for a split, or another training writes into the same folder.
    """
    folder = options.model_dir
    there = (folder / MODEL_PARAMETERS).exists()
    if there and not (options.overwrite or options.load_model or options.resume):
        raise UsageError(
            f"{folder} holds a model already: name another --model_dir, or give --overwrite, which keeps a copy of it."
        )
    names = named_clusters(clusters, data_dir)
    with locked(folder, wait=False):
        for name in names if options.accept_changes else ():
            check_sets(sets_folder(name, data_dir), accept=True)
        start = Classifier.load(folder, accept_changes=options.accept_changes) if options.load_model else None
        if there and not options.resume:
            logger.info("the model in %s is kept in %s.", folder, keep_model(folder))
        train_deep_sets_model(
            names,
            data_dir,
            folder,
            options=options.training,
            seed=seed,
            resume=options.resume,
            start=start,
        )
        metrics = load_metrics(folder)
        _warn_of_no_member(metrics, folder)
        if options.figures.wanted():
            save_and_show({"metrics": training_metrics_figure(metrics)}, folder, options.figures)
    return metrics


def _warn_of_no_member(metrics: dict[str, Any], folder: Path) -> None:
    """Say that a network calls no star a member, which no other number shows."""
    series = metrics["validation" if metrics["validation"] else "train"]
    if series["f1"][metrics["best_epoch"]] == 0:
        logger.warning(
            "the network in %s finds none of the members that it is tested with: train it for more --n_epochs, with a "
            "larger --lr, or on more clusters.",
            folder,
        )


def keep_model(folder: Path) -> Path:
    """Copy a model folder beside itself, unless the last copy holds the same model.

    Parameters
    ----------
    folder : path
        The model folder.

    Returns
    -------
    Path
        The copy, ``<folder>_replaced_1`` or the next number.
    """
    number = 1
    while (kept := folder.with_name(f"{folder.name}_replaced_{number}")).exists():
        if (kept / MODEL_PARAMETERS).read_bytes() == (folder / MODEL_PARAMETERS).read_bytes():
            return kept
        number += 1
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns(LOCK_FILE, CHECKPOINT))
    return kept


def best_epoch_text(metrics: dict[str, Any], model_dir: Path, data_dir: Path | str) -> str:
    """The metrics of the best epoch, and how the model is used.

    Parameters
    ----------
    metrics : dict
        From `train_model`.
    model_dir : path
        The model folder.
    data_dir : path
        The data directory.

    Returns
    -------
    str
    """
    series = metrics["validation" if metrics["validation"] else "train"]
    values = {name: of_epochs[metrics["best_epoch"]] for name, of_epochs in series.items()}
    best = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    return (
        f"{model_dir}: best epoch {metrics['best_epoch'] + 1}: {best}\n"
        f"next: {script_command('evaluate_clusters.py', 'all', '--model_dir', str(model_dir), data_dir=data_dir)}"
    )
