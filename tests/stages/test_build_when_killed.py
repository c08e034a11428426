"""A run that is killed, at whatever moment, is completed by the same command to the same files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import simulate_clusters

ROOT = Path(__file__).resolve().parents[2]


def test_a_third_of_the_moments_of_a_kill(tmp_path):
    options = SimulationOptions(dist=2000, field_density=2000, cone_radius=20, n_members=200)
    simulate_clusters(["Sim_1"], tmp_path, options, seed=5)
    result = subprocess.run(
        [sys.executable, ROOT / "tests/support/killed_runs.py", tmp_path, "3"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr[-2000:]
    runs = pd.DataFrame(json.loads(result.stdout))
    assert len(runs) > 7, "a build and an evaluation change more files than that"
    assert any(name.startswith(".tmp-") for left in runs["left"] for name in left), (
        "nothing was left unfinished"
    )
    assert (runs["code"] == 0).all(), runs[runs["code"] != 0]
    assert not runs["differing"].map(len).any(), runs[runs["differing"].map(len) > 0]
