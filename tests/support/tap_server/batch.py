"""A batch of clusters through the real test server: undisturbed, with random faults, and killed at random moments.

PYTHONPATH=.:tests/support .venv/bin/python -m tap_server.batch --work /tmp/batch --clusters 50 --kills 20

Every run is the two commands that a user types, build_sets.py and evaluate_clusters.py, in processes of their own.
The exit code is 0 only if no file differs from those of the undisturbed run, and no secret stands in any.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tap_server import fault_table, gaia_front
from tap_server.clusters import NAMES
from tap_server.fault_proxy import Fault, Proxy
from tap_server.fault_table import HERE, server_url
from tap_server.faults import KINDS

ROOT = HERE.parents[2]
PATIENCE = replace(fault_table.PATIENCE, tries=5)
"""As short as for the fault table, but with as many tries as users have."""
CLUSTERS = HERE / "cluster_data"
LISTS = ("cg18_members.csv", "t22_members.csv", "cluster_parameters.csv", "isochrones.dat")
LEFT_OUT = ("login refused", "session expired", "redirect to another host", "result over the row limit",
            "result cut without a word", "connection refused")  # fmt: skip
"""Kinds that are no passing fault of one request, or need a login; each is in the table of docs/archive.md."""


class RandomFaults(Proxy):
    """Spoils a share of the requests, each by a kind of fault that can occur there and that passes."""

    def __init__(self, upstream: str, share: float, seed: int) -> None:
        self.share, self.random, self.made = share, random.Random(seed), Counter()
        self.requests = 0
        super().__init__(upstream)

    def pick(self, stage: str) -> Fault | None:
        self.requests += 1
        if self.random.random() >= self.share:
            return None
        kinds = [k for k in KINDS if stage in k.stages and k.expects == "passes" and k.name not in LEFT_OUT]
        kind = self.random.choice(kinds)
        self.made[kind.name] += 1
        return kind.make(stage, 1, self)

    @property
    def patience(self):
        """What a kind of fault looks at to be slower than the client waits."""
        return PATIENCE


def command(script: str, data: Path, names: list[str], *options: str) -> list[str]:
    """A script's command line, run with short waits."""
    start = (
        "import sys, runpy; from unittest import mock; from gaia_oc_amd.archive import results as archive; "
        f"from gaia_oc_amd.archive.session import Patience; patience = {PATIENCE!r}; "
        "sys.argv = sys.argv[1:]; archive.Patience = lambda: patience; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return [sys.executable, "-c", start, str(ROOT / script), *names, "--data_dir", str(data), *options]


def commands(data: Path, names: list[str], url: str) -> Iterator[list[str]]:
    yield command("build_sets.py", data, names, "--cone_source", url, "--cone_radius", "12")
    yield command("evaluate_clusters.py", data, names, "--no-save_plots")


def run(data: Path, names: list[str], url: str) -> int:
    """Both commands to their end; the exit code of the first that fails."""
    for line in commands(data, names, url):
        code = subprocess.run(line, check=False, cwd=ROOT, stdout=subprocess.DEVNULL).returncode
        if code:
            return code
    return 0


def run_until_complete(data: Path, names: list[str], url: str, times: int = 5) -> int:
    """Both commands again and again until every cluster has succeeded; how often that was.

    A busy DaCHS gives up jobs of its own with "Job hung", which is no passing error by its own word.
    """
    for number in range(1, times + 1):
        if run(data, names, url) == 0:
            return number
    raise SystemExit(f"{times} runs of the commands did not complete the batch")


def run_killed(data: Path, names: list[str], url: str, seconds: float) -> bool:
    """Both commands until the time is up; whether something was killed."""
    end = time.monotonic() + seconds
    for line in commands(data, names, url):
        with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True) as process:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return True
    return False


def fresh(data: Path) -> Path:
    """An empty data directory with the lists alone."""
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    for name in LISTS:
        shutil.copy(CLUSTERS / name, data)
    return data


def results(data: Path) -> dict[str, bytes]:
    """All files of all clusters."""
    paths = sorted((data / "clusters").rglob("*"))
    return {str(path.relative_to(data)): path.read_bytes() for path in paths if path.is_file()}


def differing(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Names of files that differ; the pictures as well."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


@contextmanager
def proxy(upstream: str, share: float, seed: int) -> Iterator[RandomFaults]:
    front = gaia_front.serve(upstream)  # its job addresses lead through the proxy again
    running = RandomFaults(f"http://127.0.0.1:{front.server_port}/tap-server/tap", share, seed)
    try:
        yield running
    finally:
        running.stop()
        front.shutdown()
        front.server_close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/tap_batch"))
    parser.add_argument("--clusters", type=int, default=50)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--killed_clusters", type=int, default=5, help="clusters of a batch that is killed")
    parser.add_argument("--share", type=float, default=1 / 3, help="share of the requests with a fault")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    names, data, wrong = list(NAMES[: given.clusters]), given.work / "data", 0
    with proxy(server_url(), 0.0, given.seed) as server:
        run_until_complete(fresh(data), names, server.url)
        expected, n_requests = results(data), server.requests
        print(f"undisturbed: {len(names)} clusters, {n_requests} requests, {len(expected)} files")

        server.share, server.requests, start = given.share, 0, time.monotonic()
        runs = run_until_complete(fresh(data), names, server.url)
        bad = differing(results(data), expected)
        print(
            f"faults: {sum(server.made.values())} of {server.requests} requests spoilt in {len(server.made)} ways, "
            f"{runs} run(s) of the commands, {time.monotonic() - start:.0f} s; files that differ: {bad or 'none'}"
        )
        print("  " + ", ".join(f"{name}: {times}" for name, times in sorted(server.made.items())))
        wrong += len(bad)

        server.share, names = 0.0, names[: given.killed_clusters]
        start = time.monotonic()
        run_until_complete(fresh(data), names, server.url)
        longest, expected = time.monotonic() - start, results(data)
        moments = random.Random(given.seed)
        for _ in range(given.kills):
            moment = moments.uniform(0, longest)
            killed = run_killed(fresh(data), names, server.url, moment)
            n_left = len(results(data)) if (data / "clusters").exists() else 0
            runs = run_until_complete(data, names, server.url)
            bad = differing(results(data), expected)
            print(
                f"kill -9 after {moment:.1f} of {longest:.1f} s ({'killed' if killed else 'was done'}, "
                f"{n_left} files left): then {runs} run(s), files that differ: {bad or 'none'}"
            )
            wrong += len(bad)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
