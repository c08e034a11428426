"""Measure how complete and how contaminated the member lists of clusters are, each in its own cone.

The clusters must have been evaluated with evaluate_clusters.py, with the same model and options. The script injects
artificial members into the cone and counts how many are found. It also looks for the cluster at places where there is
none, the controls. selection_function.csv of each cluster has completeness and contamination by magnitude and radius.

example: python validate_clusters.py NGC_2509
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.validation.options import ValidateOptions


def main(argv: list[str] | None = None) -> int:
    """Validate every named cluster; the exit code is 0 only if all succeeded."""
    given = read_command_line(__doc__, ValidateOptions, argv)
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.stages.validate import validate_clusters

    return finish(validate_clusters(given.clusters, given.options, given.run, command=given.command))


if __name__ == "__main__":
    run(main)
