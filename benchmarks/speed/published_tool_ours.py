"""What runs in our environment for `published_tool.py`: the common input, and our side of each comparison."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np
import pandas as pd
import torch
from drawn_stars import drawn_stars
from published_tool_files import write_published_files
from published_tool_limit import fastest
from timing import answer, machine, measured

from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.fast_deep_sets import draw_support_sets
from gaia_oc_amd.features import can_be_sampled, sample_features
from gaia_oc_amd.isochrones import isochrone_offsets
from gaia_oc_amd.membership import judge_candidates, vote_probabilities
from gaia_oc_amd.options import SamplingOptions, TrainingOptions
from gaia_oc_amd.source_sets import load_sets, save_sets
from gaia_oc_amd.training import fit
from gaia_oc_amd.training_sets import make_training_set, standardisations

PARTS, COLUMNS = ("members", "non_members"), TrainingOptions().source_features
"""What the training reads."""


def describe():
    """Machine, and threads of PyTorch."""
    return {"machine": machine(), "torch": torch.__version__, "threads": torch.get_num_threads()}


def thin(name, data_dir, n_candidates, seed):
    """Give a cluster's sets exactly so many candidates, and non-members in the same proportion."""
    sets, rng = load_sets(name, data_dir), np.random.default_rng(seed)
    n_non_members = round(n_candidates / len(sets.candidates) * len(sets.non_members))
    candidates = chosen(sets.candidates, n_candidates, sets.colour, rng=rng)
    non_members = chosen(sets.non_members, n_non_members, sets.colour, rng=rng)
    save_sets(replace(sets, candidates=candidates, non_members=non_members), data_dir)
    return {"n_found": len(sets.candidates), "n_members": len(sets.members), "n_non_members": n_non_members}


def chosen(stars, n, colour, *, rng):
    """So many stars at random, of those that both tools can judge."""
    return drawn_stars(stars[can_be_sampled(stars, colour, ["f_r", "f_c", "f_g"])], n, rng=rng)


def write_theirs(clusters, data_dir, clusters_dir):
    """Write the sets of clusters in the published tool's files."""
    for name in clusters:
        write_published_files(load_sets(name, data_dir), Path(clusters_dir) / name)
    return {}


def probabilities(name, data_dir, model_dir, n_samples, probability="votes", stop_early=False):
    """What `evaluate_clusters.py` calls: files read and written."""
    options = SamplingOptions(probability=probability, n_samples=n_samples, stop_early=stop_early)
    return measured(lambda: judge_candidates(name, data_dir, Classifier.load(model_dir), options=options))[1]


def votes(name, data_dir, model_dir, n_samples):
    """The probabilities alone, with sets and network in memory."""
    sets, classifier, rng = load_sets(name, data_dir), Classifier.load(model_dir), np.random.default_rng(1)
    options = SamplingOptions(n_samples=n_samples)

    def judge(n=None):
        return vote_probabilities(sets.candidates.iloc[:n], sets, classifier, options=options, rng=rng)

    judge(10)  # machine code is read from disk at the first call
    return measured(judge)[1]


def shortcut(name, data_dir, model_dir, n_samples):
    """How far stopping early changes the probabilities, beside what other random numbers do."""
    sets, classifier = load_sets(name, data_dir), Classifier.load(model_dir)

    def judge(seed, stop_early=False):
        options, rng = (
            SamplingOptions(n_samples=n_samples, stop_early=stop_early),
            np.random.default_rng(seed),
        )
        return vote_probabilities(sets.candidates, sets, classifier, options=options, rng=rng)

    exact, other, early = judge(1), judge(2), judge(1, stop_early=True)
    return {
        "largest": float(np.nanmax(np.abs(early - exact))),
        "largest_by_chance": float(np.nanmax(np.abs(other - exact))),
        "other_side": int(((early >= 0.5) != (exact >= 0.5)).sum()),
        "other_side_by_chance": int(((other >= 0.5) != (exact >= 0.5)).sum()),
        "sum": float(np.nansum(early) / np.nansum(exact)),
    }


def limit(n_instances):
    """Time of the network's matrix products alone."""
    return fastest(n_instances)


def compare(name, data_dir, cluster_dir):
    """How the probabilities of both tools differ."""
    ours = load_sets(name, data_dir).candidates
    theirs = pd.read_csv(Path(cluster_dir) / "candidates.csv")
    return differences(*(table.set_index("source_id")["PMemb"] for table in (ours, theirs)))


def differences(ours, theirs):
    """Mean absolute difference, correlation and agreement of two series of probabilities by source_id."""
    both = pd.concat([ours.rename("ours"), theirs.rename("theirs")], axis=1, join="inner").dropna()
    difference = (both["ours"] - both["theirs"]).abs()
    agree = (both["ours"] >= 0.5) == (both["theirs"] >= 0.5)
    varied = both.std().min() > 0
    return {
        "n": len(both),
        "mean_difference": float(difference.mean()),
        "above_0.1": float((difference > 0.1).mean()),
        "correlation": float(both["ours"].corr(both["theirs"])) if varied else None,
        "same_verdict": float(agree.mean()),
    }


def functions(name, data_dir, model_dir, n_stars):
    """Single steps of the evaluation: nearest isochrone points, support sets, features of one sample."""
    sets, classifier, rng = load_sets(name, data_dir), Classifier.load(model_dir), np.random.default_rng(1)
    names, candidates = list(classifier.source_features.names), sets.candidates
    colour, g = (np.resize(candidates[key].to_numpy(), n_stars) for key in (sets.colour, "phot_g_mean_mag"))

    def nearest(n=n_stars):
        return isochrone_offsets(sets.isochrone, colour[:n], g[:n], sets.limits.colour, sets.limits.g)

    def draw():
        return draw_support_sets(len(sets.members), 10, rng=rng, n_sets=len(candidates))

    def features(n=None):
        sample = sample_features(candidates.iloc[:n], sets, names, n_samples=1, rng=rng)
        return classifier.source_features(sample[:, 0])

    nearest(10)  # machine code is read from disk at the first call
    draw()
    features(10)
    calls = {"isochrone": nearest, "support_sets": draw, "sample_features": features}
    return {key: measured(call)[1] for key, call in calls.items()}


def data_set(data_dir, clusters):
    """Standardisation, training set and one epoch drawn, with the files read and with tables in memory."""

    def read():
        return [load_sets(name, data_dir, parts=PARTS, columns=COLUMNS) for name in clusters]

    _make_training_set([load_sets(clusters[0], data_dir)])  # machine code is read from disk at the first call
    (_, batches), reading = measured(lambda: _make_training_set(read()))
    all_sets = read()
    _, loaded = measured(lambda: _make_training_set(all_sets))
    return {"reading": reading, "loaded": loaded, "n_examples": _n_examples(batches)}


def _make_training_set(all_sets):
    options = TrainingOptions()
    features = standardisations(all_sets, options)
    training = make_training_set(all_sets, *features, size_support_set=options.size_support_set)
    return training, training.draw(options, rng=np.random.default_rng(1))


def _n_examples(batches):
    return sum(len(batch.is_member) for batch in batches)


def epoch(data_dir, clusters, n_epochs):
    """Mean time of an epoch of the training with default options, examples drawn anew each time."""
    training, batches = _make_training_set([load_sets(name, data_dir) for name in clusters])
    n_source, n_cluster = training.members.shape[1], training.clusters.shape[1]
    network = DeepSets(n_source + n_cluster, n_source)
    network.initialise(torch.Generator().manual_seed(1))
    fit(network, training, None, TrainingOptions(n_epochs=1), seed=1)
    options = TrainingOptions(n_epochs=n_epochs)
    state, figures = measured(lambda: fit(network, training, None, options, seed=1))
    return {
        "seconds": figures["seconds"] / n_epochs,
        "peak": figures["peak"],
        "n_examples": _n_examples(batches),
        "loss": state.train["loss"][-1],
    }


if __name__ == "__main__":
    answer(
        describe,
        thin,
        write_theirs,
        probabilities,
        votes,
        shortcut,
        limit,
        compare,
        functions,
        data_set,
        epoch,
    )
