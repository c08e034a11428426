"""The look of the plots: colours and markers of the source sets, and the four panels they are shown in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib.patheffects as path_effects
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.isochrones import isochrone_offsets

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]
Range = tuple[float, float]

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "figure.titlesize": 11,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "image.composite_image": False,
    "savefig.dpi": 150,
}
"""Matplotlib settings of every figure; a figure function is wrapped in ``rc_context(STYLE)``."""

PROBABILITY_COLOURS = "viridis"
DENSITY_ABOVE = 3000
"""A field of more sources than this is shown as density, not as points."""

_FIELD_GREYS = LinearSegmentedColormap.from_list("field", ["#e6e6e6", "#4d4d4d"])
_HEXAGONS = 70
_OUTLIERS = 0.01
_CASING = [path_effects.withStroke(linewidth=2.6, foreground="white")]


@dataclass(frozen=True)
class SourceStyle:
    """How one kind of source is drawn in every plot; the colours of Okabe & Ito suit the colour-blind."""

    colour: str
    marker: str = "o"
    filled: bool = True
    zorder: float = 3.0


STYLES = {
    "members": SourceStyle("#0072B2", zorder=4.0),
    "training": SourceStyle("#0072B2", filled=False, zorder=2.5),
    "candidates": SourceStyle("#E69F00", zorder=3.0),
    "ours": SourceStyle("#009E73", zorder=3.5),
    "comparison": SourceStyle("#D55E00", "s", filled=False, zorder=5.0),
    "field": SourceStyle("#999999", zorder=2.0),
    "rejected": SourceStyle("#000000", "x", zorder=5.5),
    "elsewhere": SourceStyle("#CC79A7", "^", zorder=5.5),
}
"""Styles of training members, the same beneath sources coloured by probability, candidates, our member list,
the comparison list, other sources of the field, and missed members that are no candidates or not in the cone."""


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
        Legend entry; the number of sources is added.
    probabilities : (float, float), optional
        Range of PMemb that the colour map spans; if given, PMemb replaces the style's colour.
    """

    kind: str
    sources: pd.DataFrame
    label: str
    probabilities: Range | None = None

    @property
    def style(self) -> SourceStyle:
        """Colour and marker."""
        return STYLES[self.kind]

    @property
    def as_density(self) -> bool:
        """Whether there are too many field sources to be drawn as points."""
        return self.kind == "field" and len(self.sources) > DENSITY_ABOVE


def figure_title(sets: "SourceSets", what: str) -> str:
    """Title that names the cluster."""
    return f"{sets.cluster.name.replace('_', ' ')}: {what}"


def new_figure(title: str, *, size: Range) -> Figure:
    """Empty figure [inch] with a title, which arranges its own layout and needs no display."""
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    return figure


def write_note(ax: Axes, sentence: str) -> Axes:
    """Empty the axes and write a sentence where a plot would stand."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, sentence, transform=ax.transAxes, ha="center", va="center", wrap=True)
    return ax


def robust_range(values: Array, include: Sequence[float] = (), *, margin: float = 0.05) -> Range:
    """Axis range that outliers do not stretch.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Values to show; the outermost 1 % on both sides and what is not finite do not count.
    include : sequence of float
        Values that the range must hold.
    margin : float
        Added on both sides, as a fraction of the width.

    Returns
    -------
    lower, upper : float
        Never of zero width.
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    bounds = list(np.quantile(values, [_OUTLIERS, 1 - _OUTLIERS])) if len(values) else []
    bounds = [*bounds, *(value for value in include if np.isfinite(value))] or [0.0, 1.0]
    lower, upper = float(min(bounds)), float(max(bounds))
    pad = margin * (upper - lower) if upper > lower else 0.5
    return lower - pad, upper + pad


def sky_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw the sources' offsets from the cluster centre on the sky, east to the left.

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
    _, half = robust_range(
        np.abs(np.concatenate([[], *(np.ravel(xy) for xy in points)])), (0.0,), margin=0.04
    )
    draw_layers(ax, layers, points, ((half, -half), (-half, half)))
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlabel(r"$\Delta\alpha\,\cos\delta$ [deg]")
    ax.set_ylabel(r"$\Delta\delta$ [deg]")
    return ax


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
    shown = [np.hypot(x - centre[0], y - centre[1]) for x, y in foreground(layers, points)]
    half = robust_range(np.concatenate([[], *shown]), (0.0, 1.3 * limit))[1]
    ranges = tuple((float(value - half), float(value + half)) for value in centre)
    draw_layers(ax, layers, points, ranges)
    ax.add_patch(Circle(centre, limit, fill=False, **_boundary_line()))
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlabel(r"$\mu_{\alpha}\cos\delta$ [mas yr$^{-1}$]")
    ax.set_ylabel(r"$\mu_{\delta}$ [mas yr$^{-1}$]")
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
    shown = np.concatenate([[], *(y for _, y in foreground(layers, points))])
    wide = (mean - 1.3 * limits.parallax_far, mean + 1.3 * limits.parallax_near)
    draw_layers(ax, layers, points, (_magnitude_range(sets, layers), robust_range(shown, wide)))
    for bound in bounds:
        ax.axhline(bound, **_boundary_line())
    ax.set_box_aspect(1)
    ax.set_xlabel("$G$ [mag]")
    ax.set_ylabel(r"$\varpi$ [mas]")
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
    shown = np.concatenate([[], *(x for x, _ in foreground(layers, points))])
    if not np.isfinite(shown).any():
        shown = sets.isochrone.colour
    bright, faint = _magnitude_range(sets, layers)
    colours = robust_range(shown, margin=0.1)
    draw_layers(ax, layers, points, (colours, (faint, bright)))
    ax.plot(sets.isochrone.colour, sets.isochrone.g, color="black", lw=1.0, zorder=6, path_effects=_CASING)
    _draw_isochrone_boundary(ax, sets, colours, (bright, faint))
    ax.set_box_aspect(1)
    ax.set_xlabel(
        {"g_rp": r"$G - G_\mathrm{RP}$ [mag]", "bp_rp": r"$G_\mathrm{BP} - G_\mathrm{RP}$ [mag]"}[sets.colour]
    )
    ax.set_ylabel("$G$ [mag]")
    return ax


PANELS: tuple[Callable[[Axes, "SourceSets", Sequence[Layer]], Axes], ...] = (
    sky_panel,
    parallax_panel,
    proper_motion_panel,
    colour_magnitude_panel,
)


def foreground(layers: Sequence[Layer], points: list[Any]) -> list[Any]:
    """Points of the layers that decide an axis range: all but the field, or the field where it is alone."""
    chosen = [
        xy for layer, xy in zip(layers, points, strict=True) if layer.kind != "field" and len(layer.sources)
    ]
    return chosen or points


def _magnitude_range(sets: "SourceSets", layers: Sequence[Layer]) -> Range:
    """Range of G [mag] of the foreground, without regard to outliers: the few brightest stars matter."""
    magnitudes = [layer.sources["phot_g_mean_mag"].to_numpy(float) for layer in layers]
    shown = np.concatenate([[], *foreground(layers, magnitudes)])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        shown = sets.isochrone.g[np.isfinite(sets.isochrone.g)]
    return float(shown.min()) - 0.5, float(shown.max()) + 0.5


def draw_layers(ax: Axes, layers: Sequence[Layer], points: list[Any], ranges: tuple[Range, Range]) -> None:
    """Draw layers at their points and set the axis ranges."""
    for layer, (x, y) in zip(layers, points, strict=True):
        inside = _within(x, ranges[0]) & _within(y, ranges[1])
        if layer.as_density:
            _draw_density(ax, x[inside], y[inside], ranges)
        else:
            _draw_points(ax, layer, x, y, inside)
    ax.set_xlim(*ranges[0])
    ax.set_ylim(*ranges[1])


def _within(values: Array, bounds: Range) -> NDArray[np.bool_]:
    return (values >= min(bounds)) & (values <= max(bounds))


def _draw_density(ax: Axes, x: Array, y: Array, ranges: tuple[Range, Range]) -> None:
    if len(x):
        extent = (*sorted(ranges[0]), *sorted(ranges[1]))
        ax.hexbin(
            x,
            y,
            gridsize=_HEXAGONS,
            extent=extent,
            mincnt=1,
            norm=LogNorm(),
            cmap=_FIELD_GREYS,
            lw=0.2,
            zorder=1,
        )


def _draw_points(ax: Axes, layer: Layer, x: Array, y: Array, inside: NDArray[np.bool_]) -> None:
    style, sources = layer.style, layer.sources[inside]
    look: dict[str, Any] = {
        "s": marker_area(len(layer.sources)),
        "marker": style.marker,
        "zorder": style.zorder,
    }
    if layer.probabilities:
        order = np.argsort(sources["PMemb"].to_numpy(float))  # the most probable on top
        colour = {"c": sources["PMemb"].to_numpy(float)[order], "norm": Normalize(*layer.probabilities)}
        ax.scatter(x[inside][order], y[inside][order], cmap=PROBABILITY_COLOURS, lw=0, **colour, **look)
    elif style.marker == "x":
        ax.scatter(x[inside], y[inside], c=style.colour, lw=0.8, **look)
    elif style.filled:
        ax.scatter(x[inside], y[inside], c=style.colour, lw=0, **look)
    else:
        look["s"] *= 2.5
        ax.scatter(x[inside], y[inside], facecolors="none", edgecolors=style.colour, lw=0.7, **look)


def marker_area(n_sources: int) -> float:
    """Area of a marker [point^2], smaller where there are many."""
    return float(np.clip(16 * (100 / max(n_sources, 1)) ** 0.4, 2, 16))


def _boundary_line() -> dict[str, Any]:
    return {"color": "black", "ls": (0, (4, 3)), "lw": 1.0, "zorder": 6, "path_effects": _CASING}


def _draw_isochrone_boundary(ax: Axes, sets: "SourceSets", colours: Range, magnitudes: Range) -> None:
    """Draw where the distance to the isochrone, in units of the limits, is 1."""
    scales = (sets.limits.colour, sets.limits.g)
    n_points = [
        int(np.clip(8 * np.ptp(ends) / s, 60, 400))
        for ends, s in zip((colours, magnitudes), scales, strict=True)
    ]
    colour, g = np.meshgrid(
        *(np.linspace(*ends, n) for ends, n in zip((colours, magnitudes), n_points, strict=True))
    )
    f_c, f_g = isochrone_offsets(sets.isochrone, colour.ravel(), g.ravel(), *scales)
    distance = np.hypot(f_c / scales[0], f_g / scales[1]).reshape(colour.shape)
    if distance.min() < 1 < distance.max():
        line = _boundary_line()
        look = {
            "colors": line["color"],
            "linestyles": [line["ls"]],
            "linewidths": line["lw"],
            "zorder": line["zorder"],
        }
        ax.contour(colour, g, distance, levels=[1.0], **look).set_path_effects(_CASING)


def legend_handles(layers: Sequence[Layer]) -> list[Line2D]:
    """Legend entries with the numbers of sources, and those of the isochrone and its boundary."""
    lines = [
        Line2D([], [], color="black", lw=1.2, label="isochrone"),
        Line2D([], [], color="black", lw=1.2, ls=(0, (4, 3)), label="zero-uncertainty boundary"),
    ]
    return [_layer_handle(layer) for layer in layers] + lines


def _layer_handle(layer: Layer) -> Line2D:
    style = layer.style
    colour = probability_colour_map()(0.75) if layer.probabilities else style.colour
    marker = "h" if layer.as_density else style.marker
    face = colour if style.filled else "none"
    label = f"{layer.label} ({len(layer.sources):,})"
    return Line2D([], [], ls="", marker=marker, ms=6, color=colour, markerfacecolor=face, label=label)


def probability_colour_map() -> Colormap:
    """The colour map of membership probabilities."""
    return colormaps[PROBABILITY_COLOURS]
