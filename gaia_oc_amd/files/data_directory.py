"""Where the files of a cluster lie, how they are written, and who may change them now."""

import errno
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)


CLUSTER_FILE = "cluster.json"

_TEMPORARY = ".tmp-"
"""How the names of files begin that are not yet whole."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9+(][A-Za-z0-9_.+\-()]*")

_LONGEST_NAME = 200
"""Characters; file systems take 255, of which temporary files need some."""


def cluster_directory(data_dir: Path | str, name: str) -> Path:
    """Folder of one cluster, ``data_dir/clusters/<NAME>``.

    Parameters
    ----------
    data_dir : path
        The data directory.
    name : str
        Cluster name; spaces become underscores.

    Returns
    -------
    Path
        The folder, which need not exist yet.

    Raises
    ------
    ValueError
        If the name could point outside ``data_dir/clusters`` or is not a plain file name.
    """
    folder = re.sub(r"\s+", "_", name.strip())
    if not _SAFE_NAME.fullmatch(folder) or ".." in folder or len(folder) > _LONGEST_NAME:
        raise ValueError(
            f"{name[:_LONGEST_NAME]!r} cannot name a cluster folder: use at most {_LONGEST_NAME} letters, digits and "
            "the characters _ . + - ( ) only."
        )
    return Path(data_dir) / "clusters" / folder


@contextmanager
def write_atomically(path: Path | str, *, mode: int | None = None) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to ``path`` only if the block succeeds.

    Parameters
    ----------
    path : path
        Final place of the file; its folder is made if needed.
    mode : int, optional
        Permission bits of the file, set before a byte is written. By default those a new file gets.

    Yields
    ------
    Path
        Temporary file in the same folder, ending as `path` does, so that writers which look at the
        suffix behave the same.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY, suffix="-" + path.name)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(_default_file_mode() if mode is None else mode)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        raise OSError(error.errno, f"{path} cannot be written: {_REMEDIES[error.errno]}") from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


_REMEDIES = {
    errno.ENOSPC: "the disk is full, make room and run again.",
    errno.EDQUOT: "your disk quota is used up, make room and run again.",
    errno.EROFS: "the file system is read-only, choose another folder.",
    errno.EACCES: "you may not write there, choose another folder.",
    errno.ENOTDIR: "a part of its path is a file, choose another folder.",
    errno.EEXIST: "a part of its path is a file, choose another folder.",
    errno.EFBIG: "it is larger than a file may be here (ulimit -f), raise that limit or choose another disk.",
    errno.ENAMETOOLONG: "its name is too long for this file system, choose a shorter one.",
    errno.EIO: "the disk failed, look after it and run again.",
}


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a process that was killed; nobody else may be writing into the folder."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


def _default_file_mode() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def write_text(path: Path | str, text: str, *, mode: int | None = None) -> None:
    """Write a text file as a whole or not at all."""
    with write_atomically(path, mode=mode) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, content: dict[str, Any]) -> None:
    """Write a JSON file as a whole or not at all; NaN becomes null."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """JSON of a value that may hold arrays, NumPy numbers and paths; NaN becomes null."""
    return json.dumps(json_ready(content), indent=2, allow_nan=False) + "\n"


def json_ready(value: Any) -> Any:
    """Value as JSON gives it back: arrays and tuples are lists, paths text, NaN is None."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        return json_ready(value.item())
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not np.isfinite(value) else value


_LARGEST_JSON = 1 << 25
"""Bytes; the largest that we write has a few thousand."""


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises
    ------
    ValueError
        If the file is too large, is not JSON, or does not hold an object; the message names the file.
    """
    size = Path(path).stat().st_size
    if size > _LARGEST_JSON:
        raise ValueError(f"{path} has {size} bytes, at most {_LARGEST_JSON} are read: make it again.")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, numbers or nesting beyond all bounds
        raise ValueError(
            f"{path} is not a readable JSON file ({error}): restore it or make it again."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a JSON object: make it again.")
    return content


LOCK_FILE = ".lock"
_PATIENCE = 1.0
"""Seconds of waiting that nobody needs to be told of."""
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)


@contextmanager
def locked(folder: Path | str, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder alone, among all processes that ask for it by this function.

    The operating system gives the lock back when the process ends, however it ends: a killed run leaves an empty
    file ``.lock``, which locks nobody out.

    Parameters
    ----------
    folder : path
        Made if it does not exist. Where nothing can be written there is nothing to guard, and no lock.
    wait : bool
        Whether to wait for another holder, however long it works; a line says so.

    Yields
    ------
    None

    Raises
    ------
    BlockingIOError
        If another process holds the folder and `wait` is off.
    """
    folder = Path(folder)
    lock = FileLock(folder / LOCK_FILE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _acquire(lock, folder, wait)
    except BlockingIOError:
        raise
    except OSError as error:  # what is written next says what is wrong, and where
        if error.errno in _NO_LOCKS:
            logger.warning("%s: its file system has no locks: do not start two runs in it at a time.", folder)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, folder: Path, wait: bool) -> None:
    try:
        lock.acquire(timeout=_PATIENCE if wait else 0)
    except Timeout:
        if not wait:
            raise BlockingIOError(
                f"another process is at work in {folder}: let it finish, or choose another folder."
            ) from None
        logger.info("%s: another run works on it; waiting until it has finished.", folder.name)
        lock.acquire()
