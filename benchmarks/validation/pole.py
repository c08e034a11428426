"""Whether a cluster at the pole loses and gains as many stars as the same cluster elsewhere.

Simulates a cluster and turns its whole cone, lists and parameters as a rigid body to another declination: places,
proper motions and their covariances turn, everything else, source_ids and with them all random numbers stay. Builds and
evaluates both, and prints, as Markdown, true members that are lost (p < 0.5 or no candidate) and field stars that are
gained.

example: python benchmarks/validation/pole.py data/pole
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
    for name in (*LISTS, f"cones/{NAME}.csv.gz"):
        turned(pd.read_csv(source / name), turn).to_csv(target / name, index=False)
    copyfile(source / ISOCHRONES, target / ISOCHRONES)


def counted(folder, model_dir):
    """Build and evaluate; identifiers of the stars with p >= 0.5."""
    tables = TablePaths(
        cluster_path=folder / "cluster_parameters.csv",
        members_path=folder / LISTS[0],
        comparison_path=folder / LISTS[1],
    )
    no_plots = FigureOptions(save_plots=False)
    cone = ConeOptions(cone_source=folder / "cones")
    build_cluster(NAME, folder, BuildOptions(paths=tables, cone=cone, figures=no_plots))
    evaluate_cluster(NAME, folder, EvaluateOptions(model_dir=model_dir, figures=no_plots))
    listed = pd.read_csv(cluster_directory(folder, NAME) / "member_list.csv")
    return set(listed.loc[listed["PMemb"] >= 0.5, "source_id"])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for both data directories")
    parser.add_argument("--model_dir", type=Path, default=ROOT / "deep_sets_model")
    parser.add_argument("--declinations", type=float, nargs=2, default=(60.0, 89.85))
    parser.add_argument("--distances", type=float, nargs="+", default=(1000.0, 250.0), help="[pc]")
    parser.add_argument("--max_field_stars", type=int, default=30_000)
    arguments = parser.parse_args()
    lines = ["| dist [pc] | dec | true members | lost | gained |", "| --- | --- | --- | --- | --- |"]
    for dist in arguments.distances:
        folders = [arguments.folder / f"{dist:g}pc_dec{dec:g}" for dec in arguments.declinations]
        here, there = folders
        options = SimulationOptions(
            ra=80.0, dec=arguments.declinations[0], dist=dist, n_members=300, pmra=-6000 / dist, pmdec=4000 / dist,
            radial_velocity=20.0, cone_radius=32.0, max_field_stars=arguments.max_field_stars,
        )  # fmt: skip
        simulate_clusters([NAME], here, options)
        write_turned(here, there, arguments.declinations[1])
        truth = read_truth(NAME, here)
        members = set(truth.loc[truth["is_member"], "source_id"])
        for folder, dec in zip(folders, arguments.declinations, strict=True):
            accepted = counted(folder, arguments.model_dir)
            lost, gained = len(members - accepted), len(accepted - members)
            lines.append(f"| {dist:g} | {dec:g} | {len(members)} | {lost} | {gained} |")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
