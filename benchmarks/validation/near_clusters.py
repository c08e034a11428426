"""Whether clusters within 300 pc are found as completely as far ones at the same magnitudes, where errors are the same.

Simulates pairs of clusters that differ in nothing but their distance: one near, one at --far, at the same place on the
sky, with the same velocity in space, shape and age, in fields thinned to the same number of stars. At the same apparent
magnitude their members have the same errors; the near one's motions turn over the sky by several mas/yr. Prints, as
Markdown, completeness at p >= 0.5 of all pairs together by magnitude (members that the cone's cut or the selection lost
are not found), their difference with its binomial error, and purities.

example: python benchmarks/validation/near_clusters.py data/near --max_field_stars 12000
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from pole import CONE_RADIUS, NAME, accepted

from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import simulate_clusters
from gaia_oc_amd.truth import read_truth

ROOT = Path(__file__).resolve().parents[2]
EDGES = (0.0, 15.0, 17.0, 18.0, 19.0, 20.0, 21.0)
LABELS = ("G < 15", "15-17", "17-18", "18-19", "19-20", "> 20", "all")
PLACES = ((80.0, 60.0), (130.0, -45.0), (250.0, 30.0), (300.0, 20.0))
"""ra and dec [deg] of the pairs, in turn."""


def stars_of(folder, dist, place, seed, arguments):
    """True members and accepted stars of one cluster: g_true, is_member, found."""
    options = SimulationOptions(
        ra=place[0], dec=place[1], dist=dist, n_members=arguments.n_members, pmra=-6000 / dist, pmdec=4000 / dist,
        radial_velocity=20.0, cone_radius=CONE_RADIUS, max_field_stars=arguments.max_field_stars,
    )  # fmt: skip
    simulate_clusters([NAME], folder, options, seed=seed)
    found = accepted(folder, arguments.model_dir)
    truth = read_truth(NAME, folder)[["source_id", "g_true", "is_member"]]
    truth = truth.assign(found=truth["source_id"].isin(found))
    counts = truth.loc[truth["is_member"], "found"].agg(["sum", "size"]).tolist()
    print(f"{dist:g} pc, seed {seed}: {counts}", file=sys.stderr, flush=True)
    return truth[truth["is_member"] | truth["found"]]


def parts(stars):
    """The stars of each of `LABELS`."""
    g = stars["g_true"]
    return [*(stars[(g >= low) & (g < high)] for low, high in pairwise(EDGES)), stars]


def row(label, near, far):
    """Completeness of both, their difference in points with its binomial error, and purities."""
    cells, shares, variance, pure = [], [], 0.0, []
    for stars in (near, far):
        found = stars.loc[stars["is_member"], "found"]
        number, right = len(found), int(found.sum())
        likely = (right + 1) / (number + 2)  # Laplace's, so that the error is not 0
        variance += likely * (1 - likely) / max(number, 1)
        shares.append(right / number if number else np.nan)
        cells.append(f"{right} of {number}: {100 * shares[-1]:.1f}")
        pure.append(f"{100 * right / max(stars['found'].sum(), 1):.0f}")
    difference = f"{100 * (shares[0] - shares[1]):+.1f} ± {100 * np.sqrt(variance):.1f}"
    return f"| {label} | {' | '.join([*cells, difference])} | {' / '.join(pure)} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for the data directories")
    parser.add_argument("--model_dir", type=Path, default=ROOT / "deep_sets_model")
    parser.add_argument("--near", type=float, nargs="+", default=(150.0, 200.0, 250.0, 300.0), help="[pc]")
    parser.add_argument("--far", type=float, default=1000.0, help="[pc]")
    parser.add_argument("--n_members", type=int, default=400)
    parser.add_argument("--max_field_stars", type=int, default=30_000)
    arguments = parser.parse_args()
    near, far = [], []
    for i, dist in enumerate(arguments.near):
        place = PLACES[i % len(PLACES)]
        for distance, tables in ((dist, near), (arguments.far, far)):
            folder = arguments.folder / f"pair{i}_{distance:g}pc"
            tables.append(stars_of(folder, distance, place, i + 1, arguments))
    near, far = (parts(pd.concat(tables, ignore_index=True)) for tables in (near, far))
    distances = ", ".join(f"{dist:g}" for dist in arguments.near)
    print(f"| | {distances} pc [%] | {arguments.far:g} pc [%] | difference | purities [%] |")
    print("| --- | --- | --- | --- | --- |")
    print("\n".join(map(row, LABELS, near, far)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
