"""Figures as files in a cluster's folder, and on the screen."""

from pathlib import Path

from matplotlib.figure import Figure

from gaia_oc_amd.data_directory import write_atomically
from gaia_oc_amd.options import FigureOptions

_QUICKLY = {"compress_level": 3}  # half the time of level 6, for 3 % larger files


def save_and_show(figures: dict[str, Figure], folder: Path, options: FigureOptions) -> list[str]:
    """Save figures as PNG and show them, as the options say.

    Parameters
    ----------
    figures : dict of Figure
        Figures by the name of the file, without its ending.
    folder : path
        Where the files go.
    options : FigureOptions
        Whether to save and to show.

    Returns
    -------
    list of str
        Names of the files that were written.
    """
    written = {f"{name}.png": figure for name, figure in figures.items() if options.save_plots}
    for name, figure in written.items():
        with write_atomically(folder / name) as temporary:
            figure.savefig(temporary, dpi=150, format="png", pil_kwargs=_QUICKLY)
    if options.show_plots:
        _show(figures)
    return list(written)


def _show(figures: dict[str, Figure]) -> None:
    """Hand figures to a window each; returns when the user has closed them."""
    import matplotlib.pyplot as plt

    for name, figure in figures.items():
        window = plt.figure(num=name)
        manager = window.canvas.manager
        manager.canvas.figure = figure
        figure.set_canvas(manager.canvas)
    plt.show()
    plt.close("all")
