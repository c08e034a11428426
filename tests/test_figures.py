"""All figures of a cluster on rich, poor and empty sets: what they show, and that they never fail."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from plot_sets import CLUSTER, VARIANTS, example_sets, not_evaluated, shortened, texts, without_comparison

from gaia_oc_amd.comparison import ComparisonCounts
from gaia_oc_amd.comparison_figures import membership_matrix_figure, venn_diagram_figure
from gaia_oc_amd.figures import (
    additional_members_figure,
    candidates_figure,
    comparison_figure,
    evaluation_figures,
    missed_members_figure,
    new_members_figure,
)
from gaia_oc_amd.member_list import Count, our_members
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.radial_figures import density_profile_figure, mass_segregation_figure


@pytest.fixture(scope="module")
def sets():
    return example_sets()


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


SLOW = {("segregation", variant) for variant in ("not evaluated", "no comparison", "other colour")}


DRAWN = [(name, variant) for name in SET_FIGURES for variant in VARIANTS if (name, variant) not in SLOW]


@pytest.mark.parametrize(("name", "variant"), DRAWN)
def test_figure_is_drawn_without_a_warning(sets, name, variant):
    figure = SET_FIGURES[name](VARIANTS[variant](sets))
    with BytesIO() as file:
        figure.savefig(file, dpi=30)
        assert file.tell() > 1000
    assert "Test 1" in figure.get_suptitle()


@pytest.mark.parametrize("name", ["comparison", "additional", "missed", "venn", "matrix"])
def test_missing_comparison_list_is_said(sets, name):
    assert "no comparison list" in texts(SET_FIGURES[name](without_comparison(sets)))


@pytest.mark.parametrize(
    ("name", "variant", "sentence"),
    [
        ("candidates", "empty", "no candidates"),
        ("new members", "not evaluated", "No candidate has a membership probability of 0.5"),
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
        options = PlotOptions(use_tidal_radius=True, mass_segregation_plot=False, prob_threshold=0.9)
        written = texts(evaluation_figures(sets, options)["comparison"])
        assert "within" in written
        assert f"({len(sets.comparison)})" not in written


class TestRadialPlots:
    def test_profile_labels_have_units(self, sets):
        ax = density_profile_figure(sets).axes[0]
        assert "[pc]" in ax.get_xlabel()
        assert "pc$^{-2}$" in ax.get_ylabel()

    def test_each_list_is_drawn(self, sets):
        written = " ".join(texts(density_profile_figure(sets, prob_threshold=0.5)).split())
        for label in ("this work, p ≥ 0.5 (", "training members (150 of 150)", "T22 in the field ("):
            assert label in written

    def test_list_that_holds_no_more_than_the_training_members_is_not_drawn_twice(self, sets):
        written = texts(density_profile_figure(not_evaluated(sets)))
        assert "training members (150 of 150)" in written
        assert "this work" not in written


def test_counts_stand_with_what_probabilities_say_of_them(sets):
    count = Count.of(our_members(sets, 0.5))
    assert f"({count})" in texts(comparison_figure(sets, prob_threshold=0.5))
    assert "field)" not in texts(comparison_figure(not_evaluated(sets)))


def test_new_members_are_counted_as_in_the_member_list(sets):
    ours = our_members(sets, 0.8)
    trained = ours["source_id"].isin(sets.members["source_id"])
    sentence = (
        f"{len(ours)} members (p ≥ 0.8): {trained.sum()} training members, {(~trained).sum()} further ones, "
        f"{ours.loc[~trained, 'PMemb_list'].isna().sum()} of these in no training list"
    )
    title = new_members_figure(sets, prob_threshold=0.8).get_suptitle().replace("\N{NO-BREAK SPACE}", " ")
    assert sentence in title.replace("\n", " ")


def test_one_threshold_is_that_of_all_figures(sets):
    for name, figure in evaluation_figures(sets, PlotOptions(prob_threshold=0.7)).items():
        assert "0.5" not in texts(figure).replace("0.50", ""), name


def test_figures_name_the_comparison_list_and_count_all_its_stars(sets):
    sentence = str(ComparisonCounts.of(sets, 0.5)).split("; ")
    for draw in (venn_diagram_figure, missed_members_figure, comparison_figure):
        assert all(part in texts(draw(sets)) for part in sentence)
    assert "only T22" in texts(venn_diagram_figure(sets))


def test_figures_of_an_evaluation_tell_the_cut_from_those_outside(sets):
    beyond = ["radius", "field", "proper_motion", "unmeasured", "within"]
    cut = replace(sets, comparison_outside=sets.comparison_outside.assign(beyond=beyond))
    sentence = str(ComparisonCounts.of(cut, 0.5)).split("; ")
    assert "2 cut by the cone's limits, 1 not found" in sentence[1]
    drawn = evaluation_figures(cut, PlotOptions())
    assert all(
        part in texts(drawn[name]).replace("\n", " ")
        for name in ("comparison", "venn_diagram")
        for part in sentence
    )
    verdicts = [label.get_text() for label in drawn["membership_matrix"].axes[0].get_yticklabels()]
    assert {"outside the cone", "cut by the cone", "not found in the cone"} <= set(verdicts)


def test_no_figure_of_a_comparison_is_drawn_where_there_is_none(sets):
    drawn = evaluation_figures(without_comparison(sets))
    assert set(drawn) == {"new_members", "density_profile", "mass_segregation"}


def test_rare_verdicts_are_not_said_to_be_absent(sets):
    many = replace(
        not_evaluated(sets), members=sets.members[:101], non_members=pd.concat([sets.non_members] * 4)
    )
    many = replace(
        many, non_members=many.non_members.assign(source_id=np.arange(len(many.non_members)) + 10**6)
    )
    written = texts(membership_matrix_figure(many))
    assert "1\n< 0.1 %" in written
    assert "0\n0.0 %" in written
