"""The figures of a run, and how they are saved and shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gaia_oc_amd.absence import BEYOND
from gaia_oc_amd.arguments import Threshold, checked
from gaia_oc_amd.canvas import (
    DPI,
    ONE_COLUMN,
    TWO_COLUMNS,
    Canvas,
    set_title,
    write_note,
)
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.columns import LISTED_PROBABILITY, REJECTED_BY
from gaia_oc_amd.comparison import comparison_list, missed_members
from gaia_oc_amd.comparison_figures import (
    about_comparison,
    comparison_layers,
    has_comparison,
    membership_matrix_figure,
    venn_diagram_figure,
)
from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.member_list import (
    PROB_THRESHOLD,
    new_members,
    our_members,
    probable_candidates,
    probable_members,
    within_radius,
)
from gaia_oc_amd.options import FigureOptions, Panel, PlotOptions
from gaia_oc_amd.panels import PANEL_NAMES, legend_handles
from gaia_oc_amd.plot_style import LINE_COLOURS, PROBABILITY_COLOURS, SETTINGS
from gaia_oc_amd.plotting import Layer, field_layer, figure_title
from gaia_oc_amd.profiles import density_profile, fit_king_profile
from gaia_oc_amd.radial_figures import complete_radius, density_profile_figure, mass_segregation_figure
from gaia_oc_amd.source_sets import SET_NAMES, SourceSets


class _Format(TypedDict, total=False):
    dpi: int
    pil_kwargs: dict[str, int]
    metadata: dict[str, None]


_FORMATS: dict[str, _Format] = {
    "png": {
        "dpi": DPI,
        "pil_kwargs": {"compress_level": 3},
    },  # half the time of level 6, for 3 % larger files
    "pdf": {"dpi": 300, "metadata": {"CreationDate": None}},
    "svg": {"dpi": 300, "metadata": {"Date": None}},
}
"""How each format is written; without dates, so that equal runs give equal files."""


_SCREEN_DPI = 110
"""Of the windows, which must fit on a screen."""


def save_and_show(figures: dict[str, Figure], folder: Path, options: FigureOptions) -> list[str]:
    """Save figures, in one format, and show them, as the options say.

    Parameters
    ----------
    figures : dict of Figure
        Figures by the name of the file, without its ending.
    folder : path
        Where the files go.
    options : FigureOptions
        Whether to save and to show, the format, and whether the figures lose their titles. The same picture in
        another format is removed.

    Returns
    -------
    list of str
        Names of the files that were written.
    """
    suffix = options.plot_format
    if options.no_title:
        for figure in figures.values():
            set_title(figure, "")
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
        canvas = window.canvas
        canvas.figure = figure
        figure.set_canvas(canvas)
        figure.set_dpi(_SCREEN_DPI)
    plt.show()
    plt.close("all")


_SQUARE, _ROW = (2, 2), (1, 4)
"""Rows and columns of the panels."""


@rc_context(SETTINGS)
@checked
def candidates_figure(
    sets: SourceSets, *, panel: Panel | None = None, axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw members, candidates and non-members in four panels, as Fig. 1 of van Groeningen et al. (2023).

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    panel : str, optional
        Only this one of `panels.PANEL_NAMES`, in one column of a page.
    axes : sequence of four Axes, optional
        Where to draw, one for one panel; by default a new figure.

    Returns
    -------
    Figure
    """
    layers = [
        field_layer(sets),
        Layer("candidates", sets.candidates, "candidates"),
        Layer("members", sets.members, "training members"),
    ]
    sentence = "" if len(sets.candidates) else "There are no candidates."
    return _panels_figure(sets, layers, "candidate selection", sentence, panel=panel, axes=axes)


@rc_context(SETTINGS)
@checked
def new_members_figure(
    sets: SourceSets,
    *,
    prob_threshold: Threshold = PROB_THRESHOLD,
    panel: Panel | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw the training members and the further ones, coloured by probability, in four panels.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a further member.
    panel : str, optional
        Only this one of `panels.PANEL_NAMES`, in one column of a page.
    axes : sequence of four Axes, optional
        Where to draw, one for one panel; by default a new figure.

    Returns
    -------
    Figure
    """
    new = probable_candidates(sets, prob_threshold)
    judged = sets.is_evaluated()
    layers = [
        field_layer(sets),
        Layer("training", sets.members, "training members"),
        Layer(
            "candidates",
            new,
            f"further members, p ≥ {prob_threshold:g}",
            (prob_threshold, 1.0),
            judged=judged,
        ),
    ]
    n_all = len(our_members(sets, prob_threshold))
    sentence = (
        f"{n_all:,} members (p ≥ {prob_threshold:g}): {n_all - len(new):,} training members, {len(new):,} further "
        f"ones, {len(new_members(new)):,} of these in no training list"
    )
    if new.empty:
        sentence = f"No candidate has a membership probability of {prob_threshold:g} or more."
    return _panels_figure(sets, layers, "new members", sentence, panel=panel, axes=axes)


@rc_context(SETTINGS)
@checked
def comparison_figure(
    sets: SourceSets,
    *,
    prob_threshold: Threshold = PROB_THRESHOLD,
    panel: Panel | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw our members and the comparison list's in a row, as Fig. 4 of van Groeningen et al. (2023).

    A filled circle in a square is a member of both lists, a cross in a square failed our selection.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a member of ours.
    panel : str, optional
        Only this one of `panels.PANEL_NAMES`, in one column of a page.
    axes : sequence of four Axes, optional
        Where to draw, one for one panel; by default a new figure.

    Returns
    -------
    Figure
    """
    layers = comparison_layers(sets, prob_threshold)
    sentence = about_comparison(sets, prob_threshold)
    return _panels_figure(sets, layers, "members", sentence, shape=_ROW, panel=panel, axes=axes)


@rc_context(SETTINGS)
@checked
def additional_members_figure(
    sets: SourceSets,
    *,
    prob_threshold: Threshold = PROB_THRESHOLD,
    panel: Panel | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw our members that the comparison list lacks, in four panels.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a member of ours.
    panel : str, optional
        Only this one of `panels.PANEL_NAMES`, in one column of a page.
    axes : sequence of four Axes, optional
        Where to draw, one for one panel; by default a new figure.

    Returns
    -------
    Figure
    """
    listed, ours = comparison_list(sets)["source_id"], our_members(sets, prob_threshold)
    candidates, members = (
        table[~table["source_id"].isin(listed)]
        for table in (probable_candidates(sets, prob_threshold), probable_members(sets, prob_threshold))
    )
    label = f"additional candidates, p ≥ {prob_threshold:g}"
    judged = sets.is_evaluated()
    layers = [
        field_layer(sets),
        Layer(
            "context",
            ours[ours["source_id"].isin(listed)],
            "members of both lists",
            judged=judged,
        ),
        Layer("training", members, "additional training members", judged=judged),
        Layer("candidates", candidates, label, (prob_threshold, 1.0), judged=judged),
    ]
    sentence = about_comparison(sets, prob_threshold)
    if len(sets.comparison) and members.empty and candidates.empty:
        sentence = f"{sets.comparison_name} holds all our members."
    return _panels_figure(
        sets,
        layers,
        f"members that are not in the list {sets.comparison_name}",
        sentence,
        panel=panel,
        axes=axes,
    )


@rc_context(SETTINGS)
@checked
def missed_members_figure(
    sets: SourceSets,
    *,
    prob_threshold: Threshold = PROB_THRESHOLD,
    panel: Panel | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw members of the comparison list that are not in ours, by the reason, in four panels.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a member of ours.
    panel : str, optional
        Only this one of `panels.PANEL_NAMES`, in one column of a page.
    axes : sequence of four Axes, optional
        Where to draw, one for one panel; by default a new figure.

    Returns
    -------
    Figure
    """
    missed = missed_members(sets, prob_threshold)
    judged = sets.is_evaluated()
    layers = [
        field_layer(sets),
        Layer("context", our_members(sets, prob_threshold), "this work", judged=judged),
        Layer("rejected", missed["non_member"], "failed the selection"),
        Layer("improbable", missed["improbable"], f"judged p < {prob_threshold:g}"),
    ]
    if len(missed["outside"]):
        layers.append(Layer("elsewhere", missed["outside"], "not in the cone, as listed"))
    sentence = about_comparison(sets, prob_threshold)
    if has_comparison(sets) and not any(len(part) for part in missed.values()):
        sentence = f"Our list holds all stars of {sets.comparison_name}."
    return _panels_figure(
        sets,
        layers,
        f"stars of {sets.comparison_name} that are not in our list",
        sentence,
        panel=panel,
        axes=axes,
    )


def _panels_figure(
    sets: SourceSets,
    layers: Sequence[Layer],
    title: str,
    sentence: str,
    *,
    shape: tuple[int, int] = _SQUARE,
    panel: Panel | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Compose the panels, a legend below them, and a colour bar if a layer shows probabilities."""
    panels = PANEL_NAMES if panel is None else {panel: PANEL_NAMES[panel]}
    with_bar = [layer for layer in layers if layer.has_bar]
    about = "\n".join(filter(None, [figure_title(sets, title), sentence]))
    canvas = Canvas(
        axes,
        shape if panel is None else (1, 1),
        title=about,
        width=TWO_COLUMNS if panel is None else ONE_COLUMN,
        has_bar=bool(with_bar),
    )
    for ax, draw in zip(canvas.axes, panels.values(), strict=True):
        draw(ax, sets, layers)
    for layer in with_bar:
        mappable = ScalarMappable(Normalize(*layer.probabilities), PROBABILITY_COLOURS)  # type: ignore[misc]  # these layers have them
        canvas.colour_bar(mappable, layer.bar_label)
    canvas.place_labels()
    canvas.fit_panel_titles()
    canvas.legend(handles=legend_handles(layers, sets, panel=panel), ncols=4)
    return canvas.figure


_METRICS = {
    "f1": ("F1", LINE_COLOURS[0]),
    "precision": ("precision", LINE_COLOURS[1]),
    "recall": ("recall", LINE_COLOURS[2]),
    "selectivity": ("selectivity", LINE_COLOURS[3]),
    "accuracy": ("accuracy", LINE_COLOURS[4]),
    "balanced_accuracy": ("balanced accuracy", LINE_COLOURS[5]),
}


_PARTS = (
    ("train", "training (dashed)", {"ls": "--", "lw": 0.9}),
    ("validation", "validation (solid)", {"lw": 1.3}),
)


@rc_context(SETTINGS)
@checked
def training_metrics_figure(metrics: Mapping[str, Any]) -> Figure:
    """Draw loss and classification metrics against epoch, as Fig. 2 of van Groeningen et al. (2023).

    Parameters
    ----------
    metrics : mapping
        'train' and 'validation', each a mapping of 'loss', 'precision', 'recall', 'selectivity', 'accuracy',
        'balanced_accuracy' and 'f1' to lists with a value for each epoch; 'best_epoch', counted from 0.
        What is absent is not drawn.

    Returns
    -------
    Figure
    """
    canvas = Canvas(None, (2, 1), title="training of the network", width=TWO_COLUMNS, heights=(0.27, 0.4))
    loss, scores = canvas.axes
    scores.sharex(loss)
    drawn = 0
    for part, label, look in _PARTS:
        curves = metrics.get(part) or {}
        drawn += _draw_curve(loss, curves.get("loss"), label=label, color="black", **look)
        for name, (_, colour) in _METRICS.items():
            drawn += _draw_curve(scores, curves.get(name), color=colour, **look)
    if not drawn:
        write_note(loss, "There is no training history.")
        scores.set_axis_off()
        return canvas.figure
    _mark_best_epoch(loss, scores, metrics.get("best_epoch"))
    loss.set_ylabel("loss")
    scores.set_ylabel("metric")
    scores.set_xlabel("epoch")
    handles = loss.get_legend_handles_labels()[0]
    handles += [Line2D([], [], color=colour, label=label) for label, colour in _METRICS.values()]
    canvas.legend(handles=handles, ncols=5)
    return canvas.figure


def _draw_curve(ax: Axes, values: Any, **look: Any) -> int:
    """Draw a curve against epoch; the number of curves drawn, 0 if there are no values."""
    if values is None or not len(values):
        return 0
    marker = "o" if len(values) == 1 else ""
    ax.plot(np.arange(1, len(values) + 1), np.asarray(values, float), marker=marker, **look)
    return 1


def _mark_best_epoch(loss: Axes, scores: Axes, best_epoch: int | None) -> None:
    if best_epoch is None or best_epoch < 0:
        return
    for ax in (loss, scores):
        ax.axvline(best_epoch + 1, color="black", ls=":", lw=1.0, label=f"best epoch: {best_epoch + 1}")


@rc_context(SETTINGS)
def evaluation_figures(
    sets: SourceSets, options: PlotOptions | None = None, *, seed: int = 42, panel: Panel | None = None
) -> dict[str, Figure]:
    """Draw the figures of an evaluated cluster.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    options : PlotOptions, optional
        Which figures, with which thresholds, and whether only within a tidal radius (the smaller one if both
        are wanted). The density profile always shows all.
    seed : int
        Seed of the random samples of the mass segregation ratio.
    panel : str, optional
        Of the figures with four panels, only this one of `panels.PANEL_NAMES`.

    Returns
    -------
    dict of str to Figure
        By the name of the option without its ending ``_plot``.
    """
    options = options or PlotOptions()
    sets = drawn_sets(sets, options.colour)
    least, rng = options.prob_threshold, cluster_rng(seed, sets.cluster.name)
    high, low = options.new_members_prob_threshold or least, options.candidate_prob_threshold
    draw: dict[str, Callable[[SourceSets], Figure]] = {
        "new_members": partial(new_members_figure, prob_threshold=high, panel=panel),
        "comparison": partial(comparison_figure, prob_threshold=least, panel=panel),
        "additional_members": partial(additional_members_figure, prob_threshold=least, panel=panel),
        "missed_members": partial(missed_members_figure, prob_threshold=least, panel=panel),
        "venn_diagram": partial(venn_diagram_figure, prob_threshold=least),
        "membership_matrix": partial(membership_matrix_figure, prob_threshold=least, least_probability=low),
        "mass_segregation": partial(mass_segregation_figure, prob_threshold=least, rng=rng),
    }
    radius = _chosen_radius(sets, options)
    inner, note = (sets, "") if radius is None else (within_radius(sets, radius), f"\nwithin {radius:.1f} pc")
    figures = {}
    for name in options.switched_on():
        if name in OF_COMPARISON and not has_comparison(inner):
            continue
        if name == "density_profile":
            figures[name] = density_profile_figure(sets, prob_threshold=least)
        else:
            figures[name] = draw[name](inner)
            if note:
                set_title(figures[name], figures[name].get_suptitle() + note)
    return figures


_DRAWN = (
    *("source_id", "ra", "dec", "parallax", "pmra", "pmdec", "phot_g_mean_mag", "f_r"),
    *("PMemb", LISTED_PROBABILITY, REJECTED_BY, BEYOND),
)
"""Columns that the figures need besides the colour; of fewer columns, rows are chosen in a fraction of the time."""


def drawn_sets(sets: SourceSets, colour: str | None = None) -> SourceSets:
    """Sets as figures show them: with the columns that they need, and perhaps in another colour.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    colour : {'g_rp', 'bp_rp', 'bp_g'}, optional
        Which colour; in another one than the selection's, its limit is unknown, NaN.

    Returns
    -------
    SourceSets
    """
    names = (*SET_NAMES, "judged_members", "comparison_outside")
    tables = {name: getattr(sets, name) for name in names}
    if colour not in (None, sets.colour):
        isochrone, limits = sets.isochrone.in_colour(colour), replace(sets.limits, colour=np.nan)
        sets = replace(sets, colour=colour, limits=limits, isochrone=isochrone)
    if colour == "bp_g":
        tables = {n: t.assign(bp_g=t["bp_rp"] - t["g_rp"]) if "g_rp" in t else t for n, t in tables.items()}
    shown = (*_DRAWN, sets.colour)
    return replace(sets, **{name: table[[c for c in shown if c in table]] for name, table in tables.items()})


OF_COMPARISON = ("comparison", "additional_members", "missed_members", "venn_diagram", "membership_matrix")
"""Figures that are not drawn where there is no list to compare with."""


def _chosen_radius(sets: SourceSets, options: PlotOptions) -> float | None:
    """Smallest of the wanted tidal radii [pc]; None, with a warning from the fit, if there is none."""
    lists = []
    if options.use_tidal_radius:
        lists.append(our_members(sets, options.prob_threshold))
    if options.use_comparison_tidal_radius:
        lists.append(sets.comparison)
    outer_radius = complete_radius(sets)
    profiles = [density_profile(table["f_r"].to_numpy(float), outer_radius=outer_radius) for table in lists]
    kings = [fit_king_profile(profile) for profile in profiles]
    return min((king.tidal_radius for king in kings if king), default=None)
