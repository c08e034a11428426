"""Figures as they are printed: width, size of type, nothing empty, nothing over or beyond anything else."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.colors import Normalize
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import imread as read_image
from matplotlib.lines import Line2D
from plot_sets import example_sets, not_evaluated, texts, without_comparison
from printable import assert_printable, overlap

from gaia_oc_amd import plotting
from gaia_oc_amd.canvas import ONE_COLUMN, TWO_COLUMNS, Canvas, set_title
from gaia_oc_amd.comparison import PROBABILITY_STEPS, probability_matrix
from gaia_oc_amd.comparison_figures import comparison_rows_figure
from gaia_oc_amd.figures import candidates_figure, evaluation_figures, save_and_show
from gaia_oc_amd.isochrone_stages import poor_stages
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.options import FigureOptions, PlotOptions
from gaia_oc_amd.panels import PANEL_NAMES, sky_panel
from gaia_oc_amd.plot_style import LABELS, SETTINGS, STYLES, THIN_ABOVE, marker_area
from gaia_oc_amd.plotting import Layer
from gaia_oc_amd.profiles import DensityProfile, density_profile, joined_annuli
from gaia_oc_amd.radial_figures import density_profile_figure, mass_segregation_figure

FOUR_PANELS = ("candidates", "new_members", "comparison", "additional_members", "missed_members")


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
    assert any(label.startswith("membership probability p\nfurther members") for label in labels)
    assert "further members, p" not in texts(figures["new_members"])


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
    assert ax.get_title() == f"{len(sets.members) + len(sets.candidates) - shown:,} stars further out"
    whole = sky_panel(Figure().subplots(), sets, layers[:1])
    assert whole.get_title() == ""


@pytest.fixture(scope="module")
def beside(sets):
    """Sets whose members lie 0.1 mag beside their isochrone, which is there in each colour."""
    curve = sets.isochrone
    g, colour = curve.g[::-1], curve.colour[::-1] - 0.1
    label, mass = np.ones(len(g)), np.linspace(0.5, 3, len(g))
    isochrone = Isochrone(colour, g, bp=g + 0.8 * colour, rp=g - colour, label=label, mass=mass)
    return replace(sets, isochrone=isochrone)


def test_members_beside_the_isochrone_are_drawn_and_named(beside, sets, figures):
    assert poor_stages(beside.stage_offsets)
    figure = candidates_figure(beside)
    assert plotting.OFFSET_WORDS in texts(figure)
    lines = [line for line in figure.axes[3].lines if line.get_label() == plotting.OFFSET_WORDS]
    assert len(lines) == len(poor_stages(beside.stage_offsets))
    for line in lines:
        (start, end), (bright, faint) = line.get_data()
        assert end - start == pytest.approx(0.1, abs=0.05)
        assert bright == faint
    assert_printable(figure)
    assert plotting.OFFSET_WORDS not in texts(figures["comparison"])
    assert plotting.OFFSET_WORDS not in texts(candidates_figure(beside, panel="motion"))


@pytest.mark.parametrize("colour", ["bp_rp", "bp_g", "g_rp"])
def test_another_colour_needs_no_other_sets(beside, colour):
    figure = evaluation_figures(beside, PlotOptions(colour=colour))["new_members"]
    ax = figure.axes[3]
    assert ax.get_xlabel() == LABELS[colour]
    stars = np.concatenate(
        [np.array(part.get_offsets()) for part in ax.collections if len(part.get_offsets())]
    )
    shown = (stars[:, 0] > ax.get_xlim()[0]) & (stars[:, 0] < ax.get_xlim()[1])
    assert shown.mean() > 0.9
    contours = [part for part in ax.collections if isinstance(part, QuadContourSet)]
    assert (len(contours) > 0) == (colour == beside.colour)
    assert_printable(figure)


def test_another_colour_of_sets_with_one_isochrone_is_refused(sets):
    with pytest.raises(ValueError, match="build them again"):
        evaluation_figures(sets, PlotOptions(colour="bp_rp"))


def test_rows_of_clusters(sets, beside):
    for clusters in ([sets], [sets, beside, not_evaluated(sets), without_comparison(sets)]):
        figure = comparison_rows_figure(clusters)
        assert len(figure.axes) == 4 * len(clusters)
        assert 25.4 * figure.get_figwidth() == pytest.approx(TWO_COLUMNS)
        assert all(ax.has_data() for ax in figure.axes)
        assert_printable(figure)
        labels = [text for ax in figure.axes for text in ax.texts]
        assert len(labels) == len(clusters)
        boxes = [label.get_window_extent() for label in labels]
        assert all(box.x0 >= 0 for box in boxes)
        assert not any(overlap(one, two) for one, two in combinations(boxes, 2))


def test_no_picture_is_blank(tmp_path, figures):
    """Pixels: each figure has ink in each of its axes, and paper at its edges."""
    save_and_show(figures, tmp_path, FigureOptions())
    for name, figure in figures.items():
        pixels = read_image(tmp_path / f"{name}.png")[..., :3].mean(axis=-1)
        height, width = pixels.shape
        for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]):
            assert (edge > 0.99).all(), name
        for ax in figure.axes:
            x0, y0, x1, y1 = (ax.get_position().extents * [width, height, width, height]).astype(int)
            inside = pixels[height - y1 + 6 : height - y0 - 6, x0 + 6 : x1 - 6]
            assert inside.std() > 0.01, name


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
        counted = np.concatenate([line.get_ydata() for line in ax.lines if line.get_marker() in ("o", "s")])
        assert ax.get_ylim()[0] >= 0.999 * counted[counted > 0].min() / 20  # at most a decade for errors


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


def test_titles_of_lower_rows_have_room_and_colour_bars_span_all_rows():
    with rc_context(SETTINGS):
        canvas = Canvas(None, (2, 2), title="a title", width=TWO_COLUMNS, has_bar=True)
        canvas.colour_bar(ScalarMappable(Normalize(0, 1)), "a bar")
        heights = [ax.get_window_extent().height for ax in canvas.axes]
        for ax in canvas.axes:
            ax.set_xlabel("x")
            ax.set_ylabel("y")
        canvas.axes[1].set_title("above")
        canvas.axes[2].set_title("below\nin two lines")
        canvas.place_labels()
        canvas.fit_panel_titles()
        canvas.legend(handles=[Line2D([], [], label="a line")])
    assert_printable(canvas.figure)
    boxes = [ax.get_window_extent() for ax in canvas.axes]
    assert [box.height for box in boxes] == pytest.approx(heights)
    bar = canvas.figure.axes[-1].get_window_extent()
    assert (bar.y0, bar.y1) == pytest.approx((boxes[2].y0, boxes[0].y1))


def test_no_verdict_is_cut(sets):
    options = PlotOptions(prob_threshold=0.875, candidate_prob_threshold=0.125)
    assert_printable(matrix := evaluation_figures(sets, options)["membership_matrix"])
    verdicts = matrix.axes[0].get_yticklabels()
    assert "candidate, 0.125 ≤ p < 0.875" in [verdict.get_text() for verdict in verdicts]
    assert min(verdict.get_window_extent().x0 for verdict in verdicts) > 0


def test_a_reason_that_all_lists_share_is_said_once(sets):
    narrow = replace(
        sets,
        members=sets.members[:20],
        judged_members=sets.judged_members[:20],
        candidates=sets.candidates[:20],
        comparison=sets.comparison[:12],
    )
    figure = density_profile_figure(narrow)
    assert texts(figure).count("no King profile") == 1
    assert "training members (20 of 20)" in texts(figure)
    assert_printable(figure)


def test_labels_beside_long_numbers_keep_off_the_edge():
    with rc_context(SETTINGS):
        canvas = Canvas(None, (1, 1), title="")
        (ax,) = canvas.axes
        ax.set_ylim(-0.055, 0.055)
        ax.set_yticks([-0.025, 0.0, 0.025])
        ax.set_ylabel(LABELS["sky_y"])
        canvas.place_labels()
    canvas.figure.draw_without_rendering()
    label, numbers = ax.yaxis.label.get_window_extent(), ax.get_yticklabels()
    assert label.x0 > 0
    assert label.x1 < min(number.get_window_extent().x0 for number in numbers)
