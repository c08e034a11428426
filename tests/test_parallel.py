"""Blocks in threads: all of them once, each with its own stream, and none after a failure."""

import threading
import time

import numpy as np
import pytest
import torch

from gaia_oc_amd.parallel import for_each_block, n_threads


@pytest.fixture(params=[1, 3])
def parallel(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_row_is_met_once_by_a_stream_of_its_own(parallel):
    drawn, inside = np.zeros(100), []

    def work(rows, rng):
        inside.append((threading.get_ident(), torch.get_num_threads()))
        drawn[rows] += rng.random(len(rows))

    for_each_block(work, np.arange(100), 7, rng=np.random.default_rng(1), name="toy")
    streams = np.random.default_rng(1).spawn(15)
    expected = np.concatenate([rng.random(n) for rng, n in zip(streams, [7] * 14 + [2], strict=True)])
    np.testing.assert_array_equal(drawn, expected)
    assert {n for _, n in inside} == {1}
    assert n_threads() == parallel


def test_failure_passes_through_and_ends_the_rest(parallel):
    begun = []

    def work(rows, rng):
        begun.append(rows[0])
        if rows[0] == 0:
            raise KeyboardInterrupt
        time.sleep(0.3)  # all of them take far longer than a busy machine needs to notice

    with pytest.raises(KeyboardInterrupt):
        for_each_block(work, np.arange(100), 1, rng=np.random.default_rng(1), name="toy")
    assert len(begun) < 50
    assert n_threads() == parallel


def test_no_rows_are_no_work():
    for_each_block(
        lambda *_: pytest.fail("called"), np.arange(0), 5, rng=np.random.default_rng(1), name="toy"
    )
