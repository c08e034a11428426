"""Networks that classify images: searched, trained, calibrated, and judged on images that they never saw."""

import logging
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.images.classifier import ImageClassifier
from gaia_oc_amd.images.networks import (
    KINDS,
    Fit,
    HyperParameters,
    Kind,
    build_network,
    draw_hyper_parameters,
    fit_network,
    fit_temperature,
    log_loss,
    probabilities_of,
)
from gaia_oc_amd.images.options import AugmentationOptions, TrainingOptions
from gaia_oc_amd.images.tables import Images

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

LINEAR = "linear"
METHODS = (*KINDS, LINEAR)
"""The networks, and logistic regression of the pixels, which they have to beat."""

_LEAST_IMAGES = 10
_SEEDS = 2**31
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_N_BOOTSTRAP = 2000
_N_BINS = 10
_LEVELS = (2.5, 97.5)


@dataclass(frozen=True)
class Judgement:
    """How well images are classified that were neither learned from nor used to choose.

    Parameters
    ----------
    test : DataFrame
        name, class, and for each method its class and the probability of each class, as METHOD_class and METHOD_CLASS.
    accuracies : DataFrame
        A row for each method: accuracy, lower and upper (95 % interval), over_linear with its interval, log_loss,
        calibration_error, temperature, spread (standard deviation of the accuracies of the single seeds),
        validation_loss.
    chance : float
        Accuracy of always saying the class most frequent in the training images.
    search : DataFrame
        A row for each draw of hyper-parameters: kind, validation_loss, n_epochs.
    histories : dict of DataFrame
        By kind: seed, epoch, loss, accuracy, validation_loss, validation_accuracy.
    classifiers : dict of ImageClassifier
        By kind.
    chosen : str
        The network with the least validation loss.
    n_images : tuple of int
        Images that trained, validated and tested.
    """

    test: pd.DataFrame
    accuracies: pd.DataFrame
    chance: float
    search: pd.DataFrame
    histories: dict[str, pd.DataFrame] = field(repr=False)
    classifiers: dict[str, ImageClassifier] = field(repr=False)
    chosen: Kind
    n_images: tuple[int, int, int]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.classifiers[self.chosen].classes

    def accuracy(self, method: str) -> pd.Series:
        """The row of `accuracies` of one method."""
        return cast(pd.Series, self.accuracies.loc[method])

    def probabilities(self, method: str) -> Array:
        """Probabilities (n_test, n_classes) of the test images by one method."""
        return self.test[[f"{method}_{name}" for name in self.classes]].to_numpy()

    def confusion(self, method: str) -> pd.DataFrame:
        """Test images by true class (rows) and class by one method (columns)."""
        table = pd.crosstab(self.test["class"], self.test[f"{method}_class"])
        return table.reindex(index=self.classes, columns=self.classes, fill_value=0)

    def by_class(self, method: str) -> pd.DataFrame:
        """Precision, recall and number of test images of each class; NaN where no image was called so."""
        confusion = self.confusion(method).to_numpy()
        right = np.diag(confusion).astype(float)
        called, true = confusion.sum(axis=0), confusion.sum(axis=1)
        precision = np.divide(right, called, out=np.full(len(right), np.nan), where=called > 0)
        return pd.DataFrame(
            {"class": self.classes, "precision": precision, "recall": right / true, "n_images": true}
        )


def judge_images(
    images: Images,
    training: TrainingOptions = TrainingOptions(),
    augmentation: AugmentationOptions = AugmentationOptions(),
    *,
    seed: int,
    preparation: dict[str, Any] | None = None,
) -> Judgement:
    """Search, train and calibrate both networks and compare them with a linear classifier on test images.

    Parameters
    ----------
    images : Images
        Of known classes.
    training : TrainingOptions
        Search, seeds, epochs, shares.
    augmentation : AugmentationOptions
        Of the training images.
    seed : int
        Of everything random.
    preparation : dict, optional
        How the images were made alike, for those that the classifier will be applied to.

    Returns
    -------
    Judgement

    Raises
    ------
    ClusterError
        If there is one class only or a class has fewer than 10 images.
    """
    rng = np.random.default_rng(seed)
    train, validation, test = (images.part(rows) for rows in divide(images, training, rng=rng))
    ensembles = {
        kind: _ensemble(kind, train, validation, test, training, augmentation, rng) for kind in KINDS
    }
    found: dict[str, _Method] = {kind: each for kind, each in ensembles.items()}
    found[LINEAR] = _linear(train, validation, test)
    table = pd.DataFrame({"name": test.names, "class": [images.classes[label] for label in test.labels]})
    for method, each in found.items():
        probabilities = probabilities_of(each.test_logits, each.temperature(validation))
        table[f"{method}_class"] = np.array(images.classes)[probabilities.argmax(1)]
        table[[f"{method}_{name}" for name in images.classes]] = probabilities
    accuracies = _accuracies(found, validation, test, rng)
    classifiers: dict[str, ImageClassifier] = {
        kind: replace(
            each.classifier, temperature=each.temperature(validation), preparation=preparation or {}
        )
        for kind, each in ensembles.items()
    }
    losses = accuracies["validation_loss"]
    return Judgement(
        table,
        accuracies,
        float((test.labels == np.bincount(train.labels).argmax()).mean()),
        pd.concat([each.search for each in ensembles.values()], ignore_index=True),
        {kind: each.history for kind, each in ensembles.items()},
        classifiers,
        min(KINDS, key=lambda kind: float(losses[kind])),
        (len(train.labels), len(validation.labels), len(test.labels)),
    )


def divide(
    images: Images, training: TrainingOptions, *, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows for training, validation and test, from each class in the same shares.

    Raises
    ------
    ClusterError
        If there is one class only, a class has fewer than 10 images, or a share leaves none of a class.
    """
    counts = np.bincount(images.labels, minlength=len(images.classes))
    if len(counts) < 2:
        raise ClusterError(f"there is {len(counts)} class, at least 2 are needed: give a folder for each.")
    if counts.min() < _LEAST_IMAGES:
        few = images.classes[counts.argmin()]
        raise ClusterError(
            f"{few} has {counts.min()} images, at least {_LEAST_IMAGES} of each class are needed: add some."
        )
    for name in ("test_fraction", "validation_fraction"):
        if counts.min() * getattr(training, name) < 1:
            few = images.classes[counts.argmin()]
            raise ClusterError(
                f"{few} has {counts.min()} images, of which --{name} {getattr(training, name):g} leaves none: give at "
                f"least {np.ceil(1e3 / counts.min()) / 1e3:g}, or add images."
            )
    rows = np.arange(len(images.labels))
    rest, test = train_test_split(
        rows,
        test_size=training.test_fraction,
        stratify=images.labels,
        random_state=int(rng.integers(_SEEDS)),
    )
    train, validation = train_test_split(
        rest,
        test_size=training.validation_fraction / (1 - training.test_fraction),
        stratify=images.labels[rest],
        random_state=int(rng.integers(_SEEDS)),
    )
    return train, validation, test


@dataclass(frozen=True)
class _Method:
    """Logits of one method, and the accuracies of its single seeds."""

    validation_logits: Array
    test_logits: Array
    seed_accuracies: tuple[float, ...] = ()

    def temperature(self, validation: Images) -> float:
        return fit_temperature(self.validation_logits, validation.labels)


@dataclass(frozen=True)
class _Ensemble(_Method):
    """A method that is networks, and how they were found."""

    classifier: ImageClassifier = field(kw_only=True)
    search: pd.DataFrame = field(kw_only=True)
    history: pd.DataFrame = field(kw_only=True)


def linear_classifier(train: Images, validation: Images) -> Pipeline:
    """Logistic regression of the pixels, its penalty chosen by the validation images."""
    train_pixels, held_pixels = (part.pixels.reshape(len(part.labels), -1) for part in (train, validation))
    fitted = [
        make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=300)).fit(
            train_pixels, train.labels
        )
        for penalty in _PENALTIES
    ]
    losses = [log_loss(_decisions(each, held_pixels), validation.labels) for each in fitted]
    return fitted[int(np.argmin(losses))]


def _linear(train: Images, validation: Images, test: Images) -> _Method:
    model = linear_classifier(train, validation)
    held, tested = (
        _decisions(model, part.pixels.reshape(len(part.labels), -1)) for part in (validation, test)
    )
    return _Method(held, tested)


def _decisions(model: Pipeline, pixels: NDArray[np.float32]) -> Array:
    decisions = model.decision_function(pixels)
    return np.column_stack([-decisions / 2, decisions / 2]) if decisions.ndim == 1 else decisions


def _ensemble(
    kind: Kind,
    train: Images,
    validation: Images,
    test: Images,
    training: TrainingOptions,
    augmentation: AugmentationOptions,
    rng: np.random.Generator,
) -> _Ensemble:
    """Networks of one kind with the best of the hyper-parameters that were drawn."""
    draws = [draw_hyper_parameters(rng) for _ in range(training.n_search)]
    fit = partial(_fit, kind, train, validation, training=training, augmentation=augmentation, rng=rng)
    tried = []
    for number, drawn in enumerate(draws, start=1):
        tried.append(fit(drawn))
        logger.info(
            "The %s network, draw %d of %d: validation loss %.3f after %d epochs.",
            kind.replace("_", " "),
            number,
            len(draws),
            tried[-1].loss,
            len(tried[-1].history),
        )
    best = int(np.argmin([each.loss for each in tried]))
    fits = [tried[best], *(fit(draws[best]) for _ in range(training.n_seeds - 1))]
    classifier = ImageClassifier(
        kind,
        draws[best],
        train.classes,
        train.pixels.shape[1:],
        tuple(each.network for each in fits),
    )
    single = [replace(classifier, networks=(each.network,)).logits(test.pixels) for each in fits]
    search = [
        {"kind": kind, **asdict(drawn), "validation_loss": each.loss, "n_epochs": len(each.history)}
        for drawn, each in zip(draws, tried, strict=True)
    ]
    return _Ensemble(
        classifier.logits(validation.pixels),
        np.mean(single, axis=0),
        tuple(float((logits.argmax(1) == test.labels).mean()) for logits in single),
        classifier=classifier,
        search=pd.DataFrame(search),
        history=_history(fits),
    )


def _fit(
    kind: Kind,
    train: Images,
    validation: Images,
    parameters: HyperParameters,
    *,
    training: TrainingOptions,
    augmentation: AugmentationOptions,
    rng: np.random.Generator,
) -> Fit:
    build = partial(
        build_network, kind, parameters, shape=train.pixels.shape[1:], n_classes=len(train.classes)
    )
    return fit_network(
        build,
        _tensors(train),
        _tensors(validation),
        parameters=parameters,
        training=training,
        augmentation=augmentation,
        seed=int(rng.integers(_SEEDS)),
    )


def _tensors(images: Images) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(images.pixels), torch.from_numpy(images.labels)


def _history(fits: list[Fit]) -> pd.DataFrame:
    tables = [
        pd.DataFrame(each.history).assign(seed=number, epoch=np.arange(1, len(each.history) + 1))
        for number, each in enumerate(fits, start=1)
    ]
    return pd.concat(tables, ignore_index=True)


def _accuracies(
    found: dict[str, _Method], validation: Images, test: Images, rng: np.random.Generator
) -> pd.DataFrame:
    """The table of `Judgement.accuracies`; intervals are over samples of test images, the same for all methods."""
    samples = rng.integers(0, len(test.labels), (_N_BOOTSTRAP, len(test.labels)))
    right = {name: each.test_logits.argmax(1) == test.labels for name, each in found.items()}
    rows = {}
    for name, each in found.items():
        temperature = each.temperature(validation)
        over = right[name].astype(float) - right[LINEAR]
        lower, upper = np.percentile(right[name][samples].mean(axis=1), _LEVELS)
        over_lower, over_upper = np.percentile(over[samples].mean(axis=1), _LEVELS)
        rows[name] = {
            "accuracy": right[name].mean(),
            "lower": lower,
            "upper": upper,
            "over_linear": over.mean(),
            "over_linear_lower": over_lower,
            "over_linear_upper": over_upper,
            "spread": np.std(each.seed_accuracies, ddof=1) if len(each.seed_accuracies) > 1 else np.nan,
            "log_loss": log_loss(each.test_logits, test.labels, temperature),
            "calibration_error": calibration_error(
                probabilities_of(each.test_logits, temperature), test.labels
            ),
            "temperature": temperature,
            "validation_loss": log_loss(each.validation_logits, validation.labels, temperature),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def reliability(probabilities: Array, labels: NDArray[np.int64], n_bins: int = _N_BINS) -> pd.DataFrame:
    """How often the named class is the true one, against the probability stated for it.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes)
        Of each class.
    labels : ndarray of int64, shape (n,)
        True classes.
    n_bins : int
        Bins of equal width from the probability of a guess to 1.

    Returns
    -------
    DataFrame
        stated, observed and n_images of each bin that has images.
    """
    stated = probabilities.max(axis=1)
    right = probabilities.argmax(1) == labels
    guess = 1 / probabilities.shape[1]
    place = np.clip(((stated - guess) / (1 - guess) * n_bins).astype(int), 0, n_bins - 1)
    table = pd.DataFrame({"place": place, "stated": stated, "observed": right})
    grouped = table.groupby("place")
    return grouped.mean().assign(n_images=grouped.size()).reset_index(drop=True)


def calibration_error(probabilities: Array, labels: NDArray[np.int64]) -> float:
    """Mean difference of stated and observed frequency over the bins of `reliability`, weighted by their images."""
    table = reliability(probabilities, labels)
    return float(np.average(np.abs(table["stated"] - table["observed"]), weights=table["n_images"]))


def classify(classifier: ImageClassifier, images: Images) -> pd.DataFrame:
    """Class and probabilities of images whose class is unknown.

    Parameters
    ----------
    classifier : ImageClassifier
        Trained.
    images : Images
        Made alike with the classifier's preparation.

    Returns
    -------
    DataFrame
        name, class, probability (of this class), and the probability of each class by its name.

    Raises
    ------
    ValueError
        If the images have another shape than those that were learned from.
    """
    probabilities = classifier.probabilities(images.pixels)
    table = pd.DataFrame(
        {
            "name": images.names,
            "class": np.array(classifier.classes)[probabilities.argmax(1)],
            "probability": probabilities.max(axis=1),
        }
    )
    return table.join(pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classifier.classes]))
