"""Batches: failures stay alone, the order does not matter, killed workers cost only their own cluster."""

import os
import warnings

import pytest

from gaia_oc_amd.batch import run_batch, summary_table
from gaia_oc_amd.exceptions import UnknownClusterError


def work(name):
    if name == "unknown":
        raise UnknownClusterError("unknown is in no table: give another.")
    if name == "defect":
        raise KeyError("x")
    if name == "doubtful":
        warnings.warn("something is odd.", stacklevel=1)
    return {"length": len(name)}


def killed(name):
    if name == "killed":
        os._exit(9)
    return work(name)


@pytest.mark.parametrize("workers", [1, 2])
def test_one_failure_never_stops_the_others(workers, caplog, capfd):
    outcomes = run_batch(work, ["a", "unknown", "defect", "bb", "doubtful"], workers=workers)
    assert [bool(outcome.error) for outcome in outcomes] == [False, True, True, False, False]
    assert outcomes[2].error == "defect: internal error: KeyError: 'x'"
    assert outcomes[3].summary == {"length": 2}
    table = summary_table(outcomes)
    assert "2 of 5 failed:" in table
    assert "unknown is in no table: give another." in table
    assert "doubtful: something is odd." in (caplog.text if workers == 1 else capfd.readouterr().err)


def test_killed_worker_costs_only_its_own_cluster():
    names = [f"cluster_{i}" for i in range(6)]
    outcomes = {o.cluster: o for o in run_batch(killed, ["killed", *names], workers=2)}
    assert "its process was killed" in outcomes["killed"].error
    assert not any(outcomes[name].error for name in names)


def test_interrupt_is_not_swallowed():
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(interrupted, ["a"])


def test_table_is_aligned():
    lines = summary_table(run_batch(work, ["a", "long_name"])).split("\n")
    assert len({len(line) for line in lines}) == 1
