"""Layers of stars and lines on axes, and their legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from gaia_oc_amd.canvas import draw_minor_ticks, is_narrow
from gaia_oc_amd.member_list import Count
from gaia_oc_amd.plot_style import (
    DENSITY_ABOVE,
    EDGE,
    INK,
    OFFSET,
    OFFSET_WORDS,
    PAPER,
    PROBABILITY_COLOURS,
    STYLES,
    THIN_ABOVE,
    LineLook,
    SourceStyle,
    density_colours,
    marker_area,
)

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


Array = NDArray[np.float64]
Range = tuple[float, float]


_HEXAGONS = 70


_TICKS, _FEW_TICKS = (6, 6), (3, 4)
"""Steps between the numbers of both axes, at most; in narrow panels numbers side by side would touch."""


MANY = 500
"""Layers of more points are pictures in PDF and SVG."""


_LEAST_OPAQUE = 0.35
"""Opacity of the markers of the largest layers, where it shows how dense they lie."""


_IN_NARROW = 0.4
"""Area of the markers in narrow panels, in units of that in others."""


_DASHES = (0, (4, 3))


_OUTLINE: LineLook = {"color": PAPER, "lw": 2.0, "zorder": 2.1}
"""Beneath each line, above the field but below the other sources."""


_LINE: LineLook = {"color": INK, "lw": 0.8, "zorder": 6.0}


@dataclass(frozen=True)
class Layer:
    """Sources drawn in one style.

    Parameters
    ----------
    kind : str
        Key of `STYLES`.
    sources : DataFrame
        With the archive's column names.
    label : str
        Legend entry; the number of sources is added, and of members of ours what their probabilities say of it.
    probabilities : (float, float), optional
        Range of PMemb that the colour map spans; if given, PMemb replaces the style's colour.
    judged : bool
        Whether PMemb is ours, so that its sum counts members.
    """

    kind: str
    sources: pd.DataFrame
    label: str
    probabilities: Range | None = None
    judged: bool = False

    @property
    def style(self) -> SourceStyle:
        """Colour and marker."""
        return STYLES[self.kind]

    @property
    def has_bar(self) -> bool:
        """Whether a colour bar tells what the colours of the layer mean."""
        return self.probabilities is not None and len(self.sources) > 0

    @property
    def entry(self) -> str:
        """Label with the number of sources."""
        number = Count.of(self.sources) if self.judged else f"{len(self.sources):,}"
        return f"{self.label} ({number})"

    @property
    def bar_label(self) -> str:
        """What stands beside the colour bar, in place of a legend entry."""
        return "\n(".join(["membership probability p\n" + self.label, self.entry.split(" (", 1)[1]])

    @property
    def as_density(self) -> bool:
        """Whether there are too many sources of the field, or candidates among it, to be drawn as points."""
        among_field = self.kind in ("field", "candidates") and not self.probabilities
        return among_field and len(self.sources) > DENSITY_ABOVE


def field_layer(sets: "SourceSets") -> Layer:
    """The stars of the cone that failed the selection, behind all others."""
    return Layer("field", sets.non_members, "non-members")


def figure_title(sets: "SourceSets", what: str) -> str:
    """Title that names the cluster."""
    return f"{sets.cluster.name.replace('_', ' ')}: {what}"


def robust_range(values: Array, *, reach: float = 0.5) -> Range:
    """Range of values without outliers.

    Parameters
    ----------
    values : ndarray, shape (n,)
        At least one of them finite; the others do not count.
    reach : float
        How far beyond the middle 90 % of the values the range may go, in units of their width.

    Returns
    -------
    lower, upper : float
    """
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, [0.05, 0.95])
    beyond = reach * (high - low)
    return float(max(values.min(), low - beyond)), float(min(values.max(), high + beyond))


def common_range(
    layers: Sequence[Layer], values: list[Array], include: Sequence[float], *, reach: float = 0.5
) -> Range:
    """Axis range for several layers.

    The ranges of the layers are united, so that many candidates do not make outliers of the members.

    Parameters
    ----------
    layers : sequence of Layer
        What is drawn.
    values : list of ndarray
        Values of each layer.
    include : sequence of float
        Values that the range must hold whatever the layers hold.
    reach : float
        See `robust_range`.

    Returns
    -------
    lower, upper : float
        5 % wider than what they must hold.
    """
    shown = [robust_range(part, reach=reach) for part in foreground(layers, values) if any_finite(part)]
    ends = np.concatenate([np.ravel(shown), include])
    margin = 0.05 * float(np.ptp(ends))
    return float(ends.min()) - margin, float(ends.max()) + margin


def foreground(layers: Sequence[Layer], values: list[Any]) -> list[Any]:
    """Values of the layers that decide an axis range: all but the field, or the field where it is alone."""
    chosen = [part for layer, part in zip(layers, values, strict=True) if layer.kind != "field" and len(part)]
    return chosen or values


def any_finite(values: Array) -> bool:
    """Whether any value is finite."""
    return bool(np.isfinite(values).any())


def draw_layers(ax: Axes, layers: Sequence[Layer], points: list[Any], ranges: tuple[Range, Range]) -> None:
    """Draw layers at their points and set the axis ranges."""
    for layer, (x, y) in zip(layers, points, strict=True):
        inside = _within(x, ranges[0]) & _within(y, ranges[1])
        if layer.as_density:
            _draw_density(ax, layer.kind, x[inside], y[inside], ranges)
        else:
            _draw_points(ax, layer, x, y, inside)
    across, up = _FEW_TICKS if is_narrow(ax) else _TICKS
    ax.locator_params("x", nbins=across)
    ax.locator_params("y", nbins=up)
    ax.set_xlim(*ranges[0])
    ax.set_ylim(*ranges[1])
    draw_minor_ticks(ax)


def _within(values: Array, bounds: Range) -> NDArray[np.bool_]:
    return (values >= min(bounds)) & (values <= max(bounds))


def _draw_density(ax: Axes, kind: str, x: Array, y: Array, ranges: tuple[Range, Range]) -> None:
    if len(x):
        (left, right), (low, high) = sorted(ranges[0]), sorted(ranges[1])
        ax.hexbin(
            x,
            y,
            gridsize=_HEXAGONS,
            extent=(left, right, low, high),
            mincnt=1,
            norm=LogNorm(),
            cmap=density_colours(kind),
            lw=0.2,
            zorder=1 + STYLES[kind].zorder / 10,  # below all points
            rasterized=True,
        )


def _draw_points(ax: Axes, layer: Layer, x: Array, y: Array, inside: NDArray[np.bool_]) -> None:
    style, number = layer.style, int(inside.sum())
    x, y = x[inside], y[inside]
    look: dict[str, Any] = {
        "s": style.scale * marker_area(number) * (_IN_NARROW if is_narrow(ax) else 1.0),
        "marker": style.marker,
        "zorder": style.zorder,
        "rasterized": len(layer.sources) > MANY,  # in PDF and SVG, which thus stay small
    }
    if layer.probabilities:
        probability = layer.sources["PMemb"].to_numpy(float)[inside]
        order = np.argsort(probability)  # the most probable on top
        ax.scatter(
            x[order],
            y[order],
            c=probability[order],
            norm=Normalize(*layer.probabilities),
            cmap=PROBABILITY_COLOURS,
            lw=0.2,
            edgecolors=EDGE,
            **look,
        )
        return
    # not of the others, whose colours must be those of the bar
    look["alpha"] = float(np.clip((THIN_ABOVE / max(number, 1)) ** 0.3, _LEAST_OPAQUE, 1))
    if style.marker == "x":
        ax.scatter(x, y, c=style.colour, lw=0.4 if is_narrow(ax) else 0.8, **look)
    elif style.filled:
        ax.scatter(x, y, c=style.colour, lw=0, **look)
    else:
        ax.scatter(x, y, facecolors="none", edgecolors=style.colour, lw=0.6, **look)


def draw_line(ax: Axes, x: Any, y: Any, *, dashed: bool = False) -> None:
    """Draw a thin black line, dashed for a boundary, that shows on a dense field and hides no source."""
    ax.plot(x, y, **_OUTLINE)
    ax.plot(x, y, ls=_DASHES if dashed else "-", **_LINE)


def draw_contour(ax: Axes, x: Array, y: Array, values: Array, *, level: float) -> None:
    """Draw where gridded values, of shape (n_y, n_x), equal a level, dashed as a boundary of `draw_line`."""
    if values.min() < level < values.max():
        for line, dashes in ((_OUTLINE, "-"), (_LINE, _DASHES)):
            drawn = ax.contour(x, y, values, levels=[level], linestyles=[dashes], colors=line["color"])
            drawn.set(linewidths=line["lw"], zorder=line["zorder"])


def line_handles(*, isochrone: bool = True, far: bool = False, limit: bool = True) -> list[Line2D]:
    """Legend entries of the isochrone, of members beside it, and of the limit of the selection."""
    handles = []
    if isochrone:
        handles.append(Line2D([], [], color=INK, lw=0.8, label="isochrone"))
    if far:
        handles.append(Line2D([], [], color=OFFSET, lw=1.0, marker="D", ms=3.2, label=OFFSET_WORDS))
    if limit:
        handles.append(Line2D([], [], color=INK, lw=0.8, ls=_DASHES, label="limit of a star without errors"))
    return handles


def layer_handle(layer: Layer) -> Line2D:
    """Legend entry of a layer."""
    return style_handle(layer.kind, layer.entry, marker="h" if layer.as_density else None)


def style_handle(kind: str, label: str, *, marker: str | None = None) -> Line2D:
    """Legend entry of one kind of source."""
    style = STYLES[kind]
    face = style.colour if style.filled else "none"
    marker = marker or style.marker
    return Line2D(
        [], [], ls="", label=label, marker=marker, ms=4, mew=0.7, color=style.colour, markerfacecolor=face
    )
