"""Number of members stated for deep frames that a cluster fills, beside the true one.

Simulates far clusters in squares of some arcminutes down to G = 20, where members outnumber field stars and nothing
beyond them shows the field; evaluates each with the catalogue's age and with older ones. Prints Markdown.

example: python benchmarks/membership/filled_frames.py data/frames
"""

import argparse
import sys
import warnings
from pathlib import Path
from shutil import copyfile

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.catalogues.tables import read_input_tables
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.options import ISOCHRONES, ConeOptions, TablePaths
from gaia_oc_amd.posterior import ConeJudge
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.spatial import number_interval
from gaia_oc_amd.stages.simulate import simulate_clusters
from gaia_oc_amd.truth import read_truth

HALF_WIDTH = 0.05  # [deg]
DISTANCES = (5000.0, 6500.0, 8000.0)
NUMBERS = (150, 250, 350, 450)
PLACES = ((96.0, 12.0), (110.0, -20.0), (75.0, 38.0), (118.0, -31.0))
"""ra and dec [deg] of the frames, in turn."""


def simulated(name, folder, dist, number, place, arguments):
    """Simulate one frame into a data directory of its own, unless it is there."""
    if (folder / "cluster_parameters.csv").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.simulated_isochrones:
        copyfile(arguments.simulated_isochrones, folder / ISOCHRONES)
    options = SimulationOptions(
        ra=place[0], dec=place[1], dist=dist, age=9.3, a0=0.5, n_members=number, core_radius=2.0, g_max=20.0,
        pmra=0.2, pmdec=-0.9, square_half_width=dist * np.radians(HALF_WIDTH),
    )  # fmt: skip
    simulate_clusters([name], folder, options, seed=arguments.seed)


def judged(name, folder, older, model, arguments):
    """Number of members, its standard error, and the true number among candidates and training members."""
    work_dir = folder / f"older_{older:g}"
    work_dir.mkdir(exist_ok=True)
    table = pd.read_csv(folder / "cluster_parameters.csv")
    table.assign(age=table["age"] + older).to_csv(work_dir / "parameters.csv", index=False)
    paths = TablePaths(
        cluster_path=work_dir / "parameters.csv",
        members_path=folder / "cg18_members.csv",
        isochrone_path=arguments.isochrones or folder / ISOCHRONES,
    )
    tables = read_input_tables(work_dir, paths)
    sets = build_sets(name, tables, work_dir, cone=ConeOptions((str(folder / "cones"),)))
    number, error = ConeJudge.of(sets, model, rng=cluster_rng(arguments.seed, name)).n_members
    truth = read_truth(name, folder)
    stars = pd.concat([sets.members["source_id"], sets.candidates["source_id"]])
    return number, error, int(stars.isin(truth.loc[truth["is_member"], "source_id"]).sum())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for the data directories")
    parser.add_argument("--model_dir", type=Path, default=ROOT / "deep_sets_model")
    parser.add_argument("--simulated_isochrones", type=Path, help="that members lie on")
    parser.add_argument("--isochrones", type=Path, help="that the sets are built with")
    parser.add_argument(
        "--older", type=float, nargs="+", default=(0.0, 0.15), help="than the catalogue says [dex]"
    )
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    model = Classifier.load(arguments.model_dir)
    columns = " | ".join(f"age {older:+g}" for older in arguments.older)
    print(f"| frame | kpc | true | {columns} |", "| --- |" + " --- |" * (2 + len(arguments.older)), sep="\n")
    offsets, inside = [], []
    for i, (dist, number) in enumerate((dist, number) for dist in DISTANCES for number in NUMBERS):
        name, folder = f"Frame_{i + 1}", arguments.folder / f"frame_{i + 1}"
        simulated(name, folder, dist, number, PLACES[i % len(PLACES)], arguments)
        cells, true = [], 0
        for older in arguments.older:
            try:
                stated, error, true = judged(name, folder, older, model, arguments)
            except ClusterError as problem:
                cells.append(str(problem)[:60])
                continue
            low, high = number_interval(stated, error)
            cells.append(f"{stated:.0f} ({low:.0f}-{high:.0f})")
            offsets.append(np.log(stated / true))
            inside.append(low <= true <= high)
        print(f"| {name} | {dist / 1000:g} | {true} | {' | '.join(cells)} |", flush=True)
    mean, rms = np.mean(offsets), np.sqrt(np.mean(np.square(offsets)))
    print(f"\nLogarithm of stated over true: mean {mean:+.2f}, rms {rms:.2f}")
    print(f"truth in {sum(inside)} of {len(inside)} intervals of 68 %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
