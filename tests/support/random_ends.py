"""Ends a batch of three clusters at random moments, runs the same command again, and tells what differs.

    PYTHONPATH=.:tests/support python -m random_ends 100 --signal KILL
    PYTHONPATH=.:tests/support python -m random_ends 50 --signal INT

KILL: each run is killed, and the same command must then give the files of an undisturbed run. INT and TERM: it must
have ended by itself with 130 or 143 within two seconds, too. Moments are drawn from the whole of an undisturbed run,
the imports included. Prints one line of JSON: numbers of runs, of wrong ones, and the longest time to the end.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import simulate_clusters

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("Sim_1", "Sim_2", "Sim_3")
SECONDS = 2.0
SLOWNESS = float(os.environ.get("SLOWNESS", "1"))
"""How many times as long everything may take, on a machine that is busy with other things."""


def start(data: Path, workers: int) -> subprocess.Popen:
    """The commands of a user, one after the other in one process group."""
    code = (
        "import sys\nfrom gaia_oc_amd.command_line import run\n"
        "import build_sets, evaluate_clusters\n"
        f"where = [*{NAMES!r}, '--data_dir', {str(data)!r}, '--no-save_plots', '--log_level', 'error', "
        f"'--workers', '{workers}']\n"
        "def main():\n"
        f"    built = build_sets.main([*where, '--cone_source', {str(data / 'cones')!r}, '--cone_radius', '20'])\n"
        "    return built or evaluate_clusters.main(where)\n"
        "if __name__ == '__main__':\n    run(main)\n"
    )
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # shells let what runs in the background ignore it
    script = data.parent / "batch.py"
    script.write_text(code, encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, script], env=environment, cwd=data.parent, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def files(data: Path) -> dict[str, bytes]:
    folder = data / "clusters"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def restored(data: Path, clean: Path) -> None:
    shutil.rmtree(data)
    shutil.copytree(clean, data)


def run_until_end(data: Path, workers: int) -> tuple[int, float]:
    begin = time.monotonic()
    process = start(data, workers)
    process.communicate()
    return process.returncode, time.monotonic() - begin


def end_at(number: int, moment: float, data: Path, workers: int) -> dict[str, object]:
    """What became of a run that got a signal, and how long it took to end."""
    process = start(data, workers)
    time.sleep(moment)
    process.send_signal(number)
    begin = time.monotonic()
    _, errors = process.communicate()
    return {"code": process.returncode, "seconds": time.monotonic() - begin, "errors": errors}


def is_well_ended(number: int, ended: dict[str, object]) -> bool:
    """By our own exit code, or, before Python runs our code, by the signal; 0 if it was over already."""
    if number == signal.SIGKILL:
        return ended["code"] in (-number, 0)
    return ended["code"] in (128 + number, -number, 0) and ended["seconds"] < SECONDS * SLOWNESS


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("number", type=int)
    parser.add_argument("--signal", choices=("KILL", "INT", "TERM"), default="KILL")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    number, rng = getattr(signal, f"SIG{given.signal}"), random.Random(given.seed)
    wrong, longest = [], 0.0
    with tempfile.TemporaryDirectory() as name:
        clean, data = Path(name) / "clean", Path(name) / "data"
        cluster = SimulationOptions(dist=2000, field_density=2000, cone_radius=20, n_members=200)
        simulate_clusters(list(NAMES), clean, cluster, seed=5)
        shutil.copytree(clean, data)
        code, _ = run_until_end(data, given.workers)
        assert code == 0, "the undisturbed run failed"
        expected = files(data)
        restored(data, clean)
        _, seconds = run_until_end(data, given.workers)  # now that everything is compiled
        for _ in range(given.number):
            restored(data, clean)
            moment = rng.uniform(0, seconds)
            ended = end_at(number, moment, data, given.workers)
            longest = max(longest, ended["seconds"])
            code, _ = run_until_end(data, given.workers)
            now = files(data)
            differing = sorted(
                file for file in expected.keys() | now.keys() if expected.get(file) != now.get(file)
            )
            if not is_well_ended(number, ended) or code or differing:
                wrong.append({"moment": moment, **ended, "then": code, "differing": differing})
    summary = {
        "runs": given.number,
        "wrong": wrong,
        "longest": round(longest, 2),
        "undisturbed": round(seconds, 1),
    }
    print(json.dumps(summary))
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
