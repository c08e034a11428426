"""What `growth.py` measures, each task in a process of its own."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np
import pandas as pd
import torch
from drawn_stars import drawn_stars
from timing import answer, machine, measured

from gaia_oc_amd.catalogues.tables import read_input_tables
from gaia_oc_amd.classifier import Classifier, Standardisation
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.files.tables import read_table, write_table
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.options import ConeOptions, SamplingOptions, TrainingOptions
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.source_sets import load_sets, save_sets

FIELD_TABLES = ("candidates", "non_members")


def describe():
    """Machine, and threads of PyTorch."""
    return {"machine": f"{machine()}; PyTorch {torch.__version__} with {torch.get_num_threads()} threads"}


def write_model(name, data_dir, model_dir):
    """A network of the published size with random weights, which takes as long as a trained one."""
    sets, options = load_sets(name, data_dir), TrainingOptions()
    stars = pd.concat([sets.members, sets.non_members])
    clusters = pd.DataFrame([sets.cluster.as_dict()])
    features = (
        Standardisation.of(stars.dropna(subset=list(options.source_features)), options.source_features),
        Standardisation.of(clusters, options.cluster_features),
    )
    n_source, n_cluster = (len(part.names) for part in features)
    network = DeepSets(n_source + n_cluster, n_source, options.hidden_size)
    network.initialise(torch.Generator().manual_seed(1))
    Classifier(network.weights(), *features).save(model_dir)
    return {}


def write_field(name, data_dir, folder, sizes):
    """Candidates and non-members of a cluster in tables of wanted numbers of candidates, in the same proportion."""
    sets, rng = load_sets(name, data_dir), np.random.default_rng(1)
    for n in sizes:
        for what in FIELD_TABLES:
            stars = getattr(sets, what)
            n_stars = round(n * len(stars) / len(sets.candidates))
            write_table(Path(folder) / f"{what}_{n}.parquet", drawn_stars(stars, n_stars, rng=rng), "parquet")
    return {"n_candidates": len(sets.candidates), "n_non_members": len(sets.non_members)}


def judge(name, data_dir, folder, n, model_dir, probability, n_samples):
    """Probabilities of n candidates. The peak memory includes the tables of the sets."""
    cluster, classifier = load_cluster_only(name, data_dir), Classifier.load(model_dir)
    options = SamplingOptions(probability=probability, n_samples=n_samples)
    rng = np.random.default_rng(1)

    def tables():
        return {what: read_field_table(folder, what, n) for what in FIELD_TABLES}

    sets, reading = measured(lambda: replace(cluster, **tables()))
    few = sets.candidates.iloc[:100]
    membership_probabilities(few, sets, classifier, options=replace(options, n_samples=1), rng=rng)  # warm
    _, judging = measured(
        lambda: membership_probabilities(sets.candidates, sets, classifier, options=options, rng=rng)
    )
    return {"seconds": judging["seconds"], "peak": reading["peak"] + judging["peak"]}


def read_field_table(folder, what, n):
    """One of the tables that `write_field` wrote."""
    table = read_table(Path(folder) / f"{what}_{n}.parquet")
    return table.astype({"PMemb": float})


def load_cluster_only(name, data_dir):
    """Sets without field; they are read from a copy of the cluster's folder that has none."""
    return load_sets(f"{name}_members", data_dir)


def write_members_only(name, data_dir):
    """The copy that `load_cluster_only` reads."""
    sets = load_sets(name, data_dir)
    empty = {what: getattr(sets, what).iloc[:1] for what in (*FIELD_TABLES, "comparison")}
    cluster = replace(sets.cluster, name=f"{name}_members")
    save_sets(replace(sets, cluster=cluster, **empty), data_dir)
    return {}


def write_cones(name, data_dir, folder, sizes):
    """Cones of wanted numbers of sources, from that of a cluster; all its listed members are in each."""
    cone = read_table(Path(data_dir) / "cones" / f"{name}.parquet")
    listed = cone["source_id"].isin(read_input_tables(data_dir).members["source_id"])
    rng = np.random.default_rng(1)
    for n in sizes:
        others = drawn_stars(cone[~listed], max(n - int(listed.sum()), 1), rng=rng)
        sources = pd.concat([cone[listed], others]).sort_values("source_id")
        write_table(Path(folder) / f"cone_{n}.parquet", sources, "parquet")
    return {"n_sources": len(cone)}


def build(name, data_dir, cone, first):
    """Build the sets of a cluster from a table of sources, and save them elsewhere; `first` is a small table.

    The first building loads what is imported when it is needed, and is not counted.
    """
    tables, other_dir = read_input_tables(data_dir), Path(cone).parent / "built"

    def work(source):
        options = ConeOptions(cone_source=source, overwrite_cone=True)
        sets = build_sets(name, tables, other_dir, cone=options)
        save_sets(sets, other_dir)
        return sets

    work(first)
    sets, figures = measured(lambda: work(cone))
    return figures | {"n_candidates": len(sets.candidates)}


if __name__ == "__main__":
    answer(describe, write_model, write_field, write_members_only, judge, write_cones, build)
