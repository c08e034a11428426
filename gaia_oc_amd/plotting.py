"""Layers of stars and lines on axes, and the four panels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.canvas import draw_minor_ticks, is_narrow
from gaia_oc_amd.isochrone_stages import StageOffset, poor_stages
from gaia_oc_amd.isochrones import isochrone_boundary
from gaia_oc_amd.member_list import Count
from gaia_oc_amd.plot_style import (
    DENSITY_ABOVE,
    EDGE,
    INK,
    LABELS,
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


_TICKS, _FEW_TICKS = 6, 4


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
    ax.locator_params(nbins=_FEW_TICKS if is_narrow(ax) else _TICKS)
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


def legend_handles(layers: Sequence[Layer], sets: "SourceSets", *, panel: str | None = None) -> list[Line2D]:
    """Legend entries with the numbers of sources, and of the lines; layers with a colour bar have theirs beside it.

    Parameters
    ----------
    layers : sequence of Layer
        What is drawn.
    sets : SourceSets
        Say whether the members lie beside the isochrone.
    panel : str, optional
        Key of `PANEL_NAMES`, where there is only this one: some have no isochrone or no limit.

    Returns
    -------
    list of Line2D
    """
    has_limit = panel != "sky" and (panel != "cmd" or bool(np.isfinite(sets.limits.colour)))
    has_isochrone = panel in (None, "cmd")
    is_far = has_isochrone and bool(poor_stages(sets.stage_offsets))
    lines = line_handles(isochrone=has_isochrone, far=is_far, limit=has_limit)
    return [_layer_handle(layer) for layer in layers if not layer.has_bar] + lines


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


def _layer_handle(layer: Layer) -> Line2D:
    return style_handle(layer.kind, layer.entry, marker="h" if layer.as_density else None)


def style_handle(kind: str, label: str, *, marker: str | None = None) -> Line2D:
    """Legend entry of one kind of source."""
    style = STYLES[kind]
    face = style.colour if style.filled else "none"
    marker = marker or style.marker
    return Line2D(
        [], [], ls="", label=label, marker=marker, ms=4, mew=0.7, color=style.colour, markerfacecolor=face
    )


_SMALLEST_FIELD = 0.01
"""Half the width of the sky panel, at least [deg]."""


_SKY_ZOOM = 3.0
"""Half the width of the sky panel, at most, in units of the radius that holds most members."""


_MOST = 0.9


_MEMBERS = ("members", "training", "ours", "context")
"""Kinds of sources whose radius sets the width of the sky panel."""


_USUAL_LIMIT = 0.2
"""Limit in colour that stands for an unknown one in the range of the colour axis [mag]."""


_WIDEST_PM = 4


_WIDEST_PARALLAX = 12
"""Half the widths of the proper motion and parallax panels, at most, in units of the limits: the large
errors of faint candidates would squash the rest."""


def sky_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw the sources' offsets from the cluster centre on the sky, east to the left.

    A field of more than three times the radius of 90 % of the members is cut there, and a title counts what lies
    beyond, without the stars of the field.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sets : SourceSets
        Gives the centre.
    layers : sequence of Layer
        With ra and dec [deg].

    Returns
    -------
    Axes
        The axes given, [deg].
    """

    def offsets(sources: pd.DataFrame) -> tuple[Array, Array]:
        ra, dec = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
        return tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec)

    points = [offsets(layer.sources) for layer in layers]
    reached = np.concatenate([[], *(np.ravel(xy) for xy in points)])
    half = 1.04 * np.nanmax(np.abs(reached)) if any_finite(reached) else 1.0
    separations = [np.hypot(*xy) for xy in points]
    half = max(min(float(half), _member_field(layers, separations)), _SMALLEST_FIELD)
    beyond = sum(
        int(np.sum((np.abs(x) > half) | (np.abs(y) > half)))
        for layer, (x, y) in zip(layers, points, strict=True)
        if layer.kind != "field"
    )
    if beyond:
        words = "star of the legend lies" if beyond == 1 else "stars of the legend lie"
        ax.set_title(f"{beyond:,} {words} further out")
    draw_layers(ax, layers, points, ((half, -half), (-half, half)))
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlabel(LABELS["sky_x"])
    ax.set_ylabel(LABELS["sky_y"])
    return ax


def _member_field(layers: Sequence[Layer], separations: list[Array]) -> float:
    """Half the width of the field that shows the members [deg]; infinite where no layer is theirs."""
    theirs = [part for layer, part in zip(layers, separations, strict=True) if layer.kind in _MEMBERS]
    shown = np.concatenate([[], *theirs])
    shown = shown[np.isfinite(shown)]
    return _SKY_ZOOM * float(np.quantile(shown, _MOST)) if len(shown) > 1 else np.inf


def proper_motion_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw proper motions, and the limit for sources without uncertainties as a dashed circle.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sets : SourceSets
        Gives the centre and the limit.
    layers : sequence of Layer
        With pmra and pmdec [mas/yr].

    Returns
    -------
    Axes
        The axes given, [mas/yr].
    """
    centre, limit = (sets.cluster.pmra, sets.cluster.pmdec), sets.limits.pm
    points = [tuple(layer.sources[["pmra", "pmdec"]].to_numpy(float).T) for layer in layers]
    separations = [np.hypot(x - centre[0], y - centre[1]) for x, y in points]
    half = min(common_range(layers, separations, (1.3 * limit,))[1], _WIDEST_PM * limit)
    ranges = [(float(value - half), float(value + half)) for value in centre]
    draw_layers(ax, layers, points, (ranges[0], ranges[1]))
    angle = np.linspace(0, 2 * np.pi, 200)
    draw_line(ax, centre[0] + limit * np.cos(angle), centre[1] + limit * np.sin(angle), dashed=True)
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlabel(LABELS["pmra"])
    ax.set_ylabel(LABELS["pmdec"])
    return ax


def parallax_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw parallax against G, and the limits for sources without uncertainties as dashed lines.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sets : SourceSets
        Gives the mean parallax and the limits.
    layers : sequence of Layer
        With phot_g_mean_mag [mag] and parallax [mas].

    Returns
    -------
    Axes
        The axes given, [mag] and [mas].
    """
    mean, limits = sets.cluster.parallax, sets.limits
    bounds = (mean - limits.parallax_far, mean + limits.parallax_near)
    points = [tuple(layer.sources[["phot_g_mean_mag", "parallax"]].to_numpy(float).T) for layer in layers]
    wide = (mean - 1.3 * limits.parallax_far, mean + 1.3 * limits.parallax_near)
    lower, upper = common_range(layers, [y for _, y in points], wide)
    lower = max(lower, mean - _WIDEST_PARALLAX * limits.parallax_far)
    upper = min(upper, mean + _WIDEST_PARALLAX * limits.parallax_near)
    draw_layers(ax, layers, points, (_magnitude_range(sets, layers), (lower, upper)))
    for bound in bounds:
        draw_line(ax, ax.get_xlim(), (bound, bound), dashed=True)
    ax.set_box_aspect(1)
    ax.set_xlabel(LABELS["phot_g_mean_mag"])
    ax.set_ylabel(LABELS["parallax"])
    return ax


def colour_magnitude_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw the colour-magnitude diagram, the isochrone, and the limit for sources without uncertainties.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sets : SourceSets
        Gives the isochrone and the limits of the distance to it.
    layers : sequence of Layer
        With phot_g_mean_mag and the sets' colour [mag].

    Returns
    -------
    Axes
        The axes given, [mag], bright stars at the top.
    """
    columns = [sets.colour, "phot_g_mean_mag"]
    points = [tuple(layer.sources[columns].to_numpy(float).T) for layer in layers]
    bright, faint = _magnitude_range(sets, layers)
    colours = _colour_range(sets, layers, [x for x, _ in points])
    draw_layers(ax, layers, points, (colours, (faint, bright)))
    draw_line(ax, sets.isochrone.colour, sets.isochrone.g)
    if np.isfinite(sets.limits.colour):
        grid = isochrone_boundary(
            sets.isochrone, colours, (bright, faint), (sets.limits.colour, sets.limits.g)
        )
        draw_contour(ax, *grid, level=1.0)
    for stage in poor_stages(sets.stage_offsets):
        _draw_offset(ax, stage)
    ax.set_box_aspect(1)
    ax.set_xlabel(LABELS[sets.colour])
    ax.set_ylabel(LABELS["phot_g_mean_mag"])
    return ax


def _draw_offset(ax: Axes, stage: StageOffset) -> None:
    """Line from a point of the isochrone to where the members are, with its error."""
    at = stage.at_colour + stage.colour, stage.at_g + (stage.g if stage.stage == "red clump" else 0.0)
    stroke = withStroke(linewidth=2.4, foreground=PAPER)
    look: LineLook = {"path_effects": [stroke], "zorder": 6.5, "color": OFFSET}
    ax.plot([stage.at_colour, at[0]], [stage.at_g, at[1]], lw=1.0, label=OFFSET_WORDS, **look)
    ax.plot(*at, marker="D", ms=2.0 if is_narrow(ax) else 3.2, **look)


PANELS: tuple[Callable[[Axes, "SourceSets", Sequence[Layer]], Axes], ...] = (
    sky_panel,
    parallax_panel,
    proper_motion_panel,
    colour_magnitude_panel,
)


PANEL_NAMES = dict(zip(("sky", "parallax", "motion", "cmd"), PANELS, strict=True))
"""Panels by the names that ``--single_panel`` takes."""


def _colour_range(sets: "SourceSets", layers: Sequence[Layer], values: list[Array]) -> Range:
    """Range of the colour [mag], never narrower than the isochrone's boundary."""
    if not any(map(any_finite, values)):
        values = [sets.isochrone.colour for _ in layers]
    middle = float(np.nanmedian(np.concatenate(foreground(layers, values))))
    width = 2 * (sets.limits.colour if np.isfinite(sets.limits.colour) else _USUAL_LIMIT)
    return common_range(layers, values, (middle - width, middle + width), reach=1.0)


def _magnitude_range(sets: "SourceSets", layers: Sequence[Layer]) -> Range:
    """Range of G [mag] of the foreground, without regard to outliers: the few brightest stars matter."""
    magnitudes = [layer.sources["phot_g_mean_mag"].to_numpy(float) for layer in layers]
    shown = np.concatenate([[], *foreground(layers, magnitudes)])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        shown = sets.isochrone.g[np.isfinite(sets.isochrone.g)]
    return float(shown.min()) - 0.5, float(shown.max()) + 0.5
