"""Divide the stars around clusters into members, candidates and non-members.

For each cluster the script searches a cone (or cuts it out of a local table), finds the listed members in it, derives
the selection limits from them, and writes the sets with the features that the network needs. If the sets are there
already, made with the same options and lists, they are left as they are. After an interruption the same command
therefore goes on with the rest.

If the parameter table lacks a cluster, give --ra, --dec and a list of some of its members (--members_path). Parallax
and motion are then those of the members, unless you give them.

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
