"""Figure of a selection function: completeness and contamination against magnitude and radius."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gaia_oc_amd.canvas import TWO_COLUMNS, Canvas
from gaia_oc_amd.plot_style import FOUND, LOSSES, PAPER, SETTINGS, STYLES, LineLook

_LOSSES = {
    "lost_to_probability": ("lost to a low probability", LOSSES["probability"], ""),
    "lost_to_selection": ("lost to the candidate selection", LOSSES["selection"], "////"),
    "lost_to_cone": ("lost to the cone", LOSSES["cone"], "...."),
}  # fmt: skip
"""Words, colours and, for they are alike in grey, hatches."""
_BY_CONTROLS: LineLook = {"color": STYLES["comparison"].colour, "marker": "s", "ms": 5, "ls": ""}
_BY_PROBABILITY: LineLook = {
    "color": STYLES["members"].colour,
    "marker": "o",
    "ms": 6,
    "ls": "",
    "mfc": "white",
    "mew": 1.3,
}
_SHIFT = 0.14
"""Markers of the two contaminations stand so far apart, in widths of a bin."""


@rc_context(SETTINGS)
def selection_function_figure(table: pd.DataFrame, name: str, prob_threshold: float) -> Figure:
    """Draw completeness with the reasons of loss, and contamination by both ways, against G and radius.

    Parameters
    ----------
    table : DataFrame
        From `gaia_oc_amd.validation.validate.selection_function`.
    name : str
        Cluster name.
    prob_threshold : float
        Smallest PMemb of an accepted star.

    Returns
    -------
    Figure
        Four panels; bins are drawn equally wide.
    """
    title = f"{name.replace('_', ' ')}: selection function of members with p ≥ {prob_threshold:g}"
    canvas = Canvas(None, (2, 2), title=title, width=TWO_COLUMNS, heights=0.7, left=18.0)
    above, below = canvas.axes[:2], canvas.axes[2:]
    labels = {"G": ("g_min", "g_max", "$G$ [mag]"), "radius": ("r_min", "r_max", "projected radius [pc]")}
    for column, (kind, (low, high, label)) in enumerate(labels.items()):
        part = table[table["bin"] == kind]
        draw_completeness(above[column], part)
        draw_contamination(below[column], part)
        for ax in (above[column], below[column]):
            ax.set_xticks(range(len(part)), _bin_labels(part[low], part[high]))
            ax.tick_params(axis="x", which="both", length=0)
            ax.set_xlim(-0.5, len(part) - 0.5)
            ax.set_xlabel(label)
    shown = table.loc[
        table["bin"].isin(list(labels)), ["contamination_controls_upper", "contamination_probability"]
    ]
    highest = max(float(np.nan_to_num(shown.to_numpy(float)).max()), 0.05)
    for ax in below:
        ax.set_ylim(-0.04 * highest, 1.2 * highest)
        ax.set_yticks([tick for tick in ax.get_yticks() if -1e-9 < tick < min(1, 1.2 * highest) + 1e-9])
    above[0].set_ylabel("share of artificial members")
    below[0].set_ylabel("contamination\n(above: accepted candidates)")
    handles = [*above[0].get_legend_handles_labels(), *below[0].get_legend_handles_labels()]
    canvas.legend(handles=handles[0] + handles[2], labels=handles[1] + handles[3], ncols=3)
    return canvas.figure


def draw_completeness(ax: Axes, part: pd.DataFrame) -> Axes:
    """Draw completeness with its uncertainty, and above it the shares that were lost at each step.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    part : DataFrame
        Rows of one kind of bin.

    Returns
    -------
    Axes
        The axes given.
    """
    x, bottom = np.arange(len(part)), part["completeness"].to_numpy(float)
    ax.bar(x, bottom, width=0.9, color=FOUND, label="recovered (completeness)")
    for column, (label, colour, hatch) in _LOSSES.items():
        height = part[column].to_numpy(float)
        look: dict[str, Any] = {
            "facecolor": colour,
            "alpha": 0.75,
            "hatch": hatch,
            "edgecolor": PAPER,
            "lw": 0,
        }
        ax.bar(x, height, width=0.9, bottom=bottom, label=label, **look)
        bottom = bottom + height
    middle = part["completeness"].to_numpy(float)
    lower, upper = part["completeness_lower"].to_numpy(float), part["completeness_upper"].to_numpy(float)
    errors = np.clip([middle - lower, upper - middle], 0, None)
    ax.errorbar(x, middle, errors, color="black", ls="", capsize=2.5, label="68 % interval")
    ax.set_ylim(0, 1)
    return ax


def draw_contamination(ax: Axes, part: pd.DataFrame) -> Axes:
    """Draw contamination by control clusters with its uncertainty, and by the mean of 1 - p.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    part : DataFrame
        Rows of one kind of bin.

    Returns
    -------
    Axes
        The axes given; above each bin stands the number of accepted candidates.
    """
    x = np.arange(len(part))
    names = ["contamination_controls", "contamination_controls_lower", "contamination_controls_upper"]
    middle, lower, upper = part[names].to_numpy(float).T
    errors = np.clip([middle - lower, upper - middle], 0, None)
    ax.errorbar(
        x - _SHIFT, middle, errors, label="contamination by control clusters", capsize=2.5, **_BY_CONTROLS
    )
    by_probability = part["contamination_probability"].to_numpy(float)
    ax.plot(x + _SHIFT, by_probability, label="contamination by the mean of 1 $-$ p", **_BY_PROBABILITY)
    for place, number in zip(x, part["n_accepted"], strict=True):
        ax.text(float(place), 0.97, f"{number:,}", transform=ax.get_xaxis_transform(), ha="center", va="top")
    return ax


def _bin_labels(low: pd.Series, high: pd.Series) -> list[str]:
    return [f"{a:g}–{b:g}" for a, b in zip(low, high, strict=True)]
