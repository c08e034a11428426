"""The member list: who is in it, what it says of each star, and what its probabilities add up to."""

from dataclasses import replace

import numpy as np
import pytest
from plot_sets import example_sets, not_evaluated

from gaia_oc_amd.member_list import Count, list_summary, member_list, new_members, our_members


@pytest.fixture(scope="module")
def sets():
    return example_sets()


class TestMemberList:
    def test_holds_all_stars_that_reach_the_probability_in_order(self, sets):
        listed = member_list(sets, least_probability=0.3)
        scored = sets.scored()
        assert set(listed["source_id"]) == set(scored.loc[scored["PMemb"] >= 0.3, "source_id"])
        assert listed["PMemb"].is_monotonic_decreasing
        assert listed["source_id"].dtype == np.int64
        assert listed["training_member"].sum() == 135

    def test_training_members_have_our_probability(self, sets):
        listed = member_list(sets).set_index("source_id")
        members = listed[listed["training_member"]]
        assert (members["PMemb"] < 1).all()
        assert (members["PMemb_list"] == 1).all()

    def test_origin(self, sets):
        failed = sets.candidates.assign(rejected_by=np.where(np.arange(400) < 3, "isochrone", ""), PMemb=0.9)
        origin = member_list(replace(sets, candidates=failed)).set_index("source_id")["origin"]
        assert (origin[failed["source_id"][:3]] == "listed, failed the cut").all()
        assert (origin[failed["source_id"][3:40]] == "listed").all()
        assert (origin[failed["source_id"][40:]] == "new").all()
        assert (origin[sets.members["source_id"][1:3]] == "listed").all()

    def test_errors_of_the_bands_give_those_of_the_colours(self, sets):
        g, bp, rp = 0.003, 0.02, 0.01
        errors = {"g_rp_error": np.hypot(g, rp), "bp_rp_error": np.hypot(bp, rp), "phot_g_mean_mag_error": g}
        judged = replace(
            sets,
            candidates=sets.candidates.assign(**errors),
            judged_members=sets.judged_members.assign(**errors),
        )
        listed = member_list(judged)
        assert np.allclose(listed["phot_bp_mean_mag_error"], bp)
        assert np.allclose(listed["phot_rp_mean_mag_error"], rp)

    def test_flags(self, sets):
        doubtful = sets.candidates.assign(
            PMemb=0.9,
            ruwe=np.where(np.arange(400) < 2, 2.0, 1.0),
            astrometric_params_solved=np.where(np.arange(400) % 2, 95, 31),
        )
        flags = member_list(replace(sets, candidates=doubtful)).set_index("source_id")["flags"]
        assert flags[doubtful["source_id"][:4]].tolist() == [
            "ruwe",
            "ruwe+six_parameters",
            "",
            "six_parameters",
        ]
        assert (flags[sets.members["source_id"][1:5]] == "").all()  # whose RUWE nobody knows

    def test_empty_before_an_evaluation(self, sets):
        listed = member_list(not_evaluated(sets))
        assert listed.empty
        assert {"source_id", "PMemb", "origin"} <= set(listed)


class TestOurMembers:
    def test_candidates_and_training_members_reach_the_threshold(self, sets):
        ours = our_members(sets, 0.5)
        scored = sets.scored()
        assert set(ours["source_id"]) == set(scored.loc[scored["PMemb"] >= 0.5, "source_id"])
        assert len(our_members(sets, 0.99)) == (sets.candidates["PMemb"] >= 0.99).sum()

    def test_training_members_before_an_evaluation(self, sets):
        assert (
            our_members(not_evaluated(sets), 0.5)["source_id"].tolist() == sets.members["source_id"].tolist()
        )


class TestNumbers:
    def test_contamination_is_the_mean_of_one_minus_p(self, sets):
        stars = our_members(sets, 0.5)
        count = Count.of(stars)
        assert count.expected == pytest.approx(stars["PMemb"].sum())
        assert count.contamination == pytest.approx((1 - stars["PMemb"]).mean())
        assert str(Count(1000, 950.0)) == "1,000; Σp = 950.0, 5.0 % field"

    def test_of_nothing(self, sets):
        assert np.isnan(Count.of(sets.members[:0]).contamination)
        assert str(Count.of(sets.members[:0])) == "0"

    def test_summary(self, sets):
        numbers = list_summary(sets, 0.5)
        assert numbers["p>=0.5"] == len(our_members(sets, 0.5))
        assert (
            numbers["new"]
            == len(new_members(our_members(sets, 0.5)))
            == (sets.candidates["PMemb"][40:] >= 0.5).sum()
        )
        assert numbers["training members"] == 150
