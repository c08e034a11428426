"""Work shared by threads in a way that the result does not depend on their number."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from gaia_oc_amd.progress import progress_bar

Index = NDArray[np.int64]


def n_threads() -> int:
    """Threads that this process may use, PyTorch's number: a worker has its share of the cores."""
    return torch.get_num_threads()


@contextmanager
def one_thread() -> Iterator[None]:
    """Sum in a fixed order: with several threads weights and probabilities would depend on their number."""
    before = n_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def for_each_block(
    work: Callable[[Index, np.random.Generator], None],
    rows: Index,
    size: int,
    *,
    rng: np.random.Generator,
    name: str,
) -> None:
    """Do the same for every block of rows, in as many threads as PyTorch has.

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
