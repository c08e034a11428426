"""Colours, markers, shades, sizes and axis labels of every figure."""

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from matplotlib import rcParamsDefault
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.patheffects import AbstractPathEffect

SETTINGS: dict[Any, Any] = {name: value for name, value in rcParamsDefault.items() if name != "backend"} | {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titley": 1.0,  # where Matplotlib puts it, too, once it has measured the numbers below
    "axes.labelsize": 8,
    "figure.titlesize": 9,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.hashsalt": "gaia_oc_amd",  # the same names in the same picture
    "pdf.fonttype": 42,  # letters that journals accept and editors can change
}
"""Matplotlib settings of every figure; a figure function is wrapped in ``rc_context(SETTINGS)``.

The type has these sizes in print, for figures are drawn as wide as they are printed. All other settings are
Matplotlib's defaults: the layout is measured with them, and a user's own style may need LaTeX, or crop the figure."""

LINE_COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
"""Palette of Okabe & Ito for curves that are no kind of source."""

PROBABILITY_COLOURS = "plasma_r"
"""Name of the colour map of membership probabilities: the surer, the darker on white paper."""
INK = "#000000"
"""Lines of theory and selection: isochrone, boundary, scale bar."""
OFFSET, OFFSET_WORDS = "#D55E00", "members beside the isochrone"
"""Line from the isochrone to the members of an evolutionary stage that lie beside it, and its legend entry."""
EDGE = "#444444"
"""Edges of markers that are coloured by probability."""
PAPER = "#FFFFFF"
"""Outlines that lift lines and markers off what lies below them."""

DENSITY_ABOVE = 2000
"""A set of more field stars or candidates than this is shown as density, not as points."""

THIN_ABOVE = 300
"""Markers of more sources than this shrink and let through what lies below them."""

HOLLOW = 1.8
"""Area of hollow markers in units of that of filled ones, which must fit in."""
BACKGROUND = 0.7
"""Area of markers that only show the surroundings, in the same units."""


class LineLook(TypedDict, total=False):
    """How lines and their marks are drawn, in the words of Matplotlib's ``plot`` and ``errorbar``."""

    color: str
    lw: float
    ls: str
    alpha: float
    zorder: float
    marker: str
    ms: float
    mfc: str
    mew: float
    path_effects: list[AbstractPathEffect]


class PointLook(TypedDict, total=False):
    """How points are drawn, in the words of Matplotlib's ``scatter``."""

    color: str
    s: float
    lw: float
    cmap: str
    vmin: float
    vmax: float


@dataclass(frozen=True)
class SourceStyle:
    """How one kind of source is drawn in every picture.

    Parameters
    ----------
    colour : str
        Hexadecimal.
    marker : str
        As Matplotlib calls it.
    filled : bool
        Whether the marker is.
    zorder : float
        Higher ones lie above.
    scale : float
        Area of the markers in units of `marker_area`.
    """

    colour: str
    marker: str = "o"
    filled: bool = True
    zorder: float = 3.0
    scale: float = 1.0


STYLES = {
    "members": SourceStyle("#0072B2", zorder=4.0),
    "training": SourceStyle("#0072B2", filled=False, zorder=2.5, scale=HOLLOW),
    "candidates": SourceStyle("#E69F00", zorder=3.0),
    "ours": SourceStyle("#005F45", zorder=3.5),
    "comparison": SourceStyle("#B23A00", "s", filled=False, zorder=2.6, scale=HOLLOW),
    "field": SourceStyle("#BDBDBD", zorder=2.0, scale=BACKGROUND),
    "context": SourceStyle("#55A38A", zorder=2.2, scale=BACKGROUND),
    "rejected": SourceStyle("#000000", "x", zorder=5.5),
    "elsewhere": SourceStyle("#CC79A7", "^", zorder=5.5),
    "improbable": SourceStyle("#E69F00", "v", zorder=5.0, scale=1.4),
}
"""Styles of training members, the same beneath sources coloured by probability, candidates, our member list,
the comparison list, other stars of the field, our members shown for orientation only, and members that we
miss because they are no candidates, not in the cone or improbable. These three and our members differ by
marker, so that they do in grey.

Blue, orange and grey are those of Okabe & Ito; green and vermilion are darker than theirs, which with normal
sight makes no difference and with deuteranopia tells them from grey and orange."""

BOTH_LISTS = "#F0E442"
"""Area of the sources that two lists share."""
FOUND = STYLES["ours"].colour
LOSSES = {"probability": "#E69F00", "selection": "#56B4E9", "cone": "#A6A6A6"}
"""Shares of a selection function: what was found, and where the rest was lost."""

LABELS = {
    "sky_x": r"$\Delta\alpha\,\cos\delta$ [deg]",
    "sky_y": r"$\Delta\delta$ [deg]",
    "pmra": r"$\mu_{\alpha}\cos\delta$ [mas yr$^{-1}$]",
    "pmdec": r"$\mu_{\delta}$ [mas yr$^{-1}$]",
    "parallax": r"$\varpi$ [mas]",
    "phot_g_mean_mag": "$G$ [mag]",
    "g_rp": r"$G - G_\mathrm{RP}$ [mag]",
    "bp_rp": r"$G_\mathrm{BP} - G_\mathrm{RP}$ [mag]",
    "bp_g": r"$G_\mathrm{BP} - G$ [mag]",
}
"""Labels of the axes, with units."""


def marker_area(n_sources: int) -> float:
    """Area of a marker [point^2], smaller where there are more than `THIN_ABOVE`."""
    return float(np.clip(8 * (THIN_ABOVE / max(n_sources, THIN_ABOVE)) ** 0.6, 1.2, 8))


def density_colours(kind: str) -> Colormap:
    """Shades that show how dense the sources of one kind lie: a pale to a strong tone of its colour.

    Parameters
    ----------
    kind : str
        Key of `STYLES`.

    Returns
    -------
    Colormap
    """
    colour = STYLES[kind].colour
    return LinearSegmentedColormap.from_list(kind, [_mixed(colour, 0.82), colour])


def _mixed(colour: str, share: float) -> str:
    """A colour with a share of white in it."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part + share * (255 - part)):02X}" for part in parts)
