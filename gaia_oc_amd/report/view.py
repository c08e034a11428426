"""The linked view of a report: one panel as Bokeh's JSON, and what its axes and lines are for each pair of columns."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from bokeh.core.types import ID
from bokeh.embed import json_item
from bokeh.models import (
    BooleanFilter,
    BoxSelectTool,
    BoxZoomTool,
    CDSView,
    ColumnDataSource,
    HoverTool,
    LassoSelectTool,
    LinearColorMapper,
    PanTool,
    Range1d,
    TapTool,
    WheelZoomTool,
)
from bokeh.plotting import figure
from contourpy import LineType, contour_generator
from matplotlib import colormaps
from matplotlib.colors import to_hex

from gaia_oc_amd.isochrones import isochrone_boundary
from gaia_oc_amd.plot_style import INK, PAPER, PROBABILITY_COLOURS, STYLES
from gaia_oc_amd.plotting import robust_range
from gaia_oc_amd.report.cautions import has_curve
from gaia_oc_amd.report.stars import AXES, ShownStars

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


Range = tuple[float, float]

_WIDEST_PM, _WIDEST_PARALLAX = 4.0, 12.0  # in units of the limits, as in the figures
_HOVER = [
    ("source_id", "@id"),
    ("", "@kind"),
    ("p", "@p{0.000}"),
    ("G", "@g{0.000} mag"),
    ("BP − RP", "@bp_rp{0.000} mag"),
    ("parallax", "@parallax{0.000} ± @parallax_error{0.000} mas"),
    ("pm", "(@pmra{0.000}, @pmdec{0.000}) mas/yr"),
    ("radius", "@r{0.0} pc"),
    ("", "@reason"),
]
_STAR_COLUMNS = ("id", "kind", "reason", "parallax_error", "pmra_error", "pmdec_error")


def panel_item() -> dict[str, Any]:
    """An empty panel as JSON for ``Bokeh.embed.embed_item``, the same for every panel and every cluster.

    The models that report_panels.js fills have names: "stars", "field stars", "lines" and "marks" are the data,
    "threshold" and "threshold of members" the filters of candidates and training members.

    Returns
    -------
    dict
    """
    stars = ColumnDataSource({name: [] for name in (*_STAR_COLUMNS, *_names())}, name="stars")
    marks = ColumnDataSource({name: [] for name in (*_STAR_COLUMNS, *_names(), "mark")}, name="marks")
    panel = figure(
        sizing_mode="stretch_both",
        x_range=Range1d(start=0, end=1),
        y_range=Range1d(start=0, end=1),
        x_axis_label=" ",
        y_axis_label=" ",
        tools=[PanTool(), BoxZoomTool(), WheelZoomTool()],
        toolbar_location=None,
        active_drag=None,
        active_scroll=None,
        background_fill_color=PAPER,
        border_fill_color=None,
        outline_line_color="#777777",
        min_border=6,
        min_border_left=62,
    )
    panel.grid.visible = False
    panel.axis.axis_label_text_font_style = "normal"
    panel.axis.axis_label_text_font_size = "14px"
    panel.axis.major_label_text_font_size = "12px"
    panel.axis.axis_label_text_color = panel.axis.major_label_text_color = INK
    _draw_layers(panel, stars, marks)
    item = _renumbered(json_item(panel, target=ID("panel")))
    item["doc"]["title"] = ""
    return item


def _names() -> list[str]:
    return [column.name for column in AXES]


def _draw_layers(panel: Any, stars: ColumnDataSource, marks: ColumnDataSource) -> None:
    """Field, lines, members hollow, candidates coloured by probability, and the rings of marked stars."""
    field = ColumnDataSource({name: [] for name in _names()}, name="field stars")
    panel.scatter(
        "x",
        "y",
        source=field,
        size=2.5,
        color=STYLES["field"].colour,
        line_color=None,
        alpha=0.8,
        name="field",
    )
    dim = {"nonselection_fill_alpha": 0.12, "nonselection_line_alpha": 0.15}
    blue = STYLES["training"].colour
    views = {
        name: CDSView(filter=BooleanFilter(booleans=[], name=name))
        for name in ("threshold of members", "threshold")
    }
    members = panel.scatter(
        "x", "y", source=stars, view=views["threshold of members"], size=8, line_color=blue, line_width=1.2,
        fill_color=blue, fill_alpha=0.0, selection_fill_alpha=0.35, name="members",
        **(dim | {"nonselection_fill_alpha": 0.0, "nonselection_line_alpha": 0.25}),
    )  # fmt: skip
    candidates = panel.scatter(
        "x", "y", source=stars, view=views["threshold"], size=6, fill_color={"field": "p", "transform": _mapper()},
        line_color=INK, line_width=0.5, selection_line_width=1.6, name="candidates", **dim,
    )  # fmt: skip
    lines = ColumnDataSource({"xs": [], "ys": [], "dash": []}, name="lines")
    panel.multi_line("xs", "ys", source=lines, color=INK, line_width=1.2, line_dash="dash", name="line")
    rings = panel.scatter(
        "x", "y", source=marks, size=13, fill_color=None, line_color="mark", line_width=2, name="rings"
    )
    panel.add_tools(
        BoxSelectTool(renderers=[members, candidates]),
        LassoSelectTool(renderers=[members, candidates]),
        TapTool(renderers=[members, candidates]),
        HoverTool(renderers=[members, candidates, rings], tooltips=_HOVER, limit=1, attachment="horizontal"),
    )


def _mapper() -> LinearColorMapper:
    return LinearColorMapper(palette=probability_palette(100), low=0, high=1, nan_color="#00000000")


def probability_palette(number: int, lowest: float = 0.0) -> list[str]:
    """Colours of rising membership probabilities from `lowest` to 1."""
    return [to_hex(colour) for colour in colormaps[PROBABILITY_COLOURS](np.linspace(lowest, 1, number))]


def view_settings(shown: ShownStars, sets: "SourceSets") -> dict[str, Any]:
    """Axes, panels and lines for report_panels.js.

    Parameters
    ----------
    shown : ShownStars
        What is shown.
    sets : SourceSets
        Give limits and isochrone.

    Returns
    -------
    dict
        axes: name, label and range of each column; panels: the columns of the four panels at the start; equal: pairs
        whose axes have the same scale; lines: for pairs of columns, joined by a space, those of ``multi_line``.
    """
    ranges = _ranges(shown, sets)
    panels = [(sets.colour, "g"), ("x", "y"), ("pmra", "pmdec"), ("g", "parallax")]
    return {
        "axes": [
            {
                "name": axis.name,
                "label": axis.label,
                "range": ranges[axis.name],
                "digits": min(axis.digits, 3),
            }
            for axis in AXES
        ],
        "panels": panels,
        "equal": [("x", "y"), ("pmra", "pmdec")],
        "lines": {" ".join(pair): _lines(pair, ranges, sets) for pair in panels if pair != ("x", "y")},
    }


def _ranges(shown: ShownStars, sets: "SourceSets") -> dict[str, Range]:
    """Ranges of all axes at the start, the first end on the left or below."""
    cluster, limits = sets.cluster, sets.limits
    stars = shown.stars
    near = stars[(stars["kind"] == "training member") | (stars["p"] >= 0.1)]
    reach = np.hypot(near["x"].to_numpy(float), near["y"].to_numpy(float))
    half = 1.15 * max(0.01, float(np.nanmax(reach)) if np.isfinite(reach).any() else 1.0)
    motion = near[["pmra", "pmdec"]].to_numpy(float)
    offset = np.hypot(motion[:, 0] - cluster.pmra, motion[:, 1] - cluster.pmdec)
    pm = float(np.clip(1.05 * _range(offset, (0, 1.3 * limits.pm))[1], 0, _WIDEST_PM * limits.pm))
    g = _finite(near["g"].to_numpy(float), sets.isochrone.g, np.array([8.0, 20.0]))
    own = {
        "x": (half, -half),
        "y": (-half, half),
        "pmra": (cluster.pmra - pm, cluster.pmra + pm),
        "pmdec": (cluster.pmdec - pm, cluster.pmdec + pm),
        "g": (float(g.max()) + 0.5, float(g.min()) - 0.5),
        "parallax": _parallax_range(near["parallax"].to_numpy(float), sets),
        sets.colour: _colour_range(near[sets.colour].to_numpy(float), sets),
        "p": (-0.03, 1.03),
        "r": (0.0, 1.05 * max(1.0, float(np.nan_to_num(near["r"].max())))),
    }
    rest = {
        axis.name: _range(near[axis.name].to_numpy(float), (0.0, 1.0))
        for axis in AXES
        if axis.name not in own
    }
    return {name: (float(low), float(high)) for name, (low, high) in (own | rest).items()}


def _parallax_range(values: np.ndarray, sets: "SourceSets") -> Range:
    mean, far, near = sets.cluster.parallax, sets.limits.parallax_far, sets.limits.parallax_near
    low, high = _range(values, (mean - 1.3 * far, mean + 1.3 * near))
    return max(low, mean - _WIDEST_PARALLAX * far), min(high, mean + _WIDEST_PARALLAX * near)


def _colour_range(values: np.ndarray, sets: "SourceSets") -> Range:
    colours = _finite(values, sets.isochrone.colour, np.array([0.0, 1.5]))
    centre = float(np.median(colours))
    return _range(colours, (centre - 2 * sets.limits.colour, centre + 2 * sets.limits.colour), reach=1.0)


def _finite(*candidates: np.ndarray) -> np.ndarray:
    """Finite values of the first array that has any."""
    return next(values[np.isfinite(values)] for values in candidates if np.isfinite(values).any())


def _range(values: np.ndarray, include: Range, *, reach: float = 0.5) -> Range:
    """Range of values without outliers that holds another one, 4 % wider."""
    ends = [*include, *(robust_range(values, reach=reach) if np.isfinite(values).any() else ())]
    margin = 0.04 * (max(ends) - min(ends))
    return min(ends) - margin, max(ends) + margin


def _lines(pair: tuple[str, str], ranges: dict[str, Range], sets: "SourceSets") -> dict[str, list[Any]]:
    """The isochrone full, and dashed the limits for sources without uncertainties, in a pair of columns."""
    cluster, limits = sets.cluster, sets.limits
    if pair == ("pmra", "pmdec"):
        angle = np.linspace(0, 2 * np.pi, 121)
        circle = [cluster.pmra + limits.pm * np.cos(angle), cluster.pmdec + limits.pm * np.sin(angle)]
        return _as_lines([np.column_stack(circle)], "dashed")
    if pair == ("g", "parallax"):
        bounds = (cluster.parallax - limits.parallax_far, cluster.parallax + limits.parallax_near)
        return _as_lines([np.array([[-5.0, bound], [30.0, bound]]) for bound in bounds], "dashed")
    if not has_curve(sets.isochrone):
        return _as_lines([], "")
    isochrone = np.column_stack([sets.isochrone.colour, sets.isochrone.g])
    colours, magnitudes = (ranges[name] for name in pair)
    grid = isochrone_boundary(sets.isochrone, colours, magnitudes, (limits.colour, limits.g))
    boundary = contour_generator(*grid, line_type=LineType.Separate).lines(
        1.0
    )  # of this type a list of lines
    parts = [_as_lines([isochrone], "solid"), _as_lines(cast("list[np.ndarray]", boundary), "dashed")]
    return {key: [value for part in parts for value in part[key]] for key in parts[0]}


def _as_lines(lines: list[np.ndarray], dash: str) -> dict[str, list[Any]]:
    """Lines of shape (n, 2) as ``multi_line`` takes them, broken (null) where a coordinate is none."""
    columns = [[_numbers(line[:, axis]) for line in lines] for axis in (0, 1)]
    return {"xs": columns[0], "ys": columns[1], "dash": [dash] * len(lines)}


def _numbers(values: np.ndarray) -> list[float | None]:
    return [round(value, 4) if np.isfinite(value) else None for value in values.tolist()]


def _renumbered(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item with Bokeh's running numbers of models counted from its own first one.

    Bokeh numbers models over the life of the process; a report must not depend on what was made before it.
    """
    numbers: dict[str, str] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: number(v) if key in ("id", "root_id") else walk(v) for key, v in value.items()}
        return [walk(part) for part in value] if isinstance(value, list) else value

    def number(name: Any) -> Any:
        return numbers.setdefault(name, f"m{len(numbers)}") if isinstance(name, str) else walk(name)

    return walk(json.loads(json.dumps(item)))
