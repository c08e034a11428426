"""Blocks in threads: all of them once, each with its own stream, and none after a failure."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from gaia_oc_amd.parallel import for_each_block, n_threads


@pytest.fixture(params=[1, 3])
def parallel(request, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(request.param))
    return request.param


def blas_threads():
    """Of NumPy's BLAS."""
    return {library["num_threads"] for library in threadpool_info() if "numpy" in library["filepath"]}


def test_every_row_is_met_once_by_a_stream_of_its_own(parallel):
    drawn, inside, before = np.zeros(100), [], blas_threads()

    def work(rows, rng):
        inside.append((threading.get_ident(), blas_threads()))
        drawn[rows] += rng.random(len(rows))

    for_each_block(work, np.arange(100), 7, rng=np.random.default_rng(1), name="toy")
    streams = np.random.default_rng(1).spawn(15)
    expected = np.concatenate([rng.random(n) for rng, n in zip(streams, [7] * 14 + [2], strict=True)])
    np.testing.assert_array_equal(drawn, expected)
    assert all(n == {1} for _, n in inside)
    assert blas_threads() == before
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


@pytest.mark.parametrize(("said", "threads"), [("4", 4), ("2,1", 2), ("0", 1), ("many", None), (None, None)])
def test_threads_are_those_that_the_environment_allows(said, threads, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert n_threads() == threads or (threads is None and 1 <= n_threads() <= os.cpu_count())


def test_a_library_loaded_after_the_first_use_has_one_thread_too():
    text = """
from threadpoolctl import threadpool_info
from gaia_oc_amd.parallel import one_thread

def threads():
    return [library["num_threads"] for library in threadpool_info()]

with one_thread():
    n_libraries = len(threads())
import scipy.linalg

before = threads()
assert len(before) > n_libraries
with one_thread():
    assert set(threads()) == {1}
assert threads() == before
"""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", text], env=environment, check=True)


def test_no_rows_are_no_work():
    for_each_block(
        lambda *_: pytest.fail("called"), np.arange(0), 5, rng=np.random.default_rng(1), name="toy"
    )
