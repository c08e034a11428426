"""Growth curves in one figure."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from growth_report import Curve


def plot_growth(curves: Sequence[Curve], path: Path) -> None:
    """Seconds, and memory below, against size in a panel for each kind of size, both axes logarithmic.

    Parameters
    ----------
    curves : sequence of Curve
        At least one.
    path : path
        PNG to write.
    """
    units = list(dict.fromkeys(curve.unit for curve in curves))
    figure, panels = plt.subplots(2, len(units), figsize=(4.5 * len(units), 7), squeeze=False, sharex="col")
    for (above, below), unit in zip(panels.T, units, strict=True):
        for curve in curves:
            if curve.unit != unit:
                continue
            label = f"{curve.label}, n^{curve.slope():.2f}" if len(curve.n) > 1 else curve.label
            above.plot(curve.n, curve.seconds, "o-", label=label)
            below.plot(curve.n, [max(peak, 0.1) for peak in curve.peaks], "o-")
        above.legend(fontsize="small")
        below.set_xlabel(f"number of {unit}")
        for panel in (above, below):
            panel.set(xscale="log", yscale="log")
            panel.grid(alpha=0.3, which="both")
    panels[0, 0].set_ylabel("time [s]")
    panels[1, 0].set_ylabel("peak memory [MiB]")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)
