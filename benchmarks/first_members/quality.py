"""Does the population probability tell lists of false groups from those of clusters, better than the quality class?

False groups are the first that the search sees at 2 sigma in simulated fields with patchy dust, if the test of members
over core is left out; true ones are clusters of real fields. From both a list is made as from any first members, with
fitted age, extinction and distance and the shipped model. Prints what the quality class of a report says of it, and the
probability that the list is one population.

example: python benchmarks/first_members/quality.py --dusty 1 4 12 113 142 198 --real NGC_6827 Berkeley_21 IC_1590
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import pandas as pd
from fields import dusty_field, real_field

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.catalogues.tables import read_input_tables
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.first_members import search
from gaia_oc_amd.first_members.field import quality_cuts
from gaia_oc_amd.first_members.options import SearchOptions
from gaia_oc_amd.first_members.results import found_parameters
from gaia_oc_amd.images.populations import population_probability
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.membership import judge_sets
from gaia_oc_amd.options import ConeOptions, MemberOptions, TablePaths
from gaia_oc_amd.report.quality import Measured, contamination, overdensity, quality
from gaia_oc_amd.set_building import build_sets

THRESHOLD = 0.5


def listed(field, isochrones, model, seed):
    """Evaluated sets that grow from the first group of a field, and its significance."""
    stars, _ = quality_cuts(field.sources)
    options = SearchOptions(n_runs=5, min_significance=2.0)
    found = search.find_first_members(
        field.name, stars, options, ra=field.ra, dec=field.dec, rng=cluster_rng(seed, field.name)
    )
    rng = cluster_rng(seed, field.name)
    row, _ = found_parameters(
        field.name, found.members, isochrones=read_isochrones(isochrones), fit=True, rng=rng
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("parameters.csv", "members.csv", f"{field.name}.csv")]
        for path, table in zip(
            paths,
            (pd.DataFrame([row]), found.members.assign(cluster=field.name), field.sources),
            strict=True,
        ):
            table.to_csv(path, index=False)
        places = TablePaths(cluster_path=paths[0], members_path=paths[1], isochrone_path=isochrones)
        sets = build_sets(
            field.name,
            read_input_tables(folder, places),
            folder,
            cone=ConeOptions((str(paths[2]),)),
            member=MemberOptions(prob_threshold=THRESHOLD),
        )
    return judge_sets(sets, model, rng=rng), found.significance


def line(field, kind, isochrones, model, seed):
    """One list as a line of the table."""
    try:
        sets, sigma = listed(field, isochrones, model, seed)
        members = our_members(sets, THRESHOLD)
        population = population_probability(members["phot_g_mean_mag"], members["bp_rp"])
    except ClusterError as error:
        return f"| {field.name} | {kind} | {str(error)[:120]} |"
    share, _ = contamination(sets, Measured(), THRESHOLD)
    letter = quality(sets, Measured(), prob_threshold=THRESHOLD).letter
    return (
        f"| {field.name} | {kind} | {sigma:.1f} | {len(members)} | {overdensity(sets):.1f} | {100 * share:.0f} % | "
        f"{letter} | {population:.2f} |"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dusty", nargs="*", type=int, default=[1, 4, 12, 113, 142, 198])
    parser.add_argument("--real", nargs="*", default=["NGC_6827", "Berkeley_21", "IC_1590"])
    parser.add_argument("--real_dir", type=Path, default=Path("../shared/data/real"))
    parser.add_argument("--isochrones", default="parsec_z0.0205.dat")
    parser.add_argument("--model_dir", type=Path, default=Path("deep_sets_model"))
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    search.why_no_cluster = lambda group, probability: None
    settings = (
        arguments.real_dir / "isochrones" / arguments.isochrones,
        Classifier.load(arguments.model_dir),
        arguments.seed,
    )
    print("| field | group | sigma | stars | overdensity | contamination | class | population |")
    print("| --- |" + " --- |" * 7, flush=True)
    for number in arguments.dusty:
        print(line(dusty_field(number), "false", *settings), flush=True)
    for name in arguments.real:
        print(line(real_field(name, arguments.real_dir), "true", *settings), flush=True)


if __name__ == "__main__":
    main()
