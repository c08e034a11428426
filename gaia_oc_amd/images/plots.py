"""Figures of image classification: confusion, training, reliability, and the images that were named wrongly."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gaia_oc_amd.canvas import ONE_COLUMN, TWO_COLUMNS, Canvas, write_note
from gaia_oc_amd.images.classification import LINEAR, METHODS, Judgement, reliability
from gaia_oc_amd.images.networks import KINDS
from gaia_oc_amd.images.tables import Images
from gaia_oc_amd.plot_style import INK, LINE_COLOURS, PAPER, SETTINGS

WORDS = {
    "fully_connected": "fully connected network",
    "convolutional": "convolutional network",
    LINEAR: "linear classifier",
}
"""What methods are called."""

_MOST_MISTAKES = 12
_COLUMNS = 4


@rc_context(SETTINGS)
def confusion_figure(judgement: Judgement) -> Figure:
    """True and named classes of the test images, a panel for each method.

    Parameters
    ----------
    judgement : Judgement
        Of the classifiers.
    """
    names = [name.replace("_", " ") for name in judgement.classes]
    canvas = Canvas(
        None, (1, len(METHODS)), title="Classes of the test images", width=TWO_COLUMNS, left=33.0, bottom=26.0
    )
    for ax, method in zip(canvas.axes, METHODS, strict=True):
        confusion = judgement.confusion(method).to_numpy()
        share = confusion / confusion.sum(axis=1, keepdims=True)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), number in np.ndenumerate(confusion):
            colour = PAPER if share[row, column] > 0.5 else INK
            ax.text(column, row, str(number), ha="center", va="center", color=colour)
        ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
        ax.set_yticks(range(len(names)), names if ax is canvas.axes[0] else [])
        ax.tick_params(length=0)
        ax.set_title(f"{WORDS[method]}: {100 * judgement.accuracy(method)['accuracy']:.0f} %")
        ax.set_xlabel("named")
    canvas.axes[0].set_ylabel("true")
    canvas.fit_panel_titles()
    return canvas.figure


@rc_context(SETTINGS)
def training_figure(judgement: Judgement) -> Figure:
    """Loss of training and validation images against the epoch, a panel for each network, a line for each seed.

    Parameters
    ----------
    judgement : Judgement
        Of the classifiers.
    """
    canvas = Canvas(None, (1, len(KINDS)), title="Training", width=TWO_COLUMNS, heights=0.7)
    for ax, kind in zip(canvas.axes, KINDS, strict=True):
        for seed, history in judgement.histories[kind].groupby("seed"):
            first = seed == 1
            ax.plot(
                history["epoch"], history["loss"], color=LINE_COLOURS[1], label="training" if first else None
            )
            ax.plot(
                history["epoch"],
                history["validation_loss"],
                color=LINE_COLOURS[2],
                label="validation" if first else None,
            )
        ax.axhline(
            np.log(len(judgement.classes)), color=INK, ls=":", lw=0.6, label="all classes alike probable"
        )
        ax.set_ylim(0, None)
        ax.set_title(WORDS[kind])
        ax.set_xlabel("epoch")
    canvas.axes[0].set_ylabel("loss")
    canvas.fit_panel_titles()
    handles, labels = canvas.axes[0].get_legend_handles_labels()
    canvas.legend(handles=handles, labels=labels, ncols=3)
    return canvas.figure


@rc_context(SETTINGS)
def reliability_figure(judgement: Judgement) -> Figure:
    """How often named classes are right, against the probability stated for them.

    Parameters
    ----------
    judgement : Judgement
        Of the classifiers.
    """
    canvas = Canvas(None, (1, 1), title="Are the probabilities right?", width=ONE_COLUMN)
    ax = canvas.axes[0]
    true = _labels(judgement)
    ax.plot([0, 1], [0, 1], color=INK, lw=0.6, ls=":")
    for colour, method in zip(LINE_COLOURS[1:], METHODS, strict=False):
        table = reliability(judgement.probabilities(method), true, n_bins=5)
        error = np.sqrt(0.25 / table["n_images"])  # the largest that a share can have
        ax.errorbar(
            table["stated"],
            table["observed"],
            error,
            fmt="o-",
            ms=3,
            capsize=2,
            color=colour,
            label=WORDS[method],
        )
    ax.set_xlim(1 / len(judgement.classes), 1.02)
    ax.set_ylim(0, 1.05)
    ax.set_xlabel("stated probability of the named class")
    ax.set_ylabel("share that is right")
    handles, labels = ax.get_legend_handles_labels()
    canvas.legend(handles=handles, labels=labels, ncols=2)
    return canvas.figure


def _labels(judgement: Judgement) -> NDArray[np.int64]:
    return np.array([judgement.classes.index(name) for name in judgement.test["class"]])


@rc_context(SETTINGS)
def mistakes_figure(judgement: Judgement, images: Images) -> Figure:
    """The test images that the chosen network names wrongly, the surest first.

    Parameters
    ----------
    judgement : Judgement
        Of the classifiers.
    images : Images
        With those that were judged.
    """
    table, chosen = judgement.test, judgement.chosen
    mistakes = table[table["class"] != table[f"{chosen}_class"]].index
    sure = judgement.probabilities(chosen).max(axis=1)
    wrong = sorted(mistakes, key=lambda row: -sure[row])[:_MOST_MISTAKES]
    rows = max(1, -(-len(wrong) // _COLUMNS))
    title = f"Test images that the {WORDS[chosen]} names wrongly, the surest first"
    canvas = Canvas(None, (rows, _COLUMNS), title=title, width=TWO_COLUMNS, left=8.0, bottom=3.0)
    place = {name: number for number, name in enumerate(images.names)}
    for ax in canvas.axes:
        ax.set_axis_off()
    if not wrong:
        write_note(canvas.axes[0], "There is none.")
    for ax, row in zip(canvas.axes, wrong, strict=False):
        name = table.loc[row, "name"]
        _show(ax, images.pixels[place[name]], red_first=name.lower().endswith(".png"))
        named = table.loc[row, f"{chosen}_class"].replace("_", " ")
        true = table.loc[row, "class"].replace("_", " ")
        ax.set_title(f"{true},\nas {named} ({100 * sure[row]:.0f} %)", pad=4)
    canvas.fit_panel_titles()
    return canvas.figure


def _show(ax: Axes, bands: NDArray[np.float32], *, red_first: bool) -> None:
    """Three bands in colours, the last one red but in a PNG, or the mean of another number."""
    if len(bands) == 3:
        ax.imshow(np.clip(np.moveaxis(bands if red_first else bands[::-1], 0, -1), 0, 1), origin="lower")
    else:
        ax.imshow(bands.mean(axis=0), cmap="gray", origin="lower", vmin=0, vmax=1)
