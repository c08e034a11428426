"""Kills a run at every moment at which it changes a file, runs the same command again, and tells what differs.

Called by tests/stages/test_build_when_killed.py in a process of its own:  python killed_runs.py DATA_DIR [EVERY]
Of the moments it takes each, or each third with EVERY 3. It prints a JSON list with, for each moment, the exit code
of the second run and the files that differ from those of an undisturbed run.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

import build_sets
import evaluate_clusters
from gaia_oc_amd.stages import build, evaluate  # noqa: F401  before the forks, too

KILLED = 137
KEPT = ("truth.csv", "simulation.json")
"""Files of the simulation."""


def work(data: Path) -> int:
    """What a user types, but for the pictures, which are written as every other file."""
    where = ["Sim_1", "--data_dir", str(data), "--no-save_plots", "--log_level", "error"]
    failed = build_sets.main([*where, "--cone_source", str(data / "cones"), "--cone_radius", "20"])
    return failed or evaluate_clusters.main(where)


def in_child(data: Path, moment: int | None = None) -> int:
    """Exit code of the work in a child process that dies before its moment-th change of a file."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if moment is not None:
            die_before(moment)
        code = 1
        try:
            code = work(data)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_before(moment: int) -> None:
    left = [moment]

    def watched(change):
        def changed(*arguments, **keywords):
            left[0] -= 1
            if left[0] == 0:
                os._exit(KILLED)
            return change(*arguments, **keywords)

        return changed

    Path.replace, Path.unlink = watched(Path.replace), watched(Path.unlink)


def files(data: Path) -> dict[str, bytes]:
    folder = data / "clusters" / "Sim_1"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in KEPT}


def removed(folder: Path) -> None:
    """Remove what the scripts made."""
    for path in folder.iterdir():
        if path.name not in KEPT:
            path.unlink()


def main(data: Path, every: int = 1) -> None:
    folder, found, moment = data / "clusters" / "Sim_1", [], 1 - every
    with contextlib.redirect_stdout(io.StringIO()):
        assert work(data) == 0  # here, so that the children find everything loaded and compiled
    expected = files(data)
    while True:
        moment += every
        removed(folder)
        if in_child(data, moment) != KILLED:
            break
        half = sorted(files(data))
        code, now = in_child(data), files(data)
        differing = sorted(
            name for name in expected.keys() | now.keys() if now.get(name) != expected.get(name)
        )
        found.append({"moment": moment, "left": half, "code": code, "differing": differing})
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
