"""Simulated clusters whose stars the test server has, far from its other stars, and the lists that build_sets reads.

Called by set_up.sh:  python clusters.py FOLDER N
"""

import sys
from pathlib import Path

import pandas as pd

from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import CONES, simulate_clusters

NAMES = tuple(f"Sim_{number}" for number in range(1, 51))


def make_clusters(folder: Path, n: int = len(NAMES)) -> None:
    """Small clusters along a parallel of the sky, three degrees apart."""
    for number, name in enumerate(NAMES[:n]):
        options = SimulationOptions(
            ra=200.0 + 3 * number % 160, dec=-40.0 + number % 7, dist=2000, cone_radius=16, n_members=150,
            field_density=2500, vary=False,
        )  # fmt: skip
        simulate_clusters([name], folder, options, seed=number)


def cluster_sources(folder: Path) -> pd.DataFrame:
    """Stars of all clusters, with the columns that the server has."""
    cones = [pd.read_parquet(path) for path in sorted((folder / CONES).glob("*.parquet"))]
    return pd.concat(cones, ignore_index=True).reindex(columns=list(ARCHIVE_COLUMNS))


if __name__ == "__main__":
    make_clusters(Path(sys.argv[1]), int(sys.argv[2]))
