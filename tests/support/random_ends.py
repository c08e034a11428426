"""Ends the commands of a user at random moments, runs them again, and tells what differs.

    PYTHONPATH=.:tests/support python -m random_ends 100 --signal KILL
    PYTHONPATH=.:tests/support python -m random_ends 50 --signal INT --workers 2

The commands are `build_sets.py` and `evaluate_clusters.py` for three clusters. KILL: each run is killed, and the same
commands must then give the files of an undisturbed run. INT and TERM: the run must have ended by itself with 130 or
143 within two seconds, too, and without a traceback. Half of the moments are drawn from the whole of an undisturbed
run, half from the time before it writes its first file, in which it imports. INT goes to all processes of the run, as
a terminal sends it. Prints one line of JSON: numbers of runs, of those that ended before they wrote anything, of each
exit code, of those that were over before the signal or that met Python before it ran any code of ours, the longest time
to the end, and all about the wrong ones.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import simulate_clusters

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("Sim_1", "Sim_2", "Sim_3")
SECONDS = 2.0
SLOWNESS = float(os.environ.get("SLOWNESS", "1"))
"""How many times as long everything may take, on a machine that is busy with other things."""


class Command:
    """A command of a user, in a process group of its own."""

    def __init__(self, script: str, data: Path, workers: int) -> None:
        words = [*NAMES, "--data_dir", data, "--no-save_plots", "--log_level", "error", "--workers", workers]
        if script == "build_sets.py":
            words += ["--cone_source", data / "cones", "--cone_radius", 20]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        self.errors = data.parent / "errors.txt"  # not a pipe: that would wait for all processes
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / script, *map(str, words)], env=environment, cwd=data.parent,
                stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            )  # fmt: skip

    def end(self, number: int) -> float:
        """Send a signal, an interrupt to all processes of the group; how long the command took to end."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)  # before we look at it the dead process keeps its number
        else:
            self.process.send_signal(number)
        begin = time.monotonic()
        self.process.wait()
        return time.monotonic() - begin

    def outcome(self) -> tuple[int, str]:
        """Exit code and what was shown, once the last process of the group has ended, too."""
        code = self.process.wait()
        for _ in range(int(6000 * SLOWNESS)):
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return code, self.errors.read_text(encoding="utf-8")
            time.sleep(0.01)
        return code, "processes are left"


def files(data: Path) -> dict[str, bytes]:
    folder = data / "clusters"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def names(data: Path) -> set[Path]:
    return set((data / "clusters").rglob("*"))


def restored(data: Path, before: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(before, data)


def seconds_until(condition: Callable[[], bool]) -> float:
    begin = time.monotonic()
    while not condition():
        time.sleep(0.002)
    return time.monotonic() - begin


def met_python_itself(number: int, ended: dict[str, object]) -> bool:
    """Whether the signal came before Python ran any code of ours: it ends by the signal, or cannot start."""
    return ended["code"] == -number or "init_import_site" in str(ended["errors"])


def is_well_ended(number: int, ended: dict[str, object]) -> bool:
    """By our own exit code, within the time and without a traceback; 0 if it was over already."""
    if number == signal.SIGKILL or met_python_itself(number, ended):
        return ended["code"] in (-number, 0, 1)
    is_clean = not re.search("Traceback|Exception ignored|processes are left", str(ended["errors"]))
    return (
        ended["code"] in (128 + number, 0) and is_clean and float(str(ended["seconds"])) < SECONDS * SLOWNESS
    )


class Trial:
    """The two commands, what stands before and after each in a data directory, and how long each takes."""

    scripts = ("build_sets.py", "evaluate_clusters.py")

    def __init__(self, folder: Path, workers: int) -> None:
        self.workers, self.data = workers, folder / "data"
        self.states = [folder / "clean", folder / "built", folder / "evaluated"]
        cluster = SimulationOptions(dist=2000, field_density=2000, cone_radius=20, n_members=200)
        simulate_clusters(list(NAMES), self.states[0], cluster, seed=5)
        self.imports, self.seconds = [0.0, 0.0], [0.0, 0.0]
        for _ in range(2):  # the second time everything is compiled
            for i, script in enumerate(self.scripts):
                self._undisturbed(i, script)

    def _undisturbed(self, i: int, script: str) -> None:
        restored(self.data, self.states[i])
        before, command = names(self.data), Command(script, self.data, self.workers)
        is_over = command.process.poll
        self.imports[i] = seconds_until(lambda: names(self.data) != before or is_over() is not None)
        self.seconds[i] = self.imports[i] + seconds_until(lambda: is_over() is not None)
        code, errors = command.outcome()
        if code:
            raise SystemExit(f"the undisturbed run of {script} failed: {errors}")
        restored(self.states[i + 1], self.data)

    def end_at(self, fraction: float, number: int, *, imports: bool) -> tuple[dict[str, object], bool]:
        """End one of the commands; what became of it, and whether it had written nothing yet."""
        seconds = self.imports if imports else self.seconds
        moment = fraction * sum(seconds)
        i = int(moment > seconds[0])
        restored(self.data, self.states[i])
        before = names(self.data)
        moment -= i * seconds[0]
        command = Command(self.scripts[i], self.data, self.workers)
        time.sleep(moment)
        seconds = command.end(number)
        code, errors = command.outcome()
        ended = {"code": code, "seconds": round(seconds, 3), "errors": errors}
        return ended | {"script": self.scripts[i], "moment": round(moment, 3)}, names(self.data) == before

    def differing(self) -> list[str]:
        """Files that differ from those of an undisturbed run once both commands have gone on."""
        for script in self.scripts:
            Command(script, self.data, self.workers).outcome()
        expected, now = files(self.states[2]), files(self.data)
        return sorted(name for name in expected.keys() | now.keys() if expected.get(name) != now.get(name))


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
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so that what is started here hears it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    wrong, codes, longest, n_early, n_python = [], Counter[object](), 0.0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(Path(name), given.workers)
        for i in range(given.number):
            ended, is_early = trial.end_at(rng.random(), number, imports=i % 2 == 1)
            codes[ended["code"]] += 1
            longest = max(longest, float(str(ended["seconds"])))
            n_early += is_early
            n_python += met_python_itself(number, ended)
            differing = trial.differing()
            if differing or not is_well_ended(number, ended):
                wrong.append(ended | {"differing": differing})
    summary = {
        "signal": given.signal,
        "runs": given.number,
        "before_the_first_file": n_early,
        "codes": {str(code): n for code, n in sorted(codes.items(), key=str)},
        "in_python_itself": n_python,
        "longest": longest,
        "undisturbed": [round(seconds, 1) for seconds in trial.seconds],
        "imports": [round(seconds, 1) for seconds in trial.imports],
        "n_wrong": len(wrong),
        "wrong": wrong,
    }
    print(json.dumps(summary))
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
