"""What test_batch and test_scheduler let workers do; a module of its own, so that workers can import it."""

import logging
import os
import signal
import time
import warnings
from pathlib import Path

from gaia_oc_amd.exceptions import UnknownClusterError

logger = logging.getLogger("gaia_oc_amd.batch_work")


def work(name):
    if name == "unknown":
        raise UnknownClusterError("unknown is in no table: give another.")
    if name == "defect":
        raise KeyError("x")
    if name == "leaves":
        raise SystemExit(0)
    if name == "doubtful":
        warnings.warn("something is odd.", stacklevel=1)
        logger.info("something happens.")
    return {"length": len(name)}


def killed(name, *, folder=None):
    """Die in the middle of "killed", always, and of "killed_once" the first time."""
    if name == "killed":
        os._exit(9)
    if name == "killed_once" and not (Path(folder) / "was_here").exists():
        (Path(folder) / "was_here").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(name)


def slow(name, *, folder, seconds):
    """Write a file at the beginning and at the end of the work."""
    (Path(folder) / f"{name}.begun").touch()
    time.sleep(0.1 if name == "quick" else seconds)
    (Path(folder) / f"{name}.done").touch()
    return work(name)


def waiting(name, *, folder):
    """Write a file at the beginning of the work, and end it, but for "quick", once there is a file called go."""
    (Path(folder) / f"{name}.begun").touch()
    while name != "quick" and not (Path(folder) / "go").exists():
        time.sleep(0.02)
    (Path(folder) / f"{name}.done").touch()
    return work(name)


class CountsUnpickling:
    """Work with a large table, which leaves a mark in a folder whenever it is unpacked."""

    def __init__(self, folder, table):
        self.folder, self.table = folder, table

    def __call__(self, name):
        return {"sum": int(self.table.sum()), "process": os.getpid()}

    def __setstate__(self, state):
        self.__dict__.update(state)
        (Path(self.folder) / f"unpickled_{os.getpid()}_{time.time_ns()}").touch()


def threads(name):
    """Threads of ours, of the libraries for matrices and of those with OpenMP."""
    import sklearn.cluster  # noqa: F401
    from threadpoolctl import threadpool_info

    from gaia_oc_amd.parallel import n_threads

    libraries = threadpool_info()
    return {
        "ours": n_threads(),
        "BLAS": [library["num_threads"] for library in libraries if library["user_api"] == "blas"],
        "OpenMP": [library["num_threads"] for library in libraries if library["user_api"] == "openmp"],
    }
