"""Fit the network, keep its best epoch, go on from a checkpoint, calibrate."""

import io
import logging
import math
import pickle
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.classifier import METRICS, MODEL_PARAMETERS, Classifier, Standardisation
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.evidence import half_number_radius, read_cone
from gaia_oc_amd.files.data_directory import json_ready, write_json
from gaia_oc_amd.files.provenance import read_sealed, write_sealed
from gaia_oc_amd.gradients import Batch, GradientEngine
from gaia_oc_amd.options import TrainingOptions
from gaia_oc_amd.parallel import progress_bar
from gaia_oc_amd.posterior import Calibration, ConeJudge, fit_calibration, scatter_between_cones
from gaia_oc_amd.source_sets import existing_name, load_sets
from gaia_oc_amd.spatial import places_of
from gaia_oc_amd.training_sets import (
    PosteriorSet,
    TrainingSet,
    cone_examples,
    make_posterior_set,
    make_training_set,
    posterior_standardisations,
    split_clusters,
    standardisations,
    true_log_odds,
)
from gaia_oc_amd.truth import read_labels, read_truth

logger = logging.getLogger(__name__)
History = dict[str, list[float]]


@dataclass
class TrainingState:
    """Where a training stands; what a checkpoint holds.

    Parameters
    ----------
    network, optimiser : dict
        Their state dicts.
    best_network : dict
        State of the best epoch.
    best_score : float
        F1, or minus the loss, of that epoch.
    best_epoch : int
        That epoch, from 0; -1 before the first.
    train, validation : dict of lists
        Loss and metrics, one value per epoch.
    """

    network: dict[str, Any]
    optimiser: dict[str, Any]
    best_network: dict[str, Any]
    best_score: float = -math.inf
    best_epoch: int = -1
    train: History = field(default_factory=dict)
    validation: History = field(default_factory=dict)

    @property
    def n_epochs(self) -> int:
        """Number of epochs done."""
        return len(self.train.get("loss", []))


@dataclass(frozen=True)
class Checkpoint:
    """The file that a training can go on from.

    Parameters
    ----------
    path : path
        The file.
    made_with : dict
        Hyper-parameters: a training resumes only what was made with the same.
    resume : bool
        Whether to start from the file.
    """

    path: Path
    made_with: dict[str, Any]
    resume: bool = False

    def write(self, state: TrainingState) -> None:
        """Keep the state, as a whole or not at all."""
        content = io.BytesIO()
        torch.save({"state": vars(state), "made_with": self.made_with}, content)
        write_sealed(self.path, content.getvalue())

    def read(self) -> TrainingState:
        """State of the interrupted training; only tensors and plain values are read, never pickled code.

        Raises
        ------
        FileNotFoundError
            If there is no checkpoint.
        ValueError
            If it is damaged, or belongs to a training with other clusters or options.
        """
        if not self.path.exists():
            raise FileNotFoundError(f"{self.path} is absent, nothing can be resumed: train without --resume.")
        try:
            content = torch.load(io.BytesIO(read_sealed(self.path)), weights_only=True)
            state, kept = TrainingState(**content["state"]), content["made_with"]
        except (RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError, ValueError) as error:
            raise ValueError(f"{self.path} is not a readable checkpoint: train without --resume.") from error
        changed = [
            key for key in self.made_with if self.made_with[key] != kept.get(key) and key != "n_epochs"
        ]
        if changed:
            raise ValueError(
                f"{self.path} belongs to a training with another {', '.join(changed)}: "
                "use the same clusters and options, or train without --resume."
            )
        return state


MAXIMUM_GRADIENT_NORM = 5.0
CHECKPOINT = "checkpoint"
Standardisations = tuple[Standardisation, Standardisation, Standardisation | None]
"""Of source, cluster and (where they differ from the source's) support features."""


@checked
def train_deep_sets_model(
    clusters: list[str],
    data_dir: Path | str,
    model_dir: Path | str = "trained_model",
    *,
    options: TrainingOptions | None = None,
    seed: Seed = 42,
    resume: bool = False,
    start: Classifier | None = None,
) -> Classifier:
    """Train a network on the sets of several clusters and save it.

    Parameters
    ----------
    clusters : list of str
        Clusters whose sets were built. They are split at random into training and validation clusters.
    data_dir, model_dir : path
        Where the sets are, and where the model folder goes.
    options : TrainingOptions, optional
        Everything about sets, network and optimisation.
    seed : int
        Seed of split, initial weights, dropout and drawing: the same seed gives the same model.
    resume : bool
        Go on from the checkpoint of an interrupted training with the same clusters and options.
    start : Classifier, optional
        A trained model whose weights the training starts from. Kind, features, their standardisation and the width of
        the network are then those of this model.

    Returns
    -------
    Classifier
        With the weights of the epoch that had the best F1 (a posterior network: the smallest loss) on the
        validation clusters, or on the training clusters where there are none to validate on. The probabilities of
        a posterior network are calibrated on the same clusters.

    Raises
    ------
    FileNotFoundError
        If the sets of a cluster were not built.
    TooFewMembersError
        If a cluster cannot fill a support set.
    TypeError, ValueError
        If no cluster is named, an argument is of another kind, or the checkpoint belongs to another training.
    """
    options = options_of(start, options or TrainingOptions())
    names = [existing_name(name, data_dir) for name in clusters]
    training, validation = split_clusters(names, options.validation_fraction, rng=np.random.default_rng(seed))
    if not validation:
        logger.warning(
            "no cluster is left for validation: the best epoch is chosen on the training clusters."
        )
    started_from = {"started_from": start.fingerprint()} if start else {}
    made_with = _described(options, seed, training, validation) | started_from
    checkpoint = Checkpoint(Path(model_dir) / CHECKPOINT, made_with, resume)
    if resume and (complete := _completed(checkpoint)):
        logger.info("the training of %s is complete: left as found.", model_dir)
        return complete
    if (Path(model_dir) / MODEL_PARAMETERS).exists():
        logger.warning("the model in %s will be replaced when the training has ended.", model_dir)
    build = _posterior_examples if options.probability == "posterior" else _votes_examples
    examples, features = build(training, validation, data_dir, options, seed, start)
    source_features, cluster_features, support_features = features
    network = DeepSets(
        len(source_features.names) + len(cluster_features.names),
        len((support_features or source_features).names),
        options.hidden_size,
        options.dropout,
    )
    network.initialise(torch.Generator().manual_seed(seed))
    if start:
        network.load_state_dict(start.network.state_dict())
    state = fit(network, examples[0], examples[1], options, seed=seed, checkpoint=checkpoint)
    network.load_state_dict(state.best_network, assign=True)
    classifier = Classifier(network.weights(), source_features, cluster_features, made_with, support_features)
    if options.probability == "posterior":
        judged = validation or training
        known = [name for name in judged if read_truth(name, data_dir) is not None]  # lists lack members
        classifier = calibrated(classifier, known or judged, data_dir, seed=seed)
    classifier.save(model_dir)
    write_json(
        Path(model_dir) / METRICS,
        {"train": state.train, "validation": state.validation, "best_epoch": state.best_epoch},
    )
    checkpoint.path.unlink(missing_ok=True)
    return classifier


def _completed(checkpoint: Checkpoint) -> Classifier | None:
    """The model, if it stands where the checkpoint stood and was made with the same."""
    if checkpoint.path.exists() or not (checkpoint.path.parent / METRICS).exists():
        return None
    model = Classifier.load(checkpoint.path.parent)
    same = all(
        model.hyper_parameters.get(key) == value for key, value in json_ready(checkpoint.made_with).items()
    )
    return model if same else None


def options_of(start: Classifier | None, options: TrainingOptions) -> TrainingOptions:
    """Options with kind, features and width of the model that a training starts from."""
    if start is None:
        return options
    own = replace(options, probability=start.probability, hidden_size=start.hidden_size)
    if start.probability != "votes":
        return own
    names = tuple(start.source_features.names), tuple(start.cluster_features.names)
    return replace(own, source_features=names[0], cluster_features=names[1])


def _votes_examples(
    training: list[str],
    validation: list[str],
    data_dir: Path | str,
    options: TrainingOptions,
    seed: int,
    start: Classifier | None,
) -> tuple[tuple[TrainingSet, TrainingSet | None], Standardisations]:
    """Examples of the published network, from members and non-members."""
    load = partial(
        load_sets,
        data_dir=data_dir,
        parts=("members", "non_members"),
        columns=options.source_features,
    )
    training_sets = [load(name) for name in training]
    source_features, cluster_features = (
        (start.source_features, start.cluster_features) if start else standardisations(training_sets, options)
    )
    validation_sets = [load(name) for name in validation]
    stacked = partial(
        make_training_set,
        source_features=source_features,
        cluster_features=cluster_features,
        size_support_set=options.size_support_set,
    )
    examples = stacked(training_sets), stacked(validation_sets) if validation_sets else None
    return examples, (source_features, cluster_features, None)


def _posterior_examples(
    training: list[str],
    validation: list[str],
    data_dir: Path | str,
    options: TrainingOptions,
    seed: int,
    start: Classifier | None,
) -> tuple[tuple[PosteriorSet, PosteriorSet | None], Standardisations]:
    """Examples of our network, from stars whose truth is known."""
    parts = [
        [cone_examples(name, data_dir, seed=seed) for name in progress_bar(names, unit="cone", desc=what)]
        for what, names in (("training", training), ("validation", validation))
    ]
    features = (
        (start.source_features, start.support_features or start.source_features, start.cluster_features)
        if start
        else posterior_standardisations(parts[0])
    )
    stacked = partial(
        make_posterior_set, standardisations=features, size_support_set=options.size_support_set
    )
    examples = stacked(parts[0]), stacked(parts[1]) if parts[1] else None
    return examples, (features[0], features[2], features[1])


def _described(
    options: TrainingOptions, seed: int, training: list[str], validation: list[str]
) -> dict[str, Any]:
    """Hyper-parameters as the model folder records them."""
    return {
        "n_training_clusters": len(training),
        "training_clusters": training,
        "n_validation_clusters": len(validation),
        "validation_clusters": validation,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in asdict(options).items()},
        "seed": seed,
    }


def fit(
    network: DeepSets,
    training: TrainingSet | PosteriorSet,
    validation: TrainingSet | PosteriorSet | None,
    options: TrainingOptions,
    *,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> TrainingState:
    """Optimise a network until the best epoch is ``early_stopping_threshold`` epochs ago.

    The best is that of the highest F1, for a posterior network that of the smallest loss. Weighted cross-entropy
    (Eq. 18), Adam with L2 regularisation (Eq. 19), gradient norm at most 5. Support sets, and non-members for the
    published network, are drawn anew each epoch; those of the validation set are drawn once. The random stream of
    an epoch follows from seed and epoch, so a resumed training equals an uninterrupted one.

    Parameters
    ----------
    network : DeepSets
        Starts from its present weights and is changed.
    training, validation : TrainingSet or PosteriorSet
        Without a validation set the training F1 decides.
    options : TrainingOptions
        Everything else.
    seed : int
        Seed of all that is drawn.
    checkpoint : Checkpoint, optional
        Keeps the state after each epoch; the training starts from it if it says so.

    Returns
    -------
    TrainingState

    Raises
    ------
    ValueError
        If the loss is no longer finite, or the checkpoint belongs to another training.
    FileNotFoundError
        If there is no checkpoint to resume.
    """
    engine = GradientEngine(network)
    optimiser = torch.optim.Adam([engine.parameters], lr=options.lr, weight_decay=options.l2)
    state = TrainingState(_copied(network), optimiser.state_dict(), _copied(network))
    if checkpoint and checkpoint.resume:
        state = checkpoint.read()
        network.load_state_dict(state.network)
        _resume(optimiser, state, checkpoint)
        logger.info("training goes on after epoch %d.", state.n_epochs)
    fixed = validation.draw(options, rng=np.random.default_rng([seed, 0])) if validation else None
    with engine, progress_bar(total=options.n_epochs, initial=state.n_epochs, unit="epoch") as progress:
        while state.n_epochs < options.n_epochs and not _exhausted(state, options):
            rng = np.random.default_rng([seed, state.n_epochs + 1])
            optimiser.param_groups[0]["lr"] = _learning_rate(options, state.n_epochs)
            batches = training.draw(options, rng=rng)
            _record(state.train, _learn(engine, training.members, batches, optimiser, rng=rng))
            if not np.isfinite(state.train["loss"][-1]):
                raise ValueError(
                    f"the loss is not finite after epoch {state.n_epochs}: use a lower --lr than {options.lr:g}."
                )
            if validation and fixed:
                _record(
                    state.validation, _summary(fixed, [engine.loss(b, validation.members) for b in fixed])
                )
            _keep_best(state, network, options)
            state.network, state.optimiser = _copied(network), optimiser.state_dict()
            if checkpoint:
                checkpoint.write(state)
            progress.update()
            progress.set_postfix(loss=f"{state.train['loss'][-1]:.4f}", f1=f"{_f1(state):.4f}")
    return state


def _resume(optimiser: torch.optim.Optimizer, state: TrainingState, checkpoint: Checkpoint) -> None:
    """Take over the optimiser's state, which earlier versions kept for every layer on its own."""
    try:
        optimiser.load_state_dict(state.optimiser)
    except ValueError as error:
        raise ValueError(
            f"{checkpoint.path} was made by another version of this program: train without --resume."
        ) from error


def _copied(network: DeepSets) -> dict[str, torch.Tensor]:
    """Its parameters now, with memory of their own."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def _f1(state: TrainingState) -> float:
    """F1 that decides, of the last epoch."""
    return (state.validation or state.train)["f1"][-1]


def _exhausted(state: TrainingState, options: TrainingOptions) -> bool:
    return state.n_epochs - 1 - state.best_epoch >= options.early_stopping_threshold and state.n_epochs > 0


def _keep_best(state: TrainingState, network: DeepSets, options: TrainingOptions) -> None:
    score = _f1(state)
    if options.probability == "posterior":
        score = -(state.validation or state.train)["loss"][-1]
    if score > state.best_score:
        state.best_score, state.best_epoch = score, state.n_epochs - 1
        state.best_network = _copied(network)


def _learning_rate(options: TrainingOptions, epoch: int) -> float:
    """Learning rate of an epoch: with "cosine" half a wave from lr to nearly 0 over n_epochs."""
    if options.lr_decay == "none":
        return options.lr
    return options.lr * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * epoch / options.n_epochs))))


def _record(history: History, values: dict[str, float]) -> None:
    for name, value in values.items():
        history.setdefault(name, []).append(value)


def _learn(
    engine: GradientEngine,
    support: torch.Tensor,
    batches: list[Batch],
    optimiser: torch.optim.Optimizer,
    *,
    rng: np.random.Generator,
) -> dict[str, float]:
    """One step of the optimiser per batch; returns loss and metrics of the pass."""
    answers = []
    for batch in batches:
        answers.append(engine.loss_and_gradient(batch, support, rng=rng))
        nn.utils.clip_grad_norm_([engine.parameters], MAXIMUM_GRADIENT_NORM)
        optimiser.step()
    return _summary(batches, answers)


def _summary(batches: list[Batch], answers: list[tuple[float, NDArray[np.bool_]]]) -> dict[str, float]:
    """Weighted mean of the loss, and metrics, of all batches."""
    losses, verdicts = zip(*answers, strict=True)
    weight = sum(batch.weight.sum().item() for batch in batches)
    truth = np.concatenate([batch.is_member.numpy() for batch in batches])
    return {"loss": sum(losses) / weight, **classification_metrics(truth, np.concatenate(verdicts))}


def classification_metrics(is_member: ArrayLike, called_member: ArrayLike) -> dict[str, float]:
    """Metrics of Fig. 2 of van Groeningen et al. (2023).

    Parameters
    ----------
    is_member, called_member : array_like of bool, shape (n,)
        Truth and verdict.

    Returns
    -------
    dict
        precision, recall, selectivity, accuracy, balanced_accuracy and f1; 0 where nothing can be divided.
    """
    truth, verdict = np.asarray(is_member, bool), np.asarray(called_member, bool)
    true_positives, false_positives = np.sum(truth & verdict), np.sum(~truth & verdict)
    true_negatives, false_negatives = np.sum(~truth & ~verdict), np.sum(truth & ~verdict)

    def ratio(part: float, rest: float) -> float:
        return float(part / (part + rest)) if part + rest else 0.0

    recall = ratio(true_positives, false_negatives)
    selectivity = ratio(true_negatives, false_positives)
    return {
        "precision": ratio(true_positives, false_positives),
        "recall": recall,
        "selectivity": selectivity,
        "accuracy": ratio(true_positives + true_negatives, false_positives + false_negatives),
        "balanced_accuracy": (recall + selectivity) / 2,
        "f1": ratio(2 * true_positives, false_positives + false_negatives),
    }


def calibrated(classifier: Classifier, clusters: list[str], data_dir: Path | str, *, seed: int) -> Classifier:
    """Classifier whose posterior probabilities are calibrated on clusters with known truth.

    Parameters
    ----------
    classifier : Classifier
        Trained for posteriors, not on these clusters.
    clusters : list of str
        With sets and labels. Each counts with the square root of its number of members, so that a few rich ones do
        not decide alone.
    data_dir : path
        The data directory.
    seed : int
        Of the support sets.

    Returns
    -------
    Classifier
        The same with another calibration.
    """
    tables = [_judged(classifier, name, data_dir, seed) for name in progress_bar(clusters, unit="cone")]
    stars = pd.concat(tables, ignore_index=True)
    names = ("log_ratio", "log_odds", "g", "is_member", "weight")
    calibration = fit_calibration(*(stars[name].to_numpy() for name in names))
    calibration = replace(calibration, scatter=_scatter(tables, calibration))
    logger.info("calibrated on %d clusters: %s", len(clusters), calibration)
    return replace(
        classifier, hyper_parameters=classifier.hyper_parameters | {"calibration": calibration.as_dict()}
    )


def _judged(classifier: Classifier, name: str, data_dir: Path | str, seed: int) -> pd.DataFrame:
    """Uncalibrated log ratios, true log odds, places, magnitudes and truth of the labelled stars of one cluster."""
    sets = load_sets(name, data_dir)
    labels = read_labels(sets.cluster.name, data_dir)
    stars = pd.concat([sets.members, sets.candidates], ignore_index=True)
    stars = stars[stars["source_id"].isin(labels.index)]
    rng = cluster_rng(seed, sets.cluster.name)
    reading = read_cone(sets, rng=rng)
    log_ratio = ConeJudge(reading, classifier).log_ratios(stars, rng=rng)
    is_member = labels["is_member"][stars["source_id"]].to_numpy()
    table = pd.DataFrame(places_of(stars, sets.cluster), columns=["east", "north", "g"])
    table = table.assign(
        log_ratio=log_ratio,
        log_odds=true_log_odds(stars, is_member, sets),  # a fit's own would follow any shift of the ratios
        is_member=is_member,
        weight=labels["weight"][stars["source_id"]].to_numpy() / np.sqrt(max(is_member.sum(), 1)),
        size=half_number_radius(sets.members),
    )
    return table[np.isfinite(log_ratio)]


def _scatter(tables: list[pd.DataFrame], calibration: Calibration) -> float:
    """Error of the ratios' logarithm between cones that their numbers of members show."""
    cones = []
    for stars in tables:
        places = stars[["east", "north", "g"]].to_numpy()
        log_ratios = calibration(stars["log_ratio"].to_numpy(), places[:, 2])
        cones.append((log_ratios, places, float(stars["size"].iloc[0]), int(stars["is_member"].sum())))
    return scatter_between_cones(cones)
