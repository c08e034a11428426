"""How well first members are found: real fields against published lists, simulated ones against truth, empty ones.

Prints Markdown tables. ``real``: 42 fields with all methods, by position alone and with the catalogue's mean motion.
``simulated``: clusters of simulate_clusters.py in whole fields. ``pure``: fields without a cluster, simulated ones with
patchy dust, real ones whose stars exchanged places, and real ones without their cluster's stars. ``speed``: time
against the number of stars. The parameters of the methods were chosen on the 14 fields of TUNED alone; the others are
reported apart.

example: python benchmarks/first_members/search.py --parts real pure --methods hdbscan gmm
"""

import argparse
import sys
import time
import warnings
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from fields import (
    dusty_field,
    emptied_field,
    permuted_field,
    real_field,
    simulated_field,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.first_members.choice import LEAST_UNCERTAINTY
from gaia_oc_amd.first_members.field import quality_cuts
from gaia_oc_amd.first_members.options import SearchOptions
from gaia_oc_amd.first_members.search import KnownMotion, find_first_members

TUNED = (
    *(
        "Arp_Madore_2",
        "Berkeley_21",
        "Berkeley_54",
        "IC_166",
        "Melotte_71",
        "NGC_1960",
        "NGC_2192",
        "NGC_2243",
    ),
    *("NGC_2324", "NGC_2420", "NGC_2509", "NGC_5460", "NGC_6649", "NGC_7654"),
)
"""Every third of the 42 real fields: the only ones that parameters were chosen on."""
UNSEEN = 100
"""Number of the first simulated field without a cluster that nothing was chosen on; the first 45 were looked at."""
METHODS = ("hdbscan", "gmm", "kmeans", "dec")


def judged(field, method, with_motion, seed, n_runs, least):
    """One search in one field as a row of numbers."""
    stars, _ = quality_cuts(field.sources)
    known = KnownMotion(field.mean, field.scatter) if with_motion else None
    row = {"field": field.name, "method": method, "motion": with_motion, "n_stars": len(stars)}
    start = time.perf_counter()
    try:
        found = find_first_members(
            field.name,
            stars,
            SearchOptions(method=method, n_runs=n_runs, population_significance=least),
            ra=field.ra,
            dec=field.dec,
            known=known,
            rng=cluster_rng(seed, field.name),
        )
    except ClusterError as error:
        return row | {
            "seconds": time.perf_counter() - start,
            "found": False,
            "right": False,
            "why": str(error),
        }
    row |= {"seconds": time.perf_counter() - start, "found": True, "significance": found.significance}
    row["population"] = found.population
    accepted = found.stars.loc[found.stars["PMemb"] >= 0.5, "source_id"]
    sure = found.stars.loc[found.stars["PMemb"] >= 0.8, "source_id"]
    row |= {"others": len(found.others), "accepted": len(accepted)}
    row["unlisted"] = 1 - accepted.isin(field.possible).mean() if len(accepted) else np.nan
    row["unlisted_sure"] = 1 - sure.isin(field.possible).mean() if len(sure) else np.nan
    if len(field.members):
        row["completeness"] = field.members.isin(accepted).mean()
        row["completeness_sure"] = field.members.isin(sure).mean()
        profile = found.group.profile
        allowed = np.maximum(2 * field.scatter, 2 * LEAST_UNCERTAINTY)
        near = (np.abs(profile.mean - field.mean) < allowed).all()
        row["right"] = bool(near and row["completeness"] >= 0.25)
    else:
        row["right"] = False
    return row


def run(task, seed, n_runs, least):
    """Make a field and search it, in a process of its own."""
    warnings.simplefilter("ignore")
    make, argument, searches = task
    field = make(argument)
    if field is None:
        return []
    return [judged(field, method, with_motion, seed, n_runs, least) for method, with_motion in searches]


def all_rows(tasks, arguments):
    rows = []
    settings = {
        "seed": arguments.seed,
        "n_runs": arguments.n_runs,
        "least": arguments.population_significance,
    }
    with get_context("spawn").Pool(arguments.workers) as pool:
        for i, part in enumerate(pool.imap(partial(run, **settings), tasks, chunksize=1)):
            rows += part
            print(f"{i + 1} of {len(tasks)}", end="\r", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def percent(values):
    return f"{100 * values.mean():.1f}" if values.notna().any() else "-"


def summary(rows):
    """One line per method and kind of knowledge."""
    lines = [
        "| method | motion known | right group | completeness | unlisted | completeness, PMemb >= 0.8 | unlisted | "
        "median s | longest s |",
        "| --- |" + " --- |" * 8,
    ]
    for (method, motion), part in rows.groupby(["method", "motion"], sort=False):
        right = part[part["right"].astype(bool)]
        measured = [
            right[name] for name in ("completeness", "unlisted", "completeness_sure", "unlisted_sure")
        ]
        cells = [
            f"{int(part['right'].sum())} of {len(part)}",
            *(f"{percent(values)} %" for values in measured),
        ]
        times = f"{part['seconds'].median():.1f} | {part['seconds'].max():.1f}"
        lines.append(f"| {method} | {'yes' if motion else 'no'} | {' | '.join(cells)} | {times} |")
    return "\n".join(lines)


def failures(rows):
    wrong = rows[~rows["right"].astype(bool)]
    what = (f"{row.field} ({row.method}, motion {row.motion}): " for row in wrong.itertuples())
    why = (
        str(row.why) if not row.found else f"{row.accepted:.0f} stars, completeness {row.completeness:.2f}"
        for row in wrong.itertuples()
    )
    return "\n".join(f"- {a}{b}" for a, b in zip(what, why, strict=True)) or "none"


def per_field(rows):
    lines = [
        "| field | stars | " + " | ".join(rows["method"].unique()) + " |",
        "| --- | --- |" + " --- |" * rows["method"].nunique(),
    ]
    for name, part in rows.groupby("field", sort=True):
        cells = [
            f"{100 * row.completeness:.0f} / {100 * row.unlisted:.0f} ({row.significance:.0f})"
            if row.right
            else "wrong"
            if row.found
            else "none"
            for row in part.itertuples()
        ]
        lines.append(f"| {name} | {part['n_stars'].iloc[0]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report_real(arguments):
    names = arguments.fields or pd.read_csv(arguments.real_dir / "cones.csv")["cluster"].tolist()
    searches = [(method, motion) for method in arguments.methods for motion in arguments.motion_known]
    tasks = [(partial(real_field, real_dir=arguments.real_dir), name, searches) for name in names]
    rows = all_rows(tasks, arguments)
    rows.to_csv(arguments.out / "first_members_real.csv", index=False)
    fresh = rows[~rows["field"].isin(TUNED)]
    print(f"\n## {len(names)} real fields\n\n{summary(rows)}")
    print(f"\n## the {fresh['field'].nunique()} that nothing was chosen on\n\n{summary(fresh)}")
    print(f"\nNot right:\n\n{failures(rows)}")
    print("\nCompleteness / unlisted (significance), position alone:\n")
    print(per_field(rows[rows["motion"] == rows["motion"].min()]))


def report_simulated(arguments):
    searches = [(method, motion) for method in arguments.methods for motion in arguments.motion_known]
    tasks = [(simulated_field, i, searches) for i in range(arguments.n_simulated)]
    rows = all_rows(tasks, arguments)
    rows.to_csv(arguments.out / "first_members_simulated.csv", index=False)
    print(f"\n## {rows['field'].nunique()} simulated clusters (unlisted: no members)\n\n{summary(rows)}")
    print(f"\nNot right:\n\n{failures(rows)}")


def report_pure(arguments):
    """Fields without a cluster: patchy dust, real stars that exchanged places, real fields without their cluster."""
    searches = [(method, False) for method in arguments.methods]
    names = pd.read_csv(arguments.real_dir / "cones.csv")["cluster"].tolist()
    exchanged = [(names[i % len(names)], i) for i in range(arguments.n_exchanged)]
    emptied = [name for name in names if name not in TUNED] if arguments.emptied else []
    tasks = [(dusty_field, i, searches) for i in range(UNSEEN, UNSEEN + arguments.n_pure)]
    tasks += [(partial(permuted_field, real_dir=arguments.real_dir), pair, searches) for pair in exchanged]
    tasks += [(partial(emptied_field, real_dir=arguments.real_dir), name, searches) for name in emptied]
    rows = all_rows(tasks, arguments)
    rows.to_csv(arguments.out / "first_members_pure.csv", index=False)
    kinds = ["simulated, with dust"] * arguments.n_pure
    kinds += ["real, places exchanged"] * len(exchanged) + ["real, cluster taken out"] * len(emptied)
    rows["kind"] = np.repeat(kinds, len(searches))
    rows = rows if "significance" in rows else rows.assign(significance=np.nan)
    print("\n## fields without a cluster\n\n| method | kind | fields | clusters found | largest sigma |")
    print("| --- |" + " --- |" * 4)
    for (method, kind), part in rows.groupby(["method", "kind"], sort=False):
        found = f"{int(part['found'].sum())} | {part['significance'].max():.1f}"
        print(f"| {method} | {kind} | {len(part)} | {found} |")
    print("\nFound:\n")
    for row in rows[rows["found"]].itertuples():
        print(f"- {row.field} ({row.method}): {row.significance:.1f} sigma, {row.accepted:.0f} stars")


def report_speed(arguments):
    print("\n## speed\n\n| method | stars | seconds |\n| --- | --- | --- |")
    for n_stars in arguments.n_stars:
        field = simulated_field(0, n_stars=n_stars)
        for method in arguments.methods:
            row = judged(
                field, method, False, arguments.seed, arguments.n_runs, arguments.population_significance
            )
            print(f"| {method} | {row['n_stars']} | {row['seconds']:.1f} |", flush=True)


REPORTS = {
    "real": report_real,
    "simulated": report_simulated,
    "pure": report_pure,
    "speed": report_speed,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=REPORTS, default=["real", "simulated", "pure"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--real_dir", type=Path, default=Path("../shared/data/real"))
    parser.add_argument("--n_runs", type=int, default=20)
    parser.add_argument(
        "--population_significance", type=float, default=3.0, help="inf: by significance alone"
    )
    parser.add_argument("--motion_known", nargs="+", type=int, choices=(0, 1), default=[0, 1])
    parser.add_argument("--fields", nargs="+", help="real fields (default: all)")
    parser.add_argument("--n_simulated", type=int, default=30)
    parser.add_argument("--n_pure", type=int, default=100, help="simulated fields with dust of all kinds")
    parser.add_argument(
        "--n_exchanged", type=int, default=42, help="real fields whose stars exchanged places"
    )
    parser.add_argument("--emptied", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--n_stars", nargs="+", type=int, default=[5000, 20000, 100000])
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts:
        REPORTS[part](arguments)


if __name__ == "__main__":
    main()
