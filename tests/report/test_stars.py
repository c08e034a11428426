"""Which stars a report shows one by one, and what it says of all others of the cone."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from plot_sets import VARIANTS
from report_sets import FIRST_ID, report_sets

from gaia_oc_amd.report.stars import (
    COLUMNS,
    LEAST_PROBABILITY,
    MOST_FIELD_STARS,
    cone_with_reasons,
    packed_cone,
    shown_stars,
)


@pytest.fixture(scope="module")
def sets():
    return report_sets()


@pytest.fixture(scope="module")
def cone(sets, tmp_path_factory):
    return cone_with_reasons(sets, tmp_path_factory.mktemp("folder"), 0.5)


def test_identifiers_keep_their_last_digits(sets, cone):
    ids = shown_stars(sets, cone).as_lists()["stars"]["id"]
    shown = sets.candidates["PMemb"] >= LEAST_PROBABILITY
    expected = pd.concat(
        [sets.members["source_id"], sets.candidates.loc[shown, "source_id"], sets.comparison["source_id"]]
    )
    assert set(ids) == {str(i) for i in expected}
    assert str(FIRST_ID) in ids
    assert str(FIRST_ID + 1) in ids


def test_shown_stars_and_field_are_all_stars(sets, cone):
    shown = shown_stars(sets, cone)
    assert len(shown.stars) + shown.n_field == sum(
        sets.counts()[n] for n in ("members", "candidates", "non_members")
    )
    assert len(shown.field) == min(shown.n_field, MOST_FIELD_STARS)
    probability = shown.stars["p"].dropna()
    assert probability.is_monotonic_increasing
    assert shown.n_left_out == 0


def test_stars_of_the_comparison_list_are_shown_however_improbable(sets, cone):
    stars = shown_stars(sets, cone).stars.set_index("id")
    listed = stars[stars["listed"]]
    assert set(listed.index) == {str(i) for i in sets.comparison["source_id"]}
    assert (listed["kind"] == "non-member").sum() == 20
    assert listed.loc[listed["kind"] == "non-member", "reason"].str.contains("sigma").all()


def test_many_candidates_are_cut_to_the_most_probable(sets, cone):
    alone = replace(sets, comparison=sets.comparison[:0])
    shown = shown_stars(alone, cone, most=50)
    candidates = shown.stars[shown.stars["kind"] == "candidate"]
    np.testing.assert_array_equal(np.sort(candidates["p"]), np.sort(sets.candidates["PMemb"])[-50:])
    assert shown.n_left_out == (sets.candidates["PMemb"] >= LEAST_PROBABILITY).sum() - 50
    assert LEAST_PROBABILITY < shown.least_probability <= candidates["p"].min()


def test_lists_hold_every_column_rounded(sets, cone):
    lists = shown_stars(sets, cone).as_lists()
    json.dumps(lists, allow_nan=False)
    stars = lists["stars"]
    assert {column.name for column in COLUMNS} <= set(stars)
    i = stars["id"].index(str(FIRST_ID + 3))
    assert stars["parallax"][i] == round(float(sets.members["parallax"].iloc[3]), 4)
    assert stars["photometry"][i] == round(np.hypot(0.5, 0.5), 2)


@pytest.mark.parametrize("variant", ["empty", "not evaluated", "no photometry", "no comparison"])
def test_every_kind_of_sets_has_stars_to_show(sets, tmp_path, variant):
    odd = VARIANTS[variant](sets)
    shown = shown_stars(odd, told := cone_with_reasons(odd, tmp_path, 0.5))
    json.dumps(shown.as_lists(), allow_nan=False)
    assert all(len(part) for part in packed_cone(told))


def test_reasons_of_explain_stars_stand_where_they_still_hold(sets, tmp_path):
    """An explanation counts as long as the star has the verdict and the probability that were explained."""
    low = sets.candidates[sets.candidates["PMemb"].between(0.1, 0.4)].head(2)
    told = pd.DataFrame(
        {
            "star": low["source_id"],
            "source_id": low["source_id"],
            "verdict": "candidate",
            "PMemb": low["PMemb"] + [0.0, 0.05],
            "reason": "weighed",
        }
    )
    away = pd.DataFrame(
        {"star": ["10.0 +80.0"], "verdict": ["not in the cone"], "reason": ["beyond the cone"]}
    )
    pd.concat([told.astype({"source_id": "Int64"}), away]).to_csv(tmp_path / "explanation.csv", index=False)
    cone = cone_with_reasons(sets, tmp_path, 0.5).set_index("source_id")
    assert cone.loc[low["source_id"].iloc[0], "reason"] == "weighed"
    assert cone.loc[low["source_id"].iloc[1], "reason"] != "weighed"
    (tmp_path / "explanation.csv").write_text("nothing of ours")
    assert "weighed" not in set(cone_with_reasons(sets, tmp_path, 0.5)["reason"])
