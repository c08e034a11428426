"""The whole chain from first members alone, beside the same chain from the list of Cantat-Gaudin et al. (2018).

For each real field the sets are built and evaluated twice, with the shipped model: from members that were found in
the field, given the cluster's position only (age, extinction and distance are fitted), and from the published list
and parameters. Prints how many stars with p >= 0.5 (training members among them) the two share. With --exchange it also
prints how many there are where one ingredient of the published list's way is exchanged for that of the other.

example: python benchmarks/first_members/chain.py NGC_2509 NGC_1960 --work_dir chain
"""

import argparse
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.catalogues.tables import read_input_tables
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.options import (
    ConeOptions,
    GivenCluster,
    MemberOptions,
    SamplingOptions,
    SelectionOptions,
    TablePaths,
)
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.stages.build import read_tables, with_found_members
from gaia_oc_amd.stages.options import BuildOptions, FirstMembersOptions

LIST_THRESHOLD = 0.8


def options(real_dir, given):
    return {
        "cone": ConeOptions((str(real_dir / "cones"),)),
        "member": MemberOptions(prob_threshold=LIST_THRESHOLD),
        "selection": SelectionOptions(),
        "given": given,
    }


def accepted(sets, model, seed):
    """source_id of training members and of candidates with p >= 0.5."""
    p = membership_probabilities(
        sets.candidates,
        sets,
        model,
        options=SamplingOptions(),
        rng=cluster_rng(seed, sets.cluster.name),
    )
    return set(sets.members["source_id"]) | set(sets.candidates["source_id"][p >= 0.5])


def from_list(name, work_dir, real_dir, isochrones, model, seed):
    paths = TablePaths(
        cluster_path=real_dir / "cluster_parameters.csv",
        members_path=real_dir / "cg18_members.csv.gz",
        isochrone_path=isochrones,
    )
    tables = read_input_tables(work_dir, paths)
    sets = build_sets(name, tables, work_dir / "list", **options(real_dir, GivenCluster()))
    return accepted(sets, model, seed), sets


def from_field(name, place, work_dir, real_dir, isochrones, model, seed):
    chosen = BuildOptions(
        paths=TablePaths(isochrone_path=isochrones),
        first=FirstMembersOptions(find_first_members=True, search_radius=0.5),
        **options(real_dir, GivenCluster(ra=place["ra"], dec=place["dec"])),
    )
    tables = read_tables(work_dir, chosen)
    tables, chosen = with_found_members(name, work_dir / "field", chosen, tables, seed=seed)
    sets = build_sets(
        name,
        tables,
        work_dir / "field",
        cone=chosen.cone,
        member=chosen.member,
        selection=chosen.selection,
        given=chosen.given,
    )
    return accepted(sets, model, seed), sets


FITTED = ("age", "a0", "dist")
PLACE = ("ra", "dec", "pmra", "pmdec", "parallax", "pmra_error", "pmdec_error", "parallax_error")
INGREDIENTS = {
    "nothing": (), "members": ("members",), "fitted age, A0 and distance": FITTED, "distance": ("dist",),
    "centre, motion and parallax": PLACE, "all": ("members", *FITTED, *PLACE),
}  # fmt: skip
"""What comes from the field in place of the list."""


def exchanged(name, ingredients, both, place, where, model, seed):
    """Number of accepted stars where ingredients of the sets from the list are those of the sets from the field."""
    (listed, found), (work_dir, real_dir, isochrones) = both, where
    folder = work_dir / "exchanged"
    folder.mkdir(exist_ok=True)
    of_cluster = {key: getattr(found.cluster, key) for key in ingredients if key != "members"}
    row = {"name": name, **place.to_dict(), **of_cluster}
    pd.DataFrame([row]).to_csv(folder / "parameters.csv", index=False)
    members = (found if "members" in ingredients else listed).members
    members[["source_id"]].assign(cluster=name, PMemb=1.0).to_csv(folder / "members.csv", index=False)
    paths = TablePaths(
        cluster_path=folder / "parameters.csv",
        members_path=folder / "members.csv",
        isochrone_path=isochrones,
    )
    tables = read_input_tables(folder, paths)
    sets = build_sets(name, tables, folder, **options(real_dir, GivenCluster()))
    return len(accepted(sets, model, seed))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+")
    parser.add_argument("--real_dir", type=Path, default=Path("../shared/data/real"))
    parser.add_argument("--isochrones", default="parsec_z0.0205.dat")
    parser.add_argument("--model_dir", type=Path, default=Path("deep_sets_model"))
    parser.add_argument("--work_dir", type=Path, default=Path("first_members_chain"))
    parser.add_argument("--exchange", action="store_true", help="one ingredient after the other")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    shutil.rmtree(arguments.work_dir, ignore_errors=True)
    arguments.work_dir.mkdir(parents=True)
    places = pd.read_csv(arguments.real_dir / "cluster_parameters.csv").set_index("name")
    where = (arguments.work_dir, arguments.real_dir, arguments.real_dir / "isochrones" / arguments.isochrones)
    model = Classifier.load(arguments.model_dir)
    print("| cluster | both | field only | list only | shared / all | age, A0, kpc: fitted | catalogue |")
    print("| --- |" + " --- |" * 6, flush=True)
    shares = []
    for name in arguments.clusters:
        try:
            listed, one = from_list(name, *where, model, arguments.seed)
            found, two = from_field(name, places.loc[name], *where, model, arguments.seed)
        except ClusterError as error:
            print(f"| {name} | {str(error)[:160]} |", flush=True)
            continue
        both = len(listed & found)
        shares.append(both / len(listed | found))
        numbers = (
            f"{sets.cluster.age:.2f}, {sets.cluster.a0:.2f}, {sets.cluster.dist / 1000:.2f}"
            for sets in (two, one)
        )
        cells = f"{both} | {len(found - listed)} | {len(listed - found)} | {shares[-1]:.2f} | {' | '.join(numbers)}"
        print(f"| {name} | {cells} |", flush=True)
        for exchange, ingredients in INGREDIENTS.items() if arguments.exchange else ():
            both_sets = (one, two)
            number = exchanged(name, ingredients, both_sets, places.loc[name], where, model, arguments.seed)
            print(f"{name}, {exchange} exchanged: {number}", flush=True)
    print(f"\nmedian share of {len(shares)} clusters: {np.median(shares):.2f}, least {np.min(shares):.2f}")


if __name__ == "__main__":
    main()
