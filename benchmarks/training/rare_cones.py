"""Simulated training cones of two kinds that are rare among clusters drawn over the ranges of catalogues.

Near clusters, within 300 pc, whose motion turns over the cone and whose field is thin; and crowded cones, within 15
degrees of the Galactic centre, whose field is dense in every measurement. A cluster's parameters are drawn as
`simulate_clusters.py --vary` draws them until they are of its kind. Writes what `simulate_clusters.py` writes.

example: python benchmarks/training/rare_cones.py near Near_01 Near_02 --data_dir data/near
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import cluster_rng, read_cluster_names
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.simulate import vary_options
from gaia_oc_amd.simulation.space import galactic_coordinates
from gaia_oc_amd.stages.simulate import simulate_clusters

SEED = 5000
NEAREST, CROWDED = 300.0, (15.0, 6.0)  # pc; deg in longitude and latitude
CONE_RADIUS = 32.0  # [pc]
AGES = 7.0, 9.5  # log age, what the isochrones of the training cover


def is_near(options):
    """Whether the drawn cluster is a near one."""
    return options.dist < NEAREST


def is_crowded(options):
    """Whether it stands in front of the bulge."""
    longitude, latitude = galactic_coordinates(np.array([options.ra]), np.array([options.dec]))
    apart = abs((longitude[0] + 180) % 360 - 180), abs(latitude[0])
    return apart[0] < CROWDED[0] and apart[1] < CROWDED[1]


KINDS = {"near": is_near, "crowded": is_crowded}


def drawn(kind, name, most_field_stars):
    """Options of one cluster of a kind, which its name determines."""
    rng = cluster_rng(SEED, f"parameters of {name}")
    ranges = SimulationOptions(cone_radius=CONE_RADIUS, max_field_stars=most_field_stars, vary=True)
    while not KINDS[kind](options := vary_options(ranges, rng=rng)):
        pass
    return replace(options, age=float(np.clip(options.age, *AGES)))


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument(
        "--data_dir", type=Path, required=True, help="where they go; on isochrones.dat, if it is there"
    )
    parser.add_argument("--max_field_stars", type=int, default=60_000, help="a denser field is thinned")
    given = parser.parse_args(arguments)
    given.data_dir.mkdir(parents=True, exist_ok=True)
    for name in read_cluster_names(given.clusters):
        options = drawn(given.kind, name, given.max_field_stars)
        simulate_clusters([name], given.data_dir, options, seed=SEED)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
