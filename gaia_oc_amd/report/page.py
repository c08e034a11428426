"""The report of a cluster and the index of all: pages that stand alone, without a network."""

import base64
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gaia_oc_amd._version import __version__
from gaia_oc_amd.comparison import ComparisonCounts, membership_matrix
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, cluster_directory, read_json, write_atomically
from gaia_oc_amd.files.provenance import command_again
from gaia_oc_amd.member_list import Count, new_members, our_members
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.report.cautions import Caution, cautions
from gaia_oc_amd.report.tables import (
    TextTable,
    commands,
    limit_table,
    magnitude_bins,
    number_table,
    parameter_table,
    recorded,
    recorded_cautions,
    selection_function_table,
    truth_table,
    validated_otherwise,
)
from gaia_oc_amd.report.view import ShownStars, shown_stars, view_item
from gaia_oc_amd.source_sets import existing_name, fitted_parameters
from gaia_oc_amd.spatial import read_spatial
from gaia_oc_amd.truth import read_truth, score_against_truth

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


_FOLDER = "templates"


def render(template: str, **values: Any) -> str:
    """Fill in a template; every value is escaped, and one that is missing is an error.

    Parameters
    ----------
    template : str
        Name of a file in the package's folder of templates.
    **values : any
        What the template names.

    Returns
    -------
    str
        HTML.
    """
    environment = Environment(
        loader=PackageLoader("gaia_oc_amd.report", _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def asset(name: str) -> Markup:
    """A style sheet or script of the package, as it is."""
    return Markup(files("gaia_oc_amd.report").joinpath(_FOLDER, name).read_text(encoding="utf-8"))


def bokeh_script() -> Markup:
    """The part of Bokeh's script that figures need (1.3 MB); widgets, tables, WebGL and formulas are left out."""
    return Markup("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw))


def script_json(value: Any) -> Markup:
    """A value as JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


LARGEST_FIGURE = 3_000_000
"""Bytes; a larger figure is linked instead: a report stays quick."""
_STALE = 60.0  # seconds; files that were copied one after the other differ by less

_CAPTIONS = {
    "new_members": "Training members, and further members coloured by probability.",
    "candidates": "Candidate selection: training members, candidates and the field.",
    "comparison": "Our members and those of the comparison list.",
    "additional_members": "Members that the comparison list lacks.",
    "missed_members": "Members of the comparison list that we lack, by the reason.",
    "venn_diagram": "Overlap of the two lists.",
    "membership_matrix": "Our verdict on each source against the comparison list's.",
    "density_profile": "Surface density with King profile.",
    "mass_segregation": "Mass segregation ratio.",
    "isochrone_fit": "Fit of age, extinction and distance by fit_isochrone.py.",
    "selection_function": "Completeness and contamination against magnitude and radius.",
}
_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Picture:
    """A figure and what stands below it.

    Parameters
    ----------
    name : str
        Name of its file without the ending.
    caption : str
        What it shows.
    address : str
        A ``data:`` URL, or the file's name where it is not embedded.
    embedded : bool
        Whether it is in the page.
    stale : bool
        Whether the file is older than the evaluation.
    """

    name: str
    caption: str
    address: str
    embedded: bool
    stale: bool


def pictures(folder: Path) -> list[Picture]:
    """The figures that a cluster's folder holds.

    Parameters
    ----------
    folder : path
        A cluster's folder.

    Returns
    -------
    list of Picture
        In a fixed order; of a figure in several formats the newest.
    """
    found = []
    for name, caption in _CAPTIONS.items():
        files = [folder / f"{name}{suffix}" for suffix in (*_TYPES, ".pdf")]
        present = [path for path in files if path.is_file()]
        if present:
            found.append(_picture(max(present, key=lambda path: path.stat().st_mtime), caption))
    return found


def _picture(path: Path, caption: str) -> Picture:
    embedded = path.suffix in _TYPES and path.stat().st_size <= LARGEST_FIGURE
    address = path.name
    if embedded:
        address = f"data:{_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
    compared = "cluster.json" if path.stem == "candidates" else "candidates.csv"
    if path.stem == "isochrone_fit":
        compared = "members.csv"
    return Picture(path.stem, caption, address, embedded, is_older(path, path.parent / compared))


def is_older(path: Path, than: Path) -> bool:
    """Whether a file was written well before another, so that it may show what is no longer so."""
    return path.exists() and than.exists() and path.stat().st_mtime < than.stat().st_mtime - _STALE


REPORT_FILE = "report.html"
SELECTION_FUNCTION = "selection_function.csv"
"""As validate_clusters.py calls it; its module would load PyTorch."""


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
        sets,
        c_margin=_c_margin(folder),
        validated=validated is not None or problem is not None,
        prob_threshold=options.prob_threshold,
        data_dir=data_dir,
    )
    warned += [*recorded_cautions(provenance), *([problem] if problem else [])]
    warned += validated_otherwise(folder, provenance, options.prob_threshold)
    truth, spatial = read_truth(folder.name, data_dir), read_spatial(folder)
    threshold = options.prob_threshold
    start = max(threshold, shown.least_probability)
    lines, were_recorded = commands(provenance, sets.cluster.name, data_dir)
    return render(
        "report.html",
        name=sets.cluster.name.replace("_", " "),
        cluster=sets.cluster,
        version=__version__,
        simulated=truth is not None,
        summary=script_json(_summary(sets, options, warned, validated)),
        counts=sets.counts(),
        cautions=warned,
        tables=[
            parameter_table(sets, fitted_parameters(folder), spatial[1] if spatial else None),
            limit_table(sets),
        ],
        fitted=bool(fitted_parameters(folder)),
        numbers=number_table(sets, threshold),
        threshold=threshold,
        compared=_compared(sets, threshold),
        shown=shown,
        start=start,
        settings=script_json(_settings(sets, shown, start, simulated=truth is not None)),
        view=Markup(view_item(shown, sets, threshold=start)),
        pictures=pictures(folder),
        validation=validated,
        truth=None
        if truth is None
        else truth_table(score_against_truth(sets, truth, prob_threshold=threshold), threshold),
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
    older = Caution(
        "note", "Older validation", f"{text}`{command_again(folder, 'validation', 'validate_clusters.py')}`."
    )
    outdated = "evaluation" in provenance and "validation" not in provenance
    return table, older if outdated or is_older(path, folder / "candidates.csv") else None


def _c_margin(folder: Path) -> float:
    """Margin of the colour limit that the sets were built with [mag]."""
    try:
        return float(read_json(folder / CLUSTER_FILE)["options"]["selection"]["c_margin"])
    except (KeyError, TypeError, ValueError, OSError):
        return 0.1


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
    sets: "SourceSets", options: PlotOptions, warned: list[Caution], validated: TextTable | None
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
    return {
        "name": cluster.name,
        "numbers": numbers,
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
        "judged": len(sets.judged_members) > 0,
        "bins": bins,
        "colour": {"g_rp": "G−RP", "bp_rp": "BP−RP"}[sets.colour],
        "links": not simulated,
    }


INDEX_FILE = "index.html"
_HEAD = 65_536  # bytes; the summary stands at the top of a report
_SUMMARY = re.compile(rb'<script type="application/json" id="summary">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class IndexRow:
    """What the index says of one cluster.

    Parameters
    ----------
    folder : str
        Name of the cluster's folder.
    address : str
        Address of its report relative to the index.
    summary : dict
        As the report gives it; empty if it gives none.
    """

    folder: str
    address: str
    summary: dict[str, Any]


def write_index(data_dir: Path | str) -> Path | None:
    """Write index.html into the data directory, with every cluster that has a report.

    Parameters
    ----------
    data_dir : path
        The data directory.

    Returns
    -------
    Path or None
        The file; None, and no file is written, if there is no report.
    """
    rows = index_rows(data_dir)
    if not rows:
        return None
    path = Path(data_dir) / INDEX_FILE
    page = render(
        "index.html",
        rows=rows,
        version=__version__,
        style=asset("report.css"),
        script=asset("index.js"),
    )
    with write_atomically(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def refresh_index(data_dir: Path | str) -> None:
    """Write index.html anew if there is one, so that it has no dead links; without reports it is removed."""
    path = Path(data_dir) / INDEX_FILE
    if path.exists() and write_index(data_dir) is None:
        path.unlink()


def index_rows(data_dir: Path | str) -> list[IndexRow]:
    """What the reports in a data directory say of themselves, by name.

    Parameters
    ----------
    data_dir : path
        The data directory.

    Returns
    -------
    list of IndexRow
    """
    reports = sorted(Path(data_dir).glob(f"clusters/*/{REPORT_FILE}"))
    return [
        IndexRow(path.parent.name, f"clusters/{quote(path.parent.name)}/{REPORT_FILE}", _read_summary(path))
        for path in reports
    ]


def _read_summary(path: Path) -> dict[str, Any]:
    """Summary at the top of a report; empty if there is none of this form, as in a file of someone else."""
    with path.open("rb") as file:
        found = _SUMMARY.search(file.read(_HEAD))
    try:
        summary = json.loads(found[1]) if found else {}
    except ValueError:
        return {}
    expected = {"numbers": dict, "cluster": dict, "attention": list, "notes": list}
    whole = isinstance(summary, dict) and all(
        isinstance(summary.get(k), kind) for k, kind in expected.items()
    )
    return summary if whole else {}
