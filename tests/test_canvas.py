"""Figures as they are printed: width, size of type, nothing empty, nothing over or beyond anything else."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from plot_sets import example_sets, not_evaluated, texts, without_comparison

from gaia_oc_amd.canvas import ONE_COLUMN, TWO_COLUMNS, Canvas, set_title
from gaia_oc_amd.comparison import PROBABILITY_STEPS, probability_matrix
from gaia_oc_amd.figures import candidates_figure, evaluation_figures, save_and_show
from gaia_oc_amd.options import FigureOptions
from gaia_oc_amd.plot_style import SETTINGS, STYLES, THIN_ABOVE, marker_area
from gaia_oc_amd.plotting import PANEL_NAMES, Layer, sky_panel
from gaia_oc_amd.profiles import DensityProfile, density_profile, joined_annuli
from gaia_oc_amd.radial_figures import density_profile_figure, mass_segregation_figure

FOUR_PANELS = ("candidates", "new_members", "comparison", "additional_members", "missed_members")
SMALLEST_TYPE = 6.0  # pt
TOUCH = 1.0  # pixels by which boxes may overlap


def all_figures(sets, panel=None):
    return {"candidates": candidates_figure(sets, panel=panel), **evaluation_figures(sets, panel=panel)}


@pytest.fixture(scope="module")
def sets():
    return example_sets()


@pytest.fixture(scope="module")
def figures(sets):
    return all_figures(sets)


@pytest.fixture(scope="module")
def single_panels(sets):
    return {panel: all_figures(sets, panel) for panel in PANEL_NAMES}


def labels_around(figure):
    """Boxes of all that stands around the panels: titles, legends, axis labels."""
    boxes = {"title": figure._suptitle} if figure.get_suptitle() else {}
    boxes |= {f"legend {i}": legend for i, legend in enumerate(figure.legends)}
    for i, ax in enumerate(figure.axes):
        if ax.axison:
            boxes |= {f"x label {i}": ax.xaxis.label, f"y label {i}": ax.yaxis.label}
        boxes |= {f"panel title {i}": ax.title}
        if ax.get_legend():
            boxes[f"panel legend {i}"] = ax.get_legend()
    extents = {name: artist.get_window_extent() for name, artist in boxes.items()}
    return {name: box for name, box in extents.items() if box.width > 0}


def assert_printable(figure):
    figure.draw_without_rendering()
    written = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert min(text.get_fontsize() for text in written) >= SMALLEST_TYPE
    boxes = labels_around(figure)
    for name, box in boxes.items():
        assert min(box.x0, box.y0) > -TOUCH, name
        assert max(box.x1 - figure.bbox.x1, box.y1 - figure.bbox.y1) < TOUCH, name
        for ax in figure.axes:
            assert not overlap(box, ax.bbox), (name, ax.get_xlabel())
    for (one, first), (two, second) in combinations(boxes.items(), 2):
        assert not overlap(first, second), (one, two)


def overlap(one, two):
    across = min(one.x1, two.x1) - max(one.x0, two.x0)
    down = min(one.y1, two.y1) - max(one.y0, two.y0)
    return across > TOUCH and down > TOUCH


def test_nothing_lies_over_or_beyond_anything(figures):
    for figure in figures.values():
        assert_printable(figure)


@pytest.mark.parametrize("panel", PANEL_NAMES)
def test_nothing_lies_over_or_beyond_anything_in_one_column(single_panels, panel):
    for name in FOUR_PANELS:
        figure = single_panels[panel][name]
        assert 25.4 * figure.get_figwidth() == pytest.approx(ONE_COLUMN)
        assert_printable(figure)


def test_the_check_sees_text_that_lies_over_a_panel():
    figure = Figure()
    figure.subplots()
    figure.suptitle("over the panel", y=0.5)
    with pytest.raises(AssertionError, match="title"):
        assert_printable(figure)


def test_legend_of_one_panel_names_its_lines_only(single_panels):
    words = {"isochrone": {"cmd"}, "limit of a star without errors": {"cmd", "parallax", "motion"}}
    legends = {panel: single_panels[panel]["comparison"].legends[0].get_texts() for panel in PANEL_NAMES}
    for word, panels in words.items():
        named = {
            panel for panel, entries in legends.items() if word in [entry.get_text() for entry in entries]
        }
        assert named == panels


def test_figures_are_as_wide_as_a_page_or_a_column(figures):
    widths = {name: round(25.4 * figure.get_figwidth(), 3) for name, figure in figures.items()}
    assert set(widths.values()) == {TWO_COLUMNS, ONE_COLUMN}
    assert all(widths[name] == TWO_COLUMNS for name in FOUR_PANELS)


def test_no_axes_are_empty(figures):
    for name, figure in figures.items():
        assert all(ax.has_data() or ax.patches for ax in figure.axes), name


def test_the_field_lies_behind_every_picture_of_four_panels(figures, sets):
    for name in FOUR_PANELS:
        assert f"non-members ({len(sets.non_members):,})" in texts(figures[name])


def test_a_colour_bar_takes_the_place_of_the_legend_entry(figures):
    labels = [ax.get_ylabel() for ax in figures["new_members"].axes]
    assert any(label.startswith("membership probability $p$\nfurther members") for label in labels)
    assert "further members, $p" not in texts(figures["new_members"])


def test_listed_stars_that_failed_the_selection_are_marked(figures):
    assert "failed the selection (20)" in texts(figures["comparison"])


@pytest.mark.parametrize("title", ["", "one line", "one\ntwo\nthree", "long " * 60])
def test_a_title_moves_no_panel(title):
    with rc_context(SETTINGS):
        figure = Canvas(None, (2, 2), title="a title", width=TWO_COLUMNS).figure
        before = [25.4 * ax.get_window_extent().bounds[3] for ax in figure.axes]
        set_title(figure, title)
    assert [25.4 * ax.get_window_extent().bounds[3] for ax in figure.axes] == pytest.approx(before)
    assert figure.get_suptitle().split() == title.split()
    assert_printable(figure)


def test_no_title_leaves_no_gap(tmp_path, sets):
    with_title, without = (candidates_figure(sets, panel="cmd") for _ in range(2))
    save_and_show({"candidates": without}, tmp_path, FigureOptions(no_title=True))
    assert without.get_suptitle() == ""
    assert 25.4 * (with_title.get_figheight() - without.get_figheight()) == pytest.approx(4.0)
    assert_printable(without)


def test_sky_is_cut_at_three_times_the_radius_of_the_members(sets):
    layers = [Layer("members", sets.members, "members"), Layer("candidates", sets.candidates, "candidates")]
    ax = sky_panel(Figure().subplots(), sets, layers)
    half = ax.get_ylim()[1]
    assert 1.5 < half < 1.8  # the members fill 0.6 deg
    offsets = np.concatenate([np.array(part.get_offsets()) for part in ax.collections])
    shown = len(offsets)
    assert (
        ax.get_title()
        == f"{len(sets.members) + len(sets.candidates) - shown:,} stars of the legend lie further out"
    )
    whole = sky_panel(Figure().subplots(), sets, layers[:1])
    assert whole.get_title() == ""


def test_markers_thin_out_above_some_number():
    assert marker_area(1) == marker_area(THIN_ABOVE) > marker_area(2 * THIN_ABOVE) > marker_area(10_000)


def test_at_most_two_bands_of_mass_segregation(sets):
    ax = mass_segregation_figure(sets, rng=np.random.default_rng(0)).axes[0]
    assert len(ax.lines) == 4  # three lists and the line of no segregation
    bands = [part for part in ax.collections if isinstance(part, FillBetweenPolyCollection)]
    assert len(bands) == 2
    colours = {tuple(np.round(band.get_facecolor()[0][:3], 2)) for band in bands}
    assert len(colours) == 2
    few = mass_segregation_figure(without_comparison(sets), rng=np.random.default_rng(0)).axes[0]
    assert len(few.collections) == 2


class TestAnnuli:
    def test_a_narrow_ring_makes_no_spike(self):
        radius = np.concatenate([np.linspace(0.05, 3, 200), np.linspace(1.0, 1.01, 30)])
        profile = density_profile(radius, outer_radius=3.0)
        joined = joined_annuli(profile)
        assert np.log10(profile.edges[2:] / profile.edges[1:-1]).min() < 0.05
        assert np.log10(joined.edges[2:] / joined.edges[1:-1]).min() >= 0.05
        assert joined.counts.sum() == profile.counts.sum()
        assert (joined.edges[0], joined.edges[-1]) == (profile.edges[0], profile.edges[-1])
        assert joined.density.max() < profile.density.max() / 2

    @pytest.mark.parametrize("edges", [[0.0], [0.0, 1.0], [0.0, 1.0, 1.01], [0.0, 1.0, 2.0, 2.01]])
    def test_few_annuli(self, edges):
        profile = DensityProfile(np.array(edges), np.arange(len(edges) - 1))
        joined = joined_annuli(profile)
        assert joined.edges[-1] == edges[-1]
        assert joined.counts.sum() == profile.counts.sum()
        if len(joined.edges) > 2:
            assert np.log10(joined.edges[2:] / joined.edges[1:-1]).min() >= 0.05

    def test_axes_end_near_the_densities(self, sets):
        ax = density_profile_figure(sets).axes[0]
        assert ax.get_xlabel() == "projected radius [pc]"
        drawn = np.concatenate(
            [line.get_ydata() for line in ax.lines if line.get_marker() not in ("None", "")]
        )
        assert ax.get_ylim()[1] < drawn.max() * 3
        counted = np.concatenate(
            [line.get_ydata() for line in ax.lines if line.get_marker() in ("o", "s", "_")]
        )
        assert (
            ax.get_ylim()[0] >= 0.999 * counted[counted > 0].min() / 20
        )  # at most a decade for upper limits


class TestProbabilityMatrix:
    def test_against_counting(self, sets):
        rng = np.random.default_rng(3)
        listed = sets.comparison.assign(
            PMemb=rng.choice([0.05, 0.1, 0.5, 0.65, 1.0, np.nan], len(sets.comparison))
        )
        matrix = probability_matrix(replace(sets, comparison=listed))
        judged = pd.concat([sets.judged_members, sets.candidates]).set_index("source_id")["PMemb"]
        expected = np.zeros(matrix.shape, int)
        for source, theirs in zip(listed["source_id"], listed["PMemb"], strict=True):
            if source in judged.index and np.isfinite(theirs):
                cells = [
                    sum(value >= edge for edge in PROBABILITY_STEPS[1:-1])
                    for value in (judged[source], theirs)
                ]
                expected[tuple(cells)] += 1
        assert expected.sum() > 100
        assert (matrix.to_numpy() == expected).all()

    def test_no_star_is_judged_by_both(self, sets):
        assert probability_matrix(not_evaluated(sets)).to_numpy().sum() == 0
        assert "in both lists" in texts(evaluation_figures(not_evaluated(sets))["membership_matrix"])


def test_the_field_is_the_palest(sets):
    assert sum(int(STYLES["field"].colour[i : i + 2], 16) for i in (1, 3, 5)) > max(
        sum(int(style.colour[i : i + 2], 16) for i in (1, 3, 5))
        for kind, style in STYLES.items()
        if kind != "field"
    )
