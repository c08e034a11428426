"""The pictures of a report: the one it opens with, a thumbnail, and previews of the figures that a folder holds."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.canvas import Canvas, write_note
from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.panels import PANEL_NAMES
from gaia_oc_amd.plot_style import SETTINGS
from gaia_oc_amd.plotting import Layer, robust_range
from gaia_oc_amd.report.cautions import has_curve

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


_DOTS = 180  # per inch: 88 mm are 620 pixels
_QUALITY = 75
_PREVIEW_WIDTH, _PREVIEW_QUALITY = 900, 60
_STALE = 60.0  # seconds; files that were copied one after the other differ by less
_MOST_PIXELS = 100_000_000

_FIGURES = {
    "new_members": ("figures", "Training members, and further members coloured by membership probability."),
    "candidates": ("figures", "Candidate selection: training members, candidates and the field."),
    "density_profile": ("figures", "Surface density with King profile."),
    "mass_segregation": ("figures", "Mass segregation ratio."),
    "comparison": ("comparison", "Our members and those of the comparison list."),
    "additional_members": ("comparison", "Members that the comparison list lacks."),
    "missed_members": ("comparison", "Members of the comparison list that we lack, by the reason."),
    "venn_diagram": ("comparison", "Overlap of the two lists."),
    "membership_matrix": ("comparison", "Our verdict on each source against the comparison list's."),
    "isochrone_fit": ("isochrone", "Fit of age, extinction and distance by fit_isochrone.py."),
    "selection_function": ("validation", "Completeness and contamination against magnitude and radius."),
}
_SUFFIXES = (".png", ".svg", ".pdf")


@rc_context(SETTINGS)
def opening_figure(sets: "SourceSets", panel: str, *, prob_threshold: float) -> Figure:
    """One panel with the members coloured by probability over the field.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster; before an evaluation the training members are drawn.
    panel : str
        Key of `panels.PANEL_NAMES`.
    prob_threshold : float
        Least PMemb of a member.

    Returns
    -------
    Figure
    """
    members = our_members(sets, prob_threshold)
    # from 0 as in the linked view, of whose colours the page's caption has those above the threshold
    of_members = Layer("members", members, "members", (0.0, 1.0) if sets.is_evaluated() else None)
    canvas = Canvas(None, (1, 1), title="")
    if panel == "cmd" and not has_curve(sets.isochrone):
        write_note(canvas.axes[0], "There is no isochrone.")
        return canvas.figure
    ax = PANEL_NAMES[panel](canvas.axes[0], sets, [Layer("field", sets.non_members, "field"), of_members])
    ax.set_title("")
    return canvas.figure


def as_webp(figure: Figure) -> str:
    """A figure as a ``data:`` URL."""
    buffer = io.BytesIO()
    with rc_context(SETTINGS):
        figure.savefig(buffer, format="webp", dpi=_DOTS, pil_kwargs={"quality": _QUALITY})
    return _data_url("image/webp", buffer.getvalue())


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


MOST_IN_THUMBNAIL = 150
"""Stars of a thumbnail, the most probable."""
_THUMBNAIL = 60  # units along each side


def thumbnail(sets: "SourceSets", *, prob_threshold: float) -> dict[str, str]:
    """Colour-magnitude diagram and sky of the members as paths of SVG, dots in squares of 60 units.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a member.

    Returns
    -------
    dict of str
        ``cmd`` and ``sky``; a path without dots where nothing is measured.
    """
    members = our_members(sets, prob_threshold)
    members = members.sort_values("PMemb", ascending=False, kind="stable").head(MOST_IN_THUMBNAIL)
    ra, dec = members["ra"].to_numpy(float), members["dec"].to_numpy(float)
    x, y = tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec)
    colour, g = members[sets.colour].to_numpy(float), members["phot_g_mean_mag"].to_numpy(float)
    half = max(1e-4, float(np.nanmax(np.abs([x, y])))) if len(members) else 1.0
    sky = (-x, (-half, half)), (-y, (-half, half))
    cmd = (colour, _ends(colour)), (g, _ends(g))
    return {"cmd": _dots(*cmd), "sky": _dots(*sky)}


def _ends(values: np.ndarray) -> tuple[float, float]:
    return robust_range(values, reach=2.0) if np.isfinite(values).any() else (0.0, 1.0)


def _dots(*axes: tuple[np.ndarray, tuple[float, float]]) -> str:
    """Path of dots at places between two ends on each axis, drawn by round caps of lines without length."""
    scaled = [(values - low) / max(high - low, 1e-9) for values, (low, high) in axes]
    places = np.column_stack(scaled)
    places = places[(np.isfinite(places) & (places >= 0) & (places <= 1)).all(axis=1)]
    return "".join(f"M{x} {y}h0" for x, y in np.unique(np.rint(_THUMBNAIL * places).astype(int), axis=0))


@dataclass(frozen=True)
class Picture:
    """A figure and what stands below it.

    Parameters
    ----------
    name : str
        Name of its file without the ending.
    section : str
        Where in a report it stands.
    caption : str
        What it shows.
    file : str
        The file's name.
    preview : str
        A ``data:`` URL; empty where it is not in the page.
    stale : bool
        Whether the file is older than the evaluation.
    """

    name: str
    section: str
    caption: str
    file: str
    preview: str
    stale: bool


def pictures(folder: Path, *, room: int) -> list[Picture]:
    """The figures that a cluster's folder holds, previews of them in the page as long as there is room.

    Parameters
    ----------
    folder : path
        A cluster's folder.
    room : int
        How many bytes the previews may take together.

    Returns
    -------
    list of Picture
        In a fixed order; of a figure in several formats the newest.
    """
    found = []
    for name, (section, caption) in _FIGURES.items():
        present = [path for suffix in _SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
        if not present:
            continue
        path = max(present, key=lambda path: path.stat().st_mtime)
        preview = _preview(path)
        preview = preview if len(preview) <= room else ""
        room -= len(preview)
        found.append(Picture(name, section, caption, path.name, preview, _is_stale(path)))
    return found


def _preview(path: Path) -> str:
    """A smaller picture of a PNG, an SVG as it is; nothing of a PDF or of a file that is no picture."""
    if path.suffix == ".svg":
        return _data_url("image/svg+xml", path.read_bytes())
    if path.suffix != ".png":
        return ""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                return ""
            width = min(image.width, _PREVIEW_WIDTH)
            size = (width, round(image.height * width / image.width))
            small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=_PREVIEW_QUALITY)
    return _data_url("image/webp", buffer.getvalue())


def _is_stale(path: Path) -> bool:
    compared = {"candidates": "cluster.json", "isochrone_fit": "members.csv"}
    return is_older(path, path.parent / compared.get(path.stem, "candidates.csv"))


def is_older(path: Path, than: Path) -> bool:
    """Whether a file was written well before another, so that it may show what is no longer so."""
    return path.exists() and than.exists() and path.stat().st_mtime < than.stat().st_mtime - _STALE
