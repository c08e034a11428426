"""Figures as files in a cluster's folder, and on the screen."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.options import FigureOptions
from gaia_oc_amd.plot_style import SETTINGS

_FORMATS = {
    "png": {
        "dpi": 150,
        "pil_kwargs": {"compress_level": 3},
    },  # half the time of level 6, for 3 % larger files
    "pdf": {"dpi": 200, "metadata": {"CreationDate": None}},
    "svg": {"dpi": 200, "metadata": {"Date": None}},
}
"""How each format is written; without dates, so that equal runs give equal files."""


def save_and_show(figures: dict[str, Figure], folder: Path, options: FigureOptions) -> list[str]:
    """Save figures, in one format, and show them, as the options say.

    Parameters
    ----------
    figures : dict of Figure
        Figures by the name of the file, without its ending.
    folder : path
        Where the files go.
    options : FigureOptions
        Whether to save and to show, and the format. The same picture in another format is removed.

    Returns
    -------
    list of str
        Names of the files that were written.
    """
    suffix = options.plot_format
    written = {f"{name}.{suffix}": figure for name, figure in figures.items() if options.save_plots}
    with rc_context(SETTINGS):
        for name, figure in written.items():
            with write_atomically(folder / name) as temporary:
                figure.savefig(temporary, format=suffix, **_FORMATS[suffix])
    for name in figures if options.save_plots else ():
        for other in set(_FORMATS) - {suffix}:  # an earlier picture of the same, perhaps of other stars
            (folder / f"{name}.{other}").unlink(missing_ok=True)
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
