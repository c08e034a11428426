"""The plots on rich, poor and empty sets: what they show, and that they never fail."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from gaia_oc_amd.candidates import SelectionLimits
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.evaluation_plots import (
    density_profile_figure,
    draw_venn,
    evaluation_figures,
    lens_area,
    mass_segregation_figure,
    membership_matrix_figure,
    training_metrics_figure,
    venn_circles,
    venn_diagram_figure,
)
from gaia_oc_amd.figures import (
    additional_members_figure,
    candidates_figure,
    comparison_figure,
    comparison_members,
    membership_matrix,
    missed_members,
    missed_members_figure,
    new_members_figure,
    our_members,
    overlap_sets,
    probable_candidates,
    within_radius,
)
from gaia_oc_amd.isochrones import Isochrone, isochrone_offsets
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.plotting import (
    DENSITY_ABOVE,
    PANELS,
    Layer,
    colour_magnitude_panel,
    common_range,
    parallax_panel,
    proper_motion_panel,
    robust_range,
    sky_panel,
)
from gaia_oc_amd.source_sets import SourceSets

CLUSTER = Cluster(
    name="Test_1",
    ra=0.2,  # the field crosses ra = 0
    dec=60.0,
    pmra=-2.0,
    pmdec=1.0,
    parallax=2.0,
    pmra_error=0.2,
    pmdec_error=0.2,
    parallax_error=0.05,
    age=8.5,
    a0=0.3,
    dist=500.0,
)
LIMITS = SelectionLimits(pm=0.8, parallax_far=0.15, parallax_near=0.17, colour=0.12, g=0.96)
G = np.linspace(6, 22, 100)
ISOCHRONE = Isochrone(colour=0.1 + 0.06 * (G - 6) + 0.02 * np.sin(G), g=G)


def make_sources(rng, n, first_id, *, pm_spread, radius, probability):
    """Sources within a radius [deg] of the cluster, on the isochrone."""
    separation = radius * np.sqrt(rng.uniform(size=n))
    angle = rng.uniform(0, 2 * np.pi, n)
    g = rng.uniform(8, 20.5, n)
    table = pd.DataFrame(
        {
            "source_id": np.arange(n) + first_id,
            "ra": (CLUSTER.ra + separation * np.sin(angle) / np.cos(np.radians(CLUSTER.dec))) % 360,
            "dec": CLUSTER.dec + separation * np.cos(angle),
            "pmra": CLUSTER.pmra + rng.normal(0, pm_spread, n),
            "pmdec": CLUSTER.pmdec + rng.normal(0, pm_spread, n),
            "parallax": CLUSTER.parallax + rng.normal(0, 0.2 * pm_spread, n),
            "phot_g_mean_mag": g,
            "g_rp": np.interp(g, ISOCHRONE.g, ISOCHRONE.colour) + rng.normal(0, 0.05, n),
        }
    )
    offsets = {
        "f_r": CLUSTER.dist * np.radians(separation),
        "f_pm": 0.1,
        "f_plx": 0.0,
        "f_c": 0.0,
        "f_g": 0.0,
    }
    return table.assign(bp_rp=1.8 * table["g_rp"], **offsets, PMemb=probability)


@pytest.fixture(scope="module")
def sets():
    """150 members, 400 evaluated candidates, 1000 others; a comparison list of some of each and 5 strangers."""
    rng = np.random.default_rng(0)
    members = make_sources(rng, 150, 0, pm_spread=0.2, radius=0.6, probability=1.0)
    candidates = make_sources(
        rng, 400, 1000, pm_spread=0.5, radius=3, probability=rng.uniform(0, 1, 400).round(2)
    )
    non_members = make_sources(rng, 1000, 5000, pm_spread=3, radius=3, probability=0.0)
    outside = make_sources(rng, 5, 9000, pm_spread=0.2, radius=4, probability=0.6)
    listed = pd.concat([members[:100], candidates[:120], non_members[:20], outside], ignore_index=True)
    return SourceSets(
        cluster=CLUSTER,
        limits=LIMITS,
        isochrone=ISOCHRONE,
        colour="g_rp",
        members=members,
        candidates=candidates,
        non_members=non_members,
        comparison=listed.assign(PMemb=0.6),
    )


def shortened(sets, n):
    """Sets of n rows each."""
    names = ("members", "candidates", "non_members", "comparison")
    return replace(sets, **{name: getattr(sets, name)[:n] for name in names})


def not_evaluated(sets):
    return replace(sets, candidates=sets.candidates.assign(PMemb=np.nan))


def without_comparison(sets):
    return replace(sets, comparison=sets.comparison[:0])


def without_photometry(sets):
    return replace(sets, candidates=sets.candidates.assign(g_rp=np.nan, phot_g_mean_mag=np.nan, f_r=np.nan))


VARIANTS = {
    "normal": lambda sets: sets,
    "empty": lambda sets: shortened(sets, 0),
    "one row": lambda sets: shortened(sets, 1),
    "two rows": lambda sets: shortened(sets, 2),
    "not evaluated": not_evaluated,
    "no comparison": without_comparison,
    "no photometry": without_photometry,
    "other colour": lambda sets: replace(sets, colour="bp_rp"),
}
SET_FIGURES = {
    "candidates": candidates_figure,
    "new members": new_members_figure,
    "comparison": comparison_figure,
    "additional": additional_members_figure,
    "missed": missed_members_figure,
    "venn": venn_diagram_figure,
    "matrix": membership_matrix_figure,
    "density": density_profile_figure,
    "segregation": lambda sets: mass_segregation_figure(sets, rng=np.random.default_rng(0)),
}


def texts(figure):
    """Everything that is written in a figure, apart from axis labels."""
    found = [figure.get_suptitle()]
    legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    found += [text.get_text() for legend in legends for text in legend.get_texts()]
    return " ".join([*found, *(text.get_text() for ax in figure.axes for text in ax.texts)])


def draw(panel, sets, kind="candidates"):
    ax = Figure().subplots()
    return panel(ax, sets, [Layer(kind, sets.candidates, "stars")])


SLOW = {("segregation", variant) for variant in ("not evaluated", "no comparison", "other colour")}
DRAWN = [(name, variant) for name in SET_FIGURES for variant in VARIANTS if (name, variant) not in SLOW]


@pytest.mark.parametrize(("name", "variant"), DRAWN)
def test_figure_is_drawn_without_a_warning(sets, name, variant):
    figure = SET_FIGURES[name](VARIANTS[variant](sets))
    with BytesIO() as file:
        figure.savefig(file, dpi=20)
        assert file.tell() > 1000
    assert "Test 1" in figure.get_suptitle()


@pytest.mark.parametrize("name", ["comparison", "additional", "missed", "venn", "matrix"])
def test_missing_comparison_list_is_said(sets, name):
    assert "no comparison list" in texts(SET_FIGURES[name](without_comparison(sets)))


@pytest.mark.parametrize(
    ("name", "variant", "sentence"),
    [
        ("candidates", "empty", "no candidates"),
        ("new members", "not evaluated", "No candidate has a membership probability of 0.8"),
        ("density", "empty", "no members"),
        ("segregation", "empty", "10 members"),
    ],
)
def test_empty_figure_holds_a_sentence(sets, name, variant, sentence):
    assert sentence in texts(SET_FIGURES[name](VARIANTS[variant](sets)))


def test_field_beside_the_cluster_has_no_profile(sets):
    moved = replace(sets, cluster=replace(CLUSTER, dec=50.0))
    assert "does not surround" in texts(density_profile_figure(moved))


def test_legends_give_numbers(sets):
    written = texts(candidates_figure(sets))
    for entry in ("training members (150)", "candidates (400)", "non-members (1,000)", "isochrone"):
        assert entry in written


class TestPanels:
    @pytest.mark.parametrize("panel", PANELS)
    def test_labels_have_units(self, sets, panel):
        ax = draw(panel, sets)
        for label in (ax.get_xlabel(), ax.get_ylabel()):
            assert any(f"[{unit}]" in label for unit in ("deg", "mag", "mas", "mas yr$^{-1}$"))

    @pytest.mark.parametrize("name", ["density"])
    def test_profile_labels_have_units(self, sets, name):
        ax = SET_FIGURES[name](sets).axes[0]
        assert "[pc]" in ax.get_xlabel()
        assert "pc$^{-2}$" in ax.get_ylabel()

    def test_east_is_left_and_north_is_up(self, sets):
        ax = draw(sky_panel, sets)
        assert ax.xaxis_inverted()
        assert not ax.yaxis_inverted()
        assert ax.get_aspect() == 1

    def test_field_across_ra_0_is_whole(self, sets):
        half = draw(sky_panel, sets).get_ylim()[1]
        assert 2.9 < half < 3.3

    def test_bright_stars_are_at_the_top(self, sets):
        assert draw(colour_magnitude_panel, sets).yaxis_inverted()

    @pytest.mark.parametrize("panel", PANELS)
    def test_outliers_do_not_stretch_the_axes(self, sets, panel):
        outlier = sets.candidates[:1].assign(pmra=900.0, pmdec=-900.0, parallax=500.0, g_rp=40.0)
        spoilt = replace(sets, candidates=pd.concat([sets.candidates, outlier]))
        with_outlier, without = draw(panel, spoilt), draw(panel, sets)
        assert np.ptp(with_outlier.get_xlim()) < 2 * np.ptp(without.get_xlim())
        assert np.ptp(with_outlier.get_ylim()) < 2 * np.ptp(without.get_ylim())

    def test_parallax_limits_are_drawn(self, sets):
        heights = {round(float(line.get_ydata()[0]), 6) for line in draw(parallax_panel, sets).lines}
        assert heights == {1.85, 2.17}

    def test_proper_motion_limit_is_drawn(self, sets):
        x, y = draw(proper_motion_panel, sets).lines[-1].get_data()
        assert np.hypot(x - CLUSTER.pmra, y - CLUSTER.pmdec) == pytest.approx(np.full(len(x), LIMITS.pm))

    def test_isochrone_boundary_is_at_distance_one(self, sets):
        ax = draw(colour_magnitude_panel, sets)
        contours = [child for child in ax.get_children() if type(child).__name__ == "QuadContourSet"]
        vertices = np.concatenate([path.vertices for path in contours[-1].get_paths()])
        f_c, f_g = isochrone_offsets(ISOCHRONE, *vertices.T, LIMITS.colour, LIMITS.g)
        assert np.hypot(f_c / LIMITS.colour, f_g / LIMITS.g) == pytest.approx(1.0, abs=0.05)

    @pytest.mark.parametrize("panel", PANELS)
    def test_dense_field_is_shown_as_density(self, sets, panel):
        dense = pd.concat([sets.non_members] * (DENSITY_ABOVE // 1000 + 1), ignore_index=True)
        layers = [Layer("field", dense, "field"), Layer("members", sets.members, "members")]
        collections = [type(item).__name__ for item in panel(Figure().subplots(), sets, layers).collections]
        assert "PolyCollection" in collections
        points = [
            item for item in panel(Figure().subplots(), sets, layers).collections if "Path" in str(type(item))
        ]
        assert sum(len(item.get_offsets()) for item in points) <= len(sets.members)

    def test_robust_range(self):
        values = np.array([*np.linspace(0, 1, 1000), 50.0, np.nan])
        lower, upper = robust_range(values)
        assert lower == 0
        assert 1 < upper < 1.6

    def test_many_candidates_make_no_outliers_of_the_members(self, sets):
        layers = [Layer("candidates", sets.candidates, ""), Layer("members", sets.members, "")]
        lower, upper = common_range(layers, [np.full(10_000, 5.0), np.array([1.0, 1.1])], (5.0,))
        assert lower < 1
        assert upper > 5


class TestLists:
    def test_our_members_are_training_members_and_probable_candidates(self, sets):
        ours = our_members(sets, 0.5)
        assert set(ours["source_id"]) == {
            *sets.members["source_id"],
            *probable_candidates(sets, 0.5)["source_id"],
        }
        assert ours["source_id"].dtype == np.int64

    def test_comparison_sources_without_probability_count(self, sets):
        listed = replace(sets, comparison=sets.comparison.assign(PMemb=np.nan))
        assert len(comparison_members(listed, 0.9)) == len(sets.comparison)
        assert comparison_members(sets, 0.9).empty

    def test_missed_members_by_reason(self, sets):
        missed = missed_members(sets, 0.5)
        assert len(missed["non_member"]) == 20
        assert len(missed["outside"]) == 5
        assert len(missed["improbable"]) == (sets.candidates["PMemb"][:120] < 0.5).sum()

    def test_within_radius(self, sets):
        inner = within_radius(sets, 5.0)
        assert inner.members["f_r"].max() <= 5
        assert len(inner.non_members) == (sets.non_members["f_r"] <= 5).sum()

    def test_matrix_counts_each_source_once(self, sets):
        matrix = membership_matrix(sets, prob_threshold=0.1, high_prob_threshold=0.8)
        tables = (sets.members, sets.candidates, sets.non_members, sets.comparison)
        assert matrix.to_numpy().sum() == len(set(pd.concat(tables)["source_id"]))
        assert matrix["member"].sum() == len(sets.comparison)
        assert matrix.loc["training member"].tolist() == [100, 50]
        assert matrix.loc["non-member"].tolist() == [20, 980]
        assert matrix.loc["not in the cone"].tolist() == [5, 0]

    def test_matrix_rows_follow_the_thresholds(self, sets):
        matrix = membership_matrix(sets, prob_threshold=0.3, high_prob_threshold=0.6).sum(axis=1)
        probability = sets.candidates["PMemb"]
        assert matrix["candidate, p ≥ 0.6"] == (probability >= 0.6).sum()
        assert matrix["candidate, p < 0.3"] == (probability < 0.3).sum()
        assert matrix["candidate, 0.3 ≤ p < 0.6"] == ((probability >= 0.3) & (probability < 0.6)).sum()

    def test_unevaluated_candidates_count_as_improbable(self, sets):
        assert membership_matrix(not_evaluated(sets)).sum(axis=1)["candidate, p < 0.1"] == 400

    def test_core_overlap_has_only_bright_sources_near_the_centre(self, sets):
        ours, theirs = overlap_sets(sets, 0.5, core=True)
        chosen = our_members(sets, 0.5).query("f_r < 20 and phot_g_mean_mag < 18")["source_id"]
        assert ours == set(chosen)
        assert 0 < len(ours & theirs) < len(ours)


class TestVenn:
    @pytest.mark.parametrize(
        ("r1", "r2", "d"), [(1, 1, 0.5), (1, 3, 2.5), (2, 1, 1.2), (1, 1, 2), (3, 1, 1), (1, 2, 9)]
    )
    def test_lens_area_against_counting(self, r1, r2, d):
        grid = np.linspace(-3, 3, 1501)
        x, y = np.meshgrid(grid, grid)
        inside = (np.hypot(x, y) <= r1) & (np.hypot(x - d, y) <= r2)
        assert lens_area(r1, r2, d) == pytest.approx(inside.mean() * 36, abs=0.03)

    @pytest.mark.parametrize(
        ("left", "right", "both"), [(100, 100, 30), (1000, 50, 20), (10, 9000, 9), (3, 3, 2)]
    )
    def test_areas_are_true_to_the_counts(self, left, right, both):
        r1, r2, distance = venn_circles(left, right, both)
        assert np.pi * r1**2 == pytest.approx(left)
        assert np.pi * r2**2 == pytest.approx(right)
        assert lens_area(r1, r2, distance) == pytest.approx(both, rel=1e-6)

    def test_disjoint_sets_do_not_touch(self):
        r1, r2, distance = venn_circles(10, 20, 0)
        assert distance > r1 + r2

    @pytest.mark.parametrize(("left", "right"), [(20, 20), (20, 70), (70, 20), (20, 0), (0, 20)])
    def test_subset_lies_inside(self, left, right):
        r1, r2, distance = venn_circles(left, right, min(left, right))
        assert (
            lens_area(r1, r2, distance) == pytest.approx(min(left, right), abs=1e-9) or min(left, right) == 0
        )

    def test_drawn_circles_and_counts(self):
        ax = draw_venn(Figure().subplots(), 60, 80, 40, names=("this work", "comparison"))
        radii = {round(patch.get_radius(), 6) for patch in ax.patches if isinstance(patch, Circle)}
        assert radii == {round(np.sqrt(n / np.pi), 6) for n in (60, 80)}
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels == ["only this work\n20 (20.0 %)", "both\n40 (40.0 %)", "only comparison\n40 (40.0 %)"]


class TestEvaluationFigures:
    def test_every_option_gives_its_figure(self, sets):
        options = PlotOptions()
        figures = evaluation_figures(shortened(sets, 30), options)
        assert list(figures) == options.switched_on()

    def test_options_switch_off(self, sets):
        off = {name: False for name in PlotOptions.__dataclass_fields__ if name.endswith("_plot")}
        assert evaluation_figures(sets, PlotOptions(**off)) == {}
        assert list(evaluation_figures(sets, PlotOptions(**off | {"comparison_plot": True}))) == [
            "comparison"
        ]

    def test_tidal_radius_that_is_not_found_is_warned_of(self, sets):
        options = PlotOptions(use_comparison_tidal_radius=True, mass_segregation_plot=False)
        few = replace(sets, comparison=sets.comparison[:10])
        with pytest.warns(UserWarning, match="no King profile"):
            assert "within" not in texts(evaluation_figures(few, options)["comparison"])

    def test_tidal_radius_cuts_the_sets(self, sets):
        # the members end sharply at 0.6 deg = 5.2 pc, the field at 26 pc
        options = PlotOptions(
            use_tidal_radius=True, mass_segregation_plot=False, candidate_prob_threshold=0.9
        )
        written = texts(evaluation_figures(sets, options)["comparison"])
        assert "within" in written
        assert f"({len(sets.comparison)})" not in written


class TestTrainingMetrics:
    @pytest.fixture
    def metrics(self):
        names = ("loss", "precision", "recall", "selectivity", "accuracy", "balanced_accuracy", "f1")
        part = {name: list(np.linspace(0.2, 0.9, 30)) for name in names}
        return {"train": part, "validation": part, "best_epoch": 24}

    def test_all_curves_and_the_best_epoch(self, metrics):
        loss, scores = training_metrics_figure(metrics).axes
        assert len(loss.lines) == 3
        assert len(scores.lines) == 13
        assert loss.lines[-1].get_xdata()[0] == 25  # epochs are counted from 1 on the axis
        assert loss.lines[0].get_xdata()[0] == 1

    @pytest.mark.parametrize(
        "metrics",
        [
            {},
            {"train": {}, "validation": {}, "best_epoch": -1},
            {"train": {"loss": [0.5]}, "validation": None, "best_epoch": 0},
            {"train": {"loss": [0.5, 0.4], "f1": [0.1, np.nan]}},
        ],
    )
    def test_incomplete_metrics(self, metrics):
        figure = training_metrics_figure(metrics)
        figure.savefig(BytesIO(), dpi=20)
        if not any(metrics.values()):
            assert "no training history" in texts(figure)
