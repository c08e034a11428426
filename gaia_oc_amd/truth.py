"""Completeness and contamination of a member list where the truth is known, as it is for simulated clusters."""

from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.arguments import Threshold, checked
from gaia_oc_amd.files.data_directory import cluster_directory
from gaia_oc_amd.files.tables import read_table, require_columns
from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.source_sets import SourceSets

TRUTH_FILE = "truth.csv"
LABELS_FILE = "labels.csv"
"""Stars of a real cluster that are known to be members or field, as far as that can be said."""
MAGNITUDE_EDGES = (-np.inf, 16.0, 18.0, 19.0, 20.0, np.inf)


def read_truth(name: str, data_dir: Path | str) -> pd.DataFrame | None:
    """Truth of a simulated cluster.

    Parameters
    ----------
    name : str
        Cluster name.
    data_dir : path
        The data directory.

    Returns
    -------
    DataFrame or None
        With source_id and is_member; None where there is no truth.
    """
    path = cluster_directory(data_dir, name) / TRUTH_FILE
    if not path.exists():
        return None
    table = read_table(path, required=("source_id", "is_member"))
    return table.assign(is_member=_yes_or_no(table["is_member"], path))


def read_labels(name: str, data_dir: Path | str) -> pd.DataFrame:
    """Stars that a posterior network can learn from: labels.csv of a cluster, else the truth of a simulated one.

    Parameters
    ----------
    name : str
        Cluster name.
    data_dir : path
        The data directory.

    Returns
    -------
    DataFrame, indexed by source_id
        is_member, and weight, how much a star counts (1 where the file does not say). Stars that are not there are
        unlabelled.

    Raises
    ------
    FileNotFoundError
        If there is neither file.
    ValueError
        If a file lacks the columns source_id and is_member, or they or the weights hold something else.
    """
    folder = cluster_directory(data_dir, name)
    found = [folder / file for file in (LABELS_FILE, TRUTH_FILE) if (folder / file).exists()]
    if not found:
        raise FileNotFoundError(
            f"{folder} has neither {LABELS_FILE} nor {TRUTH_FILE}: --probability posterior learns from stars whose "
            "truth is known, as those of simulate_clusters.py; train with --probability votes on others."
        )
    table = read_table(found[0], required=("source_id", "is_member"))
    weight = pd.to_numeric(table.get("weight", pd.Series(1.0, table.index)), errors="coerce")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError(f"{found[0]} has a weight that is no number from 0: make it again.")
    labels = table[["source_id"]].assign(is_member=_yes_or_no(table["is_member"], found[0]), weight=weight)
    return labels.set_index("source_id")


def _yes_or_no(values: pd.Series, origin: Path | str) -> pd.Series:
    if not values.isin([0, 1]).all():  # True and False are 1 and 0
        raise ValueError(f"{origin} has an is_member that is neither True nor False: make it again.")
    return values.astype(bool)


@checked
def score_against_truth(
    sets: SourceSets, truth: pd.DataFrame, *, prob_threshold: Threshold = 0.5
) -> pd.DataFrame:
    """Completeness and contamination by magnitude.

    Parameters
    ----------
    sets : SourceSets
        Evaluated sets. Found are the training members and candidates above the threshold; before an evaluation
        all training members.
    truth : DataFrame
        Columns source_id and is_member.
    prob_threshold : float
        Smallest PMemb of a found member.

    Returns
    -------
    DataFrame
        One row per interval of G and one for all: true members in the cone, stars found, those of them that
        are members, completeness = correct / true, contamination = 1 - correct / found (NaN where nothing can
        be divided).

    Raises
    ------
    TypeError, ValueError
        If the truth is no table with these columns, is_member True or False.
    """
    require_columns(truth, ("source_id", "is_member"), "true members", "take what `read_truth` gives")
    truth = truth.assign(is_member=_yes_or_no(truth["is_member"], "the table of true members"))
    stars = pd.concat([sets.members, sets.candidates, sets.non_members], ignore_index=True)
    found = stars["source_id"].isin(our_members(sets, prob_threshold)["source_id"])
    is_member = stars["source_id"].isin(truth.loc[truth["is_member"], "source_id"])
    interval = pd.cut(stars["phot_g_mean_mag"], MAGNITUDE_EDGES, right=False)
    parts = [
        ("all", np.ones(len(stars), bool)),
        *((_label(i), interval == i) for i in interval.cat.categories),
    ]
    rows = [
        {"G": label, "true": int((is_member & part).sum()), "found": int((found & part).sum()),
         "correct": int((found & is_member & part).sum())}
        for label, part in parts
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    with np.errstate(invalid="ignore"):
        return table.assign(
            completeness=table["correct"] / table["true"], contamination=1 - table["correct"] / table["found"]
        )


def _label(interval: pd.Interval) -> str:
    if np.isinf(interval.left):
        return f"< {interval.right:g}"
    return f">= {interval.left:g}" if np.isinf(interval.right) else f"{interval.left:g} - {interval.right:g}"


def truth_text(table: pd.DataFrame) -> str:
    """The table of `score_against_truth` as text, shares in percent."""
    shares = {name: (100 * table[name]).map("{:.1f} %".format).replace("nan %", "-") for name in _SHARES}
    return table.assign(**shares).to_string(index=False)


_SHARES = ("completeness", "contamination")
