"""The words of why a star is a member or not, for all stars of a cone at once and without a network."""

import re
from dataclasses import replace

import numpy as np
import pytest
from report_sets import report_sets

from gaia_oc_amd.reasons import FIELD_DENSITY, TERMS, verdicts, whole_cone


@pytest.fixture(scope="module")
def sets():
    return report_sets()


def told(stars, sets, threshold=0.5):
    return verdicts(stars, sets, prob_threshold=threshold)


def test_every_star_of_a_cone_has_a_verdict_and_a_reason(sets):
    cone = whole_cone(sets)
    table = told(cone, sets)
    assert len(table) == 150 + 400 + 1000
    assert (table["reason"] != "").all()
    above = cone["PMemb"] >= 0.5
    assert ((table["verdict"] == "member") == (above & (cone["group"] != "non-member"))).all()
    assert set(table.loc[cone["group"] == "non-member", "verdict"]) == {"non-member"}


def test_a_star_alone_has_the_reason_that_it_has_among_all(sets):
    cone = whole_cone(sets)
    table = told(cone, sets)
    for i in (0, 160, 600, 1100):
        assert told(cone.iloc[[i]], sets)["reason"].iloc[0] == table["reason"].iloc[i]


def test_an_improbable_star_is_told_by_its_largest_offsets(sets):
    star = whole_cone(sets)[lambda cone: cone["group"] == "candidate"].head(1).assign(PMemb=0.012)
    far = star.assign(f_r=49.6, f_pm_sigma=3.14, f_plx_sigma=-2.5, f_c_sigma=1.0, f_g_sigma=1.0)
    assert (
        told(far, sets)["reason"].iloc[0]
        == "candidate with p = 0.012: 50 pc from the centre, 3.1 sigma in motion"
    )
    near = star.assign(f_r=0.1, f_pm_sigma=0.5, f_plx_sigma=0.5, f_c_sigma=0.5, f_g_sigma=0.5)
    assert told(near, sets)["reason"].iloc[0].endswith(": the field has as many stars like it")


def test_terms_of_the_odds_go_before_offsets(sets):
    star = (
        whole_cone(sets)[lambda cone: cone["group"] == "candidate"]
        .head(1)
        .assign(PMemb=0.2, f_plx_sigma=-2.5)
    )
    terms = dict.fromkeys(TERMS, 0.0) | {"odds_parallax": -np.log(12.0), "odds_share": -np.log(89.0)}
    terms[FIELD_DENSITY] = 3.04
    text = told(star.assign(**terms), sets)["reason"].iloc[0]
    expected = (
        "2.5 sigma in parallax (odds 12 times lower)",
        "the field is 3.0 times denser there",
        "only one candidate in 90 is a member",
    )
    assert text == f"candidate with p = 0.20: {', '.join(expected)}"


def test_the_first_condition_that_fails_is_named_with_its_limit(sets):
    failed = whole_cone(sets)[lambda cone: cone["rejected_by"] == "parallax"].head(3)
    failed = failed.assign(f_plx=[0.5, -0.5, 0.5], f_plx_sigma=[4.0, -12.3, 4.0])
    for text in told(failed, sets)["reason"]:
        off, limit = re.search(r"off: ([+-][\d.]+) mas \(limit ([\d.]+)\)", text).groups()
        assert abs(float(off)) == 0.5
        assert float(limit) > 0
    assert told(failed, sets)["reason"].iloc[1].startswith("parallax -12 sigma off")


def test_what_was_not_measured_is_said(sets):
    star = whole_cone(sets)[lambda cone: cone["group"] == "candidate"].head(1)
    assert told(star.assign(PMemb=0.1, g_rp=np.nan), sets)["reason"].iloc[0] == "no colour (G-RP)"
    assert "cannot be judged" in told(star.assign(PMemb=np.nan), sets)["reason"].iloc[0]
    low = replace(sets, judged_members=sets.judged_members[:0])
    assert whole_cone(low)["PMemb"].head(150).isna().all()
