"""Compare the member lists of clusters with another list, by default that of Tarricq et al. (2022).

The clusters must have been evaluated with evaluate_clusters.py. For each cluster and for all together the script counts
how many of the list's stars are in the field, how many are ours, too, and which condition loses the others.
compared_lists.csv in the data directory has the numbers, and compared_lists.png has two Venn diagrams of all clusters
together. compared_members.png shows the members of the first clusters and of the list, a row of four panels for each.
missed_members.csv in each cluster's folder names the stars.

example: python compare_with_list.py clusters.txt
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.stages.options import CompareOptions


def main(argv: list[str] | None = None) -> int:
    """Compare every named cluster; the exit code is 0 only if all succeeded."""
    given = read_command_line(__doc__, CompareOptions, argv, leave_out=("seed",))
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.stages.compare import compare_clusters, summarise

    outcomes = compare_clusters(given.clusters, given.options, given.run, command=given.command)
    return finish(outcomes, *summarise(outcomes, given.run.data_dir, given.options))


if __name__ == "__main__":
    run(main)
