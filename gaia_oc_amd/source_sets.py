"""The sets of a cluster and their files, and the lists of stars that are drawn from them."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from gaia_oc_amd._version import __version__
from gaia_oc_amd.absence import BEYOND
from gaia_oc_amd.arguments import checked, settle
from gaia_oc_amd.candidates import SelectionLimits, recorded_selection
from gaia_oc_amd.catalogues.names import canonical_name, normalise_name
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import (
    LISTED_PROBABILITY,
    OPTIONAL_COLUMNS,
    REJECTED_BY,
    SET_COLUMNS,
    TRAINING_MEMBER,
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
    command_again,
    file_fingerprint,
    is_intact,
    sealed,
    value_fingerprint,
    without_seal,
)
from gaia_oc_amd.files.tables import read_table, require_columns, write_rows
from gaia_oc_amd.isochrone_stages import StageOffset, as_records, stage_offsets
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.kept_cone import accept_cone
from gaia_oc_amd.options import EXPORT_SUFFIXES, SelectionOptions

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
    suffixes = (*EXPORT_SUFFIXES.values(), ".mrt")
    if old := [path for name in names for end in suffixes if (path := folder / f"{name}{end}").exists()]:
        for path in old:
            path.unlink()
        kinds = ", ".join(sorted({path.suffix for path in old}))
        logger.info("%s: the exported tables (%s) are of the sets as they were: removed.", folder.name, kinds)


SetName = Literal["members", "candidates", "non_members", "comparison"]
SET_NAMES: tuple[SetName, ...] = ("members", "candidates", "non_members", "comparison")
OUTSIDE_FILE = "comparison_outside.csv"
"""Stars of the comparison list that no source of the cone is."""
_ALWAYS = ("source_id", "ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag", "f_r", "PMemb")
"""What a set has if the members have it, besides the colour of the selection."""
OUTSIDE_COLUMNS = (*_ALWAYS, BEYOND)
"""What is kept of these stars, as far as the list has it; the list's own identifiers and values, and which limit of
the cone they lie beyond."""
_FILES = {name: (f"{name}.csv",) for name in SET_NAMES} | {"comparison": ("comparison.csv", OUTSIDE_FILE)}
"""CSV files of each set."""
SET_FILES = (CLUSTER_FILE, *(file for files in _FILES.values() for file in files))
UNJUDGED_FILES = (CLUSTER_FILE, "members.csv", "non_members.csv")
"""Files of the sets that an evaluation leaves as they are."""
FIT_FILE = "isochrone_fit.json"
FIT = "isochrone_fit"
"""Key of cluster.json under which age, extinction and distance stand that fit_isochrone.py found."""
_FITTED = tuple(f"{name}{end}" for name in ("age", "a0", "dist") for end in ("", "_lower", "_upper"))


def fitted_parameters(folder: Path) -> dict[str, Any]:
    """What a fit of the isochrone found, of a cluster's folder that has one; else nothing.

    Returns
    -------
    dict
        age [log10 yr], a0 [mag] and dist [pc], each with ``_lower`` and ``_upper``, the 16 and 84 % quantiles of the
        tempered posterior (docs/isochrone_fit.md says how often they hold the truth); n_stars, metal_fraction,
        age_limit.
    """
    try:
        fit = read_json(folder / FIT_FILE)["fit"]
        return {name: fit[name] for name in (*_FITTED, "n_stars", "metal_fraction", "age_limit")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def add_fit(folder: Path) -> None:
    """Put what a fit of the isochrone found into cluster.json."""
    content = without_seal(read_json(folder / CLUSTER_FILE))
    write_json(folder / CLUSTER_FILE, sealed(content | {FIT: fitted_parameters(folder)}))


def _nobody() -> pd.DataFrame:
    return _as_numbers(pd.DataFrame(columns=SET_COLUMNS))


def _nobody_outside() -> pd.DataFrame:
    return pd.DataFrame(columns=["source_id", "f_r", "PMemb"], dtype=float).astype({"source_id": np.int64})


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
        Disjoint sets of the cone's sources, with the columns of `columns.SET_COLUMNS`. PMemb is the list's for
        members, ours for candidates (NaN before an evaluation), 0 for non-members.
    comparison : DataFrame
        Sources of the comparison list that are in the cone, whatever set they are in, with that list's PMemb; may be
        empty.
    judged_members : DataFrame
        The training members once more with our PMemb, each judged without itself; empty before an evaluation.
    comparison_outside : DataFrame
        Stars of the comparison list that are not in the cone, with the columns of `OUTSIDE_COLUMNS` that it has.
    comparison_name : str
        What the comparison list is called.
    selection : SelectionOptions
        How the candidates were selected.
    """

    cluster: Cluster
    limits: SelectionLimits
    isochrone: Isochrone
    colour: str
    members: pd.DataFrame
    candidates: pd.DataFrame
    non_members: pd.DataFrame
    comparison: pd.DataFrame
    judged_members: pd.DataFrame = field(default_factory=_nobody)
    comparison_outside: pd.DataFrame = field(default_factory=_nobody_outside)
    comparison_name: str = "comparison list"
    selection: SelectionOptions = field(default_factory=SelectionOptions)

    def __post_init__(self) -> None:
        settle(self)
        of_members = set(self.members) if len(self.members) else set()
        for name in (*SET_NAMES, "judged_members"):
            table = getattr(self, name)
            needed = [c for c in (*_ALWAYS, self.colour) if c in table or c in of_members]
            require_columns(table, needed, f"the {name}", "take what `prepare_stars` gives, with PMemb")

    def counts(self) -> dict[str, int]:
        """Number of sources in each set."""
        return {name: len(getattr(self, name)) for name in SET_NAMES}

    @cached_property
    def stage_offsets(self) -> list[StageOffset]:
        """How far the listed members of each evolutionary stage lie beside the isochrone."""
        return stage_offsets(self)

    def is_evaluated(self) -> bool:
        """Whether candidates or training members have a probability of ours."""
        return bool(self.candidates["PMemb"].notna().any() or len(self.judged_members))

    def scored(self) -> pd.DataFrame:
        """The stars that an evaluation scores: the candidates, then the training members.

        Returns
        -------
        DataFrame
            What candidates.csv holds: PMemb is ours, and the column training_member says which ones the network
            learnt from. Before an evaluation these are the candidates alone.
        """
        parts = [(self.candidates, False), (self.judged_members, True)]
        tables = [part.assign(**{TRAINING_MEMBER: trained}) for part, trained in parts if len(part)]
        if not tables:
            return self.candidates.assign(**{TRAINING_MEMBER: np.zeros(0, bool)})
        return pd.concat(tables, ignore_index=True)

    def table(self, name: str) -> pd.DataFrame:
        """Rows of the file of a set, one of `SET_NAMES`."""
        return self.scored() if name == "candidates" else getattr(self, name)


def without_training_members(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of candidates.csv, as it was read, that are no training members; one without the column has none."""
    if TRAINING_MEMBER not in table:
        return table
    kept = ~table[TRAINING_MEMBER].to_numpy(bool)
    return table.loc[kept, [name for name in table if name != TRAINING_MEMBER]].reset_index(drop=True)


@checked
def save_sets(sets: SourceSets, data_dir: Path | str, *, made_with: dict[str, Any] | None = None) -> Path:
    """Write the CSVs of the sets and cluster.json into the cluster's folder, all of them or none.

    The files are written beside the old ones first. cluster.json is removed before they are renamed and renamed
    last: sets without it were interrupted and count as absent. It holds the fingerprints of the CSVs and its own.

    Parameters
    ----------
    sets : SourceSets
        What to save.
    data_dir : path
        The data directory.
    made_with : dict of option dataclasses, optional
        Recorded in cluster.json beside those of the selection.

    Returns
    -------
    Path
        The cluster's folder.
    """
    folder = cluster_directory(data_dir, sets.cluster.name)
    recorded = {**(made_with or {}), "selection": sets.selection}
    content = {
        "cluster": sets.cluster.as_dict(),
        "limits": sets.limits.as_dict(),
        "colour": sets.colour,
        "comparison": {"name": sets.comparison_name, "outside": len(sets.comparison_outside)},
        "counts": sets.counts(),
        "version": __version__,
        "options": {group: asdict(options) for group, options in recorded.items()},
        "isochrone_stages": as_records(sets.stage_offsets),
        "isochrone": {name: points for name, points in vars(sets.isochrone).items() if points is not None},
    }
    if fitted := fitted_parameters(folder):
        content[FIT] = fitted
    with ExitStack() as files:  # which renames in the opposite order: cluster.json last
        manifest = files.enter_context(write_atomically(folder / CLUSTER_FILE))
        tables = {f"{name}.csv": sets.table(name) for name in SET_NAMES}
        tables[OUTSIDE_FILE] = sets.comparison_outside
        paths = [files.enter_context(write_atomically(folder / name)) for name in tables]
        with ThreadPoolExecutor() as pool:  # pyarrow writes side by side
            list(pool.map(_write_set, paths, tables.values()))
        marks = {name: file_fingerprint(path) for name, path in zip(tables, paths, strict=True)}
        write_json(manifest, sealed(content | {"files": marks}))
        (folder / CLUSTER_FILE).unlink(missing_ok=True)
        remove_exports(folder, (*SET_NAMES, "member_list"))
    return folder


def _write_set(path: Path, table: pd.DataFrame) -> None:
    with path.open("wb") as file:
        write_rows(file, table)


@checked
def load_sets(
    name: str,
    data_dir: Path | str,
    *,
    parts: tuple[SetName, ...] = SET_NAMES,
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
    tables = {part: _read_set(folder, part, columns) if part in parts else _nobody() for part in SET_NAMES}
    scored, outside = tables["candidates"], folder / OUTSIDE_FILE if "comparison" in parts else None
    return SourceSets(
        **_read_cluster_file(folder / CLUSTER_FILE),
        members=tables["members"],
        non_members=tables["non_members"],
        comparison=tables["comparison"],
        candidates=without_training_members(scored),
        judged_members=_training_members(scored),
        comparison_outside=read_table(outside) if outside and outside.exists() else _nobody_outside(),
    )


_LARGEST = 1e6
"""Nothing in cluster.json is larger; distances [pc] come nearest."""


def _read_cluster_file(path: Path) -> dict[str, Any]:
    """What cluster.json says: cluster, limits, isochrone, colour, selection, and the comparison list's name."""
    content = read_json(path)
    try:
        cluster, limits = Cluster.from_dict(content["cluster"]), SelectionLimits(**content["limits"])
        for name, value in {**asdict(cluster), **asdict(limits)}.items():
            if name != "name" and abs(value) > _LARGEST:  # NaN, which stands for what is unknown, is not
                raise ValueError(f"{name} is {value!s:.40}, larger than {_LARGEST:g}")
        points = {key: np.array(value, float) for key, value in content["isochrone"].items()}
        if content["colour"] not in ("g_rp", "bp_rp"):
            raise ValueError("its colour is none")
        if len({values.shape for values in points.values()}) > 1 or not all(
            values.ndim == 1 and len(values) and not (np.abs(values) > _LARGEST).any()
            for values in points.values()
        ):
            raise ValueError("its isochrone is none")
        return {
            "cluster": cluster,
            "limits": limits,
            "isochrone": Isochrone(**points),
            "colour": content["colour"],
            "selection": recorded_selection(content),
            "comparison_name": str(content.get("comparison", {}).get("name", "comparison list")),
        }
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{path} is incomplete or wrong ({error}): run `{_built_again(path.parent)}`."
        ) from error


def _training_members(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of candidates.csv, as it was read, that are training members."""
    if TRAINING_MEMBER not in table:
        return _nobody()
    return table[table[TRAINING_MEMBER].to_numpy(bool)].drop(columns=TRAINING_MEMBER).reset_index(drop=True)


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
    for file in (file for part in parts for file in _FILES[part]):
        marks, found = _marks(content, file), _fingerprint_of(folder / file)
        if marks and found is not None and found not in marks:
            raise ChangedFileError(_changed(folder, file))


def _changed(folder: Path, file: str) -> str:
    return (
        f"{folder / file} was changed after build_sets.py made it: run `{_built_again(folder)}` to make it anew, or "
        "give --accept_changes if the change is meant."
    )


def _built_again(folder: Path) -> str:
    return command_again(folder, "sets", "build_sets.py", "--overwrite")


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
        For a stage's ``made_with``: an evaluation, which changes candidates.csv alone, leaves cluster.json as it is,
        and a fit of the isochrone, which is added to it, changes nothing of the sets.
    """
    marks = {name: file_fingerprint(folder / name) for name in files if (folder / name).exists()}
    if CLUSTER_FILE in marks:
        content = without_seal(read_json(folder / CLUSTER_FILE))
        content = {name: value for name, value in content.items() if name not in ("files", "changing", FIT)}
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
    files = {file: _fingerprint_of(folder / file) for file in SET_FILES if file != CLUSTER_FILE}
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
    """Refuse sets, if there are any, that were changed since they were made; accept them and the cone if told to.

    Raises
    ------
    ChangedFileError
        If there is a change that is not accepted.
    """
    if accept:
        accept_cone(folder)
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
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: run `{_built_again(folder)}`.")
    if columns is not None:
        return read_table(path, columns=(*columns, TRAINING_MEMBER))
    table = read_table(path)
    if absent := [name for name in SET_COLUMNS if name not in (*table, *OPTIONAL_COLUMNS)]:
        raise ValueError(f"{path} lacks the columns {', '.join(absent)}: run `{_built_again(folder)}`.")
    return _as_numbers(table).assign(
        **{REJECTED_BY: table[REJECTED_BY].astype(object).fillna("").astype("str")}
    )


def _as_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Set whose PMemb is a number though nobody is judged, and whose columns are though it is empty."""
    if len(table):
        return table.astype({"PMemb": float, LISTED_PROBABILITY: float})
    words = {"source_id", REJECTED_BY, TRAINING_MEMBER}
    return table.astype({"source_id": np.int64} | dict.fromkeys(set(table) - words, float))


def sets_folder(name: str, data_dir: Path | str) -> Path:
    """Folder with the sets of a cluster, whose name is spelt as `existing_name` takes it.

    Raises
    ------
    FileNotFoundError
        If the sets were never built, or the building was interrupted.
    """
    folder = cluster_directory(data_dir, existing_name(name, data_dir))
    if not (folder / CLUSTER_FILE).exists():
        raise FileNotFoundError(
            f"{folder / CLUSTER_FILE} does not exist: run `{command_again(folder, 'sets', 'build_sets.py')}` first."
        )
    return folder


def save_candidates(sets: SourceSets, data_dir: Path | str) -> None:
    """Rewrite candidates.csv after an evaluation, with the scored training members, and its fingerprint."""
    folder = cluster_directory(data_dir, existing_name(sets.cluster.name, data_dir))
    remove_exports(folder, (*SET_NAMES, "member_list"))
    path, content = folder / "candidates.csv", read_json(folder / CLUSTER_FILE)
    content.pop("changing", None)
    with write_atomically(path) as temporary:
        _write_set(temporary, sets.scored())
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
