"""What made the files of a cluster, by fingerprints, and whether a stage of the work has to be done at all."""

import hashlib
import json
import logging
import os
import platform
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
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
    write_atomically,
    write_json,
)
from gaia_oc_amd.garbage import look_now
from gaia_oc_amd.installation import moved_command, script_command
from gaia_oc_amd.options import EXPORT_SUFFIXES, PlotOptions

logger = logging.getLogger(__name__)

_LARGE = 1 << 20  # bytes, a millisecond's work
_fingerprints: dict[tuple[int, ...], str] = {}


def file_fingerprint(path: Path | str) -> str:
    """Fingerprint of a file's bytes (BLAKE2b, 128 bits).

    A large file is read once in a run, as long as inode, size and times say that it is the same.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        about = os.fstat(file.fileno())
        if about.st_size < _LARGE:
            return hashlib.file_digest(file, _hash).hexdigest()
        # st_ctime_ns, too: cp -p and rsync give a file that they change the time that it had
        same = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        if same not in _fingerprints:
            _fingerprints[same] = hashlib.file_digest(file, _hash).hexdigest()
        return _fingerprints[same]


def bytes_fingerprint(content: bytes) -> str:
    """The fingerprint that a file with this content has."""
    digest = _hash()
    digest.update(content)
    return digest.hexdigest()


_WHOLE = 1 << 26
_PIECE = 1 << 16
_N_PIECES = 64


def quick_fingerprint(path: Path) -> str:
    """Fingerprint of a file, or of all files of a folder, that may be too large to be read for it.

    Of a file above 64 MiB its size and 64 pieces of 64 KiB are taken, from its first byte to its last: another table of
    the same name differs in these.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if path.is_dir():
        inside = sorted(item for item in path.rglob("*") if item.is_file())
        return value_fingerprint([(str(item.relative_to(path)), quick_fingerprint(item)) for item in inside])
    size = path.stat().st_size
    if size <= _WHOLE:
        return file_fingerprint(path)
    digest = _hash()
    digest.update(str(size).encode())
    with path.open("rb") as file:
        for number in range(_N_PIECES):
            file.seek((size - _PIECE) * number // (_N_PIECES - 1))
            digest.update(file.read(_PIECE))
    return digest.hexdigest()


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


def write_sealed(path: Path | str, content: bytes) -> None:
    """Write bytes behind their own fingerprint, as a whole or not at all; for `read_sealed`."""
    with write_atomically(path) as temporary:
        temporary.write_bytes(bytes_fingerprint(content).encode() + content)


def read_sealed(path: Path | str) -> bytes:
    """Bytes that `write_sealed` wrote.

    Raises
    ------
    ChangedFileError
        If they are not those.
    """
    whole = Path(path).read_bytes()
    seal, content = whole[:_SEAL_LENGTH], whole[_SEAL_LENGTH:]
    if seal != bytes_fingerprint(content).encode():
        raise ChangedFileError(f"{path} was changed after it was made: make it again.")
    return content


_SEAL_LENGTH = 32


def _hash() -> Any:
    return hashlib.blake2b(digest_size=16)


SEAL = "fingerprint"
"""Key under which a JSON file, or a record in one, keeps the fingerprint of all else that it holds."""


class ChangedFileError(ValueError):
    """A file is not what the program that made it left behind."""


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Content with its own fingerprint, by which a later change of it is noticed."""
    plain = without_seal(content)
    return plain | {SEAL: value_fingerprint(plain)}


def without_seal(content: dict[str, Any]) -> dict[str, Any]:
    """Content without its fingerprint."""
    return {name: value for name, value in content.items() if name != SEAL}


def is_intact(content: dict[str, Any]) -> bool:
    """Whether content is as it was when it was sealed; what has no fingerprint is of an earlier version."""
    return SEAL not in content or content[SEAL] == value_fingerprint(without_seal(content))


PROVENANCE = "provenance.json"

_TABLES = tuple(f"tables_{name}" for name in (*EXPORT_SUFFIXES, "mrt"))
FOLLOWING = {
    "first_members": ("first_members_plot",),
    "sets": ("sets_plot", "evaluation", "member_list", "evaluation_plots", "validation", "report", *_TABLES),
    "evaluation": ("member_list", "evaluation_plots", "validation", "report", *_TABLES),
    "member_list": ("evaluation_plots", "report", *_TABLES),  # which count with the list's threshold
}
"""Stages whose results mean nothing any more when an earlier one is done again."""

_PLOTS = ("first_members_plot", "sets_plot", "member_list", "evaluation_plots", "report")
"""Stages whose files are removed when they show what is no more."""

_SETS = "(members|candidates|non_members|comparison)"
_PICTURE = r"\.(png|pdf|svg)"
_OF_FIGURES = (".png", ".pdf", ".svg", ".html")
"""How files end that figures were drawn for."""
_DRAWN = "|".join(PlotOptions().switched_on())
_WRITES = {
    "sets": rf"cluster\.json|({_SETS}|comparison_outside)\.csv|cone\.(json|parquet|vot|vot\.gz|csv|csv\.gz)",
    "first_members_plot": f"first_members{_PICTURE}",
    "sets_plot": f"candidates{_PICTURE}",
    "evaluation": r"cluster\.json|spatial\.json|candidates\.csv",
    "member_list": r"(member_list|missed_members)\.csv",
    "isochrone_fit": rf"isochrone_fit(\.json|{_PICTURE})|cluster\.json",
    "tables_mrt": r"member_list\.mrt",
    "evaluation_plots": f"({_DRAWN}){_PICTURE}",
    "validation": rf"selection_function(\.csv|{_PICTURE})",
    "report": r"report\.html",
    **{
        f"tables_{name}": f"({_SETS}|member_list){re.escape(suffix)}"
        for name, suffix in EXPORT_SUFFIXES.items()
    },
}
"""Names of the files that each stage writes; a record that names others is not one of ours."""
_PLAIN_NAME = r"(?!provenance\.json)[A-Za-z0-9_][A-Za-z0-9_.\-]*"
"""Of a file of any other stage: it cannot point out of the folder."""

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
        record = read_provenance(folder).get(self.name, {})
        if "summary" not in record or record.get("made_with") != json_ready(self.made_with):
            return False
        changed = [name for name, mark in record["files"].items() if not _is(folder / name, mark)]
        if changed:
            logger.warning(
                "%s: %s was changed or removed after %s made it: the stage %s is done again.",
                *(folder.name, ", ".join(changed), _script(record.get("command", "")), self.name),
            )
        return not changed


def _script(command: str) -> str:
    """Script that a recorded command calls."""
    return next((word for word in command.split() if word.endswith(".py")), "this program")


def run_stage(folder: Path, stage: Stage, work: Work, *, again: bool = False) -> dict[str, Any]:
    """Do a stage if it is not done yet, and write down what made it.

    The record is removed before the work begins and written after it has ended, so a stage that was killed is
    done anew; the unfinished files of a killed process are removed. What follows from the stage is forgotten when the
    work has succeeded: a stage that fails costs no earlier result. There is no date in a record, so equal runs give
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
    _drop(folder, (stage.name,))
    remove_leftovers(folder)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            summary, written = work()
    except Exception:
        _pass_on(caught)  # what it warned of may be why it failed
        raise
    files = list(written)
    if any(file.endswith(_OF_FIGURES) for file in files):
        look_now()  # a figure that is saved is garbage, and large
    forget_following(folder, stage.name)
    told = dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning)
    record = {
        "command": stage.command,
        "summary": summary,
        "warnings": list(told),
        "made_with": stage.made_with,
        "versions": versions(),
    }
    _write(folder, stage.name, record, files)
    _pass_on(caught)
    return summary


def _pass_on(caught: list[warnings.WarningMessage]) -> None:
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def read_provenance(folder: Path) -> dict[str, Any]:
    """Records of a cluster's stages by name, as far as this program can have written them.

    What is said in the file is never acted on unless it is sound: a record of another form, with names of files
    that its stage does not write, or changed since it was written, counts as absent, so that its stage is done anew;
    so do all if the file is absent or damaged.
    """
    path = folder / PROVENANCE
    if not path.exists():
        return {}
    try:
        records = read_json(path)
    except ValueError as error:
        logger.warning("%s It counts as absent: the stages are done again.", error)
        return {}
    unsound = [name for name, record in records.items() if not _is_sound(name, record)]
    if unsound:
        names = ", ".join(repr(name[:40]) for name in unsound[:5])
        logger.warning("%s: the record of %s was tampered with or is damaged: it is ignored.", path, names)
    return {name: record for name, record in records.items() if name not in unsound}


def _is_sound(stage: str, record: Any) -> bool:
    """Whether this program can have written the record of a stage."""
    if not isinstance(record, dict) or not isinstance(record.get("files"), dict):
        return False
    kinds = {"made_with": dict, "summary": dict, "command": str, "warnings": list}
    if not all(isinstance(record[name], kind) for name, kind in kinds.items() if name in record):
        return False
    pattern = _WRITES.get(stage, _PLAIN_NAME)
    return all(re.fullmatch(pattern, name) for name in record["files"]) and is_intact(record)


def command_again(folder: Path, stage: str, script: str, *words: str) -> str:
    """Command that does a stage of one cluster again.

    Parameters
    ----------
    folder : path
        The cluster's folder.
    stage : str
        Its name.
    script : str
        What does it where no command is recorded.
    *words : str
        Options that are added.

    Returns
    -------
    str
        The recorded command, for the place where the folder is now; else that of the script with no options but these.
    """
    recorded = read_provenance(folder).get(stage, {}).get("command")
    if recorded:
        return moved_command(recorded, folder.parents[1], *words)
    return script_command(script, folder.name, *words, data_dir=folder.parents[1])


def forget(folder: Path, stage: str) -> None:
    """Remove the records of a stage and of all that follow from it, and the plots of the latter."""
    _drop(folder, (stage,))
    forget_following(folder, stage)


def forget_following(folder: Path, stage: str) -> None:
    """Remove the records of all stages that follow from one that was done anew, and their plots."""
    records = read_provenance(folder)
    gone = [name for name in FOLLOWING.get(stage, ()) if name in records]
    for name in set(gone) & set(_PLOTS):
        for file in records[name]["files"]:
            (folder / file).unlink(missing_ok=True)
    if gone:
        _tell_of_removed(folder, stage, {name: records[name] for name in gone})
        _drop(folder, tuple(gone))


def _drop(folder: Path, stages: tuple[str, ...]) -> None:
    """Remove the records of stages."""
    records = read_provenance(folder)
    left = {name: record for name, record in records.items() if name not in stages}
    if left != records:
        write_json(folder / PROVENANCE, left)


_RESULTS = {
    "sets_plot": "the figure of the selection",
    "evaluation": "the probabilities",
    "evaluation_plots": "the figures",
    "report": "the report",
}
"""What the stages that follow from others make, as far as it is worth a word."""


def _tell_of_removed(folder: Path, stage: str, gone: dict[str, dict[str, Any]]) -> None:
    """Say which results are no more, and the commands that make them again."""
    words = [_RESULTS[name] for name in gone if name in _RESULTS]
    commands = dict.fromkeys(
        moved_command(command, folder.parents[1])
        for name, record in gone.items()
        if stage != "member_list"  # another list is wanted now than these commands would give
        and name != "sets_plot"
        and (command := record.get("command"))
    )
    if words and (commands or stage != "sets"):
        how = f"; again: {'; '.join(commands)}" if commands else ""
        verb = "is" if words == [_RESULTS["report"]] or words == [_RESULTS["sets_plot"]] else "are"
        results = " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
        logger.info(
            "%s: %s of the earlier %s %s removed%s.", folder.name, results, stage.replace("_", " "), verb, how
        )


def _write(folder: Path, stage: str, record: dict[str, Any], files: Iterable[str]) -> None:
    """Add a record; a file that the stage has changed gets its new fingerprint in the earlier records, too."""
    marks = {name: file_fingerprint(folder / name) for name in sorted(files)}
    records = {name: _marked_anew(other, marks) for name, other in read_provenance(folder).items()}
    write_json(folder / PROVENANCE, records | {stage: sealed(record | {"files": marks})})


def _marked_anew(record: dict[str, Any], marks: dict[str, str]) -> dict[str, Any]:
    """Record of a stage whose files were changed by another."""
    changed = {name: mark for name, mark in marks.items() if name in record["files"]}
    return sealed(record | {"files": record["files"] | changed})


def accept_files(folder: Path, names: Iterable[str]) -> None:
    """Let the records say that files which a user has changed count as they are now.

    Parameters
    ----------
    folder : path
        The cluster's folder.
    names : iterable of str
        Files in it. The record of the stage that made them is kept and gets ``changed_by_hand``; those of the
        stages that follow from it are removed.
    """
    marks = {name: file_fingerprint(folder / name) for name in names}
    forget(folder, "evaluation")
    records = read_provenance(folder)
    for stage, record in records.items():
        if set(marks) & set(record["files"]):
            by_hand = sorted({*record.get("changed_by_hand", []), *marks})
            records[stage] = _marked_anew(record | {"changed_by_hand": by_hand}, marks)
    if records:
        write_json(folder / PROVENANCE, records)


def _is(path: Path, fingerprint: str) -> bool:
    try:
        return file_fingerprint(path) == fingerprint
    except OSError:
        return False


def made_by(command: str, options: object, *names: str) -> dict[str, Any]:
    """How a result that belongs to no cluster was made, for its file: version, command and options.

    Parameters
    ----------
    command : str
        Shell command that makes it.
    options : dataclass
        Of the script.
    *names : str
        Its fields that decide the result, dataclasses themselves.

    Returns
    -------
    dict
    """
    made_with = {name: asdict(getattr(options, name)) for name in names}
    return {"version": __version__, "command": command, "made_with": made_with}


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
