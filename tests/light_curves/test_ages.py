"""Ages from light curves: skill where there is something to learn, none where there is nothing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.light_curves.ages import CHOSEN, judge_ages, predict_ages
from gaia_oc_amd.light_curves.options import LearningOptions
from gaia_oc_amd.light_curves.simulated import simulate_light_curves

SHORT = LearningOptions(pieces="sectors", n_noisy=0, n_search=1, n_folds=2, n_inner_folds=2, n_bootstrap=300)


@pytest.fixture(scope="module")
def known():
    return simulate_light_curves(44, n_sectors=1, galaxies=("MW", "LMC"), rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def judgement(known):
    return judge_ages(known, SHORT, seed=3)


def test_light_curves_that_tell_ages_have_skill(judgement):
    skill = judgement.skill("MW")
    assert skill["lower"] > 0
    assert skill["skill"] > 0.3
    assert skill["n_clusters"] == 22
    assert skill["lower"] < skill["skill"] < skill["upper"]
    assert judgement.skill("MW", over="brightness")["lower"] > 0
    assert judgement.skill("MW", model="brightness")["lower"] < 0.1


def test_each_cluster_is_judged_once(known, judgement):
    table = judgement.predictions
    assert sorted(table["cluster"]) == sorted(known.clusters["cluster"])
    assert table[CHOSEN].notna().all()
    ages = table.set_index("cluster")["log_age"]
    np.testing.assert_allclose(ages, known.clusters.set_index("cluster")["log_age"].loc[ages.index])


def test_shuffled_ages_give_no_skill(known):
    rng = np.random.default_rng(2)
    shuffled = known.clusters.assign(
        log_age=known.clusters.groupby("galaxy")["log_age"].transform(lambda ages: rng.permutation(ages))
    )
    skill = judge_ages(replace(known, clusters=shuffled), SHORT, seed=3).skills
    assert (skill.loc[skill["baseline"] == "median", "lower"] < 0).all()


def test_the_sectors_of_a_cluster_stand_on_one_side():
    """Ages that only a cluster's own noise tells cannot be learned: its sectors are never on both sides."""
    rng = np.random.default_rng(4)
    nothing = simulate_light_curves(24, strength=0.0, rng=rng)
    skill = judge_ages(nothing, SHORT, seed=5).skill("MW")
    assert skill["lower"] < 0


def renamed(curves):
    """Light curves whose clusters have names of their own."""
    new = {name: table.assign(cluster="New " + table["cluster"]) for name, table in vars(curves).items()}
    return replace(curves, **new)


def test_clusters_that_were_learned_from_get_the_ages_of_folds_without_them(known, judgement):
    some = known.curves["cluster"].isin(known.clusters["cluster"][:6])
    spelt = replace(
        known, curves=known.curves[some].assign(cluster=known.curves["cluster"].str.replace("_", " "))
    )
    table = predict_ages(judgement, spelt, seed=1)
    assert table["learned_from"].all()
    assert set(table["model"]) == {CHOSEN}
    expected = judgement.predictions.set_index("cluster")[CHOSEN].loc[known.clusters["cluster"][:6]]
    np.testing.assert_array_equal(table["light_curve_age"], expected)
    both = replace(known, curves=pd.concat([spelt.curves, renamed(spelt).curves]))
    again = predict_ages(judgement, both, seed=1)
    assert again["learned_from"].tolist() == [True] * 6 + [False] * 6
    # a model that has seen them is nearer to the truth than it is to that of others
    truth = known.clusters["log_age"].to_numpy()[:6]
    error = np.abs(again["light_curve_age"].to_numpy().reshape(2, 6) - truth).mean(axis=1)
    assert error[1] < error[0]


def test_ages_are_predicted_with_their_worth(known, judgement):
    new = renamed(simulate_light_curves(24, n_sectors=1, galaxies=("MW",), rng=np.random.default_rng(9)))
    table = predict_ages(judgement, new, seed=1)
    assert not table["learned_from"].any()
    truth = new.clusters["log_age"].to_numpy()
    assert table["cluster"].tolist() == new.clusters["cluster"].tolist()
    assert np.corrcoef(table["light_curve_age"], truth)[0, 1] > 0.7
    pull = (table["light_curve_age"] - truth) / table["light_curve_age_error"]
    assert 0.5 < np.std(pull) < 1.6
    assert table["has_skill"].all()
    assert len(predict_ages(judgement, new, seed=2**40)) == len(table)  # more than scikit-learn takes


def test_a_galaxy_without_known_ages_is_refused(judgement):
    new = simulate_light_curves(1, galaxies=("SMC",), rng=np.random.default_rng(9))
    with pytest.raises(ClusterError, match="no cluster of SMC has a known age, only of LMC, MW"):
        predict_ages(judgement, new, seed=1)


def test_too_few_clusters_are_refused():
    few = simulate_light_curves(10, n_sectors=1, rng=np.random.default_rng(1))
    with pytest.raises(ClusterError, match="10 clusters with 10 different ages"):
        judge_ages(few, SHORT, seed=1)
    same = simulate_light_curves(25, n_sectors=1, rng=np.random.default_rng(1))
    same = replace(same, clusters=same.clusters.assign(log_age=8.0))
    with pytest.raises(ClusterError, match="25 clusters with 1 different ages"):
        judge_ages(same, SHORT, seed=1)


def test_clusters_without_an_age_are_left_out(known):
    part = known.clusters.assign(log_age=known.clusters["log_age"].where(known.clusters.index >= 5))
    found = judge_ages(replace(known, clusters=part), SHORT, seed=3).predictions
    assert len(found) == 39
    assert not set(found["cluster"]) & set(known.clusters["cluster"][:5])
