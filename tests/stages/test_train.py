"""A training replaces no model unasked, keeps the one that it replaces, and can go on from a trained one."""

import json
import shutil

import numpy as np
import pytest
from toy_field import toy_sets

from gaia_oc_amd.classifier import Classifier, load_metrics
from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.files.provenance import without_seal
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.model_files import HYPER_PARAMETERS, MODEL_PARAMETERS, WEIGHTS
from gaia_oc_amd.options import FigureOptions, SamplingOptions, TrainingOptions
from gaia_oc_amd.source_sets import save_sets
from gaia_oc_amd.stages.options import TrainOptions
from gaia_oc_amd.stages.train import train_model

FAST = TrainingOptions(
    n_epochs=2, hidden_size=8, size_support_set=5, validation_fraction=0.5, batch_size=256, lr=1e-3
)
NAMES = ["Toy_0", "Toy_1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for seed in range(2):
        save_sets(toy_sets(seed), folder)
    train(folder)
    return folder


@pytest.fixture
def data(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "data")


def train(data, seed=1, training=FAST, **options):
    figures = FigureOptions(save_plots=False)
    given = TrainOptions(model_dir=data / "mine", training=training, figures=figures, **options)
    return train_model(NAMES, data, given, seed=seed)


def weights(folder):
    return (folder / MODEL_PARAMETERS).read_bytes()


def test_a_model_is_replaced_only_if_asked_and_kept(data):
    first = weights(data / "mine")
    with pytest.raises(UsageError, match="--overwrite"):
        train(data, seed=2)
    assert weights(data / "mine") == first
    assert not (data / "mine_replaced_1").exists()
    train(data, seed=2, overwrite=True)
    assert weights(data / "mine") != first
    assert weights(data / "mine_replaced_1") == first
    Classifier.load(data / "mine_replaced_1")


def test_a_network_without_members_is_said(trained, data, caplog, monkeypatch):
    """Whatever it is that it learnt."""
    metrics = load_metrics(trained / "mine")
    for f1, said in ((0.0, True), (0.4, False)):
        caplog.clear()
        values = {name: {"f1": [f1] * len(metrics[name]["f1"])} for name in ("train", "validation")}
        monkeypatch.setattr("gaia_oc_amd.stages.train.load_metrics", lambda _: metrics | values)  # noqa: B023
        train(data, overwrite=True)
        assert ("finds none of the members" in caplog.text) == said


def test_the_shipped_model_is_not_the_default():
    assert TrainOptions().model_dir.name != "deep_sets_model"


def test_a_training_goes_on_from_a_trained_model(data):
    before = Classifier.load(data / "mine")
    tiny = TrainingOptions(n_epochs=1, size_support_set=5, validation_fraction=0.5, lr=1e-12)
    train(data, training=tiny, load_model=True)
    after = Classifier.load(data / "mine")
    assert after.source_features.names == before.source_features.names
    np.testing.assert_array_equal(after.source_features.means, before.source_features.means)
    for name, value in before.network.state_dict().items():
        np.testing.assert_allclose(after.network.state_dict()[name], value, atol=1e-6)
    assert after.hyper_parameters["started_from"] == before.fingerprint()
    assert weights(data / "mine_replaced_1") != b""
    train(data, training=FAST, load_model=True)
    assert any(
        not np.allclose(value, after.network.state_dict()[name], atol=1e-5)
        for name, value in Classifier.load(data / "mine").network.state_dict().items()
    )


def test_models_with_training_features_are_read(tmp_path):
    """As the published tool wrote them before it knew features of the cluster."""
    sets = toy_sets(0)
    save_sets(sets, tmp_path)
    save_sets(toy_sets(1), tmp_path)
    options = TrainOptions(
        model_dir=tmp_path / "old",
        training=TrainingOptions(
            n_epochs=1, hidden_size=8, size_support_set=5, cluster_features=(), validation_fraction=0.5
        ),
        figures=FigureOptions(save_plots=False),
    )
    train_model(NAMES, tmp_path, options)
    ours = Classifier.load(tmp_path / "old")
    path = tmp_path / "old" / HYPER_PARAMETERS
    content = without_seal(json.loads(path.read_text()))
    content.pop(WEIGHTS)
    for end in ("s", "_means", "_stds"):
        content[f"training_feature{end}"] = content.pop(f"source_feature{end}")
        content.pop(f"cluster_feature{end}")
    path.write_text(json.dumps(content))
    old = Classifier.load(tmp_path / "old")
    assert old.cluster_features.names == ()
    features = sets.candidates[list(ours.source_features.names)].to_numpy(float)
    np.testing.assert_array_equal(old.source_features(features), ours.source_features(features))
    for name, value in ours.network.state_dict().items():
        np.testing.assert_array_equal(old.network.state_dict()[name], value)
    options = SamplingOptions(n_samples=5, size_support_set=5)
    rng = np.random.default_rng(1)
    probability = membership_probabilities(sets.candidates, sets, old, options=options, rng=rng)
    assert np.isfinite(probability).all()
