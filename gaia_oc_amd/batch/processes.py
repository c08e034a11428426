"""The worker's side of a batch: it gets the work once, then one cluster after the other."""

import importlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from gaia_oc_amd.batch.outcomes import ClusterQueue, Message, Outcome, Work, attempt
from gaia_oc_amd.parallel import use_at_most

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
    modules : tuple of str
        What the work imports when it comes to it.
    log_level : int
        Level of the messages that are wanted.
    directory : str
        Where relative paths start.
    key : str
        Tells this batch from others.
    """

    pickled: bytes
    modules: tuple[str, ...] = ()
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
        for name in assignment.modules:
            importlib.import_module(name)
        _WORK[assignment.key] = pickle.loads(assignment.pickled)  # noqa: S301 - from our own client
        _ASSIGNMENTS[assignment.key] = replace(assignment, pickled=b"")
    use_at_most(n_threads)  # processes that each use all cores slow one another down
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


_SECONDS_TO_END = 5.0


def in_processes(
    work: Work, clusters: list[str], workers: int, modules: tuple[str, ...] = ()
) -> Iterator[Outcome]:
    """Do the work for many clusters in several processes, each of which has one cluster at a time.

    Parameters
    ----------
    work : callable
        Picklable.
    clusters : list of str
        Names.
    workers : int
        Number of processes.
    modules : tuple of str
        What the work imports when it comes to it: the processes are copies of one that has it.

    Yields
    ------
    Outcome
        As they come.
    """
    crew = _ProcessCrew(Assignment(pickle.dumps(work), modules), workers)
    queue = ClusterQueue(clusters)
    try:
        while queue or crew.busy:
            while queue and crew.has_room():
                crew.give(queue.next())
            for cluster, outcome in crew.answers():
                if outcome:
                    queue.worker_answered()
                yield from [outcome] if outcome else queue.worker_died(cluster)
    except BaseException:
        crew.stop()
        raise
    crew.dismiss()


class _ProcessCrew:
    """The processes of a batch, started when there is a cluster for them."""

    def __init__(self, assignment: Assignment, size: int) -> None:
        self._assignment = assignment
        self._size = size
        self._n_threads = max(1, (os.cpu_count() or 1) // size)
        self._context = _context(assignment.modules)
        self._processes: dict[Connection, BaseProcess] = {}
        self._idle: list[Connection] = []
        self.busy: dict[Connection, str] = {}

    def has_room(self) -> bool:
        return len(self.busy) < self._size

    def give(self, cluster: str) -> None:
        """Give a cluster to a process that has none, or to a new one."""
        connection = self._idle.pop() if self._idle else self._start()
        self.busy[connection] = cluster
        with suppress(OSError):  # if it died in the meantime, its end of the line says so when it is read
            connection.send(cluster)

    def answers(self) -> list[tuple[str, Outcome | None]]:
        """Wait for a process; what came of its cluster, None if the process died."""
        ready = multiprocessing.connection.wait(list(self.busy))
        return [self._answer(connection) for connection in list(self.busy) if connection in ready]

    def _answer(self, connection: Connection) -> tuple[str, Outcome | None]:
        cluster = self.busy.pop(connection)
        try:
            outcome = connection.recv()
        except (EOFError, OSError):
            self._processes.pop(connection).join(_SECONDS_TO_END)
            connection.close()
            return cluster, None
        self._idle.append(connection)
        return cluster, outcome

    def _start(self) -> Connection:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._n_threads), daemon=True)
        process.start()
        theirs.close()
        self._processes[ours] = process
        with suppress(OSError):  # as in `give`
            ours.send(self._assignment)  # not by `start`: cut off there, it is an error of the process
        return ours

    def dismiss(self) -> None:
        """End processes that have nothing to do: they see that the line is closed."""
        for connection in self._processes:
            connection.close()
        for process in self._processes.values():
            process.join(_SECONDS_TO_END)
        self.stop()

    def stop(self) -> None:
        """End processes whatever they do, after a moment in which they remove temporary files."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.join(_SECONDS_TO_END)
            process.kill()


def _can_fork() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()


def _start_server(modules: list[str]) -> None:
    """Start the process that imports modules and whose copies the others are, unless it runs already."""
    from multiprocessing import forkserver, resource_tracker  # not on Windows

    before = os.environ.get("PYTHONPATH")
    forkserver.set_forkserver_preload(modules)
    resource_tracker.ensure_running()  # it would unblock below what is blocked
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a terminal interrupts all processes
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # Python 3.11 does not tell it where modules are
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _context(
    modules: tuple[str, ...],
) -> "multiprocessing.context.ForkServerContext | multiprocessing.context.SpawnContext":
    """How processes start: as copies of one that has imported what they need, else anew."""
    if not _can_fork():
        return multiprocessing.get_context("spawn")
    _start_server([*(name for name in sys.modules if name.startswith("gaia_oc_amd.")), *modules])
    return multiprocessing.get_context("forkserver")


def _serve(connection: Connection, n_threads: int) -> None:
    """Life of a process: the work comes, then a cluster, its outcome goes, until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt ends
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        assignment: Assignment = connection.recv()
        receive(assignment)
        while True:
            connection.send(attempt_received(assignment.key, connection.recv(), n_threads))
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _end_with_parent() -> None:
    """End this process when its parent is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
