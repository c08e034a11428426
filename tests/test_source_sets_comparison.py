"""Which sources each member list holds, and how the lists differ."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from plot_sets import example_sets, not_evaluated

from gaia_oc_amd.source_sets import (
    comparison_members,
    membership_matrix,
    missed_members,
    our_members,
    overlap_sets,
    probable_candidates,
    within_radius,
)


@pytest.fixture(scope="module")
def sets():
    return example_sets()


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
