"""Compiled loops, work in blocks for threads, and progress bars."""

import functools
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

_TICK = 1.0
"""Seconds."""


@contextmanager
def clock(name: str, **keywords: Any) -> Iterator[tqdm]:
    """Show the time that one thing takes, where `progress_bar` would show how many of several are done.

    Parameters
    ----------
    name : str
        What it is.
    **keywords
        As of `progress_bar`.

    Yields
    ------
    tqdm
        A bar that needs no update.
    """
    ended = threading.Event()
    with progress_bar(desc=name, bar_format="{desc}: {elapsed}", leave=False, **keywords) as bar:

        def tick() -> None:
            while not ended.wait(_TICK):
                bar.refresh()

        ticking = threading.Thread(target=tick, daemon=True)
        if not bar.disable:
            ticking.start()
        try:
            yield bar
        finally:
            ended.set()
            if ticking.is_alive():
                ticking.join()


Index = NDArray[np.int64]


_OPTIONS: dict[str, Any] = {
    "nogil": True,  # threads run side by side
    "error_model": "numpy",  # a division by zero gives inf, no exception
    "fastmath": {"contract", "nsz"},  # multiply-add in one step; NaN and order of sums keep their meaning
}


class _Compiled:
    """A function that is compiled when it is called: numba is imported then, and not by a run with nothing to do."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    @functools.cached_property
    def _machine_code(self) -> Any:
        import numba

        try:
            return numba.njit(cache=True, **_OPTIONS)(self._function)
        except RuntimeError:  # no folder for the machine code
            return numba.njit(**_OPTIONS)(self._function)

    @property
    def _numba_type_(self) -> Any:
        """What numba takes it for where another compiled function calls it."""
        return self._machine_code._numba_type_

    def __call__(self, *arguments: Any) -> Any:
        return self._machine_code(*arguments)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of NumPy arrays and numbers at its first call.

    The machine code is kept on disk beside the source or in the user's cache, so that later runs start at once;
    where neither can be written, each run compiles anew.

    Parameters
    ----------
    function : callable
        Uses the part of Python and NumPy that numba compiles.

    Returns
    -------
    callable
        The same function, some hundred times faster; it does not hold Python's global lock.
    """
    return _Compiled(function)


def progress_bar(iterable: Iterable[Any] | None = None, *, hidden: bool = False, **keywords: Any) -> tqdm:
    """Progress bar on standard error, which is silent where that is no terminal or only errors are reported.

    Parameters
    ----------
    iterable : iterable, optional
        What is gone through; without it the bar is moved by its `update`.
    hidden : bool
        Whether to show none in any case.
    **keywords
        Those of tqdm: `total`, so that the bar knows the end, `unit`, `desc`.

    Returns
    -------
    tqdm
    """
    quiet = logging.getLogger("gaia_oc_amd").getEffectiveLevel() >= logging.ERROR
    return tqdm(iterable, disable=True if hidden or quiet else None, **keywords)


def n_threads() -> int:
    """Threads that this process may use: OMP_NUM_THREADS (in a worker its share), or else all cores."""
    with suppress(KeyError, ValueError):
        return max(int(os.environ["OMP_NUM_THREADS"].split(",")[0]), 1)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_at_most(n: int) -> None:
    """Let this process use at most so many threads, ours and those of libraries, loaded now or later.

    Parameters
    ----------
    n : int
        A worker's share of the cores.
    """
    n = min(n, n_threads())
    os.environ["OMP_NUM_THREADS"] = str(n)
    threadpool_limits(n)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let NumPy's BLAS sum in a fixed order: with several threads probabilities would depend on their number."""
    with threadpool_limits(1):
        yield


def for_each_block(
    work: Callable[[Index, np.random.Generator], None],
    rows: Index,
    size: int,
    *,
    rng: np.random.Generator,
    name: str,
) -> None:
    """Do the same for every block of rows, in as many threads as this process may use.

    Every block has a random stream of its own, and within a thread nothing else runs in parallel: the result
    depends neither on the number of threads nor on their order.

    Parameters
    ----------
    work : callable
        Takes the rows of a block and its random stream.
    rows : ndarray of int
        What is divided.
    size : int
        Rows in a block.
    rng : Generator
        Parent of the streams.
    name : str
        For the progress bar.
    """
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    n_parallel = n_threads()
    with (
        one_thread(),
        ThreadPoolExecutor(n_parallel) as pool,
        progress_bar(total=len(rows), unit="star", desc=name, leave=False) as progress,
    ):
        try:
            for block, _ in zip(blocks, pool.map(work, blocks, rng.spawn(len(blocks))), strict=True):
                progress.update(len(block))
        except BaseException:  # an interrupt, too, shall not wait for what has not begun
            pool.shutdown(cancel_futures=True)
            raise
