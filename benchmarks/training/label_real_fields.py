"""Label the stars of real fields for the training of a posterior network, as far as published lists agree on them.

Members are stars that Cantat-Gaudin et al. (2018) give PMemb >= 0.8 and Almeida et al. (2023) list, too, or the
latter do not know the cluster, and that pass the candidate selection; field are stars that neither lists; both
only if they are brighter than G = 17.5. All others stay without a label. Writes labels.csv (source_id, is_member,
weight) into the folders of clusters whose sets were built.

example: python benchmarks/training/label_real_fields.py benchmarks/training/training_clusters.txt --data_dir data
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import normalise_name, read_cluster_names
from gaia_oc_amd.catalogues.tables import read_member_list
from gaia_oc_amd.files.data_directory import cluster_directory
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.members import listed_members, match_to_cone
from gaia_oc_amd.source_sets import load_sets
from gaia_oc_amd.truth import LABELS_FILE

CERTAIN = 0.8
WEIGHT = 1.0  # more would teach that unlisted members are field
FAINTEST = 17.5  # mag; Cantat-Gaudin et al. stop at 18, with DR2 errors


def labels(name, data_dir, published, almeida):
    """source_id, is_member and weight of the stars of one cluster that can be labelled."""
    sets = load_sets(name, data_dir)
    stars = pd.concat([sets.members, sets.candidates, sets.non_members], ignore_index=True)
    selected = stars.index < len(sets.members) + len(sets.candidates)
    probability = stars["source_id"].map(match_to_cone(listed_members(published, name), stars))
    theirs = almeida[almeida["cluster"].map(normalise_name) == normalise_name(name)]
    known = stars["source_id"].isin(theirs["Source"])
    is_member = (probability >= CERTAIN - 1e-9) & (known | theirs.empty) & selected
    is_field = probability.isna() & ~known
    bright = stars["phot_g_mean_mag"] < FAINTEST  # beyond it only members would have a label
    labelled = (is_member | is_field) & bright
    table = pd.DataFrame({"source_id": stars["source_id"], "is_member": is_member, "weight": WEIGHT})
    return table[labelled]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+")
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--real", type=Path, default=Path("../shared/data/real"))
    arguments = parser.parse_args()
    published = read_member_list(arguments.real / "cg18_members.csv.gz")
    almeida = pd.read_parquet(arguments.real / "almeida23_members.parquet", columns=["Source", "cluster"])
    for name in read_cluster_names(arguments.clusters):
        table = labels(name, arguments.data_dir, published, almeida)
        counts = np.bincount(table["is_member"], minlength=2)
        print(f"{name}: {counts[1]} members, {counts[0]} field stars")
        write_csv(cluster_directory(arguments.data_dir, name) / LABELS_FILE, table)


if __name__ == "__main__":
    main()
