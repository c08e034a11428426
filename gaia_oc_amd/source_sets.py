"""The sets of a cluster and their files, and the lists of stars that are drawn from them."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd._version import __version__
from gaia_oc_amd.candidates import SelectionLimits
from gaia_oc_amd.catalogues.names import canonical_name, normalise_name
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import (
    MAGNITUDE_ERRORS,
    REJECTED_BY,
    REQUIRED_COLUMNS,
    SET_COLUMNS,
    SIGMA_OFFSETS,
    SOURCE_FEATURES,
)
from gaia_oc_amd.files.data_directory import (
    CLUSTER_FILE,
    cluster_directory,
    read_json,
    write_atomically,
    write_json,
)
from gaia_oc_amd.files.tables import read_table, write_csv, write_rows
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.options import EXPORT_SUFFIXES

logger = logging.getLogger(__name__)


def remove_exports(folder: Path, names: tuple[str, ...]) -> None:
    """Remove the tables that were written beside CSV files which are about to change.

    Parameters
    ----------
    folder : path
        The cluster's folder.
    names : tuple of str
        The sets.
    """
    paths = [folder / f"{name}{suffix}" for name in names for suffix in EXPORT_SUFFIXES.values()]
    old = [path for path in paths if path.exists()]
    for path in old:
        path.unlink()
    if old:
        kinds = ", ".join(sorted({path.suffix for path in old}))
        logger.info("%s: the exported tables (%s) are of the sets as they were: removed.", folder.name, kinds)


SET_NAMES = ("members", "candidates", "non_members", "comparison")
SET_FILES = (CLUSTER_FILE, *(f"{name}.csv" for name in SET_NAMES))
UNJUDGED_FILES = (CLUSTER_FILE, "members.csv", "non_members.csv")
"""Files of the sets that an evaluation leaves as they are."""


@dataclass(frozen=True)
class SourceSets:
    """The sets of one cluster with what they were made with.

    Parameters
    ----------
    cluster : Cluster
        Means and standard deviations of the training members.
    limits : SelectionLimits
        Candidate selection limits.
    isochrone : Isochrone
        The cluster's isochrone.
    colour : str
        Colour of isochrone and selection, ``g_rp`` or ``bp_rp``.
    members, candidates, non_members : DataFrame
        Disjoint sets of the cone's sources, with the columns of `columns.SET_COLUMNS`.
    comparison : DataFrame
        Sources of the comparison list that are in the cone, whatever set they are in; may be empty.
    """

    cluster: Cluster
    limits: SelectionLimits
    isochrone: Isochrone
    colour: str
    members: pd.DataFrame
    candidates: pd.DataFrame
    non_members: pd.DataFrame
    comparison: pd.DataFrame

    def counts(self) -> dict[str, int]:
        """Number of sources in each set."""
        return {name: len(getattr(self, name)) for name in SET_NAMES}


def save_sets(sets: SourceSets, data_dir: Path | str, *, made_with: dict[str, Any] | None = None) -> Path:
    """Write the four CSVs and cluster.json into the cluster's folder, all of them or none.

    The files are written beside the old ones first. cluster.json is removed before they are renamed and renamed
    last: sets without it were interrupted and count as absent.

    Parameters
    ----------
    sets : SourceSets
        What to save.
    data_dir : path
        The data directory.
    made_with : dict of option dataclasses, optional
        Recorded in cluster.json.

    Returns
    -------
    Path
        The cluster's folder.
    """
    folder = cluster_directory(data_dir, sets.cluster.name)
    content = {
        "cluster": sets.cluster.as_dict(),
        "limits": sets.limits.as_dict(),
        "colour": sets.colour,
        "counts": sets.counts(),
        "version": __version__,
        "options": {group: asdict(options) for group, options in (made_with or {}).items()},
        "isochrone": {"colour": sets.isochrone.colour, "g": sets.isochrone.g},
    }
    with ExitStack() as files:  # which renames in the opposite order: cluster.json last
        write_json(files.enter_context(write_atomically(folder / CLUSTER_FILE)), content)
        paths = [files.enter_context(write_atomically(folder / f"{name}.csv")) for name in SET_NAMES]
        with ThreadPoolExecutor() as pool:  # pyarrow writes side by side
            list(pool.map(_write_set, paths, [getattr(sets, name) for name in SET_NAMES]))
        (folder / CLUSTER_FILE).unlink(missing_ok=True)
        remove_exports(folder, SET_NAMES)
    return folder


def _write_set(path: Path, table: pd.DataFrame) -> None:
    with path.open("wb") as file:
        write_rows(file, table)


def load_sets(
    name: str,
    data_dir: Path | str,
    *,
    parts: tuple[str, ...] = SET_NAMES,
    columns: tuple[str, ...] | None = None,
) -> SourceSets:
    """Read the sets that `save_sets` wrote.

    Parameters
    ----------
    name : str
        Cluster name as the folder is called, ignoring case, underscores, spaces and hyphens.
    data_dir : path
        The data directory.
    parts : tuple of str
        Which of the four sets are read; the others come out empty.
    columns : tuple of str, optional
        The only columns that are read, as far as they are there; by default all.

    Returns
    -------
    SourceSets

    Raises
    ------
    FileNotFoundError
        If the sets were never built, or the building was interrupted.
    ValueError
        If a file is damaged.
    """
    path = sets_folder(name, data_dir) / CLUSTER_FILE
    name = path.parent.name
    content = read_json(path)
    try:
        return SourceSets(
            cluster=Cluster.from_dict(content["cluster"]),
            limits=SelectionLimits(**content["limits"]),
            isochrone=Isochrone(
                **{key: np.array(value, float) for key, value in content["isochrone"].items()}
            ),
            colour=content["colour"],
            **{
                part: _read_set(path.parent, part, columns)
                if part in parts
                else _as_numbers(pd.DataFrame(columns=SET_COLUMNS))
                for part in SET_NAMES
            },
        )
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is incomplete ({error}): run `python build_sets.py {name}` again."
        ) from error


def _read_set(folder: Path, set_name: str, columns: tuple[str, ...] | None) -> pd.DataFrame:
    """One of the four sets, with all its columns or some of them."""
    path = folder / f"{set_name}.csv"
    if columns is not None:
        return read_table(path, columns=columns)
    table = read_table(path)
    needed = (*REQUIRED_COLUMNS, *MAGNITUDE_ERRORS, *SOURCE_FEATURES, *SIGMA_OFFSETS, REJECTED_BY, "PMemb")
    absent = [name for name in needed if name not in table]
    if absent:
        raise ValueError(
            f"{path} lacks the columns {', '.join(absent)}: run `python build_sets.py {folder.name}` again."
        )
    return _as_numbers(table).assign(
        **{REJECTED_BY: table[REJECTED_BY].astype(object).fillna("").astype("str")}
    )


def _as_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Set whose PMemb is a number though nobody is judged, and whose columns are though it is empty."""
    if len(table):
        return table.astype({"PMemb": float})
    kinds = {"source_id": np.int64} | dict.fromkeys(set(table) - {"source_id", REJECTED_BY}, float)
    return table.astype(kinds)


def sets_folder(name: str, data_dir: Path | str) -> Path:
    """Folder with the sets of a cluster, whose name is spelt as `existing_name` takes it.

    Raises
    ------
    FileNotFoundError
        If the sets were never built, or the building was interrupted.
    """
    name = existing_name(name, data_dir)
    folder = cluster_directory(data_dir, name)
    if not (folder / CLUSTER_FILE).exists():
        raise FileNotFoundError(
            f"{folder / CLUSTER_FILE} does not exist: run `python build_sets.py {name}` first."
        )
    return folder


def save_candidates(sets: SourceSets, data_dir: Path | str) -> None:
    """Rewrite candidates.csv, whose PMemb an evaluation has changed, and nothing else."""
    folder = cluster_directory(data_dir, existing_name(sets.cluster.name, data_dir))
    remove_exports(folder, SET_NAMES)
    write_csv(folder / "candidates.csv", sets.candidates)


def existing_name(name: str, data_dir: Path | str) -> str:
    """Spelling of a name, or an alias, among the cluster folders that exist; the name itself if there is none.

    Raises
    ------
    ValueError
        If several folders differ from it only in spelling or are aliases, or the name cannot be a folder's.
    """
    exact = cluster_directory(data_dir, name)  # refuses names that are no folder names
    folders = [folder.name for folder in exact.parent.iterdir()] if exact.parent.is_dir() else []
    alike = sorted(other for other in folders if normalise_name(other) == normalise_name(name))
    alike = alike or sorted(other for other in folders if canonical_name(other) == canonical_name(name))
    if exact.name in alike or not alike:
        return exact.name
    if len(alike) > 1:
        raise ValueError(f"{name} may be any of the folders {', '.join(alike)}: give the exact name.")
    return alike[0]


def probable_candidates(sets: "SourceSets", prob_threshold: float) -> pd.DataFrame:
    """Candidates whose PMemb reaches a threshold; none before the evaluation, when PMemb is NaN."""
    return sets.candidates[sets.candidates["PMemb"] >= prob_threshold]


def our_members(sets: "SourceSets", prob_threshold: float) -> pd.DataFrame:
    """Our member list: the training members and the candidates whose PMemb reaches a threshold.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a candidate.

    Returns
    -------
    DataFrame
        Rows of `sets.members` followed by rows of `sets.candidates`.
    """
    parts = [part for part in (sets.members, probable_candidates(sets, prob_threshold)) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else sets.members


def comparison_members(sets: "SourceSets", prob_threshold: float) -> pd.DataFrame:
    """Sources of the comparison list whose PMemb reaches a threshold, or that have none."""
    return sets.comparison[sets.comparison["PMemb"].fillna(1.0) >= prob_threshold]


def missed_members(sets: "SourceSets", prob_threshold: float) -> dict[str, pd.DataFrame]:
    """Members of the comparison list that are not in ours, by the reason.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a member, in both lists.

    Returns
    -------
    dict of str to DataFrame
        Rows of `sets.comparison` under 'improbable' (candidates below the threshold, or not evaluated),
        'non_member' (failed the selection) and 'outside' (not among the cone's sources).
    """
    comparison = comparison_members(sets, prob_threshold)
    ours = comparison["source_id"].isin(our_members(sets, prob_threshold)["source_id"])
    missed = comparison[~ours]
    candidate = missed["source_id"].isin(sets.candidates["source_id"])
    non_member = missed["source_id"].isin(sets.non_members["source_id"]) & ~candidate
    return {
        "improbable": missed[candidate],
        "non_member": missed[non_member],
        "outside": missed[~candidate & ~non_member],
    }


def overlap_sets(
    sets: "SourceSets", prob_threshold: float, *, core: bool = False
) -> tuple[set[int], set[int]]:
    """source_id of our members and of the comparison list's, above a probability.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb.
    core : bool
        Only sources with f_r < 20 pc and G < 18.

    Returns
    -------
    ours, comparison : set of int
    """
    tables = [our_members(sets, prob_threshold), comparison_members(sets, prob_threshold)]
    if core:
        tables = [table[(table["f_r"] < 20) & (table["phot_g_mean_mag"] < 18)] for table in tables]
    ours, theirs = (set(table["source_id"].tolist()) for table in tables)
    return ours, theirs


def membership_matrix(
    sets: "SourceSets", *, prob_threshold: float = 0.1, high_prob_threshold: float = 0.8
) -> pd.DataFrame:
    """Numbers of sources by our verdict and by the comparison list's.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold, high_prob_threshold : float
        PMemb that divides the candidates in three; one without PMemb counts as below both.

    Returns
    -------
    DataFrame
        Counts; the rows are our verdicts, the columns 'member' and 'not member' the comparison list's.
        They sum to the number of different sources. Comparison sources below
        `prob_threshold` are no members of that list.
    """
    listed = set(comparison_members(sets, prob_threshold)["source_id"].tolist())
    probability = sets.candidates["PMemb"].fillna(-1.0)
    low, high = probability < prob_threshold, probability >= high_prob_threshold
    verdicts = {
        "training member": sets.members,
        f"candidate, p ≥ {high_prob_threshold:g}": sets.candidates[high & ~low],
        f"candidate, {prob_threshold:g} ≤ p < {high_prob_threshold:g}": sets.candidates[~low & ~high],
        f"candidate, p < {prob_threshold:g}": sets.candidates[low],
        "non-member": sets.non_members,
    }
    rows, seen = {}, set()
    for verdict, table in verdicts.items():
        sources = set(table["source_id"].tolist()) - seen
        rows[verdict] = (len(sources & listed), len(sources - listed))
        seen |= sources
    rows["not in the cone"] = (len(listed - seen), 0)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["member", "not member"])


def within_radius(sets: "SourceSets", radius: float) -> "SourceSets":
    """Sets of the sources within a projected radius [pc]."""
    return replace(
        sets, **{name: getattr(sets, name)[getattr(sets, name)["f_r"] <= radius] for name in SET_NAMES}
    )
