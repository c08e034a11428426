"""The worker's side of a batch: it gets the work once, then one cluster after the other."""

import logging
import os
import pickle
import sys
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from gaia_oc_amd.outcomes import Message, Outcome, Work, attempt

_MAX_BATCHES = 3
"""Batches that a Dask worker keeps the work of: the present one, and those whose clients died or still run."""

_TURN = threading.Lock()
"""Only one cluster at a time in a process: warnings, threads and the working directory belong to all of it."""

_ASSIGNMENTS: OrderedDict[str, "Assignment"] = OrderedDict()
_WORK: OrderedDict[str, Work] = OrderedDict()


class WorkMissingError(LookupError):
    """The worker did not get the work, or has dropped it."""


@dataclass(frozen=True)
class Assignment:
    """What every worker of a batch gets, once.

    Parameters
    ----------
    pickled : bytes
        The work, with all tables and models that it holds.
    log_level : int
        Level of the messages that are wanted.
    directory : str
        Where relative paths start.
    key : str
        Tells this batch from others.
    """

    pickled: bytes
    log_level: int = field(default_factory=lambda: logging.getLogger("gaia_oc_amd").getEffectiveLevel())
    directory: str = field(default_factory=lambda: str(Path.cwd()))
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


def receive(assignment: Assignment) -> None:
    """Keep the work of a batch for the clusters that come; nothing is unpacked yet."""
    _ASSIGNMENTS[assignment.key] = assignment
    while len(_ASSIGNMENTS) > _MAX_BATCHES:
        forget(next(iter(_ASSIGNMENTS)))


def forget(key: str) -> None:
    """Drop the work of a batch."""
    _ASSIGNMENTS.pop(key, None)
    _WORK.pop(key, None)


def attempt_received(key: str, cluster: str, n_threads: int) -> Outcome:
    """Outcome of one cluster in this worker.

    Parameters
    ----------
    key : str
        Of the batch.
    cluster : str
        Name.
    n_threads : int
        This worker's share of the cores; the result does not depend on it.

    Returns
    -------
    Outcome
        With all messages: they are the client's to show.

    Raises
    ------
    WorkMissingError
        If the work was not received.
    """
    with _TURN:
        assignment = _ASSIGNMENTS.get(key)
        if assignment is None:
            raise WorkMissingError(key)
        with _in_directory(assignment.directory), _captured_log(assignment.log_level) as messages:
            outcome = attempt(lambda name: _unpacked(assignment, n_threads)(name), cluster)
    return replace(outcome, messages=(*messages, *outcome.messages))


def _unpacked(assignment: Assignment, n_threads: int) -> Work:
    if assignment.key not in _WORK:
        _WORK[assignment.key] = pickle.loads(assignment.pickled)  # noqa: S301 - from our own client
        _ASSIGNMENTS[assignment.key] = replace(assignment, pickled=b"")
    if "torch" in sys.modules:  # processes that each use all cores slow one another down
        sys.modules["torch"].set_num_threads(n_threads)
    return _WORK[assignment.key]


@contextmanager
def _in_directory(directory: str) -> Iterator[None]:
    """Let relative paths mean what they mean to the user; on another machine the folder may be absent."""
    before = Path.cwd()
    with suppress(OSError):
        os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


class _Keeper(logging.Handler):
    def __init__(self, keep: Callable[[Message], None]) -> None:
        super().__init__()
        self._keep = keep

    def emit(self, record: logging.LogRecord) -> None:
        self._keep((record.levelno, self.format(record)))


@contextmanager
def _captured_log(level: int) -> Iterator[list[Message]]:
    """Collect this package's log instead of writing it where no user looks."""
    messages: list[Message] = []
    package, keeper = logging.getLogger("gaia_oc_amd"), _Keeper(messages.append)
    before = package.level, package.propagate
    package.addHandler(keeper)
    package.setLevel(level)
    package.propagate = False
    try:
        yield messages
    finally:
        package.removeHandler(keeper)
        package.setLevel(before[0])
        package.propagate = before[1]
