"""Figure of the training of a network: loss and metrics against epoch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gaia_oc_amd.plot_style import LINE_COLOURS, SETTINGS
from gaia_oc_amd.plotting import new_figure, write_note

_METRICS = {
    "f1": ("F1", LINE_COLOURS[0]),
    "precision": ("precision", LINE_COLOURS[1]),
    "recall": ("recall", LINE_COLOURS[2]),
    "selectivity": ("selectivity", LINE_COLOURS[3]),
    "accuracy": ("accuracy", LINE_COLOURS[4]),
    "balanced_accuracy": ("balanced accuracy", LINE_COLOURS[5]),
}


_PARTS = (
    ("train", "training (dashed)", {"ls": "--", "lw": 0.9}),
    ("validation", "validation (solid)", {"lw": 1.3}),
)


@rc_context(SETTINGS)
def training_metrics_figure(metrics: Mapping[str, Any]) -> Figure:
    """Draw loss and classification metrics against epoch, as Fig. 2 of van Groeningen et al. (2023).

    Parameters
    ----------
    metrics : mapping
        'train' and 'validation', each a mapping of 'loss', 'precision', 'recall', 'selectivity', 'accuracy',
        'balanced_accuracy' and 'f1' to lists with a value for each epoch; 'best_epoch', counted from 0.
        What is absent is not drawn.

    Returns
    -------
    Figure
    """
    figure = new_figure("training of the network", size=(7.2, 7.2))
    loss, scores = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.5))
    drawn = 0
    for part, label, look in _PARTS:
        curves = metrics.get(part) or {}
        drawn += _draw_curve(loss, curves.get("loss"), label=label, color="black", **look)
        for name, (_, colour) in _METRICS.items():
            drawn += _draw_curve(scores, curves.get(name), color=colour, **look)
    if not drawn:
        write_note(loss, "There is no training history.")
        scores.set_axis_off()
        return figure
    _mark_best_epoch(loss, scores, metrics.get("best_epoch"))
    loss.set_ylabel("loss")
    scores.set_ylabel("metric")
    scores.set_xlabel("epoch")
    loss.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    handles = [Line2D([], [], color=colour, label=label) for label, colour in _METRICS.values()]
    scores.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _draw_curve(ax: Axes, values: Any, **look: Any) -> int:
    """Draw a curve against epoch; the number of curves drawn, 0 if there are no values."""
    if values is None or not len(values):
        return 0
    marker = "o" if len(values) == 1 else ""
    ax.plot(np.arange(1, len(values) + 1), np.asarray(values, float), marker=marker, **look)
    return 1


def _mark_best_epoch(loss: Axes, scores: Axes, best_epoch: int | None) -> None:
    if best_epoch is None or best_epoch < 0:
        return
    for ax in (loss, scores):
        ax.axvline(best_epoch + 1, color="black", ls=":", lw=1.0, label=f"best epoch: {best_epoch + 1}")
