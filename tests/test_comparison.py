"""What our members and another list share, and why the others are missed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from plot_sets import example_sets, not_evaluated, without_comparison

from gaia_oc_amd.comparison import (
    CUT_BY_CONE,
    NOT_FOUND,
    OUTSIDE,
    ComparisonCounts,
    comparison_list,
    membership_matrix,
    missed_members,
    missed_table,
    overlap_sets,
)
from gaia_oc_amd.member_list import our_members, within_radius


@pytest.fixture(scope="module")
def sets():
    return example_sets()


class TestMissedMembers:
    def test_by_reason(self, sets):
        missed = missed_members(sets, 0.5)
        assert len(missed["non_member"]) == 20
        assert len(missed["outside"]) == 5
        below = (sets.candidates["PMemb"][:120] < 0.5).sum() + (
            sets.judged_members["PMemb"][:100] < 0.5
        ).sum()
        assert len(missed["improbable"]) == below > 10

    def test_table_names_each_missed_star_once_with_its_reason(self, sets):
        table = missed_table(sets, 0.5)
        listed = comparison_list(sets)["source_id"]
        assert table["source_id"].is_unique
        assert set(table["source_id"]) == set(listed) - set(our_members(sets, 0.5)["source_id"])
        reasons = table["reason"].value_counts()
        assert reasons[OUTSIDE] == 5
        assert (reasons["isochrone"], reasons["parallax"]) == (5, 15)
        assert (table.loc[table["reason"] == "p below 0.5", "PMemb"] < 0.5).all()
        assert (table["PMemb_comparison"] == 0.6).all()

    def test_before_an_evaluation_candidates_are_not_judged(self, sets):
        reasons = missed_table(not_evaluated(sets), 0.5)["reason"].value_counts()
        assert reasons["not judged"] == 120
        assert "p below 0.5" not in reasons


class TestCounts:
    def test_every_star_of_the_list_counts_once(self, sets):
        counts = ComparisonCounts.of(sets, 0.5)
        assert counts.listed == 245
        assert counts.in_cone == 240
        assert counts.failed == {"parallax": 15, "isochrone": 5}
        assert counts.shared + counts.below == 220

    def test_sentence(self, sets):
        counts = ComparisonCounts("T22", 0.5, 337, {"parallax": 1, "isochrone": 3}, 2, 0, 578, 47)
        assert str(counts) == (
            "343 of T22's 921 stars are in the field; 337 shared, 4 non-members (1 parallax, 3 isochrone), "
            "2 below 0.5; 578 outside the cone"
        )
        assert "345 of the 923 stars of CG18 (training list)" in str(
            replace(counts, name="CG18 (training list)", unjudged=2)
        )

    def test_stars_that_the_cones_limits_cut_count_apart(self, sets):
        beyond = ["radius", "field", "proper_motion", "unmeasured", "within"]
        cut = replace(sets, comparison_outside=sets.comparison_outside.assign(beyond=beyond))
        counts = ComparisonCounts.of(cut, 0.5)
        assert (counts.outside, counts.cut, counts.not_found) == (2, 2, 1)
        assert (counts.in_cone, counts.in_field, counts.listed) == (240, 243, 245)
        assert str(counts).startswith("243 of T22's 245 stars are in the field; ")
        assert str(counts).endswith(
            ", 2 cut by the cone's limits, 1 not found in the cone; 2 outside the cone"
        )
        assert missed_table(cut, 0.5)["reason"].value_counts()[
            [OUTSIDE, CUT_BY_CONE, NOT_FOUND]
        ].tolist() == [2, 2, 1]
        matrix = membership_matrix(cut)
        assert matrix.loc[[CUT_BY_CONE, NOT_FOUND, OUTSIDE], "listed"].tolist() == [2, 1, 2]
        assert matrix["listed"].sum() == 245

    def test_threshold_moves_stars_between_shared_and_below(self, sets):
        low, high = (ComparisonCounts.of(sets, threshold) for threshold in (0.1, 0.9))
        assert low.shared > high.shared
        assert low.shared + low.below == high.shared + high.below

    def test_no_list(self, sets):
        assert ComparisonCounts.of(without_comparison(sets), 0.5).listed == 0


class TestOverlap:
    def test_stars_outside_the_cone_are_the_lists_alone(self, sets):
        ours, theirs = overlap_sets(sets, 0.5)
        assert set(sets.comparison_outside["source_id"]) <= theirs - ours

    def test_core_has_only_bright_probable_sources_near_the_centre(self, sets):
        ours, theirs = overlap_sets(sets, 0.5, core=True)
        chosen = our_members(sets, 0.5).query("f_r < 20 and phot_g_mean_mag < 18")["source_id"]
        assert ours == set(chosen)
        assert 0 < len(ours & theirs) < len(ours)
        assert not overlap_sets(sets, 0.7, core=True)[1]  # their PMemb is 0.6

    def test_sources_without_a_probability_of_the_list_count(self, sets):
        listed = replace(sets, comparison=sets.comparison.assign(PMemb=np.nan))
        assert overlap_sets(listed, 0.7, core=True)[1]

    def test_within_radius(self, sets):
        inner = within_radius(sets, 5.0)
        assert inner.members["f_r"].max() <= 5
        assert inner.judged_members["f_r"].max() <= 5
        assert len(inner.non_members) == (sets.non_members["f_r"] <= 5).sum()


class TestMatrix:
    def test_counts_each_source_once(self, sets):
        matrix = membership_matrix(sets, prob_threshold=0.5, least_probability=0.1)
        tables = (sets.members, sets.candidates, sets.non_members, sets.comparison, sets.comparison_outside)
        assert matrix.to_numpy().sum() == len(set(pd.concat(tables)["source_id"]))
        assert matrix["listed"].sum() == 245
        assert matrix.loc["training member, p ≥ 0.5"].tolist() == [90, 45]
        assert matrix.loc["training member, p < 0.5"].tolist() == [10, 5]
        assert matrix.loc["non-member"].tolist() == [20, 980]
        assert matrix.loc[OUTSIDE].tolist() == [5, 0]

    def test_rows_follow_the_thresholds(self, sets):
        matrix = membership_matrix(sets, prob_threshold=0.6, least_probability=0.3).sum(axis=1)
        probability = sets.candidates["PMemb"]
        assert matrix["candidate, p ≥ 0.6"] == (probability >= 0.6).sum()
        assert matrix["candidate, p < 0.3"] == (probability < 0.3).sum()
        assert matrix["candidate, 0.3 ≤ p < 0.6"] == ((probability >= 0.3) & (probability < 0.6)).sum()

    def test_a_threshold_of_the_list_above_that_of_members_makes_no_row(self, sets):
        matrix = membership_matrix(sets, prob_threshold=0.3, least_probability=0.6).sum(axis=1)
        assert [row for row in matrix.index if row.startswith("candidate")] == [
            "candidate, p ≥ 0.3",
            "candidate, p < 0.3",
        ]
        assert matrix["candidate, p < 0.3"] == (sets.candidates["PMemb"] < 0.3).sum()

    def test_before_an_evaluation(self, sets):
        matrix = membership_matrix(not_evaluated(sets)).sum(axis=1)
        assert matrix["candidate, p < 0.1"] == 400
        assert matrix["training member"] == 150
