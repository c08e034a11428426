"""Find the first members of clusters that no list has, from the stars of their fields alone.

Give a name that the parameter table or SIMBAD knows, or a position. The cluster's folder gets a member list and a
parameter row, which build_sets.py reads, a record of how they were made, and a plot. The last two examples need no
network.

example: python find_first_members.py NGC_2509
         python find_first_members.py My_1 --ra 120.2 --dec -19.05 --radius 0.25
         python build_sets.py NGC_2509 --find_first_members
         python simulate_clusters.py Simulated_1 --data_dir simulated_data
         python find_first_members.py Simulated_1 --data_dir simulated_data --cone_source simulated_data/cones
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.first_members.options import FindOptions


def main(argv: list[str] | None = None) -> int:
    """Find the first members of every named cluster; the exit code is 0 only if all succeeded."""
    given = read_command_line(__doc__, FindOptions, argv)
    from gaia_oc_amd.batch import finish, next_step
    from gaia_oc_amd.stages.find_first_members import search_clusters, words_that_go_on

    outcomes = search_clusters(given.clusters, given.options, given.run, command=given.command)
    words = words_that_go_on(given, outcomes)
    return finish(outcomes, closing=next_step("build_sets.py", outcomes, given.clusters, given.run, *words))


if __name__ == "__main__":
    run(main)
