"""Figures as wide as a journal prints them: panels, titles, legends and colour bars at fixed places."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.markers import TICKDOWN, TICKLEFT, TICKRIGHT, TICKUP

from gaia_oc_amd.plot_style import INK

TWO_COLUMNS, ONE_COLUMN = 180.0, 88.0
"""Widths of figures in print [mm]."""

NO_COMPARISON = "There is no comparison list."

DPI = 200
"""Pixels of a PNG in an inch; as those of the layout, so that each text is measured once."""

_INCH = 25.4  # mm

_LEFT, _RIGHT, _BOTTOM, _TOP = 15.0, 3.0, 10.0, 2.5
"""Margins around the panels [mm]: on the left and below them stand labels."""

_BETWEEN = (14.5, 11.5)
"""Distances of the panels [mm], across and down."""

_BAR, _BAR_DISTANCE, _BAR_LABELS = 3.0, 3.0, 17.0
"""Width of a colour bar, its distance from the panels, and the space of what stands beside it [mm]."""

_PANEL_TITLE = 4.0
"""Height of the title of a panel [mm]."""

_NUMBER_PAD, _NUMBER_LETTER, _NUMBER_HEIGHT = 2.4, 1.65, 2.4
"""Distances of the labels of axes from these, besides their numbers; width and height of a letter of a number [mm]."""

_LABEL_HEIGHT = 3.0
"""Of the label of an axis with the space to the edge of the figure, at least [mm]."""

_LEGEND_MARK, _LEGEND_LETTER = 10.0, 1.1
"""Width of the mark of a legend entry with the space around it, and mean width of a letter, both at least [mm]."""

_TITLE_LINE, _TITLE_LETTER = 4.0, 1.75
"""Height of a line of a title, and mean width of a letter [mm]."""


_WIDEST_TITLE = 0.98
"""Of the figure's width."""


def set_title(figure: Figure, title: str) -> None:
    """Give a figure another title, or none; the panels keep their size, and the figure gets the height it needs.

    Parameters
    ----------
    figure : Figure
        Of `Canvas`.
    title : str
        Lines that are too long are broken; empty for none.
    """
    title = re.sub(r"(?<=\d) (?=\w)", "\N{NO-BREAK SPACE}", title)  # a number stays with its word
    letters, n_before = (
        int(_INCH * figure.get_figwidth() / _TITLE_LETTER),
        len(figure.get_suptitle().splitlines()),
    )
    for width in range(letters, letters // 3, -2):  # capitals and wide letters need more space than the mean
        lines = [part for line in title.split("\n") for part in textwrap.wrap(line, width)]
        text = figure.suptitle("\n".join(lines), va="top")
        if text.get_window_extent().width < _WIDEST_TITLE * figure.bbox.width:
            break
    _stretch(figure, _TITLE_LINE * (len(lines) - n_before), at=np.inf)


def _stretch(figure: Figure, space: float, *, at: float) -> None:
    """Make a figure higher [mm] by a strip at a height [mm]; only axes across it, as colour bars are, grow."""
    old = _INCH * figure.get_figheight()
    new = old + space
    for ax in figure.axes:
        x, y, width, height = ax.get_position(original=True).bounds
        low, high = (end * old + space * (end * old > at) for end in (y, y + height))
        ax.set_position((x, low / new, width, (high - low) / new))
    figure.set_figheight(new / _INCH)
    figure.suptitle(figure.get_suptitle(), y=1 - 1.0 / new, va="top")


class Canvas:
    """What a figure is drawn on: a new figure, or axes that the caller has.

    Parameters
    ----------
    axes : Axes or sequence of Axes, optional
        The caller's; they keep their figure, get no title, and the first one gets the legend.
    shape : (int, int)
        Rows and columns of axes.
    title : str
        Of a new figure.
    width : float
        Of a new figure [mm].
    heights : float or sequence of float
        Height of the panels of a new figure, or of those of each row, in units of their width.
    left : float
        Space for the labels on the left of a new figure [mm].
    bottom : float
        Space below the panels of a new figure [mm].
    has_bar : bool
        Whether there will be a colour bar.
    projection : str, optional
        Of the sky in the axes of a new figure.

    Raises
    ------
    ValueError
        If the caller's axes are not as many as are needed.
    """

    def __init__(
        self,
        axes: "Axes | Sequence[Axes] | None",
        shape: tuple[int, int],
        *,
        title: str,
        width: float = ONE_COLUMN,
        heights: float | Sequence[float] = 1.0,
        left: float = _LEFT,
        bottom: float = _BOTTOM,
        has_bar: bool = False,
        projection: str | None = None,
    ) -> None:
        self.is_new, self.shape = axes is None, shape
        if axes is None:
            right = _RIGHT + has_bar * (_BAR_DISTANCE + _BAR + _BAR_LABELS)
            self.figure = _figure_with_panels(
                shape,
                width=width,
                heights=heights,
                margins=(left, right, bottom),
                projection=projection,
            )
            set_title(self.figure, title)
            axes = self.figure.axes
        self.axes: list[Axes] = list(np.ravel(np.asarray(axes, object)))
        if len(self.axes) != shape[0] * shape[1]:
            raise ValueError(
                f"{len(self.axes)} axes were given, but the figure needs {shape[0] * shape[1]}: "
                f"give those of plt.subplots{shape}."
            )
        if not self.is_new:
            self.figure = self.axes[0].figure  # type: ignore[assignment]  # the caller's; perhaps a part of one

    def fit_panel_titles(self) -> None:
        """Make room above each row of a new figure's panels for the titles that these got since.

        Between rows there is room where the upper one has no labels below it.
        """
        columns = self.shape[1]
        for start in range(0, len(self.axes), columns) if self.is_new else ():
            row = self.axes[start : start + columns]
            lines = max(len(ax.get_title(place).splitlines()) for ax in row for place in ("center", "left"))
            if start and not any(ax.get_xlabel() for ax in self.axes[start - columns : start]):
                continue
            top = max(ax.get_position(original=True).y1 for ax in row) * _INCH * self.figure.get_figheight()
            _stretch(self.figure, _PANEL_TITLE * lines, at=top + 0.1)

    def place_labels(self) -> None:
        """Put the labels of a new figure's axes where their numbers end; Matplotlib would measure these."""
        for ax in self.axes if self.is_new else ():
            box = ax.get_position(original=True)
            width, height = _INCH * self.figure.get_size_inches() * (box.width, box.height)
            numbers = ax.yaxis.get_major_formatter().format_ticks(ax.yaxis.get_majorticklocs().tolist())
            longest = max((len(number) for number in numbers), default=0)
            room = _INCH * self.figure.get_figwidth() * box.x0 - _LABEL_HEIGHT
            distance = min(_NUMBER_PAD + _NUMBER_LETTER * longest, room)
            ax.yaxis.set_label_coords(-distance / width, 0.5)
            ax.xaxis.set_label_coords(0.5, -(_NUMBER_PAD + _NUMBER_HEIGHT) / height)

    def legend(self, *, ncols: int = 1, **keywords: Any) -> None:
        """Legend below a new figure, with as many columns as fit, else in the first of the caller's axes."""
        if not self.is_new:
            self.axes[0].legend(**keywords)
            return
        words = keywords.get("labels") or [handle.get_label() for handle in keywords["handles"]]
        letters = np.mean([max(map(len, word.splitlines())) for word in words])
        fit = _INCH * self.figure.get_figwidth() / (_LEGEND_MARK + _LEGEND_LETTER * letters)
        first = int(np.clip(fit, 1, ncols))
        for columns in range(first, 0, -1):
            place = {"loc": "lower center", "ncols": columns, "borderaxespad": 0.3, "columnspacing": 1.5}
            legend = self.figure.legend(**place, **keywords)
            size = legend.get_window_extent()
            if columns == 1 or size.width < 0.96 * self.figure.bbox.width:
                break
            legend.remove()
        _stretch(self.figure, _INCH * size.height / self.figure.dpi + 1.5, at=0.0)

    def colour_bar(self, mappable: ScalarMappable, label: str) -> None:
        """Colour bar on the right of all axes; a new figure must have space for it."""
        if not self.is_new:
            self.figure.colorbar(mappable, ax=self.axes, location="right", label=label)
            return
        boxes = [ax.get_position(original=True) for ax in self.axes]
        bottom, top = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
        width = _INCH * self.figure.get_figwidth()
        left = max(box.x1 for box in boxes) + _BAR_DISTANCE / width
        place = self.figure.add_axes((left, bottom, _BAR / width, top - bottom))
        self.figure.colorbar(mappable, cax=place).set_label(label, linespacing=1.3)


def _figure_with_panels(
    shape: tuple[int, int],
    *,
    width: float,
    heights: float | Sequence[float],
    margins: tuple[float, float, float],
    projection: str | None,
) -> Figure:
    """Figure of a width [mm] with rows and columns of equally wide panels between margins."""
    (rows, columns), (left, right, bottom) = shape, margins
    across, down = _BETWEEN
    panel = (width - left - right - (columns - 1) * across) / columns
    each = panel * np.broadcast_to(heights, rows)  # the uppermost row first
    height = bottom + each.sum() + (rows - 1) * down + _TOP
    figure = Figure(figsize=(width / _INCH, height / _INCH), dpi=DPI)
    for row in range(rows):
        y = bottom + each[row + 1 :].sum() + (rows - 1 - row) * down
        for column in range(columns):
            x = left + column * (panel + across)
            place = (x / width, y / height, panel / width, each[row] / height)
            figure.add_axes(place, projection=projection)
    return figure


def write_note(ax: Axes, sentence: str) -> Axes:
    """Empty the axes and write a sentence where a plot would stand."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, sentence, transform=ax.transAxes, ha="center", va="center", wrap=True)
    return ax


_MINOR_TICK: dict[str, Any] = {"color": INK, "ms": 2.0, "mew": 0.4, "zorder": 2.5, "clip_on": False}


def draw_minor_ticks(ax: Axes) -> None:
    """Ticks half way between those with numbers, as markers: Matplotlib's are five artists each, and slow."""
    sides = (
        (ax.xaxis, ax.get_xaxis_transform(), (TICKUP, TICKDOWN)),
        (ax.yaxis, ax.get_yaxis_transform(), (TICKRIGHT, TICKLEFT)),
    )
    for axis, transform, markers in sides:
        low, high = sorted(axis.get_view_interval())
        numbered = np.sort(axis.get_majorticklocs())
        places = np.append(
            numbered - np.diff(numbered).mean() / 2, numbered[-1] + np.diff(numbered).mean() / 2
        )
        places = places[(places > low) & (places < high)]
        for edge, marker in enumerate(markers):
            across = np.full(len(places), edge)
            x, y = (places, across) if axis is ax.xaxis else (across, places)
            ax.plot(x, y, ls="", marker=marker, transform=transform, **_MINOR_TICK)


def n_beyond(ax: Axes, x: Any, y: Any) -> int:
    """Number of points that lie beyond the axes.

    Parameters
    ----------
    ax : Axes
        With the limits that it is shown with.
    x, y : array_like, shape (n,)
        In the units of the axes; NaN lies nowhere.

    Returns
    -------
    int
    """
    (left, right), (low, high) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    return int(np.sum((x < left) | (x > right) | (y < low) | (y > high)))


_NARROW = 1.6
"""Panels narrower than this [inch] get fewer numbers on their axes, and smaller markers."""


def is_narrow(ax: Axes) -> bool:
    """Whether a panel has little room."""
    return bool(ax.get_window_extent().width < _NARROW * ax.figure.dpi)
