"""Fit the period-luminosity relation of Cepheids, the Leavitt law, and the distance of the Large Magellanic Cloud.

Cepheids come from the Gaia archive or a table. Three estimators stand side by side: weighted least squares of
distances, least squares in parallax space, and a posterior with intrinsic scatter and outliers. If the sets in the data
directory have Cepheids as members of clusters, these calibrate the law a second time, with the clusters' parallaxes.
Tables and plots go to the folder cepheids of the data directory.

example: python fit_leavitt_law.py --source simulated --data_dir simulated_data
         python fit_leavitt_law.py --source gaia_dr2_cepheids.vot.gz --release dr2
"""

from gaia_oc_amd.cepheids.options import LeavittOptions
from gaia_oc_amd.command_line import read_command_line, run


def main(argv: list[str] | None = None) -> int:
    """Fit one law; the exit code is 0 only if there is one."""
    given = read_command_line(
        __doc__, LeavittOptions, argv, clusters=None, leave_out=("workers", "scheduler")
    )
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.stages.fit_leavitt_law import fit_law

    command = given.command.replace(" {}", "")
    return finish([], fit_law(given.run.data_dir, given.options, seed=given.run.seed, command=command))


if __name__ == "__main__":
    run(main)
