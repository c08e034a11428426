"""The cone that a cluster's folder keeps: written with its fingerprint, compared with it before it is used again."""

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.files.data_directory import read_json, write_json
from gaia_oc_amd.files.provenance import ChangedFileError, command_again, file_fingerprint, is_intact, sealed
from gaia_oc_amd.files.tables import write_table

logger = logging.getLogger(__name__)

CONE_FILES = {"votable": "cone.vot", "csv": "cone.csv", "parquet": "cone.parquet"}
_KEPT_NAMES = (*CONE_FILES.values(), "cone.vot.gz", "cone.csv.gz")  # the last two are of older versions
RECORD = "cone.json"


def cone_files(folder: Path) -> list[str]:
    """Names of the files in a cluster's folder that hold its cone."""
    return [name for name in (RECORD, *_KEPT_NAMES) if (folder / name).exists()]


def kept_cone(folder: Path) -> Path | None:
    """File in a cluster's folder that holds its cone, if there is one."""
    return next((folder / name for name in _KEPT_NAMES if (folder / name).exists()), None)


def keep_cone(
    folder: Path,
    sources: pd.DataFrame,
    format: Literal["votable", "csv", "csv.gz", "parquet"],
    made_by: dict[str, Any],
) -> None:
    """Write a cone and its record in place of older ones; a cone without a finished record counts as absent.

    Parameters
    ----------
    folder : path
        The cluster's folder.
    sources : DataFrame
        Stars of the cone.
    format : str
        A key of `CONE_FILES`.
    made_by : dict
        ``region``, ``source`` and, of a local table, ``source_fingerprint`` and ``columns`` that the user named.
    """
    write_json(folder / RECORD, sealed(made_by | {"n_sources": None}))
    new = folder / CONE_FILES[format]
    write_table(new, sources, format)
    for old in {folder / name for name in _KEPT_NAMES} - {new}:
        old.unlink(missing_ok=True)
    marks = {"n_sources": len(sources), "files": {new.name: file_fingerprint(new)}}
    write_json(folder / RECORD, sealed(made_by | marks))


def is_current(folder: Path, region: ConeRegion, *, same_source: bool) -> bool:
    """Whether a kept cone was made for a region from a source that is asked for, or by the user's own hand.

    Parameters
    ----------
    folder : path
        The cluster's folder, which holds a cone.
    region : ConeRegion
        Where the stars are wanted.
    same_source : bool
        Whether the source that the record names is asked for, and still is what it was.

    Returns
    -------
    bool

    Raises
    ------
    ChangedFileError
        If the cone or its record was changed since this program wrote it.
    ValueError
        If the record is damaged.
    """
    kept = read_record(folder)
    if kept is None:
        return True
    _refuse_changed(folder, kept)
    kept_region = kept.get("region")
    if isinstance(kept_region, dict):
        kept_region = {"error_weight": 0.0} | kept_region  # which older records do not have
    if kept_region != region.as_dict() or kept.get("n_sources") is None:
        logger.info(
            "%s describes another region, or an unfinished cone: it is fetched again.", folder / RECORD
        )
    elif not same_source:
        logger.info(
            "%s: the kept cone is of another source, of a table that was replaced, or of other --columns: it is "
            "fetched again.",
            folder.name,
        )
    else:
        return True
    return False


def read_record(folder: Path) -> dict[str, Any] | None:
    """Record of a kept cone; None if there is none.

    Raises
    ------
    ValueError
        If it is damaged; the message names the remedy.
    """
    if not (folder / RECORD).exists():
        return None
    try:
        return read_json(folder / RECORD)
    except ValueError as error:
        raise ValueError(f"{error} {_remedy(folder)}") from error


def recorded_region(folder: Path) -> ConeRegion | None:
    """Region that a kept cone was made for; None if there is no record of it.

    Raises
    ------
    ValueError
        If the record is damaged, was changed, or holds no region.
    """
    record = read_record(folder)
    if record is None:
        return None
    _refuse_changed(folder, record)
    try:
        region = ConeRegion.from_dict(record["region"])
        return replace(region, **{name: float(value) for name, value in asdict(region).items()})
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(f"{folder / RECORD} holds no region: {_remedy(folder)}") from error


def _remedy(folder: Path) -> str:
    return f"`{command_again(folder, 'sets', 'build_sets.py', '--overwrite_cone')}` fetches the cone again."


def _refuse_changed(folder: Path, record: dict[str, Any]) -> None:
    changed = [] if is_intact(record) else [RECORD]
    kept = kept_cone(folder)
    marks = record.get("files")
    if kept is not None and isinstance(marks, dict) and record.get("n_sources") is not None:
        changed += [] if marks.get(kept.name) == file_fingerprint(kept) else [kept.name]
    if changed:
        raise ChangedFileError(
            f"{folder / changed[0]} was changed after this program made it: {_remedy(folder)} "
            "Give --accept_changes if the change is meant."
        )


def accept_cone(folder: Path) -> None:
    """Let a cone that was changed by hand count as it is; its record says so.

    Parameters
    ----------
    folder : path
        The cluster's folder, held by `files.data_directory.locked`.
    """
    record, kept = read_record(folder), kept_cone(folder)
    if record is None or kept is None:
        return
    try:
        _refuse_changed(folder, record)
    except ChangedFileError:
        marks = {"files": {kept.name: file_fingerprint(kept)}, "changed_by_hand": True}
        write_json(folder / RECORD, sealed(record | marks))
        logger.warning("%s: %s, changed by hand, accepted.", folder.name, kept.name)
