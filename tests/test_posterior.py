"""Posterior probabilities: properties that hold for any network, and what a trained one must do."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.evidence import (
    CONE_FEATURES,
    STAR_FEATURES,
    SUPPORT_FEATURES,
    cone_evidence,
    read_cone,
    star_evidence,
)
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.features import add_features
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.options import SamplingOptions, TrainingOptions
from gaia_oc_amd.posterior import ConeJudge
from gaia_oc_amd.set_building import divide_cone
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation.simulate import simulate_cluster
from gaia_oc_amd.source_sets import save_sets
from gaia_oc_amd.training import train_deep_sets_model
from gaia_oc_amd.training_sets import cone_examples
from gaia_oc_amd.truth import read_labels

ISOCHRONES = schematic_isochrones(np.arange(8.0, 9.01, 0.1).round(1))


def simulated_scene(seed, name):
    """Sets of a simulated cluster, and the identifiers of its true members."""
    options = SimulationOptions(dist=1500.0, field_density=6000.0, cone_radius=25.0, n_members=300)
    simulated = simulate_cluster(options, ISOCHRONES, rng=np.random.default_rng(seed), name=name)
    return _divided(simulated), simulated.truth


def _divided(simulated):
    """Sets of a simulated cluster, made from its list."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few stars are too bright or too red to have a zero point
        cone = calibrate(simulated.cone)
    listed = simulated.members[simulated.members["PMemb"] == 1].set_index("source_id")["PMemb"]
    row = simulated.parameters.iloc[0].to_dict()
    points = nearest_age(ISOCHRONES, row["age"])
    return divide_cone(cone, Cluster(**row), listed, points)


@pytest.fixture(scope="module")
def scene():
    sets, truth = simulated_scene(5, "Scene_1")
    return sets, truth.loc[truth["is_member"], "source_id"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for i in range(4):
        sets, truth = simulated_scene(300 + i, f"Train_{i}")
        truth.to_csv(save_sets(sets, folder) / "truth.csv", index=False)
    return folder


OPTIONS = TrainingOptions(
    probability="posterior",
    dropout=0.0,
    n_epochs=10,
    lr=3e-3,
    lr_decay="cosine",
    hidden_size=24,
    size_support_set=5,
)


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    names = [f"Train_{i}" for i in range(4)]
    train_deep_sets_model(names, data_dir, folder, options=OPTIONS, seed=1)
    return Classifier.load(folder)  # through its files


def judged(stars, sets, classifier, seed=1, **options):
    return membership_probabilities(
        stars, sets, classifier, options=SamplingOptions(**options), rng=np.random.default_rng(seed)
    )


def test_faint_members_of_a_cluster_not_trained_on_are_found(scene, trained):
    sets, true_ids = scene
    p = judged(sets.candidates, sets, trained)
    is_member = sets.candidates["source_id"].isin(true_ids).to_numpy()
    faint = sets.candidates["phot_g_mean_mag"].between(18, 19.5).to_numpy()
    # three small cones teach little; the shipped model is held to more
    assert (p[is_member & faint] >= 0.5).mean() > 0.4
    assert (p[~is_member] >= 0.5).mean() < 0.1
    assert p[is_member].mean() > 8 * p[~is_member].mean()


def test_sum_of_probabilities_is_about_the_number_of_members(scene, trained):
    sets, true_ids = scene
    stars = pd.concat([sets.members, sets.candidates])
    share = judged(stars, sets, trained).sum() / stars["source_id"].isin(true_ids).sum()
    assert 0.5 < share < 2  # three small cones teach little; the shipped model is held to more


def test_votes_of_a_posterior_network_are_shares_of_samples(scene, trained):
    sets, true_ids = scene
    members = sets.candidates[sets.candidates["source_id"].isin(true_ids)]
    faint = members[members["phot_g_mean_mag"] > 19]
    votes = judged(faint, sets, trained, probability="votes", n_samples=20)
    assert set(np.round(votes * 20, 9) % 1) == {0.0}
    assert np.corrcoef(votes, judged(faint, sets, trained))[0, 1] > 0.7


def test_verdict_does_not_depend_on_what_else_is_judged(scene, trained):
    sets, _ = scene
    judge = ConeJudge.of(sets, trained, rng=np.random.default_rng(1))
    alone = judge.probabilities(sets.candidates.iloc[:50], rng=np.random.default_rng(2))
    shuffled = sets.candidates.iloc[:50].sample(frac=1, random_state=1)
    again = judge.probabilities(shuffled, rng=np.random.default_rng(3))
    # other support sets are drawn, nothing else changes
    np.testing.assert_allclose(again, pd.Series(alone, sets.candidates.index[:50])[shuffled.index], atol=0.15)


def test_same_seed_gives_the_same_probabilities(scene, trained):
    sets, _ = scene
    np.testing.assert_array_equal(*(judged(sets.candidates, sets, trained) for _ in "ab"))


def test_star_without_colour_has_no_probability_and_changes_nothing(scene, trained):
    sets, _ = scene
    judge = ConeJudge.of(sets, trained, rng=np.random.default_rng(1))
    some = sets.candidates.iloc[:20].copy()
    whole = judge.probabilities(some, rng=np.random.default_rng(2))
    broken = some.copy()
    for name in ("g_rp", "f_c", "f_g", "f_c_sigma", "f_g_sigma"):
        broken.iloc[19, broken.columns.get_loc(name)] = np.nan
    found = judge.probabilities(broken, rng=np.random.default_rng(2))
    assert np.isnan(found).tolist() == [False] * 19 + [True]
    np.testing.assert_allclose(found[:19], whole[:19], atol=0.1)  # other support sets, nothing else


def test_bright_star_with_another_parallax_is_rejected(scene, trained):
    """What the published features cannot do: they allow a bright star the scatter of a faint one."""
    sets, _ = scene
    bright = sets.members[sets.members["phot_g_mean_mag"] < 15]
    moved = bright.assign(parallax=bright["parallax"] + 0.5)
    moved = add_features(moved, sets.cluster, sets.limits, sets.isochrone, sets.colour)
    assert (judged(bright, sets, trained) >= 0.5).mean() > 0.9
    assert (judged(moved, sets, trained) >= 0.5).mean() < 0.15


def test_isochrone_ends_where_the_selection_of_the_sets_says(scene, trained):
    sets, _ = scene
    some = sets.candidates[sets.candidates["f_c"].notna()].iloc[:20]
    error = some["g_rp_error"]
    twice = {weight: 2 * (sets.limits.colour + weight * error) for weight in (0.0, 3.0)}
    between = some.assign(f_c=(twice[0.0] + twice[3.0]) / 2, f_g=0.0)
    for weight, off in ((0.0, True), (3.0, False)):
        built = replace(sets, selection=replace(sets.selection, source_error_weight=weight))
        rng = np.random.default_rng(1)
        judge = ConeJudge(read_cone(built, rng=rng), trained)
        assert (judge.log_ratios(between, rng=rng) == -np.inf).all() == off


def test_too_few_members_and_wrong_mode_are_said(scene, trained):
    sets, _ = scene
    few = replace(sets, members=sets.members.iloc[:6])
    with pytest.raises(TooFewMembersError, match="has 6 members, a support set needs 10"):
        judged(sets.candidates, few, trained)
    votes = replace(trained, hyper_parameters={"probability": "votes"})
    with pytest.raises(ValueError, match="which the sets lack"):
        judged(sets.candidates, sets, votes)


def test_published_model_knows_no_posterior(scene, shared):
    sets, _ = scene
    published = Classifier.load(shared / "original_models" / "DS10_v02")
    with pytest.raises(ValueError, match="was trained for --probability votes"):
        judged(sets.candidates, sets, published, probability="posterior")


def test_training_twice_gives_the_same_model(data_dir, tmp_path):
    options = replace(OPTIONS, n_epochs=2)
    for folder in ("a", "b"):
        names = ["Train_0", "Train_1", "Train_2"] if folder == "a" else ["Train_2", "Train_1", "Train_0"]
        train_deep_sets_model(names, data_dir, tmp_path / folder, options=options, seed=3)
    for file in ("hyper_parameters", "model_parameters"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_cluster_without_truth_cannot_be_learned_from(data_dir, tmp_path):
    sets, _ = simulated_scene(300, "Real_1")
    save_sets(sets, tmp_path)
    with pytest.raises(FileNotFoundError, match="learns from stars whose "):
        cone_examples("Real_1", tmp_path, seed=1)


def test_labels_of_a_real_cluster_come_first_and_must_be_whole(scene, tmp_path):
    sets, true_ids = scene
    folder = save_sets(sets, tmp_path)
    labelled = sets.candidates["source_id"].head(40)
    labels = pd.DataFrame({"source_id": labelled, "is_member": labelled.isin(true_ids), "weight": 5.0})
    labels.to_csv(folder / "labels.csv", index=False)
    labels.assign(is_member=True).to_csv(folder / "truth.csv", index=False)
    read = read_labels("Scene_1", tmp_path)
    assert read["is_member"].tolist() == labels["is_member"].tolist()
    assert (read["weight"] == 5).all()
    labels.drop(columns="is_member").to_csv(folder / "labels.csv", index=False)
    with pytest.raises(ValueError, match=r"labels.csv has no column is_member"):
        cone_examples("Scene_1", tmp_path, seed=1)
    for wrong, said in (
        ({"is_member": "blue"}, "neither True nor False"),
        ({"weight": -1.0}, "no number from 0"),
    ):
        labels.assign(**wrong).to_csv(folder / "labels.csv", index=False)
        with pytest.raises(ValueError, match=said):
            read_labels("Scene_1", tmp_path)


def test_examples_keep_the_class_ratio_and_leave_unlabelled_stars_out(scene, tmp_path):
    sets, true_ids = scene
    stars = pd.concat([sets.non_members, sets.members, sets.candidates])
    truth = pd.DataFrame({"source_id": stars["source_id"], "is_member": stars["source_id"].isin(true_ids)})
    truth = truth.iloc[:-500]  # the last are unlabelled
    truth.to_csv(save_sets(sets, tmp_path) / "truth.csv", index=False)
    examples = cone_examples("Scene_1", tmp_path, seed=1)
    judged = truth.iloc[len(sets.non_members) :]  # the network judges no others
    assert examples.stars["is_member"].sum() == judged["is_member"].sum()
    assert examples.stars["weight"].sum() == pytest.approx(len(judged), rel=0.2)  # few stand for many
    assert len(examples.stars) < len(judged)
    sure = examples.stars["own"] >= 0
    own = examples.support.iloc[examples.stars.loc[sure, "own"]]
    assert len(own) > len(sets.members)  # sure members that no list has
    np.testing.assert_allclose(own["magnitude"].to_numpy(), examples.stars.loc[sure, "magnitude"].to_numpy())
    odds = examples.stars["log_odds"]
    assert odds[examples.stars["is_member"]].median() > odds[~examples.stars["is_member"]].median() + 1


def test_evidence_has_all_features_and_knows_members_from_field(scene):
    sets, true_ids = scene
    reading = read_cone(sets, rng=np.random.default_rng(0))
    evidence = star_evidence(sets.candidates, reading)
    assert set(evidence) == {*STAR_FEATURES, *SUPPORT_FEATURES}
    assert star_evidence(sets.candidates.iloc[:0], reading).empty
    assert set(cone_evidence(reading)) == set(CONE_FEATURES)
    assert np.isfinite(evidence.to_numpy()).all()
    is_member = sets.candidates["source_id"].isin(true_ids).to_numpy()
    assert evidence["log_ratio"][is_member].median() > evidence["log_ratio"][~is_member].median() + 1


def test_evidence_does_not_know_the_place(scene):
    sets, _ = scene
    reading = read_cone(sets, rng=np.random.default_rng(0))
    some = sets.candidates.iloc[:50]
    moved = some.assign(f_r=some["f_r"] + 20.0)
    pd.testing.assert_frame_equal(star_evidence(some, reading), star_evidence(moved, reading))


def test_second_reading_finds_sure_members_that_no_list_has(scene):
    sets, true_ids = scene
    reading = read_cone(sets, rng=np.random.default_rng(0))
    assert len(reading.members) > 1.3 * len(sets.members)
    assert reading.members["source_id"].isin(true_ids).mean() > 0.85
    faint = reading.members["phot_g_mean_mag"] > 18
    assert faint.sum() > 20


def test_member_does_not_count_for_its_own_sequence(scene):
    sets, _ = scene
    reading = read_cone(sets, rng=np.random.default_rng(0))
    member = reading.members.iloc[[3]]
    shifted = reading.members.copy()
    shifted.iloc[3, shifted.columns.get_loc("f_c_sigma")] += 3.0
    one, other = (
        star_evidence(member, replace(reading, members=members))["c_sequence"].iloc[0]
        for members in (reading.members, shifted)
    )
    assert one == pytest.approx(other)


def test_frame_that_members_fill_keeps_its_cluster_where_ratios_say_nothing(scene, trained, monkeypatch):
    sets, _ = scene
    inner = float(np.quantile(sets.members["f_r"], 0.8))
    cut = replace(
        sets,
        candidates=sets.candidates[sets.candidates["f_r"] < inner].reset_index(drop=True),
        non_members=sets.non_members[sets.non_members["f_r"] < inner],
    )
    monkeypatch.setattr(ConeJudge, "log_ratios", lambda self, stars, rng: np.full(len(stars), -0.5))
    judge = ConeJudge.of(cut, trained, rng=np.random.default_rng(0))
    assert judge.reading.members_everywhere
    assert judge.n_members[0] > 0.7 * len(judge.reading.members)
    open_sky = ConeJudge.of(sets, trained, rng=np.random.default_rng(0))
    assert not open_sky.reading.members_everywhere
    assert open_sky.n_members[0] < 0.2 * len(open_sky.reading.members)


def test_number_in_a_frame_is_less_certain_the_more_members_it_has_for_each_field_star(
    scene, trained, monkeypatch
):
    sets, _ = scene
    inner = float(np.quantile(sets.members["f_r"], 0.8))
    near = replace(
        sets,
        candidates=sets.candidates[sets.candidates["f_r"] < inner].reset_index(drop=True),
        non_members=sets.non_members[sets.non_members["f_r"] < inner].reset_index(drop=True),
    )
    without_field = replace(near, non_members=near.non_members.iloc[:0])
    judges = [
        ConeJudge.of(part, trained, rng=np.random.default_rng(0)) for part in (sets, near, without_field)
    ]
    assert [judge.reading.members_everywhere for judge in judges] == [False, True, True]
    assert judges[0].ratio_scatter == judges[0].calibration.scatter
    few, many = (len(judge.reading.members) / judge.reading.density.total for judge in judges[1:])
    assert few < many
    scatters = [judge.ratio_scatter for judge in judges[1:]]
    assert scatters == pytest.approx([1.2 * min(few, 1), 1.2 * min(many, 1)])
    monkeypatch.setattr(ConeJudge, "ratio_scatter", 0.0)
    without = ConeJudge.of(without_field, trained, rng=np.random.default_rng(0))
    assert without.n_members[0] == judges[2].n_members[0]
    assert without.n_members[1] < judges[2].n_members[1]


def test_wide_sequence_makes_offsets_from_it_count_less(scene):
    sets, _ = scene
    reading = read_cone(sets, rng=np.random.default_rng(0))
    scattered = reading.members.copy()
    scattered["f_c_sigma"] += np.random.default_rng(1).normal(0, 3, len(scattered))
    stars = sets.candidates[sets.candidates["f_c_sigma"].abs().between(3, 6)]
    narrow, wide = (
        star_evidence(stars, replace(reading, members=members)) for members in (reading.members, scattered)
    )
    faint = (stars["phot_g_mean_mag"] > 19).to_numpy()
    ratio = (wide["c_sequence"].abs() / narrow["c_sequence"].abs()).to_numpy()
    assert np.median(ratio) < 0.8
    assert np.median(ratio[faint]) > np.median(ratio[~faint])  # whose errors are larger than any sequence


def test_small_field_counts_stars_by_their_chance_of_being_field(scene):
    sets, true_ids = scene
    inner = float(np.quantile(sets.members["f_r"], 0.8))
    cut = replace(
        sets,
        candidates=sets.candidates[sets.candidates["f_r"] < inner],
        non_members=sets.non_members[sets.non_members["f_r"] < inner],
    )
    whole = read_cone(sets, rng=np.random.default_rng(0)).density
    assert (whole.weights == 1).all()
    assert whole.total < 0.9 * len(whole.weights)  # only candidates are counted
    small = read_cone(cut, rng=np.random.default_rng(0)).density
    weights = small.weights[: len(cut.candidates)]
    is_member = cut.candidates["source_id"].isin(true_ids).to_numpy()
    assert weights[is_member].mean() < 0.5 < weights[~is_member].mean()


def test_logits_do_not_depend_on_threads(scene, trained, monkeypatch):
    sets, _ = scene
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(judged(sets.candidates.iloc[:100], sets, trained))
    np.testing.assert_array_equal(*found)
