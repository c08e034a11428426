"""Divide the stars around clusters into members, candidates and non-members.

For each cluster: a cone search (or a cut of a local table), its listed members, the selection limits that
follow from them, and the sets with the features that the network needs. A cluster whose sets are there already,
made with the same options and lists, is left as it is: the command of an interrupted run goes on with the rest.

A cluster that the parameter table lacks is given by --ra --dec and a list of its members, or of some, in
--members_path; parallax and motion are those of the members unless they are given.

example: python build_sets.py NGC_2509 "NGC 752"
         python build_sets.py My_1 --members_path my_members.csv --ra 123.4 --dec -12.3
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.stages.options import BuildOptions


def main(argv: list[str] | None = None) -> int:
    """Build the sets of every named cluster; the exit code is 0 only if all succeeded."""
    given = read_command_line(__doc__, BuildOptions, argv)
    from gaia_oc_amd.batch import finish, next_step
    from gaia_oc_amd.stages.build import build_clusters

    outcomes = build_clusters(given.clusters, given.options, given.run, command=given.command)
    return finish(
        outcomes, closing=next_step("evaluate_clusters.py", outcomes, given.clusters, given.run, "--report")
    )


if __name__ == "__main__":
    run(main)
