"""The report of an evaluated cluster: one page that is readable without a network."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from gaia_oc_amd._version import __version__
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, cluster_directory, read_json, write_atomically
from gaia_oc_amd.member_comparison import membership_matrix
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.report_figures import is_older, pictures
from gaia_oc_amd.report_page import asset, bokeh_script, render, script_json
from gaia_oc_amd.report_provenance import commands, recorded, recorded_cautions
from gaia_oc_amd.report_stars import ShownStars, shown_stars
from gaia_oc_amd.report_tables import (
    TextTable,
    limit_table,
    magnitude_bins,
    number_table,
    parameter_table,
    selection_function_table,
    truth_table,
)
from gaia_oc_amd.report_view import view_item
from gaia_oc_amd.report_warnings import Caution, cautions
from gaia_oc_amd.source_sets import existing_name
from gaia_oc_amd.truth import read_truth, score_against_truth

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets

REPORT_FILE = "report.html"
SELECTION_FUNCTION = "selection_function.csv"
"""As validate_clusters.py calls it; its module would load PyTorch."""
START_THRESHOLD = 0.5
"""PMemb at which the slider stands when the page opens: more likely a member than not."""


def write_report(sets: "SourceSets", data_dir: Path | str, options: PlotOptions | None = None) -> Path:
    """Write report.html into a cluster's folder.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster, evaluated or not.
    data_dir : path
        The data directory. The cluster's folder gives figures, validation, truth and provenance, as far as they are
        there.
    options : PlotOptions, optional
        Gives the probabilities that tables count at.

    Returns
    -------
    Path
        The file. Its bytes depend on the sets, the options and the folder's files only.
    """
    folder = cluster_directory(data_dir, existing_name(sets.cluster.name, data_dir))
    page = report_page(sets, folder, data_dir, options or PlotOptions())
    with write_atomically(folder / REPORT_FILE) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder / REPORT_FILE


def report_page(sets: "SourceSets", folder: Path, data_dir: Path | str, options: PlotOptions) -> str:
    """The report as HTML.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    folder : path
        The cluster's folder.
    data_dir : path
        The data directory, for the commands.
    options : PlotOptions
        Gives the probabilities that tables count at.

    Returns
    -------
    str
    """
    shown, provenance = shown_stars(sets), recorded(folder)
    validated, problem = _validation(folder, provenance)
    warned = cautions(
        sets, c_margin=_c_margin(folder), validated=validated is not None or problem is not None
    )
    warned += [*recorded_cautions(provenance), *([problem] if problem else [])]
    truth = read_truth(folder.name, data_dir)
    start = max(START_THRESHOLD, shown.least_probability)
    lines, were_recorded = commands(provenance, sets.cluster.name, data_dir)
    thresholds = (options.candidate_prob_threshold, START_THRESHOLD, options.new_members_prob_threshold)
    return render(
        "report.html",
        name=sets.cluster.name.replace("_", " "),
        cluster=sets.cluster,
        version=__version__,
        simulated=truth is not None,
        summary=script_json(_summary(sets, options, warned, validated)),
        counts=sets.counts(),
        cautions=warned,
        tables=[parameter_table(sets), limit_table(sets)],
        numbers=number_table(sets, thresholds),
        shown=shown,
        start=start,
        settings=script_json(_settings(sets, shown, start, simulated=truth is not None)),
        view=Markup(view_item(shown, sets, threshold=start)),
        pictures=pictures(folder),
        validation=validated,
        truth=None if truth is None else truth_table(score_against_truth(sets, truth)),
        matrix=_matrix(sets, options),
        provenance=provenance,
        commands=lines,
        recorded=were_recorded,
        style=asset("report.css"),
        bokeh=bokeh_script(),
        script=asset("report.js"),
    )


def _validation(folder: Path, provenance: dict[str, Any]) -> tuple[TextTable | None, Caution | None]:
    """Table of the selection function if there is one, and what is doubtful about it."""
    path = folder / SELECTION_FUNCTION
    if not path.exists():
        return None, None
    try:
        table = selection_function_table(pd.read_csv(path))
    except (ValueError, TypeError, KeyError) as error:
        return None, Caution(
            "note", "Validation unreadable", f"{SELECTION_FUNCTION} cannot be shown: {error}"
        )
    text = "Completeness and contamination were measured before the last evaluation: if model or options differ, run "
    older = Caution("note", "Older validation", f"{text}validate_clusters.py again.")
    outdated = "evaluation" in provenance and "validation" not in provenance
    return table, older if outdated or is_older(path, folder / "candidates.csv") else None


def _c_margin(folder: Path) -> float:
    """Margin of the colour limit that the sets were built with [mag]."""
    try:
        return float(read_json(folder / CLUSTER_FILE)["options"]["selection"]["c_margin"])
    except (KeyError, TypeError, ValueError, OSError):
        return 0.1


def _matrix(sets: "SourceSets", options: PlotOptions) -> TextTable | None:
    """Our verdicts against the comparison list's; None without such a list."""
    if sets.comparison.empty:
        return None
    low, high = options.candidate_prob_threshold, options.new_members_prob_threshold
    matrix = membership_matrix(sets, prob_threshold=low, high_prob_threshold=high)
    rows = [
        [str(verdict), *(f"{count:,}" for count in row)]
        for verdict, row in zip(matrix.index, matrix.to_numpy(), strict=True)
    ]
    return TextTable(
        "Our verdicts (rows) against the comparison list's", ["", *map(str, matrix.columns)], rows
    )


def _summary(
    sets: "SourceSets", options: PlotOptions, warned: list[Caution], validated: TextTable | None
) -> dict[str, Any]:
    """What the index of a batch shows of this cluster."""
    probability, cluster = sets.candidates["PMemb"], sets.cluster
    numbers = {
        "new members": int((probability >= options.new_members_prob_threshold).sum()),
        "p ≥ 0.5": int((probability >= START_THRESHOLD).sum()),
        "Σ p": round(float(probability.sum()), 1),
    }
    values = {"ra": 4, "dec": 4, "parallax": 3, "pmra": 3, "pmdec": 3, "dist": 0, "age": 2, "a0": 2}
    return {
        "name": cluster.name,
        "numbers": {"members": len(sets.members), "candidates": len(sets.candidates)} | numbers,
        "cluster": {key: _finite(getattr(cluster, key), digits) for key, digits in values.items()},
        "completeness": validated.rows[0][1] if validated and validated.rows else "",
        "attention": [caution.title for caution in warned if caution.level == "attention"],
        "notes": [caution.title for caution in warned if caution.level != "attention"],
        "version": __version__,
    }


def _finite(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None


def _settings(sets: "SourceSets", shown: ShownStars, start: float, *, simulated: bool) -> dict[str, Any]:
    """What report.js must know."""
    bins = [
        {"label": label, "low": low if np.isfinite(low) else -99, "high": high if np.isfinite(high) else 99}
        for label, low, high in magnitude_bins()
    ]
    return {
        "name": sets.cluster.name,
        "least": shown.least_probability,
        "start": start,
        "bins": bins,
        "colour": {"g_rp": "G−RP", "bp_rp": "BP−RP"}[sets.colour],
        "links": not simulated,
    }
