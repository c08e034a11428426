"""The matrix products that the network cannot do without: a lower limit of the time of any evaluation."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

HIDDEN, SUPPORT, N_CANDIDATE, N_LAYERS = 64, 10, 8, 4
"""Width, support stars, features of a star with its cluster's, and hidden layers after the first."""
BLOCKS = (32, 64, 128, 256, 512, 1024, 2048)
"""Instances at once: the best number fits a processor's cache."""
MOST_INSTANCES = 100_000
"""More are not needed for a time per instance."""


def fastest(
    n_instances: int, *, blocks: Sequence[int] = BLOCKS, most_instances: int = MOST_INSTANCES
) -> dict[str, Any]:
    """Seconds of the matrix products of so many instances, on all threads with the best blocks.

    Counted are, for each instance, the first layer's part of the star, the four 64 x 64 layers of the ten support
    rows and of their mean, and the classifier: no activation, no mean, no gather. The first layer's part of the
    support stars is the same for all instances. Each thread has blocks of its own.

    Parameters
    ----------
    n_instances : int
        Stars times samples.
    blocks : sequence of int
        Numbers of instances at once that are tried.
    most_instances : int
        So many are timed, and the time is scaled.

    Returns
    -------
    dict
        seconds, block, and gflops, billions of floating point operations a second.
    """
    n_timed = min(n_instances, most_instances)
    trials = {block: _seconds(n_timed // 10, block) for block in blocks}
    block = min(trials, key=trials.__getitem__)
    seconds = min(_seconds(n_timed, block) for _ in range(3)) * n_instances / n_timed
    operations = 2 * n_instances * multiplications()
    return {"seconds": seconds, "block": block, "gflops": operations / seconds / 1e9}


def multiplications() -> int:
    """Multiplications of one instance."""
    layers = N_LAYERS * (SUPPORT + 1) * HIDDEN * HIDDEN
    return N_CANDIDATE * HIDDEN + layers + HIDDEN * HIDDEN + 2 * HIDDEN


def _seconds(n_instances: int, block: int) -> float:
    """Time of whole blocks, about so many instances, scaled to the number."""
    n_threads = torch.get_num_threads()
    rounds = max(n_instances // (block * n_threads), 1)
    with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        work = [Products(block) for _ in range(n_threads)]
        list(pool.map(Products.repeat, work, [2] * n_threads))
        start = time.perf_counter()
        list(pool.map(Products.repeat, work, [rounds] * n_threads))
        seconds = time.perf_counter() - start
    torch.set_num_threads(n_threads)
    return seconds * n_instances / (rounds * block * n_threads)


class Products:
    """Matrices of one block, and their products.

    Parameters
    ----------
    block : int
        Instances at once.
    """

    def __init__(self, block: int) -> None:
        self._pairs = list(self._matrices(block))

    @staticmethod
    def _matrices(block: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Factors and a place for the result: rows and mean of each layer, then the narrow products."""
        rows, mean = torch.rand(block * SUPPORT, HIDDEN), torch.rand(block, HIDDEN)
        row_results, mean_result = (torch.empty_like(rows), torch.empty_like(rows)), torch.empty_like(mean)
        yield torch.rand(block, N_CANDIDATE), torch.rand(N_CANDIDATE, HIDDEN), mean_result
        for layer in range(N_LAYERS):  # a layer reads what the one before has written
            source = rows if layer == 0 else row_results[(layer - 1) % 2]
            yield source, torch.rand(HIDDEN, HIDDEN) / HIDDEN, row_results[layer % 2]
            yield mean, torch.rand(HIDDEN, HIDDEN), mean_result
        yield mean, torch.rand(HIDDEN, HIDDEN), mean_result
        yield mean, torch.rand(HIDDEN, 2), torch.empty(block, 2)

    def repeat(self, rounds: int) -> None:
        """Multiply all of them so many times."""
        with torch.inference_mode():
            for _ in range(rounds):
                for left, right, result in self._pairs:
                    torch.mm(left, right, out=result)
