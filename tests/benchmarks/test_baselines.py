"""The baselines of the benchmarks: they find a planted cluster, and find none where there is none."""

from dataclasses import replace

import baselines
import numpy as np
import pandas as pd
import pytest
from judged_stars import cached, digest_of
from method_figures import all_figures, figures, sums_of_p
from method_tables import bins_table, check_list, overall_table
from metrics import average_precision, expected_calibration_error
from planted_cones import make_cone


@pytest.fixture(scope="module")
def cone():
    return make_cone()


@pytest.fixture(scope="module")
def mixture(cone):
    sets, stars, _ = cone
    return baselines.mixture_probabilities(stars, sets)


def test_mixture_finds_a_planted_cluster_with_calibrated_probabilities(cone, mixture):
    _, _, is_member = cone
    assert average_precision(is_member, mixture) > 0.9
    assert mixture.sum() == pytest.approx(is_member.sum(), rel=0.1)
    assert expected_calibration_error(is_member[mixture > 0.02], mixture[mixture > 0.02]) < 0.1


def test_mixture_finds_no_cluster_among_field_stars_that_are_called_listed():
    sets, stars, _ = make_cone(n_members=0)
    shuffled = stars.sample(frac=1, random_state=4)
    sets = replace(sets, members=shuffled.iloc[:40], candidates=shuffled.iloc[40:])
    assert baselines.mixture_probabilities(shuffled, sets).sum() < 60


def test_hdbscan_finds_bright_members_and_little_else(cone):
    sets, stars, is_member = cone
    p = baselines.hdbscan_probabilities(stars, sets)
    bright = stars["phot_g_mean_mag"].to_numpy() < 18
    assert ((p > 0) & is_member)[bright].sum() > 0.6 * (is_member & bright).sum()
    assert (p > 0)[~is_member].mean() < 0.1


def test_boosted_trees_learn_the_truth_out_of_fold_and_from_a_part_of_the_field(cone, mixture):
    sets, stars, is_member = cone
    features = baselines.tree_features(stars, sets, mixture)
    rng = np.random.default_rng(1)
    p = baselines.boosted_tree_probabilities(
        features, is_member, np.zeros(len(stars)), repetitions=1, most_field=4, rng=rng
    )
    assert average_precision(is_member, p) > 0.85
    assert p.sum() == pytest.approx(is_member.sum(), rel=0.15)


def test_boosted_trees_never_see_a_star_that_they_judge():
    rng = np.random.default_rng(1)
    truth = rng.random(600) < 0.2  # which nothing tells, but a tree could learn by heart
    features = pd.DataFrame(rng.normal(0, 1, (600, 3)), columns=["mixture", "a", "b"])
    p = baselines.boosted_tree_probabilities(features, truth, np.zeros(600), repetitions=1, rng=rng)
    assert average_precision(truth, p) < 0.35


def test_folds_share_members_evenly():
    truth = np.arange(103) < 13
    fold = baselines.folds(truth, rng=np.random.default_rng(1))
    assert set(np.bincount(fold[truth])) <= {2, 3}
    assert set(np.bincount(fold[~truth])) == {18}


def judged(p, truth, **columns):
    table = pd.DataFrame({"ours": p, "is_member": truth, "lost": False, "cluster": "A", "relevant": True})
    return table.assign(phot_g_mean_mag=17.0, f_r=2.0, dist=800.0, age=8.2, richness=300).assign(**columns)


def test_lost_members_count_as_missed_but_not_for_calibration():
    stars = judged([1.0, 1.0, 0.0], [True, True, True], lost=[False, False, True])
    result = figures(stars, stars["ours"].to_numpy())
    assert result["completeness"] == pytest.approx(2 / 3)
    assert result["ece_all"] == 0
    assert result["sum_p_ratio"] == pytest.approx(2 / 3)


def test_tables_and_check_list_say_what_was_reached():
    rng = np.random.default_rng(1)
    truth = np.tile(np.arange(400) < 100, 3)
    p = np.where(truth, 0.97, 0.01)
    stars = judged(
        p, truth, cluster=np.repeat(["A", "B", "C"], 400), phot_g_mean_mag=rng.uniform(15, 20.7, 1200)
    )
    stars = stars.assign(weak=rng.random(1200), boosted_trees=p)
    methods = ["ours", "weak", "boosted_trees"]
    table, sums = all_figures(stars, methods, 20, seed=1), sums_of_p(stars, methods)
    good = check_list(table, sums, "ours", ["weak"])
    assert "missed" not in good
    assert good.count("reached") == 6 + 5 + 2 + 5 + 6 + 1
    assert "missed" in check_list(table, sums, "weak", ["ours"])
    assert overall_table(table, sums).count("\n") == 4
    assert "G within 1 kpc >= 20" in bins_table(table)


def test_cache_computes_once_and_again_when_the_digest_changes(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return np.array([0.25, np.nan])

    for digest in ("a", "a", "b", "b"):
        p, _ = cached(tmp_path, "method", "A", digest, compute)
        np.testing.assert_array_equal(p, [0.25, np.nan])
    assert len(calls) == 2
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    assert digest_of("x", 1) != digest_of("x", 2)
