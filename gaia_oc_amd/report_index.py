"""The index of a batch: one page that leads to the report of each cluster."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gaia_oc_amd._version import __version__
from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.report import REPORT_FILE
from gaia_oc_amd.report_page import asset, render

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
