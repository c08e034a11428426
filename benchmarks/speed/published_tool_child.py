"""What runs in the published tool's environment; `published_tool.py` starts it with `python -I`.

It needs the standard library, the published tool and `timing`: our package must not be in its path.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))

import numpy as np
import pandas as pd
import torch
from gaia_oc_amd.candidate_evaluation.membership_probability import (
    calculate_candidate_probs,
    means_and_covariance_matrix,
)
from gaia_oc_amd.data_preparation import datasets
from gaia_oc_amd.data_preparation.cluster import Cluster
from gaia_oc_amd.data_preparation.features import add_features, isochrone_features_function
from gaia_oc_amd.io import load_cluster, load_hyper_parameters, load_sets
from gaia_oc_amd.machine_learning.deepsets_zaheer import D5
from gaia_oc_amd.machine_learning.training import step
from timing import answer, measured
from torch.utils.data import DataLoader

import gaia_oc_amd

SOURCE_FEATURES = ["f_r", "f_pm", "f_plx", "f_c", "f_g"]
CLUSTER_FEATURES = ["a0", "age", "parallax"]


def describe():
    """Folder of the model that the package carries, and threads of its PyTorch."""
    model = Path(gaia_oc_amd.__file__).parent / "candidate_evaluation" / "pretrained_models" / "DS10_v02"
    return {"model_dir": str(model), "torch": torch.__version__, "threads": torch.get_num_threads()}


def probabilities(cluster_dir, model_dir, n_samples):
    """Membership probabilities of a cluster's candidates, its files read and written."""
    return measured(lambda: calculate_candidate_probs(cluster_dir, model_dir, n_samples=n_samples))[1]


def functions(cluster_dir, model_dir, n_stars):
    """Single steps of the evaluation: nearest isochrone points, support sets, features of one sample."""
    cluster = Cluster(load_cluster(cluster_dir))
    members, candidates, _, _ = load_sets(cluster_dir)
    colour = cluster.isochrone_colour
    stars = pd.DataFrame(
        {name: np.resize(candidates[name].to_numpy(), n_stars) for name in (colour, "phot_g_mean_mag")}
    )

    def nearest():
        return isochrone_features_function(
            stars, cluster.isochrone, cluster.delta_c, cluster.delta_g, colour=colour
        )

    def draw():  # stars without features: the network's input is empty, only the drawing is left
        return datasets.concat_support_set(np.empty((len(candidates), 0)), np.empty((len(members), 0)), 10)

    features = _one_sample(candidates, cluster, model_dir)
    calls = {"isochrone": nearest, "support_sets": draw, "sample_features": features}
    return {name: measured(call)[1] for name, call in calls.items()} | {"points": len(cluster.isochrone)}


def _one_sample(candidates, cluster, model_dir):
    """A function that draws all candidates once and gives their standardised features."""
    known = load_hyper_parameters(model_dir)
    means, stds = (np.array(known[f"source_feature_{what}"]) for what in ("means", "stds"))
    drawn = ["parallax", "pmra", "pmdec", "phot_g_mean_mag", cluster.isochrone_colour]

    def features():
        centre, covariance = means_and_covariance_matrix(candidates, drawn)
        normal = np.random.standard_normal((*centre.shape, 1))  # noqa: NPY002
        sample = candidates.copy()
        sample[drawn] = centre + (np.linalg.cholesky(covariance) @ normal)[..., 0]
        add_features(sample, cluster, radius_feature=False)
        return (sample[known["source_features"]].to_numpy() - means) / stds

    return features


def data_set(clusters_dir, clusters):
    """Training examples of several clusters, with their files read and with tables that are there already."""
    _, reading = measured(lambda: _make_data_set(clusters_dir, clusters))
    for name in ("load_sets", "load_cluster"):
        read = getattr(datasets, name)
        tables = {f"{clusters_dir}/{cluster}": read(f"{clusters_dir}/{cluster}") for cluster in clusters}
        setattr(datasets, name, tables.__getitem__)
    examples, loaded = measured(lambda: _make_data_set(clusters_dir, clusters))
    return {"reading": reading, "loaded": loaded, "n_examples": len(examples)}


def _make_data_set(clusters_dir, clusters):
    means, stds = datasets.property_mean_and_std(clusters_dir, clusters, SOURCE_FEATURES, CLUSTER_FEATURES)
    return datasets.MultiClusterDeepSetsDataset(
        clusters_dir,
        clusters,
        SOURCE_FEATURES,
        source_feature_means=means["source"],
        source_feature_stds=stds["source"],
        cluster_feature_names=CLUSTER_FEATURES,
        cluster_feature_means=means["cluster"],
        cluster_feature_stds=stds["cluster"],
    )


def epoch(clusters_dir, clusters):
    """One training epoch with the defaults of its training function."""
    examples = _make_data_set(clusters_dir, clusters)
    model = D5(64, x_dim=2 * len(SOURCE_FEATURES) + len(CLUSTER_FEATURES), pool="mean", out_dim=2)
    criterion = torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0]), reduction="sum")
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-6, weight_decay=1e-5)
    batches = DataLoader(examples, batch_size=32, shuffle=True)
    (loss, _), figures = measured(lambda: step(batches, model, optimiser, criterion, 0))
    return figures | {"n_examples": len(examples), "loss": float(loss)}


if __name__ == "__main__":
    answer(describe, probabilities, functions, data_set, epoch)
