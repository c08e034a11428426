"""How often published tables of the same clusters, compared with each other, are warned of.

example: python benchmarks/inputs/false_warnings.py REAL_DATA_FOLDER
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.tables import InputTables, read_member_list, read_parameter_table
from gaia_oc_amd.cluster import PARAMETERS, Cluster
from gaia_oc_amd.cone import cone_region
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.inputs import hold_against_list
from gaia_oc_amd.options import ConeOptions

LISTS = ("cg18_members.csv.gz", "t22_members.csv.gz", "almeida23_members.parquet")


def main():
    """Print, for each member list, the number of clusters and of those with a warning or an error, and the messages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real_data", type=Path)
    parser.add_argument("--prob_threshold", type=float, default=0.7)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    parameters = read_parameter_table(arguments.real_data / "cluster_parameters.csv")
    for file in LISTS:
        members = read_member_list(arguments.real_data / file)
        tables = InputTables(parameters, "parameters", members, None, pd.DataFrame(), None)
        counted = messages_of_all(tables, arguments.prob_threshold)
        said = {name: text for name, text in counted.items() if text}
        print(f"{file}: {len(said)} of {len(counted)} clusters with a message")
        for text in said.values():
            print("   ", *text, sep="\n    ")


def messages_of_all(tables, prob_threshold):
    """Messages by cluster, of clusters with 15 listed members or more and a known distance."""
    result = {}
    for row in tables.parameters.to_dict("records"):
        listed = tables.listed_members(row["name"])
        if len(listed) < 15 or not np.isfinite(row["dist"]):
            continue
        cluster = Cluster(name=row["name"], **{name: float(row[name]) for name in PARAMETERS})
        matched = listed.set_index("source_id")["PMemb"]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                hold_against_list(
                    cluster,
                    cone_region(cluster, ConeOptions()),
                    listed,
                    listed,
                    matched,
                    prob_threshold=prob_threshold,
                )
                errors = []
            except ClusterError as error:
                errors = [str(error)]
        result[row["name"]] = [str(warning.message) for warning in caught] + errors
    return result


if __name__ == "__main__":
    main()
