"""Makes the table of faults in docs/archive.md from cone searches at the running test server.

make tap-server && PYTHONPATH=.:tests .venv/bin/python -m tap_server.fault_table
"""

import argparse
import json
import logging
import os
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from tap_server.fault_proxy import STAGES
from tap_server.faults import KINDS, Bench, Outcome, bench, run

from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.retries import Patience

HERE = Path(__file__).resolve().parent
REGION = ConeRegion(130.1, 19.7, 0.4, -36.0, -13.0, 8.0, 5.0, 1.0)
PATIENCE = Patience(
    connect=5, read=4, answer=20, slowest=1000, slow_after=1, count=4, job=40, first_poll=0.1, longest_poll=0.5,
    total=150, tries=3, first_pause=0.2, longest_pause=0.5, longest_retry_after=1,
)  # fmt: skip
"""Short, so that the table is made in minutes; the defaults of `Patience` are for a real archive."""
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"


def server_url() -> str | None:
    """URL of the server that `make tap-server` started, if any."""
    record = HERE / "running.json"
    return os.environ.get("TAP_SERVER") or (
        json.loads(record.read_text())["url"] if record.exists() else None
    )


def cells(servers: Bench, times: float) -> Iterator[tuple[tuple[str, str], Outcome]]:
    """Outcome of a search for every fault and stage."""
    for kind in KINDS:
        for stage in kind.stages:
            outcome = run(servers, kind, stage, times)
            logging.warning("%s, %s, %g: %s", kind.name, stage, times, outcome)
            yield (kind.name, stage), outcome


def once_table(outcomes: dict[tuple[str, str], Outcome]) -> list[str]:
    """Faults x stages: what was done and how long the whole search took."""
    lines = ["| fault, once | " + " | ".join(STAGES) + " |", "| --- |" + " --- |" * len(STAGES)]
    for kind in KINDS:
        found = [outcomes.get((kind.name, stage)) for stage in STAGES]
        lines.append(f"| {kind.name} | " + " | ".join(map(_cell, found)) + " |")
    return lines


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if outcome.wrong:
        return f"**wrong**: {'; '.join(outcome.wrong)}"
    return f"{f'{outcome.retries} more' if outcome.whole else 'stops'}, {outcome.seconds:.1f} s"


def always_table(outcomes: dict[tuple[str, str], Outcome]) -> list[str]:
    """Faults that do not pass: where the search stops, after how long, and what the user reads."""
    lines = [
        "| fault, always | stops at | after | whole all the same at | what the user reads (last stage that stops) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in KINDS:
        found = {stage: outcomes[kind.name, stage] for stage in kind.stages}
        stops = {stage: outcome for stage, outcome in found.items() if not outcome.whole}
        whole = [stage for stage, outcome in found.items() if outcome.whole]
        seconds = [outcome.seconds for outcome in stops.values()]
        after = f"{min(seconds):.1f} - {max(seconds):.1f} s" if seconds else ""
        message = list(stops.values())[-1].message if stops else ""
        row = [kind.name, ", ".join(stops), after, ", ".join(whole), _shortened(message)]
        lines.append("| " + " | ".join(row) + " |")
    return lines


def _shortened(message: str) -> str:
    """A message without this run's port and the remedy that is always the same."""
    message = re.sub(r"https://localhost:\d+/tap-server/tap", "*URL*", message)
    return message.replace("use --cone_source with another TAP URL or a local table.", "...").replace(
        "|", "\\|"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=server_url(), help="TAP base URL of the server")
    parser.add_argument("--output", type=Path, default=HERE.parents[1] / "docs" / "archive.md")
    options = parser.parse_args()
    if options.url is None:
        parser.error("no server is running: start it with `make tap-server`.")
    warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    with bench(options.url, REGION, PATIENCE) as servers:
        plain, start = run(servers, None), time.monotonic()
        always = dict(cells(servers, float("inf")))
        once = dict(cells(servers, 1))
    found = [*once.items(), *always.items()]
    wrong = [f"{name} at {stage}" for (name, stage), outcome in found if outcome.wrong]
    summary = (
        f"{len(found)} cone searches of {len(servers.expected)} stars with {len(KINDS)} faults, in "
        f"{time.monotonic() - start:.0f} s on {os.cpu_count()} busy cores; one without a fault took "
        f"{plain.seconds:.1f} s, of which this server needs three to run a job. Searches that left a wrong, lost or "
        f"half-written file, showed a secret, or ended in more than one line: {len(wrong)}{'; '.join(['', *wrong])}."
    )
    before, _, rest = options.output.read_text().partition(BEGIN)
    tables = "\n".join([summary, "", *once_table(once), "", *always_table(always)])
    options.output.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
