"""What made the files of a cluster, by fingerprints, and whether a stage of the work has to be done at all."""

import hashlib
import json
import logging
import platform
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd._version import __version__
from gaia_oc_amd.files.data_directory import (
    json_ready,
    json_text,
    read_json,
    remove_leftovers,
    write_json,
)
from gaia_oc_amd.options import EXPORT_SUFFIXES

logger = logging.getLogger(__name__)


def file_fingerprint(path: Path | str) -> str:
    """Fingerprint of a file's bytes (BLAKE2b, 128 bits).

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, _hash).hexdigest()


def table_fingerprint(table: pd.DataFrame) -> str:
    """Fingerprint of a table's column names and values, in their order; the index does not count."""
    digest = _hash()
    digest.update(json.dumps([str(name) for name in table]).encode())
    digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def value_fingerprint(value: Any) -> str:
    """Fingerprint of anything that JSON can hold, of arrays, and of paths."""
    digest = _hash()
    digest.update(json_text(value).encode())
    return digest.hexdigest()


def arrays_fingerprint(arrays: dict[str, np.ndarray]) -> str:
    """Fingerprint of named arrays: names, shapes, types and bytes."""
    digest = _hash()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.shape} {array.dtype.str}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _hash() -> Any:
    return hashlib.blake2b(digest_size=16)


PROVENANCE = "provenance.json"

_TABLES = tuple(f"tables_{name}" for name in EXPORT_SUFFIXES)
FOLLOWING = {
    "sets": ("sets_plot", "evaluation", "evaluation_plots", "validation", "report", *_TABLES),
    "evaluation": ("evaluation_plots", "validation", "report", *_TABLES),
}
"""Stages whose results mean nothing any more when an earlier one is done again."""

_PLOTS = ("sets_plot", "evaluation_plots", "report")
"""Stages whose files are removed when they show what is no more."""

_LIBRARIES = ("numpy", "pandas", "scipy", "torch", "numba", "astropy", "pyarrow", "matplotlib")


Work = Callable[[], tuple[dict[str, Any], Iterable[str]]]
"""Does a stage; returns its numbers for the table at the end, and the names of the files that it wrote."""


@dataclass(frozen=True)
class Stage:
    """A stage of the work on one cluster.

    Parameters
    ----------
    name : str
        ``sets``, ``sets_plot``, ``evaluation``, ``evaluation_plots``, ``validation``.
    made_with : dict
        Everything that its result depends on: options, fingerprints of its input and code.
    command : str
        Shell command that does it.
    """

    name: str
    made_with: dict[str, Any]
    command: str = ""

    def is_done(self, folder: Path) -> bool:
        """Whether a folder holds the result of the stage, made with the same, and unchanged since."""
        record = read_provenance(folder).get(self.name)
        if record is None or record.get("made_with") != json_ready(self.made_with):
            return False
        return all(_is(folder / name, mark) for name, mark in record["files"].items())


def run_stage(folder: Path, stage: Stage, work: Work, *, again: bool = False) -> dict[str, Any]:
    """Do a stage if it is not done yet, and write down what made it.

    The record is removed before the work begins and written after it has ended, so a stage that was killed is
    done anew; the unfinished files of a killed process are removed. There is no date in it, so equal runs give
    equal files; those of the files say when.

    Parameters
    ----------
    folder : path
        The cluster's folder, held by `files.data_directory.locked`.
    stage : Stage
        What is done, and with what.
    work : callable
        Does it.
    again : bool
        Whether to do it even if it is done.

    Returns
    -------
    dict
        The numbers that the work returned, now or when it was done.
    """
    if not again and stage.is_done(folder):
        level, what = logging.DEBUG if stage.name in _PLOTS else logging.INFO, stage.name.replace("_", " ")
        logger.log(level, "%s: %s already there, made in the same way: left as found.", folder.name, what)
        return read_provenance(folder)[stage.name]["summary"]
    forget(folder, stage.name)
    remove_leftovers(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        summary, files = work()
    told = dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning)
    record = {
        "command": stage.command,
        "summary": summary,
        "warnings": list(told),
        "made_with": stage.made_with,
        "versions": versions(),
    }
    _write(folder, stage.name, record, files)
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return summary


def read_provenance(folder: Path) -> dict[str, Any]:
    """Records of a cluster's stages by name; none if the file is absent or damaged, for then all is done anew."""
    path = folder / PROVENANCE
    if not path.exists():
        return {}
    try:
        records = read_json(path)
    except ValueError as error:
        logger.warning("%s It counts as absent: the stages are done again.", error)
        return {}
    return {
        name: record
        for name, record in records.items()
        if isinstance(record, dict) and isinstance(record.get("files"), dict)
    }


def forget(folder: Path, stage: str) -> None:
    """Remove the records of a stage and of all that follow from it, and the plots of the latter."""
    records = read_provenance(folder)
    following = FOLLOWING.get(stage, ())
    left = {name: record for name, record in records.items() if name not in (stage, *following)}
    gone = [name for name in following if name in records]
    for name in set(gone) & set(_PLOTS):
        for file in records[name]["files"]:
            (folder / file).unlink(missing_ok=True)
    if gone:
        _tell_of_removed(folder, stage, {name: records[name] for name in gone})
    if left != records:
        write_json(folder / PROVENANCE, left)


_RESULTS = {
    "sets_plot": "the figure of the selection",
    "evaluation": "the probabilities",
    "evaluation_plots": "the figures",
    "validation": "the completeness",
    "report": "the report",
}
"""What the stages that follow from others make, as far as it is worth a word."""


def _tell_of_removed(folder: Path, stage: str, gone: dict[str, dict[str, Any]]) -> None:
    """Say which results are no more, and the commands that make them again."""
    words = [_RESULTS[name] for name in gone if name in _RESULTS]
    again = dict.fromkeys(
        command for name, record in gone.items() if name != "sets_plot" and (command := record.get("command"))
    )
    if words and (again or stage != "sets"):
        how = f"; again: {'; '.join(again)}" if again else ""
        logger.info("%s: %s of the earlier %s are removed%s.", folder.name, " and ".join(words), stage, how)


def _write(folder: Path, stage: str, record: dict[str, Any], files: Iterable[str]) -> None:
    """Add a record; a file that the stage has changed gets its new fingerprint in the earlier records, too."""
    marks = {name: file_fingerprint(folder / name) for name in sorted(files)}
    records = read_provenance(folder)
    for other in records.values():
        other["files"] |= {name: mark for name, mark in marks.items() if name in other["files"]}
    write_json(folder / PROVENANCE, records | {stage: record | {"files": marks}})


def _is(path: Path, fingerprint: str) -> bool:
    try:
        return file_fingerprint(path) == fingerprint
    except OSError:
        return False


@cache
def versions() -> dict[str, str]:
    """Versions of the package, of Python, and of the libraries that results depend on."""
    found = {"gaia_oc_amd": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def file_fingerprints(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Fingerprints of those of a folder's files that exist."""
    return {name: file_fingerprint(folder / name) for name in names if (folder / name).exists()}
