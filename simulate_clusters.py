"""Simulate clusters in their fields with known members, for tests and for work without a network.

The script writes member lists, cluster parameters, schematic isochrones, one table of sources for each cluster, and the
truth into a data directory. build_sets.py works from that directory as from real data.

example: python simulate_clusters.py Simulated_1 --data_dir simulated_data
         python build_sets.py Simulated_1 --data_dir simulated_data --cone_source simulated_data/cones
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.simulation.options import SimulateOptions


def main(argv: list[str] | None = None) -> int:
    """Simulate every named cluster; the exit code is 0 only if all succeeded."""
    given = read_command_line(__doc__, SimulateOptions, argv, clusters=("Simulated_1",))
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.catalogues.names import read_cluster_names
    from gaia_oc_amd.stages.simulate import next_command, simulate_clusters

    names = read_cluster_names(given.clusters)
    rows = simulate_clusters(names, options=given.options.cluster, seed=given.run.seed, **given.run.where())
    finish([], closing=[f"next: {next_command(rows['name'], given.run.data_dir)}"])
    return int(len(rows) < len(names))


if __name__ == "__main__":
    run(main)
