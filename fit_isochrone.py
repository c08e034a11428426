"""Fit age, extinction and distance of clusters to the colour-magnitude diagrams of their members.

The stars are those of the cluster's sets if build_sets.py has made them, else the listed members in the cone. The
cluster need not have a known age. Each cluster's folder gets isochrone_fit.json and a plot. fitted_parameters.csv in
the data directory has one row for each cluster. build_sets.py --cluster_path reads it.

example: python fit_isochrone.py NGC_2509
         python build_sets.py NGC_2509 --cluster_path data/fitted_parameters.csv
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.isochrone_fit.options import FitOptions


def main(argv: list[str] | None = None) -> int:
    """Fit every named cluster; the exit code is 0 only if all succeeded."""
    given = read_command_line(__doc__, FitOptions, argv)
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.stages.fit_isochrone import fit_clusters

    return finish(fit_clusters(given.clusters, given.options, given.run, command=given.command))


if __name__ == "__main__":
    run(main)
