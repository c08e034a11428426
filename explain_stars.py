"""Say why stars are members of a cluster, or give the first reason why they are not.

Each star gets one line; of more than 100, those that are nearest to being members. explanation.csv in the cluster's
folder has all, with their offsets and the terms of their odds. The sets must have been built with build_sets.py. Stars
that evaluate_clusters.py has not judged are judged here.

example: python explain_stars.py NGC_2509 my_stars.csv
         python explain_stars.py NGC_2509 5714209934411718784 120.1972,-19.0583
         python explain_stars.py NGC_2509 --from t22
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.stages.options import ExplainOptions


def main(argv: list[str] | None = None) -> int:
    """Explain the named stars; returns the exit code."""
    given = read_command_line(__doc__, ExplainOptions, argv, clusters=None, leave_out=("workers",))
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.stages.explain import explain_stars, explanation_text

    table, path = explain_stars(given.options.cluster, given.run.data_dir, given.options, seed=given.run.seed)
    return finish([], explanation_text(table, path))


if __name__ == "__main__":
    run(main)
