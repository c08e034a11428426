"""A connection to a Dask cluster, and whether its workers can do our work."""

import asyncio
import importlib
import json
import logging
import platform
import queue
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaia_oc_amd.batch.outcomes import ClusterQueue, Outcome, Work, with_name
from gaia_oc_amd.batch.processes import Assignment, WorkMissingError, forget, receive
from gaia_oc_amd.exceptions import BatchStoppedError, missing_library, one_line

if TYPE_CHECKING:
    from distributed import Client, Future


CONNECT_SECONDS = 10
ANSWER_SECONDS = 30
"""How long a scheduler, and through it a worker, may take for an answer."""

_DECIDE_THE_DIGITS = ("numpy", "pandas", "scipy", "torch", "numba", "astropy")

logger = logging.getLogger(__name__)


def import_distributed() -> Any:
    """The package that talks to a Dask cluster.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise ImportError(missing_library("--scheduler", error, "distributed>=2025.1")) from error
    if not logger.isEnabledFor(logging.DEBUG):  # its tracebacks say nothing to users
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        for name in ("client", "core", "comm", "batched", "utils"):
            logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
        logging.getLogger("tornado").setLevel(logging.CRITICAL)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return distributed


@contextmanager
def connected(scheduler: str) -> Iterator["Client"]:
    """Client of a Dask cluster.

    Parameters
    ----------
    scheduler : str
        Address or scheduler file.

    Yields
    ------
    Client

    Raises
    ------
    OSError
        If nothing that speaks Dask's language answers there.
    ImportError
        If Dask is not installed.
    """
    distributed = import_distributed()
    address = _address(scheduler)
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has an event loop of its own in this one
            thread.submit(asyncio.run, _knock(address)).result()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions: ours of what matters come with the workers
            client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # whatever it did not understand of what something else answered
        raise ConnectionError(
            f"no Dask scheduler answers at {address} ({one_line(error, 200)}): is it running, and reachable from here?"
        ) from error
    try:
        _check_python(client)
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=5 if client.status == "running" else 1)


async def _knock(address: str) -> None:
    """See whether a scheduler answers: Dask's client would wait for ever for the greeting of something else."""
    from distributed.comm import connect
    from distributed.security import Security

    secrets = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, CONNECT_SECONDS, **secrets), CONNECT_SECONDS + 1)
    await comm.close()


def _address(scheduler: str) -> str:
    """Address that a scheduler file gives, or the address itself."""
    path = Path(scheduler)
    if not (scheduler.endswith(".json") or path.is_file()):
        return scheduler.rstrip("/")
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["address"])
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist: start the scheduler with --scheduler-file, or give its address."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a file that a Dask scheduler wrote: give its address.") from error


def _scheduler_address(client: "Client") -> str:
    """A client that closed itself, its scheduler being gone, knows it no more."""
    return "the address given" if client.scheduler is None else str(client.scheduler.address)


def _check_python(client: "Client") -> None:
    """Refuse a scheduler that cannot read what this Python writes."""
    theirs = ask(client, client.get_versions)["scheduler"]["host"]["python"]
    ours = platform.python_version_tuple()
    if theirs.split(".")[:2] != list(ours[:2]):
        raise ValueError(
            f"the scheduler at {_scheduler_address(client)} runs Python {theirs}, not {ours[0]}.{ours[1]}: start "
            "scheduler and workers in one environment with this program."
        )


def ask(
    client: "Client",
    question: Callable[..., Any],
    *arguments: Any,
    seconds: float = ANSWER_SECONDS,
    **named: Any,
) -> Any:
    """Answer to one of the client's own methods, within a bounded time; called in its event loop, they are awaited.

    Raises
    ------
    BatchStoppedError
        If the scheduler does not answer.
    """

    async def answer() -> Any:
        return await question(*arguments, **named)

    if client.status == "running":
        with suppress(OSError):  # connection lost, or out of time
            return client.sync(answer, callback_timeout=seconds)
    raise BatchStoppedError(
        f"the scheduler at {_scheduler_address(client)} does not answer any more: start it again, then run the "
        "clusters that are not done."
    )


def check_workers(client: "Client", workers: list[str], data_dir: Path | str | None) -> dict[str, str]:
    """Why workers cannot do our work.

    Parameters
    ----------
    client : Client
        Knows the workers.
    workers : list of str
        Their addresses.
    data_dir : path, optional
        Folder that they must share with this machine.

    Returns
    -------
    dict of str
        What is wrong, by address; empty for a worker that can. Those that went away are not in it.
    """
    ours = _looker()(None, "", _DECIDE_THE_DIGITS)
    with _secret(data_dir) as (path, text):
        arguments = (str(path) if path else None, text, _DECIDE_THE_DIGITS)
        looks = ask(client, _each, client, workers, _looker(), arguments, seconds=2 * ANSWER_SECONDS)
    return {
        worker: _fault(worker, look, ours, data_dir)
        for worker, look in looks.items()
        if isinstance(look, TimeoutError) or not isinstance(look, OSError)
    }


async def _each(
    client: "Client", workers: list[str], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> dict[str, Any]:
    """What a function gives on each worker, or the error; one that hangs does not hold up the others."""

    async def one(worker: str) -> Any:
        answer = client.run(function, *arguments, workers=[worker], on_error="return")
        return (await asyncio.wait_for(answer, ANSWER_SECONDS)).get(worker, OSError("gone"))

    answers = await asyncio.gather(*(one(worker) for worker in workers), return_exceptions=True)
    return dict(zip(workers, answers, strict=True))


@contextmanager
def _secret(data_dir: Path | str | None) -> Iterator[tuple[Path | None, str]]:
    """Write a file that only those find who see the same folder."""
    if data_dir is None:
        yield None, ""
        return
    path, text = Path(data_dir).absolute() / f".tmp-shared-{uuid.uuid4().hex}", uuid.uuid4().hex
    path.write_text(text, encoding="utf-8")
    try:
        yield path, text
    finally:
        path.unlink(missing_ok=True)


def _looker() -> Callable[[str | None, str, tuple[str, ...]], dict[str, Any]]:
    """A function that stands on its own: it runs where this package may be absent."""

    def look(path: str | None, text: str, packages: tuple[str, ...]) -> dict[str, Any]:
        import importlib
        import importlib.metadata
        import pathlib
        import platform
        import uuid
        import zlib

        found: dict[str, Any] = {"host": platform.node(), "shared": path is None, "versions": {}}
        try:
            package = importlib.import_module("gaia_oc_amd")
            sources = sorted(pathlib.Path(str(package.__file__)).parent.rglob("*.py"))
            found["package"] = package.__version__
            found["sources"] = zlib.crc32(b"".join(source.read_bytes() for source in sources))
        except ImportError:
            found["package"] = None
        for name in packages:
            try:
                found["versions"][name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found["versions"][name] = None
        if path is not None:
            try:
                found["shared"] = pathlib.Path(path).read_text(encoding="utf-8") == text
                reply = pathlib.Path(f"{path}-{uuid.uuid4().hex}")  # each worker's own
                reply.touch()
                reply.unlink()
            except OSError as error:
                found["trouble"] = str(error)
        return found

    return look


def _fault(worker: str, look: Any, ours: dict[str, Any], data_dir: Path | str | None) -> str:
    if isinstance(look, BaseException):
        return f"worker {worker} cannot be asked anything ({one_line(look, 200)}): does it hang, or run another Python?"
    where = f"worker {worker} on {look['host']}"
    if look["package"] is None:
        return (
            f"{where} has no gaia_oc_amd: install {ours['package']} there, in the environment of the worker."
        )
    if look["package"] != ours["package"]:
        return f"{where} has gaia_oc_amd {look['package']}, not {ours['package']}: install that there."
    if look["sources"] != ours["sources"]:
        return f"{where} has a gaia_oc_amd {ours['package']} of other source files: install this one there."
    if not look["shared"]:
        return (
            f"{where} does not see {Path(data_dir or '').absolute()}: --data_dir must be in a file system that all "
            "machines share, under the same path."
        )
    if "trouble" in look:
        return f"{where} cannot write into --data_dir: {look['trouble']}"
    _warn_of_versions(where, look["versions"], ours["versions"])
    return ""


def _warn_of_versions(where: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    other = [f"{name} {theirs[name]}, not {ours[name]}" for name in ours if theirs[name] != ours[name]]
    if other:
        logger.warning("%s has %s: the last digits may differ.", where, "; ".join(other))


SECONDS_BETWEEN_LOOKS = 1.0
"""Between two looks for workers that came or died."""

_SECONDS_TO_SEND = 300
_SENT_AT_ONCE = 16


def in_dask(
    work: Work,
    clusters: list[str],
    scheduler: str,
    data_dir: Path | str | None = None,
    modules: tuple[str, ...] = (),
) -> Iterator[Outcome]:
    """Do the work for many clusters on the workers of a Dask cluster.

    Parameters
    ----------
    work : callable
        Taken apart by cloudpickle, and sent to every worker once.
    clusters : list of str
        Names.
    scheduler : str
        Address or scheduler file.
    data_dir : path, optional
        Folder that the workers must share with this machine.
    modules : tuple of str
        What the work imports when it comes to it.

    Yields
    ------
    Outcome
        As they come.

    Raises
    ------
    BatchStoppedError
        If the scheduler dies, or if there is no worker for longer than Dask's setting
        ``gaia_oc_amd.wait-for-workers``, one minute by default.
    OSError, ValueError, ImportError
        If there is no scheduler, or if its workers cannot do the work.
    """
    with connected(scheduler) as client:
        crew = _DaskCrew(client, _assignment(work, modules), data_dir)
        waiting = ClusterQueue(clusters)
        try:
            while waiting or crew.busy:
                for cluster in crew.look():
                    yield from waiting.worker_died(cluster)
                while waiting and crew.idle:
                    crew.give(waiting.next())
                for cluster, outcome in crew.answers():
                    if outcome:
                        waiting.worker_answered()
                    yield from [outcome] if outcome else waiting.worker_died(cluster)
        finally:
            crew.dismiss()


def _assignment(work: Work, modules: tuple[str, ...]) -> Assignment:
    import cloudpickle  # comes with Dask; knows functions of the script itself

    return Assignment(cloudpickle.dumps(work), modules)


def _seconds_to_wait() -> float:
    import dask
    from dask.utils import parse_timedelta

    return parse_timedelta(dask.config.get("gaia_oc_amd.wait-for-workers", "60s"))


class _DaskCrew:
    """The workers of a Dask cluster, which may come and go."""

    def __init__(self, client: "Client", assignment: Assignment, data_dir: Path | str | None) -> None:
        self._client, self._assignment, self._data_dir = client, assignment, data_dir
        self._patience = _seconds_to_wait()
        self._last_look, self._last_seen = 0.0, time.monotonic()
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._n_threads: dict[str, int] = {}  # of workers that have the work
        self._useless: set[str] = set()
        self._n_tasks = 0
        self.idle: list[str] = []
        self.busy: dict[Future[Any], tuple[str, str]] = {}  # worker and cluster

    def look(self) -> list[str]:
        """See which workers came or died; the clusters of the dead."""
        if time.monotonic() < self._last_look + SECONDS_BETWEEN_LOOKS:
            return []
        present: dict[str, int] = ask(self._client, self._client.nthreads)  # by address
        self._admit({worker: n for worker, n in present.items() if worker not in self._n_threads})
        self._n_threads = {worker: n for worker, n in self._n_threads.items() if worker in present}
        self.idle = [worker for worker in self.idle if worker in self._n_threads]
        self._last_look = time.monotonic()
        self._wait_for_workers()
        dead = [future for future, (worker, _) in self.busy.items() if worker not in self._n_threads]
        clusters = [self.busy.pop(future)[1] for future in dead]
        if dead:
            ask(self._client, self._client.cancel, dead)
        return clusters

    def _wait_for_workers(self) -> None:
        if self._n_threads:
            self._last_seen = time.monotonic()
        elif time.monotonic() > self._last_seen + self._patience:
            address = _scheduler_address(self._client)
            raise BatchStoppedError(
                f"the scheduler at {address} has had no worker for {self._patience:g} s: start some with `dask worker "
                f"{address} --nthreads 1`, then run the clusters that are not done."
            )

    def _admit(self, workers: dict[str, int]) -> None:
        """Give the work to those new workers that can do it."""
        new = [worker for worker in workers if worker not in self._useless]
        if not new:
            return
        faults = check_workers(self._client, new, self._data_dir)
        bad = {worker: fault for worker, fault in faults.items() if fault}
        if bad and not self._n_tasks:  # nothing has begun: better say it at once
            raise ValueError(next(iter(bad.values())))
        for worker, fault in bad.items():
            logger.warning("%s It gets no work.", fault)
            self._useless.add(worker)
        good = [worker for worker, fault in faults.items() if not fault]
        for start in range(0, len(good), _SENT_AT_ONCE):
            for worker in self._send(good[start : start + _SENT_AT_ONCE]):
                self._n_threads[worker] = workers[worker]
                self.idle.append(worker)

    def _send(self, workers: list[str]) -> list[str]:
        """Send the work; the workers that got it."""
        got = ask(
            self._client, self._client.run, receive, self._assignment,
            workers=workers, on_error="ignore", seconds=_SECONDS_TO_SEND,
        )  # fmt: skip
        return list(got)

    def give(self, cluster: str) -> None:
        """Give a cluster to a worker that has none."""
        worker = self.idle.pop()
        self._n_tasks += 1
        future = self._client.submit(
            _attempt_there(),
            self._assignment.key,
            cluster,
            self._n_threads[worker],
            key=f"gaia_oc_amd-{self._assignment.key}-{self._n_tasks}",
            workers=[worker],
            pure=False,
        )
        self.busy[future] = worker, cluster
        future.add_done_callback(self._done.put)

    def answers(self) -> list[tuple[str, Outcome | None]]:
        """Wait a moment for a worker; what came of its cluster, None if the worker died or lost the work."""
        try:
            future = self._done.get(timeout=SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            return []
        if future not in self.busy:  # its worker was given up
            return []
        worker, cluster = self.busy.pop(future)
        outcome = _result(future, cluster)
        if outcome:
            self.idle.append(worker)
        else:  # if it still lives, it is looked at as a new one
            self._n_threads.pop(worker, None)
        return [(cluster, outcome)]

    def dismiss(self) -> None:
        """Take back what has not begun, and let the workers forget the work."""
        try:
            if self.busy:
                ask(self._client, self._client.cancel, list(self.busy), force=True)
            if self._n_threads:
                ask(
                    self._client, self._client.run, forget, self._assignment.key,
                    workers=list(self._n_threads), on_error="ignore",
                )  # fmt: skip
        except BatchStoppedError:
            pass


def _attempt_there() -> Callable[[str, str, int], Outcome]:
    """A function that stands on its own: the scheduler reads it, and need not have this package."""

    def attempt_there(key: str, cluster: str, n_threads: int) -> Outcome:
        from gaia_oc_amd.batch.processes import attempt_received

        return attempt_received(key, cluster, n_threads)

    attempt_there.__annotations__ = {}
    return attempt_there


def _result(future: "Future[Any]", cluster: str) -> Outcome | None:
    """Outcome that a worker sent, or of what it could not even begin; None if there is none."""
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):
        return None
    try:
        return future.result(timeout=ANSWER_SECONDS)
    except (WorkMissingError, KilledWorker, OSError):
        return None
    except Exception as error:
        text = f"the worker cannot do it: {type(error).__name__}: {one_line(error)}"
        return Outcome(cluster, 0.0, error=with_name(cluster, text))
