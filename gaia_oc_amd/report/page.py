"""The report of a cluster: one page that stands alone, without a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaia_oc_amd._version import __version__
from gaia_oc_amd.comparison import ComparisonCounts, membership_matrix
from gaia_oc_amd.files.data_directory import cluster_directory, write_atomically
from gaia_oc_amd.files.provenance import command_again
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.isochrone_stages import poor_stages
from gaia_oc_amd.member_list import Count, new_members, our_members
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.report.cautions import Caution, cautions
from gaia_oc_amd.report.index import REPORT_FILE
from gaia_oc_amd.report.parameters import king_profile_of, limit_table, literature_values, parameter_table
from gaia_oc_amd.report.pictures import as_webp, is_older, opening_figure, pictures, thumbnail
from gaia_oc_amd.report.quality import Measured, Quality, by_injection, by_truth, measured, quality, sentence
from gaia_oc_amd.report.rendering import asset, bokeh_script, compact_json, packed, render, script_json
from gaia_oc_amd.report.stars import COLUMNS, ShownStars, cone_with_reasons, packed_cone, shown_stars
from gaia_oc_amd.report.tables import (
    TextTable,
    commands,
    magnitude_bins,
    number_table,
    recorded,
    recorded_cautions,
    selection_function_table,
    truth_table,
    validated_otherwise,
)
from gaia_oc_amd.report.view import panel_item, probability_palette, view_settings
from gaia_oc_amd.source_sets import existing_name, fitted_parameters
from gaia_oc_amd.spatial import read_spatial
from gaia_oc_amd.truth import MAGNITUDE_EDGES, read_truth, score_against_truth

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


LARGEST_PAGE = 3_000_000
"""Bytes; previews of figures for which there is no room are left out: a report stays quick."""
_TEXT = 150_000
"""Bytes of a page without data, scripts and pictures, generously."""
SELECTION_FUNCTION = "selection_function.csv"
"""As validate_clusters.py calls it; its module takes long to import."""


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


@dataclass(frozen=True)
class _Findings:
    """What injection and controls, or the truth of a simulation, say of a list.

    Parameters
    ----------
    validation, truth : TextTable, optional
        Their tables.
    numbers : Measured
        What both tell of completeness and contamination; the truth goes before.
    problem : Caution, optional
        What is doubtful about the validation.
    """

    validation: TextTable | None
    truth: TextTable | None
    numbers: Measured
    problem: Caution | None


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
    threshold, provenance = options.prob_threshold, recorded(folder)
    findings = _findings(sets, folder, data_dir, provenance, threshold)
    simulated = findings.truth is not None
    warned = _cautions(sets, folder, findings, provenance, threshold)
    grades = quality(sets, findings.numbers, prob_threshold=threshold)
    lines, were_recorded = commands(provenance, sets.cluster.name, data_dir)
    spatial = read_spatial(folder)
    return render(
        "report.html",
        name=sets.cluster.name.replace("_", " "),
        cluster=sets.cluster,
        version=__version__,
        simulated=simulated,
        summary=script_json(_summary(sets, options, warned, findings, grades)),
        counts=sets.counts(),
        sentence=sentence(sets, findings.numbers, threshold),
        quality=grades,
        cautions=warned,
        parameters=parameter_table(
            sets,
            fitted_parameters(folder),
            spatial[1] if spatial else None,
            king=king_profile_of(sets, threshold),
            literature={} if simulated else literature_values(sets.cluster.name, data_dir),
        ),
        limits=limit_table(sets),
        fitted=bool(fitted_parameters(folder)),
        numbers=number_table(sets, threshold),
        threshold=threshold,
        beside=poor_stages(sets.stage_offsets),
        palette=probability_palette(9, threshold),
        whole_palette=probability_palette(9),
        compared=_compared(sets, threshold),
        findings=findings,
        matrix=_matrix(sets, options),
        provenance=provenance,
        commands=lines,
        remedies={
            name: script_command(f"{name}.py", sets.cluster.name, data_dir=data_dir)
            for name in ("validate_clusters", "fit_isochrone", "explain_stars")
        },
        recorded=were_recorded,
        style=asset("report.css"),
        script=asset(
            "report_data.js", "report_panels.js", "report_table.js", "report_lookup.js", "report.js"
        ),
        **_data_and_pictures(sets, folder, threshold, simulated=simulated),
    )


def _data_and_pictures(
    sets: "SourceSets", folder: Path, threshold: float, *, simulated: bool
) -> dict[str, Any]:
    """The heavy parts of the page: scripts, stars, pictures; these get the room that is left."""
    cone = cone_with_reasons(sets, folder, threshold)
    shown = shown_stars(sets, cone)
    identifiers, reasons = packed_cone(cone)
    parts = {
        "settings": script_json(_settings(sets, shown, threshold, simulated=simulated)),
        "stars": packed(compact_json(shown.as_lists())),
        "identifiers": identifiers,
        "reasons": reasons,
        "panel": script_json(panel_item()),
        "bokeh": bokeh_script(),
    }
    opening = {name: as_webp(opening_figure(sets, name, prob_threshold=threshold)) for name in ("cmd", "sky")}
    taken = sum(map(len, (*parts.values(), *opening.values())))
    found = pictures(folder, room=LARGEST_PAGE - _TEXT - taken)
    return parts | {"shown": shown, "opening": opening, "pictures": found}


def _findings(
    sets: "SourceSets", folder: Path, data_dir: Path | str, provenance: dict[str, Any], threshold: float
) -> _Findings:
    validation, numbers, problem = _validation(folder, provenance)
    labels = read_truth(folder.name, data_dir)
    if labels is None:
        return _Findings(validation, None, numbers, problem)
    scores = score_against_truth(sets, labels, prob_threshold=threshold)
    of_truth = measured(by_truth(scores, MAGNITUDE_EDGES)) if sets.is_evaluated() else numbers
    return _Findings(validation, truth_table(scores, threshold), of_truth, problem)


def _validation(
    folder: Path, provenance: dict[str, Any]
) -> tuple[TextTable | None, Measured, Caution | None]:
    """Table of the selection function if there is one, its numbers, and what is doubtful about it."""
    path = folder / SELECTION_FUNCTION
    if not path.exists():
        return None, Measured(), None
    try:
        selection = read_table(path)
        table, numbers = selection_function_table(selection), measured(by_injection(selection))
    except (ValueError, TypeError, KeyError) as error:
        text = f"{SELECTION_FUNCTION} cannot be shown: {error}"
        return None, Measured(), Caution("note", "Validation unreadable", text)
    text = "Completeness and contamination were measured before the last evaluation: if model or options differ, run "
    again = command_again(folder, "validation", "validate_clusters.py")
    older = Caution("note", "Older validation", f"{text}`{again}`.")
    outdated = "evaluation" in provenance and "validation" not in provenance
    return table, numbers, older if outdated or is_older(path, folder / "candidates.csv") else None


def _cautions(
    sets: "SourceSets", folder: Path, findings: _Findings, provenance: dict[str, Any], threshold: float
) -> list[Caution]:
    """All warnings, those that may make the list wrong first."""
    validated = findings.validation is not None or findings.problem is not None
    found = cautions(sets, validated=validated, prob_threshold=threshold, data_dir=folder.parents[1])
    found += [*recorded_cautions(provenance), *([findings.problem] if findings.problem else [])]
    found += validated_otherwise(folder, provenance, threshold)
    return sorted(found, key=lambda caution: caution.level != "attention")


def _matrix(sets: "SourceSets", options: PlotOptions) -> TextTable | None:
    """Our verdicts on the comparison list's stars and on others; None without such a list."""
    if not _compared(sets, options.prob_threshold):
        return None
    matrix = membership_matrix(
        sets, prob_threshold=options.prob_threshold, least_probability=options.candidate_prob_threshold
    )
    rows = [
        [str(verdict), *(f"{count:,}" for count in row)]
        for verdict, row in zip(matrix.index, matrix.to_numpy(), strict=True)
    ]
    columns = ["", f"in {sets.comparison_name}", "not in it"]
    return TextTable("Our verdicts on each source", columns, rows)


def _compared(sets: "SourceSets", prob_threshold: float) -> str:
    """What became of the comparison list's stars; empty without such a list."""
    counts = ComparisonCounts.of(sets, prob_threshold)
    return f"{counts}." if counts.listed else ""


def _summary(
    sets: "SourceSets", options: PlotOptions, warned: list[Caution], findings: _Findings, grades: Quality
) -> dict[str, Any]:
    """What the index of a batch shows of this cluster."""
    cluster, members = sets.cluster, our_members(sets, options.prob_threshold)
    count = Count.of(members)
    numbers = {
        "members": count.n_stars,
        "Σ p": round(count.expected, 1),
        "expected field": f"{100 * count.contamination:.1f} %" if count.n_stars else "–",
        "new": len(new_members(members)),
        "training members": len(sets.members),
        "candidates": len(sets.candidates),
    }
    values = {"ra": 4, "dec": 4, "parallax": 3, "pmra": 3, "pmdec": 3, "dist": 0, "age": 2, "a0": 2}
    complete = findings.numbers.completeness
    return {
        "name": cluster.name,
        "class": grades.letter,
        "reasons": grades.reasons,
        "sentence": sentence(sets, findings.numbers, options.prob_threshold),
        "numbers": numbers,
        "cluster": {key: _finite(getattr(cluster, key), digits) for key, digits in values.items()},
        "completeness": f"{100 * complete:.1f} %" if np.isfinite(complete) else "",
        "thumbnail": thumbnail(sets, prob_threshold=options.prob_threshold),
        "attention": [caution.title for caution in warned if caution.level == "attention"],
        "notes": [caution.title for caution in warned if caution.level != "attention"],
        "version": __version__,
    }


def _finite(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None


def _settings(sets: "SourceSets", shown: ShownStars, threshold: float, *, simulated: bool) -> dict[str, Any]:
    """What the scripts must know."""
    bins = [
        {"label": label, "low": low if np.isfinite(low) else -99, "high": high if np.isfinite(high) else 99}
        for label, low, high in magnitude_bins()
    ]
    columns = [
        {
            "name": column.name,
            "source": column.source or column.name,
            "heading": column.heading,
            "digits": column.digits,
            "error": column.error,
        }
        for column in COLUMNS
    ]
    return {
        "name": sets.cluster.name,
        "least": shown.least_probability,
        "start": max(threshold, shown.least_probability),
        "judged": len(sets.judged_members) > 0,
        "bins": bins,
        "columns": columns,
        "comparison": sets.comparison_name if len(sets.comparison) else "",
        "links": not simulated,
    } | view_settings(shown, sets)
