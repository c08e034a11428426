"""Evaluate one cluster, draw and report what came of it, as far as that is not done; the same for many."""

import importlib
import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from gaia_oc_amd import exports, report
from gaia_oc_amd._version import __version__
from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.command_line import CommandLine
from gaia_oc_amd.comparison import MISSED_MEMBERS, ComparisonCounts, missed_table
from gaia_oc_amd.defaults import read_defaults
from gaia_oc_amd.exceptions import missing_library
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, locked
from gaia_oc_amd.files.provenance import Stage, command_again, read_provenance, run_stage
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.installation import for_cluster, script_command, values_of
from gaia_oc_amd.member_list import (
    MEMBER_LIST,
    PROB_THRESHOLD,
    list_summary,
    member_list,
)
from gaia_oc_amd.model_files import ModelFiles
from gaia_oc_amd.options import PlotOptions, RunOptions
from gaia_oc_amd.source_sets import (
    OUTSIDE_FILE,
    UNJUDGED_FILES,
    SourceSets,
    check_sets,
    load_sets,
    remove_exports,
    set_fingerprints,
    sets_folder,
)
from gaia_oc_amd.stages.many import for_clusters, read_model
from gaia_oc_amd.stages.options import EvaluateOptions
from gaia_oc_amd.truth import TRUTH_FILE, read_truth, score_against_truth, truth_text
from gaia_oc_amd.validation.options import ValidateOptions

logger = logging.getLogger(__name__)


@checked
def evaluate_clusters(
    clusters: list[str],
    options: EvaluateOptions = EvaluateOptions(),
    run: RunOptions = RunOptions(),
    *,
    command: str = "",
) -> list[Outcome]:
    """Evaluate many clusters, each as `evaluate_cluster` does.

    With ``report`` the index of all reports is written, too.

    Parameters
    ----------
    clusters : list of str
        Names, files with one name a line, or ``["all"]`` for every cluster that is built.
    options : EvaluateOptions
        What evaluate_clusters.py takes.
    run : RunOptions
        Where, with which seed, by how many workers.
    command : str
        Shell command that does it, with ``{}`` for the cluster, for provenance.json.

    Returns
    -------
    list of Outcome
        What came of each cluster, in the order of the names.
    """
    _check_report(options)
    model = None if options.plot_only else read_model(options)
    if model and run.scheduler is None and options.sampling.device != "cpu":
        from gaia_oc_amd.deep_sets import torch_device

        torch_device(options.sampling.device)  # one line now instead of one for every cluster
    outcomes = for_clusters(
        evaluate_cluster,
        clusters,
        options,
        run,
        command=command,
        modules=_imported_later(options),
        model=model,
    )
    if options.plots.report:
        report.write_index(run.data_dir)
    return outcomes


@checked
def evaluate_cluster(
    name: str,
    data_dir: Path | str = "data",
    options: EvaluateOptions = EvaluateOptions(),
    *,
    model: ModelFiles | None = None,
    seed: Seed = RunOptions.seed,
    command: str = "",
) -> dict[str, Any]:
    """Give the stars of one cluster their probabilities, list, draw and report them, as far as that is not done.

    Parameters
    ----------
    name : str
        Cluster whose sets were built.
    data_dir : path
        The data directory.
    options : EvaluateOptions
        What evaluate_clusters.py takes.
    model : ModelFiles, optional
        By default that of ``options.model_dir`` is read, unless ``options.plot_only``.
    seed : int
        Together with the name it determines the random stream.
    command : str
        Shell command that does it, with ``{}`` for the cluster, for provenance.json.

    Returns
    -------
    dict
        Numbers for the table at the end.

    Raises
    ------
    OSError, ValueError
        If the sets were not built, were never evaluated though only plots are wanted, or do not fit the classifier.
    TooFewMembersError
        If there are not enough members for a support set.
    """
    _check_report(options)
    if model is None and not options.plot_only:
        model = read_model(options)
    folder = sets_folder(name, data_dir)
    command = for_cluster(command, folder.name)
    plots, figures = options.plots, options.figures
    sets: Callable[[], SourceSets] = cache(partial(load_sets, folder.name, data_dir))
    judged: SourceSets | None = None
    with locked(folder):
        check_sets(folder, accept=options.accept_changes)
        if model is not None:
            judged = _evaluate(folder, model, options, seed=seed, command=command)
            sets = sets if judged is None else lambda: judged  # as they would be read
        elif not sets().is_evaluated():
            command = script_command("evaluate_clusters.py", folder.name, data_dir=data_dir)
            raise ValueError(f"{name} was never evaluated: run `{command}`, without --plot_only, first.")
        listed = _list(sets, folder, plots, command=command)
        _warn_of_no_member(folder.name, listed, options)
        if plots.switched_on() and figures.wanted():
            _draw(sets, folder, options, seed=seed, command=command)
        exports.export_tables(folder, [*options.export.formats(), *["mrt"] * options.export.mrt], command)
        if plots.report:
            write = partial(_write_report, sets, data_dir, options)
            run_stage(folder, Stage("report", {"plots": asdict(plots)}, command), write, again=True)
    return listed


def _imported_later(options: EvaluateOptions) -> tuple[str, ...]:
    """Modules that an evaluation imports when there is something to do."""
    judging = () if options.plot_only else ("gaia_oc_amd.membership", "numba")
    drawing = ("gaia_oc_amd.figures",) if options.figures.wanted() else ()
    return (*judging, *drawing, *("gaia_oc_amd.report.page",) * options.plots.report)


def _check_report(options: EvaluateOptions) -> None:
    """Load what writes reports before anything is done for one."""
    if options.plots.report:
        try:
            importlib.import_module("gaia_oc_amd.report.page")
        except ImportError as error:
            raise ImportError(missing_library("--report", error, "bokeh>=3.8", "jinja2>=3.1")) from error


def _evaluate(
    folder: Path, model: ModelFiles, options: EvaluateOptions, *, seed: int, command: str
) -> SourceSets | None:
    """Give candidates and training members their PMemb, and return the sets; None if that is done."""
    judged: list[SourceSets] = []
    made_with = {
        "options": {"sampling": asdict(options.sampling), "seed": seed},
        "model": model.fingerprint(),
        "sets": set_fingerprints(folder, UNJUDGED_FILES),
        "version": __version__,
    }

    def judge() -> tuple[dict[str, Any], list[str]]:
        from gaia_oc_amd.classifier import Classifier
        from gaia_oc_amd.membership import judge_candidates
        from gaia_oc_amd.spatial import SPATIAL_FILE

        classifier, data_dir = Classifier.of(model), folder.parents[1]
        judged.append(
            judge_candidates(folder.name, data_dir, classifier, options=options.sampling, seed=seed)
        )
        written = [CLUSTER_FILE, "candidates.csv", SPATIAL_FILE]
        return {}, [name for name in written if (folder / name).exists()]

    run_stage(folder, Stage("evaluation", made_with, command), judge, again=options.overwrite)
    return judged[0] if judged else None


def _list(
    sets: Callable[[], SourceSets], folder: Path, plots: PlotOptions, *, command: str
) -> dict[str, Any]:
    """Write the member list and the stars of the comparison list that it lacks, unless that is done.

    The numbers of the cluster, how it compares and what it is worth against the truth are kept in the record, so that
    the sets are not read again for them.
    """
    inputs = (*UNJUDGED_FILES, "candidates.csv", "comparison.csv", OUTSIDE_FILE, TRUTH_FILE)
    made_with = {
        "options": {
            "prob_threshold": plots.prob_threshold,
            "candidate_prob_threshold": plots.candidate_prob_threshold,
        },
        "sets": set_fingerprints(folder, inputs),
        "version": __version__,
    }

    def write() -> tuple[dict[str, Any], list[str]]:
        remove_exports(folder, (MEMBER_LIST,))
        listed = member_list(sets(), least_probability=plots.candidate_prob_threshold)
        write_csv(folder / f"{MEMBER_LIST}.csv", listed)
        write_csv(folder / MISSED_MEMBERS, missed_table(sets(), plots.prob_threshold))
        summary = {
            "numbers": list_summary(sets(), plots.prob_threshold),
            "comparison": _compared(sets(), plots.prob_threshold),
            "truth": _against_truth(sets(), folder, plots.prob_threshold),
        }
        return summary, [f"{MEMBER_LIST}.csv", MISSED_MEMBERS]

    of_earlier_version = not read_provenance(folder).get("member_list", {}).get("summary")
    summary = run_stage(folder, Stage("member_list", made_with, command), write, again=of_earlier_version)
    if summary["comparison"]:
        logger.info("%s: %s.", folder.name, summary["comparison"])
    return summary["numbers"]


def _compared(sets: SourceSets, prob_threshold: float) -> str:
    """How the members compare with those of the other list; empty without one."""
    if len(sets.comparison) or len(sets.comparison_outside):
        return str(ComparisonCounts.of(sets, prob_threshold))
    return ""


def _against_truth(sets: SourceSets, folder: Path, prob_threshold: float) -> str:
    """What the members of a simulated cluster are worth against the truth; empty of a real one."""
    truth = read_truth(folder.name, folder.parents[1])
    if truth is None:
        return ""
    scores = truth_text(score_against_truth(sets, truth, prob_threshold=prob_threshold))
    return f"{folder.name} is simulated; members with p >= {prob_threshold:g} against the truth:\n{scores}\n"


def _warn_of_no_member(name: str, listed: dict[str, Any], options: EvaluateOptions) -> None:
    """Say that a network denies even the members that it was shown."""
    threshold = options.plots.prob_threshold
    if listed[f"p>={threshold:g}"] == 0:
        logger.warning(
            "%s: no star has p >= %g, not one of the %d training members; the network in %s knows no such cluster: "
            "give another --model_dir, or train it longer.",
            *(name, threshold, listed["training members"], options.model_dir),
        )


def _draw(
    sets: Callable[[], SourceSets], folder: Path, options: EvaluateOptions, *, seed: int, command: str
) -> None:
    """Draw an evaluated cluster, unless that is done."""
    plots, figures = options.plots, options.figures
    made_with = {
        "options": {
            "plots": asdict(replace(plots, report=False)),
            "figures": asdict(figures),
            "seed": seed,
        },
        "sets": set_fingerprints(folder, (*UNJUDGED_FILES, "candidates.csv", "comparison.csv", OUTSIDE_FILE)),
        "version": __version__,
    }

    def draw() -> tuple[dict[str, Any], list[str]]:
        from gaia_oc_amd.figures import evaluation_figures, save_and_show

        drawn = evaluation_figures(sets(), plots, seed=seed, panel=figures.single_panel)
        return {}, save_and_show(drawn, folder, figures)

    again = options.plot_only or figures.show_plots
    run_stage(folder, Stage("evaluation_plots", made_with, command), draw, again=again)


def _write_report(
    sets: Callable[[], SourceSets], data_dir: Path | str, options: EvaluateOptions
) -> tuple[dict[str, Any], list[str]]:
    return {}, [report.write_report(sets(), data_dir, options.plots).name]


def closing_lines(
    outcomes: list[Outcome], data_dir: Path | str, prob_threshold: float = PROB_THRESHOLD
) -> list[str]:
    """What was found of each evaluated cluster, and where it is.

    The numbers are those of this run: another one may be at work in the folder by now.

    Parameters
    ----------
    outcomes : list of Outcome
        From `evaluate_clusters`.
    data_dir : path
        The data directory.
    prob_threshold : float
        Smallest PMemb of a member.

    Returns
    -------
    list of str
        A line for each cluster that did not fail.
    """
    lines = []
    for outcome in outcomes:
        if outcome.error:
            continue
        folder, found = sets_folder(outcome.cluster, data_dir), outcome.summary
        report_file = folder / "report.html"
        file = report_file if report_file.exists() else folder / f"{MEMBER_LIST}.csv"
        lines.append(
            f"{folder.name}: {found[f'p>={prob_threshold:g}']:,} members (p >= {prob_threshold:g}; expected "
            f"contamination {found['field [%]']:.0f} %), {found['new']:,} of them new: {file}"
        )
    return lines


def words_that_go_on(given: CommandLine[EvaluateOptions], clusters: list[str]) -> list[str]:
    """Options of validate_clusters.py that go on with an evaluation.

    Parameters
    ----------
    given : CommandLine
        Of evaluate_clusters.py.
    clusters : list of str
        Clusters that were evaluated.

    Returns
    -------
    list of str
        Model, probability and threshold as they were given, and the isochrones of the sets.
    """
    return [*given.shared_with(ValidateOptions)[0], *_isochrones_of(clusters, given.run.data_dir)]


def _isochrones_of(clusters: list[str], data_dir: Path) -> list[str]:
    """The isochrones that all clusters were built with, where these are the same and not remembered."""
    remembered = [Path(path).resolve() for path in read_defaults(data_dir).get("isochrone_path", [])]
    found = set()
    for name in clusters:
        built = command_again(sets_folder(name, data_dir), "sets", "build_sets.py")
        path, rotation = (values_of(built, f"--isochrone_{kind}") for kind in ("path", "rotation"))
        is_remembered = [Path(word).resolve() for word in path[1:]] == remembered
        found.add((*([] if is_remembered else path), *rotation))
    return list(found.pop()) if len(found) == 1 else []


def truth_texts(clusters: list[str], data_dir: Path | str) -> list[str]:
    """What the members of simulated clusters are worth against the truth; nothing of real ones.

    Parameters
    ----------
    clusters : list of str
        Clusters that were evaluated, in any spelling.
    data_dir : path
        The data directory.

    Returns
    -------
    list of str
        A table of several lines for each simulated cluster, with the threshold that its list was made with.
    """
    records = [read_provenance(sets_folder(name, data_dir)).get("member_list", {}) for name in clusters]
    texts = [record.get("summary", {}).get("truth") for record in records]
    return [text for text in texts if text]


def send_to_topcat(clusters: list[str], data_dir: Path | str) -> bool:
    """Send evaluated clusters to a running TOPCAT.

    Parameters
    ----------
    clusters : list of str
        Clusters that were evaluated.
    data_dir : path
        The data directory.

    Returns
    -------
    bool
        Whether TOPCAT has them all; the log says in one line why not.
    """
    try:
        for cluster in clusters:
            programs = exports.send_cluster(cluster, data_dir)
            logger.info("%s: sent to %s", cluster, ", ".join(programs))
    except exports.SampError as error:
        logger.error("--send_to_topcat: %s", error)
        return False
    return True
