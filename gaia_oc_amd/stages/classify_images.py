"""Networks that classify images, trained, judged beside a linear classifier, applied, saved and drawn."""

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.figures import save_and_show
from gaia_oc_amd.files.data_directory import locked, write_json
from gaia_oc_amd.files.provenance import made_by
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.images.classification import LINEAR, METHODS, Judgement, classify, judge_images
from gaia_oc_amd.images.classifier import ImageClassifier, refuse_other_shape
from gaia_oc_amd.images.options import ClassifyImagesOptions, ImageOptions
from gaia_oc_amd.images.plots import (
    WORDS,
    confusion_figure,
    mistakes_figure,
    reliability_figure,
    training_figure,
)
from gaia_oc_amd.images.simulated import simulate_images
from gaia_oc_amd.images.tables import Images, read_images
from gaia_oc_amd.options import FigureOptions, RunOptions

logger = logging.getLogger(__name__)

FOLDER = "images"
CLASSIFIER_FILE = "image_classifier.pt"
SKILL_FILE = "image_skill.json"
TEST_FILE = "test_images.csv"
SEARCH_FILE = "hyper_parameters.csv"
APPLIED_FILE = "classified_images.csv"
PREPARATION = ("size", "stretch", "lower_percentile", "upper_percentile", "keep_colours")
"""What images have to be made alike with that a classifier is applied to."""


def classify_images(
    data_dir: Path | str = "data",
    options: ClassifyImagesOptions = ClassifyImagesOptions(),
    *,
    seed: int = RunOptions.seed,
    command: str = "",
) -> str:
    """Train and judge classifiers of images, apply them; results go to ``images`` in the data directory.

    Parameters
    ----------
    data_dir : path
        The data directory.
    options : ClassifyImagesOptions
        What classify_images.py takes.
    seed : int
        Of everything random.
    command : str
        Shell command that does it.

    Returns
    -------
    str
        Text for the screen: the verdict first.

    Raises
    ------
    ClusterError, OSError, ValueError, ImportError
        If there is nothing to do, there are too few images, one is damaged, or scikit-image is not installed.
    """
    given = options.images
    if given.images is None and given.apply is None:
        raise UsageError("there is nothing to do: give --images to learn from, --apply to classify, or both.")
    folder = Path(data_dir) / FOLDER
    images = None if given.images is None else _read(given, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        preparation = {name: getattr(given, name) for name in PREPARATION}
        if images is None:
            preparation = ImageClassifier.load(folder / CLASSIFIER_FILE).preparation
        applied = None if given.apply is None else _to_classify(given, preparation, images)
        lines = []
        if images is not None:
            judgement = judge_images(
                images, options.training, options.augmentation, seed=seed, preparation=preparation
            )
            (folder / APPLIED_FILE).unlink(missing_ok=True)  # by an earlier classifier
            _save(judgement, folder, options, command)
            if options.figures.wanted():
                _draw(judgement, images, folder, options.figures)
            lines.append(summary(judgement))
        if applied is not None:
            found = classify(ImageClassifier.load(folder / CLASSIFIER_FILE), applied)
            write_csv(folder / APPLIED_FILE, found)
            lines.append(_applied(found, folder / APPLIED_FILE))
    return "\n".join(lines)


def _read(given: ImageOptions, seed: int) -> Images:
    if str(given.images).strip().lower() == "simulated":
        return simulate_images(options=given, rng=np.random.default_rng(seed))
    return read_images(str(given.images), given)


def _to_classify(given: ImageOptions, preparation: dict[str, Any], learnt: Images | None) -> Images:
    """Images of --apply, made alike; read before anything is trained, since training takes long."""
    images = read_images(str(given.apply), replace(given, **preparation), labelled=False)
    if learnt is not None:
        refuse_other_shape(images.pixels, learnt.pixels.shape[1:])
    return images


def _save(judgement: Judgement, folder: Path, options: ClassifyImagesOptions, command: str) -> None:
    judgement.classifiers[judgement.chosen].save(folder / CLASSIFIER_FILE)
    write_csv(folder / TEST_FILE, judgement.test)
    write_csv(folder / SEARCH_FILE, judgement.search)
    record = {
        "chosen": judgement.chosen,
        "verdict": verdict(judgement),
        "chance": judgement.chance,
        "n_images": dict(zip(("training", "validation", "test"), judgement.n_images, strict=True)),
        "methods": {
            method: judgement.accuracy(method).to_dict()
            | {
                "by_class": judgement.by_class(method).to_dict(orient="records"),
                "confusion": judgement.confusion(method).to_numpy().tolist(),
            }
            for method in METHODS
        },
        "hyper_parameters": {
            kind: asdict(classifier.parameters) for kind, classifier in judgement.classifiers.items()
        },
        "simulated": str(options.images.images).strip().lower() == "simulated",
    } | made_by(command, options, "images", "augmentation", "training")
    write_json(folder / SKILL_FILE, record)


def _draw(judgement: Judgement, images: Images, folder: Path, options: FigureOptions) -> None:
    figures = {
        "image_confusion": confusion_figure(judgement),
        "image_training": training_figure(judgement),
        "image_reliability": reliability_figure(judgement),
        "image_mistakes": mistakes_figure(judgement, images),
    }
    save_and_show(figures, folder, options)


def verdict(judgement: Judgement) -> str:
    """Whether the chosen network is better than a linear classifier and than chance, in one sentence."""
    row, linear = judgement.accuracy(judgement.chosen), judgement.accuracy(LINEAR)["accuracy"]
    figures = (
        f"{WORDS[judgement.chosen]} {_interval(row)}, linear classifier {100 * linear:.0f} %, most frequent class "
        f"{100 * judgement.chance:.0f} %"
    )
    n_test = judgement.n_images[2]
    if row["lower"] <= judgement.chance:
        return f"No skill: {n_test} test images are classified no better than by their most frequent class ({figures})."
    if row["over_linear_lower"] <= 0:
        return f"Skill, but no more than a linear classifier of the pixels has, on {n_test} test images ({figures})."
    return f"Skill: {n_test} test images ({figures})."


def _interval(row: pd.Series) -> str:
    return (
        f"{100 * row['accuracy']:.0f} % right (95 %: {100 * row['lower']:.0f} to {100 * row['upper']:.0f} %)"
    )


def summary(judgement: Judgement) -> str:
    """Verdict, the table of all methods, precision and recall of each class, as text."""
    lines = [verdict(judgement), ""]
    lines.append(f"{'method':<26}{'accuracy':>38}{'seeds':>8}{'log loss':>10}{'calibration':>13}")
    for method in METHODS:
        row = judgement.accuracy(method)
        spread = "" if np.isnan(row["spread"]) else f"+-{100 * row['spread']:.0f} %"
        lines.append(
            f"{WORDS[method]:<26}{_interval(row):>38}{spread:>8}{row['log_loss']:>10.2f}"
            f"{100 * row['calibration_error']:>11.0f} %"
        )
    lines += ["", f"{'class':<26}{'precision':>12}{'recall':>12}{'test images':>14}"]
    for _, row in judgement.by_class(judgement.chosen).iterrows():
        precision = "none named" if np.isnan(row["precision"]) else f"{100 * row['precision']:.0f} %"
        lines.append(
            f"{row['class']:<26}{precision:>12}{100 * row['recall']:>10.0f} %{int(row['n_images']):>14}"
        )
    return "\n".join(lines)


def _applied(found: pd.DataFrame, path: Path) -> str:
    counts = ", ".join(f"{number} {name}" for name, number in found["class"].value_counts().items())
    return f"{len(found)} images classified: {counts} ({path})"
