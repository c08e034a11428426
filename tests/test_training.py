"""Training sets, splitting, and a training that learns, repeats itself and can be interrupted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from toy_field import toy_sets

from gaia_oc_amd.classifier import Classifier, load_metrics
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.options import TrainingOptions
from gaia_oc_amd.source_sets import save_sets
from gaia_oc_amd.training import Checkpoint, classification_metrics, train_deep_sets_model
from gaia_oc_amd.training_sets import make_training_set, split_clusters, standardisations

NAMES = [f"Toy_{i}" for i in range(4)]
FAST = TrainingOptions(
    n_epochs=6, hidden_size=16, size_support_set=5, validation_fraction=0.5, batch_size=256, lr=1e-3
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for seed in range(4):
        save_sets(toy_sets(seed), folder)
    return folder


def draw(options, seed=0, sets=None):
    sets = sets or [toy_sets(0), toy_sets(1, n_members=20)]
    training = make_training_set(
        sets, *standardisations(sets, options), size_support_set=options.size_support_set
    )
    return training, training.draw(options, rng=np.random.default_rng(seed))


def test_an_epoch_has_the_right_numbers():
    training, batches = draw(
        TrainingOptions(size_support_set=5, n_pos_duplicates=2, neg_pos_ratio=5, batch_size=100)
    )
    labels = torch.cat([batch.is_member for batch in batches])
    assert labels.sum() == 2 * 80
    assert len(labels) == 2 * 80 * 6
    assert {len(batch.is_member) for batch in batches[:-1]} == {100}


def test_support_stars_are_other_members_of_the_same_cluster():
    training, batches = draw(TrainingOptions(size_support_set=5))
    of_cluster = torch.tensor([0] * 60 + [1] * 20)
    for batch in batches:
        cluster = of_cluster[batch.chosen]
        assert (cluster == cluster[:, :1]).all()
        own = batch.candidates[:, None, :5] == training.members[batch.chosen]
        assert not own.all(dim=-1).any()
        np.testing.assert_array_equal(batch.candidates[:, 5:], training.clusters[cluster[:, 0]])


def test_support_set_may_take_all_other_members():
    training, batches = draw(TrainingOptions(size_support_set=19))
    assert sum(len(batch.is_member) for batch in batches) == 960
    with pytest.raises(TooFewMembersError, match="Toy_1 has 20 usable members"):
        draw(TrainingOptions(size_support_set=20))


def test_non_members_are_repeated_only_when_they_run_out():
    sets = [toy_sets(0)]  # 350 non-members, 600 wanted
    _, batches = draw(TrainingOptions(size_support_set=5), sets=sets)
    rows = torch.cat([batch.candidates[batch.is_member == 0] for batch in batches])
    _, counts = torch.unique(rows, dim=0, return_counts=True)
    assert len(counts) == 350
    assert set(counts.tolist()) == {1, 2}


def test_support_sets_differ_between_draws_and_seeds_repeat():
    options = TrainingOptions(size_support_set=5)
    one, two, other = (draw(options, seed)[1][0].chosen for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_a_source_without_features_is_left_out():
    sets = toy_sets(0)
    broken = sets.members.copy()
    broken.iloc[0, broken.columns.get_loc("f_c")] = np.nan
    training, batches = draw(TrainingOptions(size_support_set=5), sets=[replace(sets, members=broken)])
    assert len(training.members) == 59
    assert all(torch.isfinite(batch.candidates).all() for batch in batches)


def test_unknown_feature_is_named():
    with pytest.raises(ValueError, match="f_x is no source feature"):
        draw(TrainingOptions(source_features=("f_x",)))


def test_split_is_by_cluster_and_ignores_the_order():
    names = [f"C{i}" for i in range(10)]
    training, validation = split_clusters(names, 0.3, rng=np.random.default_rng(1))
    assert (len(training), len(validation)) == (7, 3)
    assert sorted(training + validation) == names
    assert split_clusters(names[::-1], 0.3, rng=np.random.default_rng(1)) == (training, validation)
    assert split_clusters(["only"], 0.3, rng=np.random.default_rng(1)) == (["only"], [])


def test_network_learns_the_toy_clusters(data_dir, tmp_path):
    train_deep_sets_model(NAMES, data_dir, tmp_path, options=FAST, seed=3)
    metrics = load_metrics(tmp_path)
    assert metrics["validation"]["f1"][metrics["best_epoch"]] > 0.9
    assert metrics["train"]["loss"][-1] < metrics["train"]["loss"][0] / 2


def test_shuffled_labels_are_not_learned(data_dir, tmp_path):
    """The case that must fail: members and non-members that do not differ."""
    for seed in range(4):
        sets = toy_sets(seed)
        mixed = pd.concat([sets.members, sets.non_members]).sample(frac=1, random_state=seed)
        save_sets(
            replace(sets, members=mixed.iloc[:60], non_members=mixed.iloc[60:]),
            tmp_path / "data",
        )
    train_deep_sets_model(NAMES, tmp_path / "data", tmp_path, options=FAST, seed=3)
    metrics = load_metrics(tmp_path)
    assert metrics["validation"]["f1"][metrics["best_epoch"]] < 0.5


def weights(model_dir):
    return Classifier.load(model_dir).network.state_dict()


def assert_same_weights(one, two):
    for name, value in weights(one).items():
        torch.testing.assert_close(value, weights(two)[name], rtol=0, atol=0)


def test_same_seed_gives_the_same_model_whatever_the_order(data_dir, tmp_path):
    train_deep_sets_model(NAMES, data_dir, tmp_path / "one", options=FAST, seed=3)
    torch.rand(7)  # the global stream must not matter
    train_deep_sets_model(NAMES[::-1], data_dir, tmp_path / "two", options=FAST, seed=3)
    assert_same_weights(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "one" / "metrics").read_text() == (tmp_path / "two" / "metrics").read_text()


def test_interrupted_training_resumes_to_the_same_model(data_dir, tmp_path, monkeypatch):
    train_deep_sets_model(NAMES, data_dir, tmp_path / "whole", options=FAST, seed=3)
    write = Checkpoint.write

    def interrupt(checkpoint, state):
        write(checkpoint, state)
        if state.n_epochs == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_deep_sets_model(NAMES, data_dir, tmp_path / "parts", options=FAST, seed=3)
    assert not (tmp_path / "parts" / "model_parameters").exists()
    monkeypatch.undo()
    with pytest.raises(ValueError, match="another .*seed"):
        train_deep_sets_model(NAMES, data_dir, tmp_path / "parts", options=FAST, seed=4, resume=True)
    train_deep_sets_model(NAMES, data_dir, tmp_path / "parts", options=FAST, seed=3, resume=True)
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")
    assert not (tmp_path / "parts" / "checkpoint").exists()


def test_nothing_to_resume_is_said(data_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing can be resumed"):
        train_deep_sets_model(NAMES, data_dir, tmp_path, options=FAST, resume=True)


def test_damaged_checkpoint_is_refused(data_dir, tmp_path):
    (tmp_path / "checkpoint").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        train_deep_sets_model(NAMES, data_dir, tmp_path, options=FAST, resume=True)


def test_checkpoint_of_an_earlier_version_is_refused(data_dir, tmp_path, monkeypatch):
    write = Checkpoint.write

    def as_earlier(checkpoint, state):
        network = DeepSets(8, 5, FAST.hidden_size)
        state.optimiser = torch.optim.Adam(network.parameters()).state_dict()  # an entry for each layer
        write(checkpoint, state)
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", as_earlier)
    with pytest.raises(KeyboardInterrupt):
        train_deep_sets_model(NAMES, data_dir, tmp_path, options=FAST)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="made by another version of this program: train without --resume"):
        train_deep_sets_model(NAMES, data_dir, tmp_path, options=FAST, resume=True)


def test_diverging_training_ends_in_one_line_and_saves_nothing(data_dir, tmp_path):
    options = TrainingOptions(n_epochs=3, size_support_set=5, hidden_size=8, lr=1e30)
    with pytest.raises(ValueError, match="loss is not finite after epoch 1: use a lower --lr"):
        train_deep_sets_model(NAMES, data_dir, tmp_path, options=options)
    assert not (tmp_path / "model_parameters").exists()


def test_model_does_not_depend_on_the_number_of_threads(data_dir, tmp_path, monkeypatch):
    n_threads = torch.get_num_threads()
    for n, folder in (("1", "one"), ("2", "two")):
        monkeypatch.setenv("OMP_NUM_THREADS", n)
        train_deep_sets_model(NAMES, data_dir, tmp_path / folder, options=FAST, seed=3)
        assert torch.get_num_threads() == n_threads
    assert_same_weights(tmp_path / "one", tmp_path / "two")


def test_training_stops_when_the_best_epoch_is_old(data_dir, tmp_path):
    options = TrainingOptions(
        n_epochs=50, early_stopping_threshold=2, size_support_set=5, hidden_size=8, lr=1e-9
    )
    train_deep_sets_model(NAMES, data_dir, tmp_path, options=options)
    metrics = load_metrics(tmp_path)
    assert len(metrics["train"]["loss"]) == metrics["best_epoch"] + 3


def test_metrics_by_hand():
    found = classification_metrics([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0])
    expected = {"precision": 2 / 3, "recall": 2 / 3, "selectivity": 0.8, "accuracy": 0.75, "f1": 2 / 3}
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert classification_metrics([0, 0], [0, 0])["f1"] == 0
