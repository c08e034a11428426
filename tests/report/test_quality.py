"""The class of a list: significance, completeness, contamination and isochrone, and the sentence that says so."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hand_made_validation import hand_made
from plot_sets import CLUSTER, VARIANTS, make_sources
from report_sets import report_sets

from gaia_oc_amd.isochrone_stages import StageOffset
from gaia_oc_amd.report.quality import (
    Grade,
    Measured,
    Quality,
    by_injection,
    by_truth,
    isochrone_offset,
    measured,
    overdensity,
    quality,
    sentence,
)
from gaia_oc_amd.validation.validate import selection_function


@pytest.fixture(scope="module")
def sets():
    return report_sets()


def field_with(sets, rng, n_cluster, *, half=False):
    """Stars that pass and stars that fail, both spread evenly over 3 degrees, and a cluster's within 0.6."""
    members = make_sources(rng, 60, 0, pm_spread=0.2, radius=0.6, probability=1.0)
    cluster = make_sources(rng, n_cluster, 100, pm_spread=0.2, radius=0.6, probability=1.0)
    passed = make_sources(rng, 2000, 1000, pm_spread=0.2, radius=3, probability=0.0)
    failed = make_sources(rng, 8000, 5000, pm_spread=3, radius=3, probability=0.0).assign(
        rejected_by="parallax"
    )
    if half:  # a cone that ends in the middle of the cluster
        passed, failed = (table[table["dec"] > CLUSTER.dec] for table in (passed, failed))
    candidates = pd.concat([cluster, passed], ignore_index=True)
    return replace(
        sets, members=members[:0] if n_cluster < 0 else members, candidates=candidates, non_members=failed
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_cluster_is_significant(sets, seed):
    assert overdensity(field_with(sets, np.random.default_rng(seed), 100)) > 10


def test_significance_of_no_cluster_is_like_a_normal_deviate(sets):
    """A pure field, with a list of members that means nothing: none of 40 is called a cluster."""
    found = []
    for seed in range(40):
        field = field_with(sets, np.random.default_rng(seed), 0)
        found.append(overdensity(replace(field, members=field.members.assign(rejected_by="isochrone"))))
    assert np.abs(np.mean(found)) < 0.5
    assert 0.6 < np.std(found) < 1.5
    assert max(found) < 4


def test_the_shape_of_a_cone_makes_no_overdensity(sets):
    field = field_with(sets, np.random.default_rng(1), 0, half=True)
    assert abs(overdensity(replace(field, members=field.members.assign(rejected_by="isochrone")))) < 4


def test_significance_needs_members_and_a_field(sets):
    assert np.isnan(overdensity(VARIANTS["empty"](sets)))
    inside = sets.non_members[sets.non_members["f_r"] < sets.members["f_r"].median()]
    assert np.isnan(overdensity(replace(sets, non_members=inside)))


def test_the_largest_offset_of_a_part_counts():
    g = np.linspace(10, 18, 120)
    members = pd.DataFrame({"phot_g_mean_mag": g, "f_c": np.where(g < 12, -0.08, 0.01)})

    def offset(stars, stages=()):
        return isochrone_offset(SimpleNamespace(members=stars, stage_offsets=list(stages)))

    assert offset(members) == -0.08
    faint = members[members["phot_g_mean_mag"] > 12.1]
    assert offset(faint) == 0.01
    assert np.isnan(offset(members.assign(f_c=np.nan)))
    giants = StageOffset("giants", 12, 14, 20, -0.11, 0.01, np.nan, np.nan, 0.6, 13)
    assert offset(faint, [giants]) == -0.11
    assert offset(faint, [replace(giants, colour=-0.05)]) == 0.01  # within its bound


def bins(faint, completeness, expected=100.0, contamination=0.04):
    table = {"faint": faint, "expected": expected, "completeness": completeness}
    return pd.DataFrame(table | {"accepted": 50.0, "contamination": contamination})


def test_completeness_is_that_of_all_brighter_stars():
    found = measured(bins([16.0, 18.0, 19.0, 21.0], [1.0, 0.98, 0.9, 0.2]))
    assert found.completeness == pytest.approx(0.99)
    assert found.complete_to == 19.0
    assert found.completeness_there == pytest.approx(0.96)
    assert found.contamination == pytest.approx(0.04)


def test_a_list_that_is_nowhere_complete_has_no_limit():
    found = measured(bins([16.0, 19.0], [0.5, 0.3]))
    assert np.isnan(found.complete_to)
    assert found.completeness_there == pytest.approx(0.4)
    assert measured(bins([], [])) == Measured() or np.isnan(measured(bins([], [])).completeness)


def test_a_selection_function_is_measured_by():
    table = selection_function(hand_made(), (17.0, 18.0), (0.0, 2.0))
    found = measured(by_injection(table))
    assert found.completeness == pytest.approx(0.6)
    assert found.contamination == pytest.approx(0.125)


def test_a_truth_is_measured_by():
    rows = [{"true": 30, "found": 25, "completeness": 0.8, "contamination": 0.04}]
    rows += [{"true": 10, "found": 10, "completeness": 0.9, "contamination": 0.1}] * 3
    found = measured(by_truth(pd.DataFrame(rows), (-np.inf, 16.0, 18.0, np.inf)))
    assert found.completeness == pytest.approx(0.9)
    assert found.contamination == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("completeness", "contamination", "letters"), [(0.95, 0.02, "AA"), (0.8, 0.2, "BC"), (0.3, 0.21, "DD")]
)
def test_letters_follow_their_bounds(sets, completeness, contamination, letters):
    found = Measured(completeness, 18.0, completeness, contamination)
    grades = {grade.criterion: grade for grade in quality(sets, found, prob_threshold=0.5).grades}
    assert grades["completeness"].letter + grades["contamination"].letter == letters
    assert f"{100 * completeness:.0f} % complete to G 18" == grades["completeness"].text


def test_the_class_is_the_worst_letter_and_what_was_not_measured_does_not_count():
    grades = (Grade("a", "A", "fine"), Grade("b", "C", "poor"), Grade("c", "", "not measured"))
    assert Quality(grades).letter == "C"
    assert Quality(grades).reasons == "poor"
    assert Quality(grades[2:]).letter == ""


def test_the_sentence_says_what_is_known(sets):
    said = sentence(sets, Measured(0.991, 18.0, 0.991, 0.04), 0.5)
    assert said.endswith(", 99 % complete to G 18, 4 % contamination")
    assert "complete" not in sentence(sets, Measured(), 0.5)
    assert sentence(sets, Measured(), 0.5).endswith(" % expected contamination")
    unjudged = sentence(VARIANTS["not evaluated"](sets), Measured(), 0.5)
    assert unjudged.startswith("150 training members, not evaluated to G ")
