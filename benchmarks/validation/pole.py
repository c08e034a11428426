"""Whether a cluster at the pole loses and gains as many stars as the same cluster elsewhere.

Simulates a cluster and turns its whole cone, lists and parameters as a rigid body to another declination: places,
proper motions and their covariances turn, everything else, source_ids and with them all random numbers stay. Builds and
evaluates both, and prints, as Markdown, the field stars among the candidates, the true members that are lost (p < 0.5
or no candidate) and the field stars that are gained: means over several clusters, and the mean difference between the
two declinations with its standard error, cluster by cluster.

example: python benchmarks/validation/pole.py data/pole --seeds 1 2 3 4 5 6
"""

import argparse
import sys
from pathlib import Path
from shutil import copyfile

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.files.data_directory import cluster_directory
from gaia_oc_amd.options import ISOCHRONES, ConeOptions, FigureOptions, TablePaths
from gaia_oc_amd.perspective import local_axes
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.build import build_cluster
from gaia_oc_amd.stages.evaluate import evaluate_cluster
from gaia_oc_amd.stages.options import BuildOptions, EvaluateOptions
from gaia_oc_amd.stages.simulate import simulate_clusters
from gaia_oc_amd.truth import read_truth

ROOT = Path(__file__).resolve().parents[2]
NAME = "Turned"
CONE_RADIUS = 32.0  # [pc]
LISTS = ("cg18_members.csv", "t22_members.csv")


def turned(table, turn):
    """Sources with places, proper motions and covariances turned by a rotation matrix, shape (3, 3)."""
    here = local_axes(table["ra"].to_numpy(float), table["dec"].to_numpy(float))  # (n, 3, 3)
    x, y, z = (here[:, 2] @ turn.T).T
    ra, dec = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
    of_motion = local_axes(ra, dec)[:, :2] @ turn @ np.swapaxes(here[:, :2], 1, 2)  # (n, 2, 2)
    motion = np.einsum("nij,nj->ni", of_motion, table[["pmra", "pmdec"]].to_numpy(float))
    columns = {"ra": ra, "dec": dec, "pmra": motion[:, 0], "pmdec": motion[:, 1]}
    if "pmra_pmdec_corr" in table:
        columns |= _turned_errors(table, of_motion)
    return table.assign(**columns)


def _turned_errors(table, of_motion):
    errors = table[["pmra_error", "pmdec_error"]].to_numpy(float)
    covariance = errors[:, :, None] * errors[:, None]
    covariance[:, 0, 1] *= table["pmra_pmdec_corr"]
    covariance[:, 1, 0] = covariance[:, 0, 1]
    with_parallax = table[["parallax_pmra_corr", "parallax_pmdec_corr"]].to_numpy(float) * errors
    covariance = of_motion @ covariance @ np.swapaxes(of_motion, 1, 2)
    with_parallax = np.einsum("nij,nj->ni", of_motion, with_parallax)
    new = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return {
        "pmra_error": new[:, 0],
        "pmdec_error": new[:, 1],
        "pmra_pmdec_corr": covariance[:, 0, 1] / new.prod(axis=1),
        "parallax_pmra_corr": with_parallax[:, 0] / new[:, 0],
        "parallax_pmdec_corr": with_parallax[:, 1] / new[:, 1],
    }


def write_turned(source, target, dec):
    """The data directory of a simulation with everything turned about the east of its cluster."""
    (target / "cones").mkdir(parents=True, exist_ok=True)
    parameters = pd.read_csv(source / "cluster_parameters.csv")
    centre = parameters[["ra", "dec"]].iloc[0].to_numpy(float)
    turn = local_axes(centre[0], dec).T @ local_axes(*centre)
    turned(parameters, turn).to_csv(target / "cluster_parameters.csv", index=False)
    for name in LISTS:
        turned(pd.read_csv(source / name), turn).to_csv(target / name, index=False)
    cone = f"cones/{NAME}.parquet"
    turned(pd.read_parquet(source / cone), turn).to_parquet(target / cone)
    copyfile(source / ISOCHRONES, target / ISOCHRONES)


def accepted(folder, model_dir):
    """Build and evaluate the simulated cluster of a data directory; identifiers of the stars with p >= 0.5."""
    tables = TablePaths(
        cluster_path=folder / "cluster_parameters.csv",
        members_path=folder / LISTS[0],
        comparison_path=folder / LISTS[1],
    )
    no_plots = FigureOptions(save_plots=False)
    cone = ConeOptions(cone_source=folder / "cones", cone_radius=CONE_RADIUS)
    build_cluster(NAME, folder, BuildOptions(paths=tables, cone=cone, figures=no_plots))
    evaluate_cluster(NAME, folder, EvaluateOptions(model_dir=model_dir, figures=no_plots))
    listed = pd.read_csv(cluster_directory(folder, NAME) / "member_list.csv")
    return set(listed.loc[listed["PMemb"] >= 0.5, "source_id"])


def counted(folder, members, model_dir):
    """Field stars among the candidates, members lost, field stars gained."""
    found = accepted(folder, model_dir)
    candidates = pd.read_csv(cluster_directory(folder, NAME) / "candidates.csv")["source_id"]
    return len(set(candidates) - members), len(members - found), len(found - members)


def compared(dist, seed, arguments):
    """Counts of one cluster at both declinations, shape (2, 3), and its number of members."""
    here, there = (arguments.folder / f"{dist:g}pc_seed{seed}_dec{dec:g}" for dec in arguments.declinations)
    options = SimulationOptions(
        ra=80.0, dec=arguments.declinations[0], dist=dist, n_members=300, pmra=-6000 / dist, pmdec=4000 / dist,
        radial_velocity=20.0, cone_radius=CONE_RADIUS, max_field_stars=arguments.max_field_stars,
    )  # fmt: skip
    simulate_clusters([NAME], here, options, seed=seed)
    write_turned(here, there, arguments.declinations[1])
    truth = read_truth(NAME, here)
    members = set(truth.loc[truth["is_member"], "source_id"])
    counts = [counted(folder, members, arguments.model_dir) for folder in (here, there)]
    print(f"{dist:g} pc, seed {seed}: {counts}", file=sys.stderr, flush=True)
    return np.array(counts, float), len(members)


def lines_of(dist, counts, n_members, declinations):
    """Rows of the table: means at each declination, mean difference and its standard error."""
    start = f"| {dist:g} | {n_members:.0f} |"
    for dec, means in zip(declinations, counts.mean(axis=0), strict=True):
        yield f"{start} {dec:g} | {' | '.join(f'{value:.1f}' for value in means)} |"
    difference = counts[:, 1] - counts[:, 0]
    mean, error = difference.mean(axis=0), difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
    cells = [f"{value:+.1f} ± {wrong:.1f}" for value, wrong in zip(mean, error, strict=True)]
    yield f"{start} difference | {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for the data directories")
    parser.add_argument("--model_dir", type=Path, default=ROOT / "deep_sets_model")
    parser.add_argument("--declinations", type=float, nargs=2, default=(60.0, 89.85))
    parser.add_argument("--distances", type=float, nargs="+", default=(1000.0, 250.0), help="[pc]")
    parser.add_argument("--max_field_stars", type=int, default=30_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3, 4), help="two or more clusters")
    arguments = parser.parse_args()
    if len(arguments.seeds) < 2:
        parser.error("--seeds: one cluster gives no error of the difference, give two or more.")
    lines = ["| dist [pc] | members | dec | field candidates | lost | gained |", "| --- |" + " --- |" * 5]
    for dist in arguments.distances:
        counts, numbers = zip(*(compared(dist, seed, arguments) for seed in arguments.seeds), strict=True)
        lines += lines_of(dist, np.array(counts), np.mean(numbers), arguments.declinations)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
