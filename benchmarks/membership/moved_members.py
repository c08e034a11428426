"""Real members of one cluster moved into the real field of another: truth without a simulator.

The stars that Almeida et al. (2023) list in a cluster's table are put, with all their measurements, around the centre
of another cluster's field, from which every star that any list knows has been taken away. The sets are built as for a
real cluster; those of CG18 with PMemb >= 0.8 among the moved stars are the published list. Writes sets and truth.csv,
one folder for each pair, and their names into moved.txt.

example: python benchmarks/membership/moved_members.py benchmarks/training/test_clusters.txt --data_dir data/moved
         python benchmarks/membership/measure.py data/moved/moved.txt --data_dir data/moved --model_dirs deep_sets_model
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "membership")]

from real_fields import read_almeida

from gaia_oc_amd.astrometry import mean_direction, tangent_plane
from gaia_oc_amd.catalogues.names import normalise_name, read_cluster_names
from gaia_oc_amd.catalogues.tables import read_member_list
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.isochrones import nearest_age, read_isochrones
from gaia_oc_amd.set_building import divide_cone
from gaia_oc_amd.source_sets import save_sets

STEPS = (1, 4)
"""Each cluster's stars are moved into the fields of the clusters that follow it by so many."""
FEWEST, LISTED = 40, 0.8
USEFUL = ("ra", "dec", "parallax", "pmra", "pmdec", "bp_rp", "phot_bp_n_obs", "phot_rp_n_obs")


def read_field(real, name):
    """Calibrated stars of one table that have all that the method needs."""
    stars = pd.read_csv(real / "cones" / f"{name}.csv.gz")
    stars = stars[stars[list(USEFUL)].notna().all(axis=1)].reset_index(drop=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few stars have no zero point
        return calibrate(stars)


def moved(stars, centre):
    """Stars around another centre, with the offsets they had about their own mean direction."""
    east, north = tangent_plane(
        stars["ra"].to_numpy(), stars["dec"].to_numpy(), *mean_direction(stars["ra"], stars["dec"])
    )
    dec = centre[1] + north
    return stars.assign(ra=(centre[0] + east / np.cos(np.radians(dec))) % 360, dec=dec)


def make_sets(name, source, target, lists, parameters, isochrones):
    """Sets with the source's members in the target's field, and the truth; None where they are too few."""
    stars, field = source["stars"], target["stars"]
    members = stars[stars["source_id"].isin(lists["almeida"][source["name"]])]
    known = set().union(*(of_list.get(target["name"], set()) for of_list in lists.values()))
    field = field[~field["source_id"].isin(known | set(members["source_id"]))]
    centre = field["ra"].median(), (field["dec"].min() + field["dec"].max()) / 2
    members = moved(members, centre)
    inside = members["ra"].between(field["ra"].min(), field["ra"].max())
    members = members[inside & members["dec"].between(field["dec"].min(), field["dec"].max())]
    listed = members["source_id"].isin(lists["cg18"].get(source["name"], set()))
    if len(members) < FEWEST or listed.sum() < FEWEST / 2:
        return None
    row = parameters.loc[source["name"]].to_dict() | {"name": name, "ra": centre[0], "dec": centre[1]}
    cluster = Cluster.from_dict(row)
    cone = pd.concat([field, members], ignore_index=True).sort_values("source_id", ignore_index=True)
    probability = pd.Series(1.0, index=members.loc[listed, "source_id"])
    sets = divide_cone(cone, cluster, probability, nearest_age(isochrones, cluster.age))
    truth = pd.DataFrame(
        {"source_id": cone["source_id"], "is_member": cone["source_id"].isin(members["source_id"])}
    )
    return sets, truth


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--real", type=Path, default=ROOT.parent / "shared" / "data" / "real")
    arguments = parser.parse_args()
    real, lists = arguments.real, {}
    tables = {
        "cg18": read_member_list(real / "cg18_members.csv.gz"),
        "t22": read_member_list(real / "t22_members.csv.gz"),
        "almeida": read_almeida(real / "almeida23_members.parquet"),
    }
    for kind, table in tables.items():
        sure = table[table["PMemb"] >= LISTED - 1e-9] if kind == "cg18" else table
        groups = sure.groupby(sure["cluster"].map(normalise_name))["source_id"]
        lists[kind] = {name: set(ids) for name, ids in groups}
    parameters = pd.read_csv(real / "cluster_parameters.csv")
    parameters.index = parameters["name"].map(normalise_name)
    isochrones = read_isochrones(real / "isochrones" / "parsec_z0.0205.dat")
    names = read_cluster_names(arguments.clusters)
    fields = [
        {"name": normalise_name(name), "title": name, "stars": read_field(real, name)} for name in names
    ]
    made = []
    for i, source in enumerate(fields):
        if source["name"] not in lists["almeida"]:
            continue
        for step in STEPS:
            target = fields[(i + step) % len(fields)]
            name = f"{source['title']}_in_{target['title']}"
            try:
                found = make_sets(name, source, target, lists, parameters, isochrones)
            except ClusterError as error:
                print(f"{name}: {error}")
                continue
            if found is not None:
                write_csv(save_sets(found[0], arguments.data_dir) / "truth.csv", found[1])
                print(name, found[0].counts(), int(found[1]["is_member"].sum()))
                made.append(name)
    (arguments.data_dir / "moved.txt").write_text("\n".join(made) + "\n")


if __name__ == "__main__":
    main()
