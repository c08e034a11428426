"""Give the candidates of clusters their membership probabilities, and draw the result.

The sets must have been built with build_sets.py. member_list.csv of each cluster holds the stars that may be members,
with all that is known of them. candidates.csv has the probabilities of all stars that were judged. If an earlier run
has judged the same sets with the same model and options, its results are left as they are.

example: python evaluate_clusters.py NGC_2509 --report
         python evaluate_clusters.py all --workers 4
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.stages.options import EvaluateOptions


def main(argv: list[str] | None = None) -> int:
    """Evaluate every named cluster; the exit code is 0 only if all succeeded."""
    given = read_command_line(__doc__, EvaluateOptions, argv)
    from gaia_oc_amd.batch import finish, next_step
    from gaia_oc_amd.stages.evaluate import (
        closing_lines,
        evaluate_clusters,
        send_to_topcat,
        truth_texts,
        words_that_go_on,
    )

    outcomes = evaluate_clusters(given.clusters, given.options, given.run, command=given.command)
    done = [outcome.cluster for outcome in outcomes if not outcome.error]
    threshold = given.options.plots.prob_threshold
    closing = closing_lines(outcomes, given.run.data_dir, threshold)
    closing += next_step(
        "validate_clusters.py", outcomes, given.clusters, given.run, *words_that_go_on(given, done)
    )
    failed = finish(outcomes, *truth_texts(done, given.run.data_dir), closing=closing)
    if given.options.export.send_to_topcat:
        failed |= not send_to_topcat(done, given.run.data_dir)
    return failed


if __name__ == "__main__":
    run(main)
