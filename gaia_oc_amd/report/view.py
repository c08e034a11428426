"""The linked view of a report: its stars and its panels."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from bokeh.embed import json_item
from bokeh.layouts import gridplot
from bokeh.models import (
    BooleanFilter,
    BoxSelectTool,
    BoxZoomTool,
    CDSView,
    ColorBar,
    ColumnDataSource,
    HoverTool,
    LassoSelectTool,
    LinearColorMapper,
    PanTool,
    Range1d,
    ResetTool,
    TapTool,
    WheelZoomTool,
)
from bokeh.plotting import figure
from contourpy import contour_generator
from matplotlib import colormaps
from matplotlib.colors import to_hex

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.isochrones import isochrone_boundary
from gaia_oc_amd.plot_style import DENSITY_ABOVE, INK, PAPER, PROBABILITY_COLOURS, STYLES
from gaia_oc_amd.plotting import robust_range
from gaia_oc_amd.report.cautions import has_curve

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


LEAST_PROBABILITY = 0.01
"""Candidates below this PMemb are shown as part of the field's density, not one by one."""
MOST_CANDIDATES = 10_000
"""At most so many candidates are shown one by one, the most probable: a report stays small and quick."""

_MEASURED = {
    "ra": "ra",
    "dec": "dec",
    "parallax": "parallax",
    "parallax_error": "parallax_error",
    "pmra": "pmra",
    "pmra_error": "pmra_error",
    "pmdec": "pmdec",
    "pmdec_error": "pmdec_error",
    "g": "phot_g_mean_mag",
    "ruwe": "ruwe",
    "r": "f_r",
    "p": "PMemb",
}


@dataclass(frozen=True)
class ShownStars:
    """What a report shows of a cluster's stars.

    Parameters
    ----------
    stars : DataFrame
        Training members, then candidates by falling probability. Columns: id (source_id as text, for JavaScript's
        numbers have 53 bits), kind ("training member" or "candidate"), listed ("yes", "no": in the comparison
        list), x, y (offsets from the centre [deg]), colour [mag], and g, p, r, ra, dec, parallax, pmra, pmdec with
        errors, ruwe as in the sets (NaN where a column is missing).
    field : DataFrame
        Columns x, y, pmra, pmdec, parallax, g, colour of all other sources of the cone.
    least_probability : float
        Smallest PMemb of a candidate among `stars`.
    n_left_out : int
        Candidates of at least `LEAST_PROBABILITY` that `MOST_CANDIDATES` kept out.
    """

    stars: pd.DataFrame
    field: pd.DataFrame
    least_probability: float
    n_left_out: int


def shown_stars(sets: "SourceSets", *, most: int = MOST_CANDIDATES) -> ShownStars:
    """Choose the stars that a report shows one by one.

    Parameters
    ----------
    sets : SourceSets
        Sets of one cluster; without evaluation no candidate is shown.
    most : int
        Largest number of candidates.

    Returns
    -------
    ShownStars
    """
    probability = sets.candidates["PMemb"].fillna(-1.0).to_numpy(float)
    order = np.argsort(-probability, kind="stable")
    order = order[probability[order] >= LEAST_PROBABILITY]
    chosen, left_out = order[:most], order[most:]
    least = LEAST_PROBABILITY if not len(left_out) else float(np.floor(100 * probability[chosen[-1]]) / 100)
    listed = set(sets.comparison["source_id"].tolist())
    members = sets.judged_members if len(sets.judged_members) else sets.members
    parts = [_star_table(members, sets, "training member", listed)]
    parts.append(_star_table(sets.candidates.iloc[chosen], sets, "candidate", listed))
    others = np.ones(len(sets.candidates), bool)
    others[chosen] = False
    rest = [table for table in (sets.candidates[others], sets.non_members) if len(table)]
    field = pd.concat([_places(table, sets) for table in rest] or [_places(sets.non_members, sets)])
    return ShownStars(pd.concat(parts, ignore_index=True), field, least, len(left_out))


def _star_table(sources: pd.DataFrame, sets: "SourceSets", kind: str, listed: set[int]) -> pd.DataFrame:
    """Rows of one kind with the columns of `ShownStars.stars`."""
    ids = sources["source_id"].tolist()
    table = pd.DataFrame(
        {name: _numbers(sources, column) for name, column in _MEASURED.items()}, index=range(len(ids))
    )
    places = _places(sources, sets)[["x", "y", "colour"]].reset_index(drop=True)
    words = {
        "id": [str(int(i)) for i in ids],
        "kind": kind,
        "listed": ["yes" if i in listed else "no" for i in ids],
    }
    return pd.concat([pd.DataFrame(words, index=range(len(ids)), dtype=object), places, table], axis=1)


def _numbers(sources: pd.DataFrame, column: str) -> np.ndarray:
    return sources[column].to_numpy(float) if column in sources else np.full(len(sources), np.nan)


def _places(sources: pd.DataFrame, sets: "SourceSets") -> pd.DataFrame:
    """Where sources stand in the four panels."""
    ra, dec = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
    x, y = tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec)
    columns = {
        "pmra": "pmra",
        "pmdec": "pmdec",
        "parallax": "parallax",
        "g": "phot_g_mean_mag",
        "colour": sets.colour,
    }
    return pd.DataFrame(
        {"x": x, "y": y} | {name: _numbers(sources, column) for name, column in columns.items()}
    )


Range = tuple[float, float]

_LEFT = 66  # pixels for labels; the same for all panels, or the grid cuts some of them
_FRAME = 370  # pixels; a number, for both axes of sky and proper motion must have the same scale
_FEWEST_CELLS, _MOST_CELLS, _STARS_PER_CELL = 24, 180, 8  # along each side; stars on average
_BEYOND = 0.5  # the density reaches so much farther on each side, in widths of the panel
_WIDEST_PM, _WIDEST_PARALLAX = 4.0, 12.0  # in units of the limits, as in the figures
_FIELD_COLOUR = STYLES["field"].colour
_TEXT_COLUMNS = ("id", "kind", "listed")
_HOVER = [
    ("source_id", "@id"),
    ("", "@kind"),
    ("p", "@p{0.000}"),
    ("G", "@g{0.000} mag"),
    ("colour", "@colour{0.000} mag"),
    ("parallax", "@parallax{0.000} ± @parallax_error{0.000} mas"),
    ("pm", "(@pmra{0.000}, @pmdec{0.000}) mas/yr"),
    ("radius", "@r{0.0} pc"),
]


def view_item(shown: ShownStars, sets: "SourceSets", *, threshold: float) -> str:
    """The view as JSON for ``Bokeh.embed.embed_item``, the same text for the same stars.

    The models that report.js looks for have names: "stars" (the data), "threshold" and "threshold of members" (the
    filters of candidates and training members), "members", "candidates", "field" and "line" (glyph renderers).

    Parameters
    ----------
    shown : ShownStars
        What is shown.
    sets : SourceSets
        Give limits and isochrone.
    threshold : float
        Smallest PMemb of the stars shown at the start.

    Returns
    -------
    str
        It holds no ``<``, so that it may stand in a script element.
    """
    source = ColumnDataSource(_columns(shown.stars), name="stars")
    is_member = (shown.stars["kind"] == "training member").to_numpy()
    likely = shown.stars["p"].to_numpy(float) >= threshold
    likely |= is_member & (len(sets.judged_members) == 0)
    views = {
        "candidates": CDSView(filter=BooleanFilter((likely & ~is_member).tolist(), name="threshold")),
        "members": CDSView(filter=BooleanFilter((likely & is_member).tolist(), name="threshold of members")),
    }
    panels = [_panel(shown, sets, columns, ranges) for columns, ranges in _axes(shown, sets).items()]
    for panel, columns in zip(panels, _axes(shown, sets), strict=True):
        _draw_stars(panel, source, views, columns)
        _draw_lines(panel, sets, columns)
    _add_colour_bar(panels[1])
    grid = gridplot([panels[:2], panels[2:]], merge_tools=True, toolbar_location="above")
    grid.toolbar.logo = None
    item = _renumbered(json_item(grid, target="view"))
    return json.dumps(item, separators=(",", ":")).replace("<", "\\u003c")


def _columns(stars: pd.DataFrame) -> dict[str, Any]:
    """Columns of the data source; single precision is far below the errors, apart from positions."""
    columns: dict[str, Any] = {}
    for name in stars:
        if name in _TEXT_COLUMNS:
            columns[name] = stars[name].tolist()
        else:
            columns[name] = stars[name].to_numpy(np.float64 if name in ("ra", "dec") else np.float32)
    return columns


def _axes(shown: ShownStars, sets: "SourceSets") -> dict[tuple[str, str], tuple[Range, Range]]:
    """Columns of each panel and their ranges at the start, in the order of the figures' panels."""
    cluster, limits = sets.cluster, sets.limits
    near = shown.stars[(shown.stars["kind"] == "training member") | (shown.stars["p"] >= 0.1)]
    distance = np.hypot(near["x"], near["y"]).to_numpy(float)
    half = 1.15 * max(0.01, float(np.nanmax(distance)) if np.isfinite(distance).any() else 1.0)
    offset = np.hypot(near["pmra"] - cluster.pmra, near["pmdec"] - cluster.pmdec).to_numpy(float)
    pm = float(np.clip(1.05 * _range(offset, (0, 1.3 * limits.pm))[1], 0, _WIDEST_PM * limits.pm))
    far, near_side = limits.parallax_far, limits.parallax_near
    wide = (cluster.parallax - 1.3 * far, cluster.parallax + 1.3 * near_side)
    parallax = _range(near["parallax"].to_numpy(float), wide)
    parallax = (
        max(parallax[0], cluster.parallax - _WIDEST_PARALLAX * far),
        min(parallax[1], cluster.parallax + _WIDEST_PARALLAX * near_side),
    )
    g = _finite(near["g"].to_numpy(float), sets.isochrone.g, np.array([8.0, 20.0]))
    bright, faint = float(g.min()) - 0.5, float(g.max()) + 0.5
    colours = _finite(near["colour"].to_numpy(float), sets.isochrone.colour, np.array([0.0, 1.5]))
    centre = float(np.median(colours))
    colour = _range(colours, (centre - 2 * limits.colour, centre + 2 * limits.colour), reach=1.0)
    return {
        ("x", "y"): ((half, -half), (-half, half)),
        ("g", "parallax"): ((bright, faint), parallax),
        ("pmra", "pmdec"): tuple((float(c - pm), float(c + pm)) for c in (cluster.pmra, cluster.pmdec)),
        ("colour", "g"): (colour, (faint, bright)),
    }


def _finite(*candidates: np.ndarray) -> np.ndarray:
    """Finite values of the first array that has any."""
    return next(values[np.isfinite(values)] for values in candidates if np.isfinite(values).any())


def _range(values: np.ndarray, include: Range, *, reach: float = 0.5) -> Range:
    """Range of values without outliers that holds another one, 4 % wider."""
    ends = [*include, *(robust_range(values, reach=reach) if np.isfinite(values).any() else ())]
    margin = 0.04 * (max(ends) - min(ends))
    return min(ends) - margin, max(ends) + margin


def _panel(
    shown: ShownStars, sets: "SourceSets", columns: tuple[str, str], ranges: tuple[Range, Range]
) -> Any:
    """Empty panel with its axes and tools, the field's density in it."""
    labels = {
        "x": "Δα cos δ [deg]",
        "y": "Δδ [deg]",
        "g": "G [mag]",
        "parallax": "ϖ [mas]",
        "pmra": "μα cos δ [mas/yr]",
        "pmdec": "μδ [mas/yr]",
        "colour": {"g_rp": "G − G_RP [mag]", "bp_rp": "G_BP − G_RP [mag]"}[sets.colour],
    }
    panel = figure(
        frame_width=_FRAME,
        frame_height=_FRAME,
        x_range=Range1d(*ranges[0]),
        y_range=Range1d(*ranges[1]),
        x_axis_label=labels[columns[0]],
        y_axis_label=labels[columns[1]],
        tools=[PanTool(), BoxZoomTool(match_aspect=columns[0] in ("x", "pmra")), WheelZoomTool(), BoxSelectTool(),
               LassoSelectTool(), TapTool(), ResetTool()],
        active_drag=None,
        background_fill_color=PAPER,
        border_fill_color=None,
        min_border=5,
        min_border_left=_LEFT,
    )  # fmt: skip
    panel.toolbar.active_drag = panel.select_one(PanTool)
    panel.grid.visible = False
    panel.axis.axis_label_text_font_style = "normal"
    _draw_density(panel, shown.field, columns, ranges)
    return panel


def _draw_density(
    panel: Any, field: pd.DataFrame, columns: tuple[str, str], ranges: tuple[Range, Range]
) -> None:
    """Draw the field as an image, stronger where it is denser, or as dots where it has few stars."""
    (left, right), (bottom, top) = (_wider(*sorted(ends)) for ends in ranges)
    x, y = (field[name].to_numpy(float) for name in columns)
    finite = np.isfinite(x) & np.isfinite(y)
    inside = finite & (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    if not inside.any():
        return
    if len(field) <= DENSITY_ABOVE:
        points = {"x": x[inside].astype(np.float32), "y": y[inside].astype(np.float32)}
        dots = ColumnDataSource(points)
        panel.scatter("x", "y", source=dots, size=3, color=_FIELD_COLOUR, alpha=0.7, name="field")
        return
    cells = int(np.clip(np.sqrt(inside.sum() / _STARS_PER_CELL), _FEWEST_CELLS, _MOST_CELLS))
    counts, *_ = np.histogram2d(y[inside], x[inside], bins=cells, range=[(bottom, top), (left, right)])
    share = np.rint(255 * np.log1p(counts) / np.log1p(counts.max())).astype(np.uint8)
    palette = [f"{_FIELD_COLOUR}{round(opacity):02x}" for opacity in np.linspace(0, 255, 256)]
    mapper = LinearColorMapper(palette=palette, low=0, high=255)
    panel.image(
        image=[share],
        x=left,
        y=bottom,
        dw=right - left,
        dh=top - bottom,
        color_mapper=mapper,
        level="image",
        name="field",
    )


def _wider(low: float, high: float) -> Range:
    return low - _BEYOND * (high - low), high + _BEYOND * (high - low)


def _draw_stars(
    panel: Any, source: ColumnDataSource, views: dict[str, CDSView], columns: tuple[str, str]
) -> None:
    """Draw members hollow and candidates coloured by probability; both show what they are to the mouse."""
    x, y = columns
    dim = {"nonselection_fill_alpha": 0.12, "nonselection_line_alpha": 0.15}
    members = panel.scatter(
        x, y, source=source, view=views["members"], size=8, line_color=STYLES["training"].colour, line_width=1.2,
        fill_color=STYLES["training"].colour, fill_alpha=0.0, selection_fill_alpha=0.35, name="members",
        **(dim | {"nonselection_fill_alpha": 0.0, "nonselection_line_alpha": 0.25}),
    )  # fmt: skip
    candidates = panel.scatter(
        x, y, source=source, view=views["candidates"], size=6, fill_color={"field": "p", "transform": _mapper()},
        line_color=INK, line_width=0.5, selection_line_width=1.6, name="candidates", **dim,
    )  # fmt: skip
    panel.add_tools(
        HoverTool(renderers=[members, candidates], tooltips=_HOVER, limit=2, attachment="horizontal")
    )


def _mapper() -> LinearColorMapper:
    colours = colormaps[PROBABILITY_COLOURS](np.linspace(0, 1, 100))
    return LinearColorMapper(
        palette=[to_hex(colour) for colour in colours], low=0, high=1, nan_color="#00000000"
    )


def _add_colour_bar(panel: Any) -> None:
    bar = ColorBar(color_mapper=_mapper(), width=12, padding=4, background_fill_color=None)
    panel.add_layout(bar, "right")


def _draw_lines(panel: Any, sets: "SourceSets", columns: tuple[str, str]) -> None:
    """Draw the isochrone, and dashed the limits for sources without uncertainties."""
    cluster, limits = sets.cluster, sets.limits
    if columns == ("pmra", "pmdec"):
        angle = np.linspace(0, 2 * np.pi, 121)
        _line(
            panel,
            cluster.pmra + limits.pm * np.cos(angle),
            cluster.pmdec + limits.pm * np.sin(angle),
            "dashed",
        )
    elif columns == ("g", "parallax"):
        for bound in (cluster.parallax - limits.parallax_far, cluster.parallax + limits.parallax_near):
            _line(panel, np.array([-5.0, 30.0]), np.array([bound, bound]), "dashed")
    elif columns == ("colour", "g"):
        _line(panel, sets.isochrone.colour, sets.isochrone.g, "solid")
        for line in _isochrone_boundary(panel, sets):
            _line(panel, line[:, 0], line[:, 1], "dashed")


def _line(panel: Any, x: np.ndarray, y: np.ndarray, dash: str) -> None:
    panel.line(
        np.asarray(x, np.float32),
        np.asarray(y, np.float32),
        color=INK,
        line_width=1.2,
        line_dash=dash,
        name="line",
    )


def _isochrone_boundary(panel: Any, sets: "SourceSets") -> list[np.ndarray]:
    """Lines where the distance to the isochrone, in units of the limits, is 1, each of shape (n, 2)."""
    if not has_curve(sets.isochrone):
        return []
    colours, magnitudes = (sorted((axis.start, axis.end)) for axis in (panel.x_range, panel.y_range))
    limits = (sets.limits.colour, sets.limits.g)
    return contour_generator(*isochrone_boundary(sets.isochrone, colours, magnitudes, limits)).lines(1.0)


def _renumbered(item: dict[str, Any]) -> dict[str, Any]:
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

    return walk(item)
