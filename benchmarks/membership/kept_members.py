"""How many members the cone's cut and the candidate selection keep, in simulated cones and in real fields.

First "simulate" writes five simulated clusters into a folder: one at 150 pc, one near the pole, one like it at
declination 60 deg, one at 300 pc and one at 2 kpc. Then "count" builds their sets, and those of real fields where a
folder with lists and cones is given, and prints Markdown tables. --code counts with another checkout of the package, so
that two versions meet the same stars.

example: python benchmarks/membership/kept_members.py simulate data/kept && \
         python benchmarks/membership/kept_members.py count data/kept --real ../shared/data/real
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
LIKE_EACH_OTHER = {"age": 8.4, "a0": 0.1, "n_members": 400, "halo_fraction": 0.15, "radial_velocity": 25.0}
CLUSTERS = {
    "Near_150pc": {
        "ra": 60.0,
        "dec": 30.0,
        "dist": 150.0,
        "pmra": -20.0,
        "pmdec": -10.0,
        "field_density": 150.0,
    },
    "Near_300pc": {
        "ra": 200.0,
        "dec": -45.0,
        "dist": 300.0,
        "pmra": -10.0,
        "pmdec": -5.0,
        "field_density": 500.0,
    },
    "Dec_60": {
        "ra": 106.0,
        "dec": 60.0,
        "dist": 1000.0,
        "pmra": -4.0,
        "pmdec": -3.0,
        "field_density": 3000.0,
    },
    "Pole": {"ra": 106.0, "dec": 89.85, "dist": 1000.0, "pmra": -4.0, "pmdec": -3.0, "field_density": 3000.0},
    "Far_2kpc": {
        "ra": 106.0,
        "dec": -2.0,
        "dist": 2000.0,
        "pmra": -1.5,
        "pmdec": 0.5,
        "field_density": 8000.0,
    },
}
BINS = {"G < 18": (0, 18), "18-19": (18, 19), "19-20": (19, 20), "> 20": (20, 30)}


def simulate(folder, seed):
    """Cones, truth, lists and parameters of the clusters."""
    from gaia_oc_amd.catalogues.names import cluster_rng
    from gaia_oc_amd.simulation.options import SimulationOptions
    from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
    from gaia_oc_amd.simulation.simulate import simulate_cluster

    (folder / "cones").mkdir(parents=True, exist_ok=True)
    isochrones = schematic_isochrones([LIKE_EACH_OTHER["age"]])
    members, parameters = [], []
    for name, own in CLUSTERS.items():
        options = SimulationOptions(**LIKE_EACH_OTHER | own)
        simulated = simulate_cluster(options, isochrones, rng=cluster_rng(seed, name), name=name)
        simulated.cone.to_parquet(folder / "cones" / f"{name}.parquet")
        simulated.truth.to_parquet(folder / f"{name}_truth.parquet")
        members.append(simulated.members)
        parameters.append(simulated.parameters)
        print(f"{name}: {len(simulated.cone)} sources, {simulated.truth['is_member'].sum()} members")
    pd.concat(members).to_parquet(folder / "members.parquet")
    pd.concat(parameters).to_parquet(folder / "parameters.parquet")
    isochrones.to_parquet(folder / "isochrones.parquet")


def sets_of(name, folder, parameters, members, isochrones, cones):
    """Sets of one cluster from a folder of cones."""
    from gaia_oc_amd.catalogues.tables import InputTables
    from gaia_oc_amd.options import ConeOptions
    from gaia_oc_amd.set_building import build_sets

    tables = InputTables(parameters, "parameters", members, members.iloc[:0], isochrones, None)
    cone = ConeOptions(cone_source=(str(cones),), overwrite_cone=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build_sets(name, tables, folder / "sets", cone=cone)


def simulated_rows(folder):
    """Members of each simulated cluster in the cone and among the candidates, by magnitude."""
    read = {
        name: pd.read_parquet(folder / f"{name}.parquet") for name in ("parameters", "members", "isochrones")
    }
    for name in CLUSTERS:
        sets = sets_of(name, folder, **read, cones=folder / "cones")
        truth = pd.read_parquet(folder / f"{name}_truth.parquet").query("is_member")
        selected = pd.concat([sets.members, sets.candidates])
        in_cone = pd.concat([selected, sets.non_members])["source_id"]
        cells = []
        for low, high in BINS.values():
            true = truth["source_id"][truth["g_true"].between(low, high, inclusive="left")]
            kept = [int(true.isin(ids).sum()) for ids in (in_cone, selected["source_id"])]
            cells.append(f"{len(true)} / {kept[0]} / {kept[1]}")
        field = (~selected["source_id"].isin(truth["source_id"])).sum()
        yield [name, *cells, str(len(in_cone)), str(field)]


def real_rows(real, folder):
    """Listed stars of all real fields in the cone and among the candidates."""
    from gaia_oc_amd.exceptions import ClusterError
    from gaia_oc_amd.isochrones import read_isochrones

    lists = {
        "CG18 >= 0.8": pd.read_csv(real / "cg18_members.csv.gz").query("PMemb >= 0.8 - 1e-9"),
        "T22 >= 0.5": pd.read_csv(real / "t22_members.csv.gz").query("PMemb >= 0.5"),
        "Almeida >= 0.5": pd.read_parquet(real / "almeida23_members.parquet")
        .rename(columns={"Source": "source_id", "Pmemb": "PMemb"})
        .query("PMemb >= 0.5"),
    }
    members = pd.read_csv(real / "cg18_members.csv.gz")
    parameters = pd.read_csv(real / "cluster_parameters.csv")
    isochrones = read_isochrones(real / "isochrones" / "parsec_z0.0105.dat")
    counts, n_fields, n_candidates = {name: np.zeros(3, int) for name in lists}, 0, 0
    for path in sorted((real / "cones").glob("*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        if name not in set(parameters["name"]):
            continue
        try:
            sets = sets_of(name, folder, parameters, members, isochrones, real / "cones")
        except (ClusterError, ValueError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        table = pd.read_csv(path, usecols=["source_id"])["source_id"]
        selected = pd.concat([sets.members, sets.candidates])["source_id"]
        in_cone = pd.concat([selected, sets.non_members["source_id"]])
        n_fields, n_candidates = n_fields + 1, n_candidates + len(selected)
        for key, listed in lists.items():
            ids = table[table.isin(listed["source_id"][listed["cluster"] == name])]
            counts[key] += [len(ids), ids.isin(in_cone).sum(), ids.isin(selected).sum()]
    for key, (there, in_cone, kept) in counts.items():
        yield [key, str(n_fields), str(there), str(in_cone), str(kept), str(n_candidates)]


def print_table(heads, rows):
    print("\n| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("simulate", "count"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--real", type=Path, help="folder with real cones and lists")
    parser.add_argument("--code", type=Path, default=ROOT, help="checkout of the package that counts")
    parser.add_argument("--seed", type=int, default=20)
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.code.resolve()))
    if arguments.action == "simulate":
        simulate(arguments.folder, arguments.seed)
        return
    kinds = [f"{name}: true / in the cone / candidates" for name in BINS]
    heads = ["cluster", *kinds, "stars in the cone", "field stars among the candidates"]
    print_table(heads, simulated_rows(arguments.folder))
    if arguments.real:
        heads = ["list", "fields", "in the tables", "in the cone", "candidates", "all candidates"]
        print_table(heads, real_rows(arguments.real, arguments.folder))


if __name__ == "__main__":
    main()
