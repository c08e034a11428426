"""A connection to a Dask cluster, and whether its workers can do our work."""

import asyncio
import importlib
import json
import logging
import platform
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaia_oc_amd.exceptions import BatchStoppedError

if TYPE_CHECKING:
    from distributed import Client

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
        raise ImportError(
            f'--scheduler needs Dask ({error}): install it with pip install "gaia_oc_amd[distributed]".'
        ) from error
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
            f"no Dask scheduler answers at {address} ({_short(error)}): is it running, and reachable from here?"
        ) from error
    try:
        _check_python(client)
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=5 if client.status == "running" else 1)


async def _knock(address: str) -> None:
    """See whether a scheduler answers: Dask's client would wait for ever for the greeting of something else."""
    from distributed.core import connect
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
        return str(json.loads(path.read_text())["address"])
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist: start the scheduler with --scheduler-file, or give its address."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a file that a Dask scheduler wrote: give its address.") from error


def _check_python(client: "Client") -> None:
    """Refuse a scheduler that cannot read what this Python writes."""
    theirs = ask(client, client.scheduler.versions)["host"]["python"]
    ours = platform.python_version_tuple()
    if theirs.split(".")[:2] != list(ours[:2]):
        raise ValueError(
            f"the scheduler at {client.scheduler.address} runs Python {theirs}, not {ours[0]}.{ours[1]}: start "
            "scheduler and workers in one environment with this program."
        )


def _short(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def ask(
    client: "Client",
    question: Callable[..., Any],
    *arguments: Any,
    seconds: float = ANSWER_SECONDS,
    **keywords: Any,
) -> Any:
    """Answer of the scheduler to one of the client's asynchronous methods, within a bounded time.

    Raises
    ------
    BatchStoppedError
        If it does not answer.
    """
    if client.status == "running":
        with suppress(OSError):  # connection lost, or out of time
            return client.sync(question, *arguments, callback_timeout=seconds, **keywords)
    raise BatchStoppedError(
        f"the scheduler at {client.scheduler.address} does not answer any more: start it again, then run the "
        "clusters that are not done."
    )


def threads_of_workers(client: "Client") -> dict[str, int]:
    """Number of threads of every worker, by address."""
    return ask(client, client.scheduler.ncores)


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
        answer = client._run(function, *arguments, workers=[worker], on_error="return")
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
    path.write_text(text)
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
            sources = sorted(pathlib.Path(package.__file__).parent.rglob("*.py"))
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
                found["shared"] = pathlib.Path(path).read_text() == text
                reply = pathlib.Path(f"{path}-{uuid.uuid4().hex}")  # each worker's own
                reply.touch()
                reply.unlink()
            except OSError as error:
                found["trouble"] = str(error)
        return found

    return look


def _fault(worker: str, look: Any, ours: dict[str, Any], data_dir: Path | str | None) -> str:
    if isinstance(look, BaseException):
        return (
            f"worker {worker} cannot be asked anything ({_short(look)}): does it hang, or run another Python?"
        )
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
