"""Membership probabilities: against a plain reference, and under every change that must not matter."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from plain_reference import vote_shares
from toy_field import toy_sets

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.classifier import Classifier, Standardisation
from gaia_oc_amd.cluster import update_from_members
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.features import draw_normal, sample_features
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.membership import (
    VoteSampler,
    _folds,
    _without,
    judge_candidates,
    judge_sets,
    membership_probabilities,
    warn_of_doubt,
    warn_of_refused,
)
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.source_sets import load_sets, save_sets

FEATURES = ("f_r", "f_pm", "f_plx", "f_c", "f_g")


@pytest.fixture(scope="module")
def sets():
    return toy_sets(2)


@pytest.fixture(scope="module")
def classifier():
    """Random weights, shifted so that about half of the toy stars are called members."""
    network = DeepSets(8, 5, hidden_size=16)
    network.initialise(torch.Generator().manual_seed(11))
    table = pd.DataFrame(
        {"f_r": [0.0, 60], "f_pm": [0.0, 2], "f_plx": [-0.2, 0.2], "f_c": [-0.3, 0.3], "f_g": [-1.0, 1]}
    )
    clusters = pd.DataFrame({"a0": [0.0, 1], "age": [8.0, 9], "parallax": [0.5, 1.5]})
    classifier = Classifier(
        network.weights(),
        Standardisation.of(table, FEATURES),
        Standardisation.of(clusters, ("a0", "age", "parallax")),
    )
    sample = toy_sets(2)
    judge = classifier.judge(sample.members, vars(sample.cluster))
    stars = sample.candidates[list(FEATURES)].to_numpy()
    logits = judge(stars, np.tile(np.arange(10), (len(stars), 1)))
    classifier.weights["ro.4.bias"][1] -= np.median(logits)
    return classifier


def test_probabilities_equal_the_reference(sets, classifier):
    options = SamplingOptions(n_samples=20)
    some = sets.candidates.iloc[:30]
    found = membership_probabilities(some, sets, classifier, options=options, rng=np.random.default_rng(1))
    block = np.random.default_rng(1).spawn(1)[0]
    np.testing.assert_array_equal(found, vote_shares(some, sets, classifier, 20, 10, block))
    assert len(np.unique(found)) > 3


def test_probabilities_do_not_depend_on_the_number_of_threads(sets, classifier, monkeypatch):
    found = []
    many = pd.concat([sets.candidates] * 4, ignore_index=True)  # several blocks
    for n_threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
        found.append(membership_probabilities(many, sets, classifier, rng=np.random.default_rng(1)))
    np.testing.assert_array_equal(*found)


def test_stopping_early_changes_little_and_saves_samples(sets, classifier, monkeypatch):
    drawn = []
    sample_logits = VoteSampler.sample_logits
    monkeypatch.setattr(
        VoteSampler,
        "sample_logits",
        lambda self, sources, n, *rest, **kw: (
            drawn.append(n * len(sources)) or sample_logits(self, sources, n, *rest, **kw)
        ),
    )
    shares = {}
    for stop_early in (False, True):
        drawn.clear()
        options = SamplingOptions(n_samples=200, stop_early=stop_early)
        rng = np.random.default_rng(1)
        shares[stop_early] = membership_probabilities(
            sets.candidates, sets, classifier, options=options, rng=rng
        )
        assert (sum(drawn) < 200 * len(sets.candidates)) == stop_early
    change = np.abs(shares[True] - shares[False])
    assert change.max() < 0.2
    assert change.mean() < 0.03
    far = shares[False] == 0  # a thousand of them must not add up to members
    assert shares[True][far].mean() < 2e-4
    sure = (shares[False] < 0.3) | (shares[False] > 0.7)
    assert ((shares[True] > 0.5) == (shares[False] > 0.5))[sure].all()


def test_star_is_not_in_its_own_support_set(sets, classifier):
    few = replace(sets, members=sets.members.iloc[:10])
    with pytest.raises(TooFewMembersError, match="there are 9"):
        membership_probabilities(few.members, few, classifier, rng=np.random.default_rng(1))
    membership_probabilities(few.candidates, few, classifier, rng=np.random.default_rng(1))


def test_support_sets_that_the_members_cannot_fill_are_refused(sets, classifier):
    few = replace(sets, members=sets.members.iloc[:9])
    with pytest.raises(
        TooFewMembersError, match="has 9 members, a support set needs 10: lower --size_support"
    ):
        membership_probabilities(few.candidates, few, classifier, rng=np.random.default_rng(1))


def test_model_that_needs_other_features_is_refused(sets, classifier):
    other = Standardisation(("f_r", "f_pm", "f_plx", "f_c", "f_x"), np.zeros(5), np.ones(5))
    with pytest.raises(ValueError, match="needs f_x, which the sets lack"):
        membership_probabilities(
            sets.candidates,
            sets,
            Classifier(classifier.weights, other, classifier.cluster_features),
            rng=np.random.default_rng(1),
        )


def test_star_without_colour_has_no_probability(sets, classifier):
    options = SamplingOptions(n_samples=10)
    broken = sets.candidates.copy()
    broken.iloc[4, broken.columns.get_loc("g_rp")] = np.nan
    found = membership_probabilities(broken, sets, classifier, options=options, rng=np.random.default_rng(1))
    assert np.flatnonzero(np.isnan(found)).tolist() == [4]
    others = membership_probabilities(
        sets.candidates.drop(sets.candidates.index[4]),
        sets,
        classifier,
        options=options,
        rng=np.random.default_rng(1),
    )
    np.testing.assert_array_equal(np.delete(found, 4), others)


def test_draws_have_the_covariance():
    covariance = np.array([[[1.0, 0.8, 0], [0.8, 2, -0.5], [0, -0.5, 0.3]], np.diag([1.0, 0, 4])])
    drawn = draw_normal(np.array([[1.0, 2, 3], [0, 5, 0]]), covariance, 200_000, rng=np.random.default_rng(2))
    for i in range(2):
        np.testing.assert_allclose(np.cov(drawn[i].T), covariance[i], atol=0.03)
    assert (drawn[1, :, 1] == 5).all()


def test_impossible_correlations_do_not_stop_a_cluster(sets):
    correlations = dict.fromkeys(("parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr"), -0.99)
    stars = sets.candidates.assign(**correlations)
    features = sample_features(stars, sets, list(FEATURES), n_samples=5, rng=np.random.default_rng(0))
    assert np.isfinite(features).all()


def test_sampled_features_scatter_by_the_errors(sets):
    stars = sets.candidates.iloc[:5]
    features = sample_features(stars, sets, list(FEATURES), n_samples=20_000, rng=np.random.default_rng(0))
    np.testing.assert_allclose(features[..., 2].std(axis=1), stars["parallax_error"], rtol=0.03)
    np.testing.assert_allclose(features[..., 2].mean(axis=1), stars["f_plx"], atol=0.03)
    assert (features[..., 0] == stars["f_r"].to_numpy()[:, None]).all()


@pytest.mark.filterwarnings("ignore:0 of the 60 training members")
def test_evaluation_rewrites_candidates_and_nothing_else(sets, classifier, tmp_path):
    folder = save_sets(sets, tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    judge_candidates("toy 2", tmp_path, classifier, options=SamplingOptions(n_samples=10), seed=1)
    first = (folder / "candidates.csv").read_bytes()
    judge_candidates("Toy_2", tmp_path, classifier, options=SamplingOptions(n_samples=10), seed=1)
    assert (folder / "candidates.csv").read_bytes() == first
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {
        "candidates.csv",
        "cluster.json",  # which has its fingerprint
    }
    judged = load_sets("Toy_2", tmp_path)
    for found, before in ((judged.candidates, sets.candidates), (judged.judged_members, sets.members)):
        assert found["PMemb"].between(0, 1).all()
        pd.testing.assert_frame_equal(
            found.drop(columns="PMemb"),
            before.drop(columns="PMemb").reset_index(drop=True),
            check_dtype=False,
        )
    written = read_table(folder / "candidates.csv")
    assert written["training_member"].sum() == len(sets.members)
    assert set(written.loc[written["training_member"], "source_id"]) == set(sets.members["source_id"])


class TestTrainingMembersAreJudgedWithoutThemselves:
    def test_each_star_is_in_one_part_that_support_sets_can_spare(self):
        for n_stars, to_spare in ((200, 190), (12, 2), (11, 1), (10, 0), (1, 0)):
            parts = _folds(n_stars, to_spare, np.random.default_rng(0))
            assert sorted(np.concatenate(parts)) == list(range(n_stars))
            assert max(map(len, parts)) <= max(to_spare, 1)

    def test_means_and_members_are_those_of_the_others(self, sets):
        part = np.array([3, 7])
        stars, others = _without(sets.members.reset_index(drop=True), part, sets)
        left = sets.members.drop(sets.members.index[part])
        # by repr: a dataclass with NaN differs from itself from Python 3.13 on
        assert repr(others.cluster) == repr(update_from_members(sets.cluster, left))
        assert others.members["source_id"].tolist() == left["source_id"].tolist()
        offset = np.hypot(stars["pmra"] - others.cluster.pmra, stars["pmdec"] - others.cluster.pmdec)
        np.testing.assert_allclose(stars["f_pm"], offset)

    def test_a_listed_star_that_failed_the_cut_is_judged_without_itself_too(self, sets):
        far = sets.members.iloc[:1].assign(pmra=sets.cluster.pmra + 0.5, rejected_by="proper_motion")
        listed = pd.concat([sets.members.iloc[1:], far], ignore_index=True)
        stars, others = _without(listed, np.array([len(listed) - 1]), replace(sets, members=sets.members[1:]))
        assert repr(others.cluster) == repr(update_from_members(sets.cluster, sets.members.iloc[1:]))
        assert repr(others.cluster) != repr(update_from_members(sets.cluster, listed))
        assert stars["source_id"].tolist() == far["source_id"].tolist()
        assert len(others.members) == len(sets.members) - 1

    def test_as_many_members_as_a_support_set_needs(self, sets, classifier):
        few = replace(sets, members=sets.members.iloc[:10])
        judged = judge_sets(
            few, classifier, options=SamplingOptions(n_samples=5), rng=np.random.default_rng(1)
        )
        assert judged.judged_members["PMemb"].between(0, 1).all()


def test_stream_depends_on_seed_and_name_alone():
    draws = {key: cluster_rng(*key).integers(1 << 60) for key in [(1, "NGC_1"), (2, "NGC_1"), (1, "NGC_2")]}
    assert len(set(draws.values())) == 3
    assert cluster_rng(1, "ngc 1").integers(1 << 60) == draws[1, "NGC_1"]


CLEAR = np.array([0.0, 0.3, 0.95, 0.99, 0.99, np.nan])
DOUBTFUL = np.array([0.3, 0.6, 0.75, 0.99, 0.99])  # 17 % of the accepted are expected to be field stars
FAIR = np.array([0.1, 0.7, 0.85, 0.95, 0.99])  # 13 %; 17 % with ratios that are too high by 0.35


@pytest.mark.parametrize(
    ("chance", "error", "scatter"),
    [(DOUBTFUL, 5.0, 0.0), (FAIR, 5.0, 0.35), (CLEAR, 30.0, 0.35)],
    ids=["expected contamination", "contamination within its error", "number within its error"],
)
def test_a_cluster_that_the_field_may_hide_is_told(chance, error, scatter):
    with pytest.warns(
        UserWarning, match="the field may hide this cluster: 100 members, 68 % between"
    ) as caught:
        warn_of_doubt(chance, (100.0, error), scatter)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("chance", "error", "scatter"),
    [(FAIR, 5.0, 0.0), (CLEAR, 20.0, 0.35), (CLEAR[:2], 5.0, 0.35)],
    ids=["fair contamination", "known number", "nobody accepted"],
)
def test_a_cluster_that_stands_out_is_not_doubted(chance, error, scatter):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_doubt(chance, (100.0, error), scatter)


def test_a_cone_without_a_cluster_is_told():
    with pytest.warns(UserWarning, match="show no cluster: 4 members, 68 % between 0 and 49") as caught:
        warn_of_doubt(CLEAR[:2], (4.0, 10.0), 0.2)
    assert len(caught) == 1


def test_a_list_of_other_stars_is_told():
    with pytest.warns(UserWarning, match="1 of the 4 training members have p >= 0.5: the list and") as caught:
        warn_of_refused(np.array([0.9, 0.4, 0.0, np.nan]))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_refused(np.array([0.9, 0.5, 0.0, np.nan]))


def test_the_warning_states_interval_and_contamination():
    with pytest.warns(
        UserWarning, match="between 67 and 149, and 13 % .* field stars, 17 % if the ratios err"
    ):
        warn_of_doubt(FAIR, (100.0, 40.0), 0.35)
