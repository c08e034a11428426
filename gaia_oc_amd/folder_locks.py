"""Locks by which two runs in one data directory keep out of each other's way."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_FILE = ".lock"
_PATIENCE = 1.0
"""Seconds of waiting that nobody needs to be told of."""
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)

logger = logging.getLogger(__name__)


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
