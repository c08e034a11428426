"""The steps of train_shipped_model.sh in small: simulate, build, train, calibrate; the same again is the same model."""

import shutil

import pytest
import recalibrate
import torch

import build_sets
import train_deep_sets_model
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import simulate_clusters

NAMES = ["Chain_1", "Chain_2", "Chain_3"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Sets and truth of three small clusters."""
    simulated, data = tmp_path_factory.mktemp("simulated"), tmp_path_factory.mktemp("data")
    options = SimulationOptions(cone_radius=14, field_density=2000, n_members=150)
    simulate_clusters(NAMES, simulated, options, seed=11)
    tables = {
        "members": "cg18_members.csv",
        "comparison": "t22_members.csv",
        "cluster": "cluster_parameters.csv",
        "isochrone": "isochrones.dat",
    }
    paths = [word for name, file in tables.items() for word in (f"--{name}_path", str(simulated / file))]
    cones = ["--cone_source", str(simulated / "cones"), "--no-save_plots", "--data_dir", str(data)]
    assert build_sets.main([*NAMES, *cones, *paths]) == 0
    for name in NAMES:
        shutil.copy(simulated / "clusters" / name / "truth.csv", data / "clusters" / name)
    return data


def train(data_dir, folder):
    options = "--probability posterior --dropout 0 --n_epochs 2 --hidden_size 8 --size_support_set 5 --no-save_plots"
    where = ["--data_dir", str(data_dir), "--model_dir", str(folder)]
    assert train_deep_sets_model.main([*NAMES, *options.split(), *where]) == 0
    return Classifier.load(folder)


@pytest.fixture(scope="module")
def model_dir(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "first"
    train(data_dir, folder)
    return folder


@pytest.fixture(autouse=True)
def _quiet(restored_log):
    """What a command line does to the log is undone."""


def weights(classifier):
    return torch.cat([values.ravel() for values in classifier.network.state_dict().values()])


def test_the_same_training_gives_the_same_model_to_the_last_bit(data_dir, model_dir, tmp_path):
    first, again = Classifier.load(model_dir), train(data_dir, tmp_path / "again")
    assert torch.equal(weights(first), weights(again))
    assert first.hyper_parameters == again.hyper_parameters


def test_recalibrating_gives_the_calibration_of_the_training(data_dir, model_dir, tmp_path):
    trained, spoilt = Classifier.load(model_dir), Classifier.load(model_dir)
    spoilt.hyper_parameters["calibration"] = trained.hyper_parameters["calibration"] | {
        "slopes": [0.5] * 5,
        "scatter": 0.123,
    }
    spoilt.save(tmp_path)
    assert recalibrate.main([str(tmp_path), "--data_dir", str(data_dir)]) == 0
    again = Classifier.load(tmp_path)
    assert again.hyper_parameters == trained.hyper_parameters
    assert torch.equal(weights(again), weights(trained))
    for name in ("hyper_parameters", "model_parameters"):
        assert (tmp_path / name).read_bytes() == (model_dir / name).read_bytes()


def test_a_cluster_that_the_model_learnt_from_is_refused(data_dir, model_dir):
    learnt = Classifier.load(model_dir).hyper_parameters["training_clusters"][0]
    with pytest.raises(SystemExit, match=f"the model was trained on {learnt}: leave them out"):
        recalibrate.main([str(model_dir), learnt, "--data_dir", str(data_dir)])


def test_clusters_without_truth_are_no_clusters_to_calibrate_on(model_dir, tmp_path):
    with pytest.raises(
        SystemExit, match="has no truth.csv of a validation cluster of the model: name clusters"
    ):
        recalibrate.main([str(model_dir), "--data_dir", str(tmp_path)])
