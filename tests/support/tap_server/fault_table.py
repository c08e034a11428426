"""Makes the table of faults in docs/archive.md from cone searches at the running test server.

make tap-server && PYTHONPATH=.:tests/support .venv/bin/python -m tap_server.fault_table
"""

import argparse
import json
import logging
import os
import re
import time
import warnings
from dataclasses import asdict
from pathlib import Path

from tap_server.fault_proxy import STAGES
from tap_server.faults import KINDS, Bench, Outcome, bench, run

from gaia_oc_amd.archive.session import Patience
from gaia_oc_amd.cone import ConeRegion

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


def run_all(servers: Bench, record: Path, seconds: float) -> None:
    """Search with every fault at every stage, the most telling stages first, until the time is up.

    Outcomes are appended to a file as lines of JSON; what stands there already is not run again.
    """
    done, end = read_outcomes(record), time.monotonic() + seconds
    rank = ("result", "phase", "submit", "job", "start", "login", "count", "delete", "logout").index
    cells = [(kind, stage, always) for kind in KINDS for stage in kind.stages for always in (True, False)]
    for kind, stage, always in sorted(cells, key=lambda cell: rank(cell[1])):
        if (kind.name, stage, always) in done or time.monotonic() > end:
            continue
        outcome = run(servers, kind, stage, float("inf") if always else 1)
        with record.open("a") as lines:
            lines.write(json.dumps([kind.name, stage, always, asdict(outcome)]) + "\n")


def read_outcomes(record: Path) -> dict[tuple[str, str, bool], Outcome]:
    lines = record.read_text().splitlines() if record.exists() else []
    return {(name, stage, always): Outcome(**found) for name, stage, always, found in map(json.loads, lines)}


def once_table(outcomes: dict[tuple[str, str, bool], Outcome]) -> list[str]:
    """Faults x stages: what was done and how long the whole search took."""
    lines = ["| fault, once | " + " | ".join(STAGES) + " |", "| --- |" + " --- |" * len(STAGES)]
    for kind in KINDS:
        found = [
            _cell(outcomes.get((kind.name, stage, False))) if stage in kind.stages else "" for stage in STAGES
        ]
        lines.append(f"| {kind.name} | " + " | ".join(found) + " |")
    return lines


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not run"
    if outcome.wrong:
        return f"**wrong**: {'; '.join(outcome.wrong)}"
    return f"{f'{outcome.retries} more' if outcome.whole else 'stops'}, {outcome.seconds:.1f} s"


def always_table(outcomes: dict[tuple[str, str, bool], Outcome]) -> list[str]:
    """Faults that do not pass: where the search stops, after how long, and what the user reads."""
    lines = [
        "| fault, always | stops at | after | whole all the same at | what the user reads (last stage that stops) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in KINDS:
        found = {
            stage: outcomes[kind.name, stage, True]
            for stage in kind.stages
            if (kind.name, stage, True) in outcomes
        }
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
    parser.add_argument(
        "--output", type=Path, default=HERE.parents[2] / "docs" / "archive.md", help="page to fill"
    )
    parser.add_argument(
        "--record", type=Path, default=HERE / "outcomes.jsonl", help="outcomes; an unfinished run goes on"
    )
    parser.add_argument("--seconds", type=float, default=3600, help="after which no other search is begun")
    options = parser.parse_args()
    if options.url is None:
        parser.error("no server is running: start it with `make tap-server`.")
    warnings.simplefilter("ignore")
    logging.basicConfig()
    logging.getLogger().handlers[0].setLevel(logging.ERROR)  # what `run` collects is not for the terminal
    with bench(options.url, REGION, PATIENCE) as servers:
        run_all(servers, options.record, options.seconds)
        plain = run(servers, None)
    outcomes = read_outcomes(options.record)
    wrong = [f"{name} at {stage}" for (name, stage, _), outcome in outcomes.items() if outcome.wrong]
    summary = (
        f"{len(outcomes)} cone searches of {len(servers.expected)} stars with {len(KINDS)} faults on "
        f"{os.cpu_count()} busy cores; one without a fault took {plain.seconds:.1f} s, nearly all of which this server "
        "needs to run a job. Searches that left a wrong, lost or half-written file, showed a secret, or ended in more "
        f"than one line: {len(wrong)}{'; '.join(['', *wrong])}."
    )
    before, _, rest = options.output.read_text().partition(BEGIN)
    tables = "\n".join([summary, "", *once_table(outcomes), "", *always_table(outcomes)])
    options.output.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
