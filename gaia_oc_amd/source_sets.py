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
from gaia_oc_amd.files.provenance import (
    ChangedFileError,
    accept_files,
    file_fingerprint,
    is_intact,
    sealed,
    value_fingerprint,
    without_seal,
)
from gaia_oc_amd.files.tables import read_table, write_rows
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
    last: sets without it were interrupted and count as absent. It holds the fingerprints of the CSVs and its own.

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
        manifest = files.enter_context(write_atomically(folder / CLUSTER_FILE))
        paths = [files.enter_context(write_atomically(folder / f"{name}.csv")) for name in SET_NAMES]
        with ThreadPoolExecutor() as pool:  # pyarrow writes side by side
            list(pool.map(_write_set, paths, [getattr(sets, name) for name in SET_NAMES]))
        marks = {f"{name}.csv": file_fingerprint(path) for name, path in zip(SET_NAMES, paths, strict=True)}
        write_json(manifest, sealed(content | {"files": marks}))
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
    ChangedFileError
        If a file was changed since this program wrote it (see `accept_changes`).
    ValueError
        If a file is damaged.
    """
    folder = sets_folder(name, data_dir)
    refuse_changed_sets(folder, parts)
    tables = {
        part: _read_set(folder, part, columns)
        if part in parts
        else _as_numbers(pd.DataFrame(columns=SET_COLUMNS))
        for part in SET_NAMES
    }
    return SourceSets(**_read_cluster_file(folder / CLUSTER_FILE), **tables)


_LARGEST = 1e6
"""Nothing in cluster.json is larger; distances [pc] come nearest."""


def _read_cluster_file(path: Path) -> dict[str, Any]:
    """What cluster.json says of the sets: ``cluster``, ``limits``, ``isochrone`` and ``colour``."""
    content = read_json(path)
    try:
        cluster = Cluster.from_dict(content["cluster"])
        numbers = {name: value for name, value in asdict(cluster).items() if name != "name"}
        _refuse_odd_numbers({**numbers, **content["limits"]})
        points = {key: np.array(value, float) for key, value in content["isochrone"].items()}
        if not isinstance(cluster.name, str) or content["colour"] not in ("g_rp", "bp_rp"):
            raise ValueError("its name or colour is none")
        if len({values.shape for values in points.values()}) > 1 or not all(
            values.ndim == 1 and len(values) and not (np.abs(values) > _LARGEST).any()
            for values in points.values()
        ):
            raise ValueError("its isochrone is none")
        return {
            "cluster": cluster,
            "limits": SelectionLimits(**content["limits"]),
            "isochrone": Isochrone(**points),
            "colour": content["colour"],
        }
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{path} is incomplete or wrong ({error}): run `python build_sets.py {path.parent.name} --overwrite`."
        ) from error


def _refuse_odd_numbers(values: dict[str, Any]) -> None:
    """Refuse what is no number, or larger than anything here can be; NaN stands for what is unknown."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
            raise ValueError(f"{name} is {value!s:.40}, not a number up to {_LARGEST:g}")


def refuse_changed_sets(folder: Path, parts: tuple[str, ...] = SET_NAMES) -> None:
    """Refuse sets of which a file is not what this program wrote, before anything is derived from them.

    Parameters
    ----------
    folder : path
        The cluster's folder.
    parts : tuple of str
        Sets whose files are compared; cluster.json always is. Files without a fingerprint, of an earlier version or
        made by hand, are taken as they are.

    Raises
    ------
    ChangedFileError
        With the name of the file, and what to do. A file that is absent is for the reader to miss.
    """
    content = read_json(folder / CLUSTER_FILE)
    if not is_intact(content):
        raise ChangedFileError(_changed(folder, CLUSTER_FILE))
    for part in parts:
        marks, found = _marks(content, f"{part}.csv"), _fingerprint_of(folder / f"{part}.csv")
        if marks and found is not None and found not in marks:
            raise ChangedFileError(_changed(folder, f"{part}.csv"))


def _changed(folder: Path, file: str) -> str:
    return (
        f"{folder / file} was changed after build_sets.py made it: run `python build_sets.py {folder.name} "
        "--overwrite` to make it anew, or give --accept_changes if the change is meant."
    )


def _marks(content: dict[str, Any], file: str) -> tuple[str, ...]:
    """Fingerprints that a file of the sets may have: one, or two while the evaluation replaces it."""
    kept = (content.get("files"), content.get("changing"))
    return tuple(marks[file] for marks in kept if isinstance(marks, dict) and file in marks)


def _fingerprint_of(path: Path) -> str | None:
    return file_fingerprint(path) if path.exists() else None


def set_fingerprints(folder: Path, files: tuple[str, ...]) -> dict[str, str]:
    """Fingerprints of those of a cluster's files that exist; cluster.json counts without its record of the others.

    Parameters
    ----------
    folder : path
        The cluster's folder.
    files : tuple of str
        Names of files in it.

    Returns
    -------
    dict of str
        For a stage's ``made_with``: an evaluation, which changes candidates.csv alone, leaves cluster.json as it is.
    """
    marks = {name: file_fingerprint(folder / name) for name in files if (folder / name).exists()}
    if CLUSTER_FILE in marks:
        content = without_seal(read_json(folder / CLUSTER_FILE))
        content = {name: value for name, value in content.items() if name not in ("files", "changing")}
        marks[CLUSTER_FILE] = value_fingerprint(content)
    return marks


def accept_changes(folder: Path) -> list[str]:
    """Let files of the sets that were changed by hand count as they are; cluster.json and the record say so.

    What was derived from them (evaluation, validation, report) is to be done anew.

    Parameters
    ----------
    folder : path
        The cluster's folder, held by `files.data_directory.locked`.

    Returns
    -------
    list of str
        Names of the files that had been changed.
    """
    content = read_json(folder / CLUSTER_FILE)
    files = {f"{name}.csv": _fingerprint_of(folder / f"{name}.csv") for name in SET_NAMES}
    changed = [file for file, mark in files.items() if (marks := _marks(content, file)) and mark not in marks]
    if not is_intact(content):
        changed.insert(0, CLUSTER_FILE)
    if changed:
        by_hand = sorted({*_texts(content.get("changed_by_hand")), *changed})
        content = {name: value for name, value in content.items() if name != "changing"}
        write_json(folder / CLUSTER_FILE, sealed(content | {"files": files, "changed_by_hand": by_hand}))
        accept_files(folder, [CLUSTER_FILE, *(file for file, mark in files.items() if mark)])
        logger.warning("%s: %s, changed by hand, accepted.", folder.name, ", ".join(changed))
    return changed


def check_sets(folder: Path, *, accept: bool = False) -> None:
    """Refuse sets, if there are any, that were changed since they were made; `accept_changes` first if told to.

    Raises
    ------
    ChangedFileError
        If there is a change that is not accepted.
    """
    if not (folder / CLUSTER_FILE).exists():
        return
    if accept:
        accept_changes(folder)
    refuse_changed_sets(folder)


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


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
    """Rewrite candidates.csv, whose PMemb an evaluation has changed, and its fingerprint in cluster.json."""
    folder = cluster_directory(data_dir, existing_name(sets.cluster.name, data_dir))
    remove_exports(folder, SET_NAMES)
    path, content = folder / "candidates.csv", read_json(folder / CLUSTER_FILE)
    content.pop("changing", None)
    with write_atomically(path) as temporary:
        _write_set(temporary, sets.candidates)
        mark = {path.name: file_fingerprint(temporary)}
        write_json(folder / CLUSTER_FILE, sealed(content | {"changing": mark}))  # a kill may come in between
    write_json(folder / CLUSTER_FILE, sealed(content | {"files": content.get("files", {}) | mark}))


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
