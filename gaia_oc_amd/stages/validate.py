"""Measure completeness and contamination of one evaluated cluster, unless that is done; the same for many."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd._version import __version__
from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.figures import save_and_show
from gaia_oc_amd.files.data_directory import locked
from gaia_oc_amd.files.provenance import Stage, read_provenance, run_stage, table_fingerprint
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.installation import for_cluster
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.member_list import threshold_of
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.model_files import ModelFiles
from gaia_oc_amd.options import ISOCHRONES, RunOptions
from gaia_oc_amd.posterior import Calibration
from gaia_oc_amd.source_sets import UNJUDGED_FILES, check_sets, set_fingerprints, sets_folder
from gaia_oc_amd.stages.many import for_clusters, read_model
from gaia_oc_amd.validation.options import ValidateOptions, ValidationOptions
from gaia_oc_amd.validation.plots import selection_function_figure
from gaia_oc_amd.validation.validate import (
    SELECTION_FUNCTION,
    measure_selection,
    selection_function,
    validation_summary,
)


def validate_clusters(
    clusters: list[str],
    options: ValidateOptions = ValidateOptions(),
    run: RunOptions = RunOptions(),
    *,
    command: str = "",
) -> list[Outcome]:
    """Validate many clusters, each as `validate_cluster` does. See `stages.many.for_clusters`."""
    return for_clusters(
        validate_cluster,
        clusters,
        options,
        run,
        command=command,
        model=read_model(options),
        isochrones=_isochrones(run.data_dir, options),
    )


@checked
def validate_cluster(
    name: str,
    data_dir: Path | str = "data",
    options: ValidateOptions = ValidateOptions(),
    *,
    model: ModelFiles | None = None,
    isochrones: pd.DataFrame | None = None,
    seed: Seed = RunOptions.seed,
    command: str = "",
) -> dict[str, Any]:
    """Measure, write and draw completeness and contamination of one cluster, unless that is done.

    Parameters
    ----------
    name : str
        Cluster that was evaluated with the same model and options.
    data_dir : path
        The data directory.
    options : ValidateOptions
        What validate_clusters.py takes.
    model : ModelFiles, optional
        By default that of ``options.model_dir`` is read.
    isochrones : DataFrame, optional
        Those that the sets were built with; by default they are read.
    seed : int
        Together with the name it determines the random streams.
    command : str
        Shell command that does it, with ``{}`` for the cluster, for provenance.json.

    Returns
    -------
    dict
        Numbers for the table at the end.

    Raises
    ------
    OSError, ValueError
        If the sets were not built, not evaluated or evaluated with another model, or do not fit the isochrones or the
        classifier.
    TooFewMembersError
        If there are too few members for a support set.
    """
    model = model or read_model(options)
    isochrones = _isochrones(data_dir, options) if isochrones is None else isochrones
    folder = sets_folder(name, data_dir)
    with locked(folder):
        check_sets(folder, accept=options.accept_changes)
        _refuse_other_model(folder, model, options.model_dir)
        options = replace(options, validation=_of_the_list(options.validation, folder))
        made_with = {
            "options": {
                "validation": asdict(options.validation),
                "sampling": asdict(options.sampling),
                "figures": asdict(options.figures),
                "seed": seed,
            },
            "model": model.fingerprint(),
            "isochrones": table_fingerprint(isochrones),
            "sets": set_fingerprints(folder, (*UNJUDGED_FILES, "candidates.csv", "cone.json")),
            "version": __version__,
        }
        stage = Stage("validation", made_with, for_cluster(command, folder.name))
        measure = partial(_measure, folder, options, model, isochrones, seed)
        return run_stage(folder, stage, measure, again=options.overwrite or options.figures.show_plots)


def _refuse_other_model(folder: Path, model: ModelFiles, model_dir: Path) -> None:
    judged_by = read_provenance(folder).get("evaluation", {}).get("made_with", {}).get("model")
    if judged_by not in (None, model.fingerprint()):
        raise ValueError(
            f"{folder.name} was evaluated with another model than {model_dir}: give the same --model_dir, or evaluate "
            "it again with this one."
        )


def _of_the_list(validation: ValidationOptions, folder: Path) -> ValidationOptions:
    """Options with the probability from which the evaluation counts members, unless another one was given."""
    if validation.prob_threshold is not None:
        return validation
    return replace(validation, prob_threshold=threshold_of(folder))


def _isochrones(data_dir: Path | str, options: ValidateOptions) -> pd.DataFrame:
    return read_isochrones(
        options.paths.isochrone_path or Path(data_dir) / ISOCHRONES,
        rotation=options.paths.isochrone_rotation,
    )


def _measure(
    folder: Path, options: ValidateOptions, model: ModelFiles, isochrones: pd.DataFrame, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Measure completeness and contamination, write table and plot; returns the numbers and the files."""
    validation, classifier = options.validation, Classifier.of(model)
    judge = partial(membership_probabilities, classifier=classifier, options=options.sampling)
    calibration = Calibration.from_dict(classifier.hyper_parameters.get("calibration"))
    result = measure_selection(
        *(folder.name, folder.parents[1], isochrones, judge),
        options=validation,
        ratio_scatter=calibration.scatter,
        seed=seed,
    )
    table = selection_function(result, validation.magnitude_edges, validation.radius_edges)
    write_csv(folder / SELECTION_FUNCTION, table)
    written = [SELECTION_FUNCTION]
    if options.figures.wanted():
        figure = selection_function_figure(table, result.name, result.prob_threshold)
        written += save_and_show({"selection_function": figure}, folder, options.figures)
    return validation_summary(result), written
