"""The index of all reports in a data directory: a map of the sky and a table."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from gaia_oc_amd._version import __version__
from gaia_oc_amd.astrometry import galactic_coordinates
from gaia_oc_amd.files.data_directory import write_atomically

REPORT_FILE = "report.html"
INDEX_FILE = "index.html"
_HEAD = 65_536  # bytes; the summary stands at the top of a report
_SUMMARY = re.compile(rb'<script type="application/json" id="summary">(.*?)</script>', re.DOTALL)
_ADDRESS = re.compile(rf'<a href="(clusters/[^"/]+/{REPORT_FILE})"')
_PATH = re.compile(r"(?:M\d{1,2} \d{1,2}h0)*")


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
    place : tuple of float, optional
        Where the map shows the cluster, from `aitoff`; None where its direction is not known.
    """

    folder: str
    address: str
    summary: dict[str, Any]
    place: tuple[float, float] | None


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
    from gaia_oc_amd.report.rendering import asset, render

    rows = index_rows(data_dir)
    if not rows:
        return None
    path = Path(data_dir) / INDEX_FILE
    page = render(
        "index.html",
        rows=rows,
        placed=[row for row in rows if row.place],
        graticule=graticule(),
        version=__version__,
        style=asset("report.css"),
        script=asset("index.js"),
    )
    with write_atomically(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def refresh_index(data_dir: Path | str) -> None:
    """Write index.html anew if there is one that does not name all reports; without reports it is removed."""
    path = Path(data_dir) / INDEX_FILE
    if not path.exists() or _named_in(path) == {_address(report) for report in _reports(data_dir)}:
        return
    if write_index(data_dir) is None:
        path.unlink()


def _named_in(index: Path) -> set[str]:
    """Addresses of the reports that an index names."""
    return set(_ADDRESS.findall(index.read_text(encoding="utf-8", errors="replace")))


def _reports(data_dir: Path | str) -> list[Path]:
    return sorted(Path(data_dir).glob(f"clusters/*/{REPORT_FILE}"))


def _address(report: Path) -> str:
    """Address of a report relative to the index."""
    return f"clusters/{quote(report.parent.name)}/{REPORT_FILE}"


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
    reports = _reports(data_dir)
    summaries = [_read_summary(path) for path in reports]
    return [
        IndexRow(
            path.parent.name,
            _address(path),
            summary,
            _place(summary.get("cluster", {})),
        )
        for path, summary in zip(reports, summaries, strict=True)
    ]


def _read_summary(path: Path) -> dict[str, Any]:
    """Summary at the top of a report; empty if there is none of this form, as in a file of someone else."""
    with path.open("rb") as file:
        found = _SUMMARY.search(file.read(_HEAD))
    try:
        summary = json.loads(found[1]) if found else {}
    except ValueError:
        return {}
    expected = {
        "numbers": dict,
        "cluster": dict,
        "attention": list,
        "notes": list,
        "thumbnail": dict,
        "class": str,
    }
    whole = isinstance(summary, dict) and all(
        isinstance(summary.get(k), kind) for k, kind in expected.items()
    )
    if not whole or not all(_PATH.fullmatch(str(path)) for path in summary["thumbnail"].values()):
        return {}
    return summary


def _place(cluster: dict[str, Any]) -> tuple[float, float] | None:
    ra, dec = (cluster.get(name) for name in ("ra", "dec"))
    if not isinstance(ra, int | float) or not isinstance(dec, int | float) or not -90 <= dec <= 90:
        return None
    return aitoff(*galactic_coordinates(ra, dec))


def aitoff(longitude: float, latitude: float) -> tuple[float, float]:
    """Place of a direction in Aitoff's projection, longitude growing to the left from the middle.

    Parameters
    ----------
    longitude, latitude : float
        [deg].

    Returns
    -------
    x, y : float
        From -180 to 180 and from -90 to 90, y growing downwards as in SVG.
    """
    half, height = np.radians((longitude + 180) % 360 - 180) / 2, np.radians(latitude)
    angle = np.arccos(np.cos(height) * np.cos(half))
    stretch = 1 / np.sinc(angle / np.pi)
    x = 2 * stretch * np.cos(height) * np.sin(half)
    return round(float(-np.degrees(x)), 2), round(float(-np.degrees(stretch * np.sin(height))), 2)


def graticule() -> list[str]:
    """Points of the map's lines of equal longitude and latitude, as SVG's polylines take them."""
    latitudes, longitudes = np.linspace(-90, 90, 37), np.linspace(-179.99, 179.99, 73)
    meridians = [
        [(longitude, b) for b in latitudes] for longitude in (-179.99, *range(-120, 121, 60), 179.99)
    ]
    parallels = [[(longitude, b) for longitude in longitudes] for b in (-60, -30, 0, 30, 60)]
    return [" ".join("{},{}".format(*aitoff(*place)) for place in line) for line in (*meridians, *parallels)]
