"""Weight of a cluster's report, and the time until all panels of it stand in Chromium, three times.

With --times 2 the cone is doubled: other identifiers, measurements that differ by 2 %.

example: python benchmarks/speed/report_page.py Simulated_1 --data_dir demo --times 2
"""

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.files.data_directory import cluster_directory
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.report.page import report_page
from gaia_oc_amd.source_sets import load_sets


def multiplied(table, times, rng):
    """The stars and others like them."""
    parts = [table]
    for _ in range(times - 1):
        other = table.assign(source_id=table["source_id"] + 128 * rng.integers(1, 2**27, len(table)))
        measured = [name for name in table if table[name].dtype == float and "PMemb" not in name]
        other[measured] *= 1 + rng.normal(0, 0.02, (len(table), len(measured)))
        parts.append(other)
    return pd.concat(parts, ignore_index=True).drop_duplicates("source_id")


def opened(browser, path):
    """Milliseconds by the clock, and seconds of processor time of the page's thread."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]", timeout=600_000)
    metrics = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
    clock = page.evaluate("document.body.dataset.ready")
    context.close()
    return clock, metrics["TaskDuration"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cluster", help="a cluster that was evaluated")
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--times", type=int, default=1, help="how many times its candidates and non-members")
    arguments = parser.parse_args()
    sets, rng = load_sets(arguments.cluster, arguments.data_dir), np.random.default_rng(1)
    names = ("candidates", "non_members")
    sets = replace(sets, **{name: multiplied(getattr(sets, name), arguments.times, rng) for name in names})
    folder = cluster_directory(arguments.data_dir, sets.cluster.name)
    start = time.process_time()
    text = report_page(sets, folder, arguments.data_dir, PlotOptions())
    print(f"{len(sets.candidates):,} candidates, {len(sets.non_members):,} non-members: "
          f"{len(text.encode()) / 1e6:.2f} MB, written in {time.process_time() - start:.1f} s of processor time, "
          f"{text.count('Not in this page')} figures linked")  # fmt: skip
    with tempfile.TemporaryDirectory() as place, sync_playwright() as engine:
        path = Path(place, "report.html")
        path.write_text(text, encoding="utf-8")
        browser = engine.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(3):
            clock, processor = opened(browser, path)
            print(
                f"ready after {clock} ms by the clock, {processor:.2f} s of processor time of the page's thread"
            )
        browser.close()


if __name__ == "__main__":
    main()
