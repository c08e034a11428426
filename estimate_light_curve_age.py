"""Estimate ages of clusters from their integrated light curves, and measure whether they can be trusted.

The script learns from clusters whose ages are known, and judges itself fold by fold: no cluster is in the training and
in the test of one fold. The first line says whether the ages are better than the median age of the galaxy's clusters,
and better than what brightness alone tells. Tables and plots go to the folder light_curves of the data directory.

example: python estimate_light_curve_age.py --curves simulated --data_dir simulated_data
         python estimate_light_curve_age.py --curves elk_folder --predict my_cluster.fits
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.light_curves.options import LightCurveAgeOptions


def main(argv: list[str] | None = None) -> int:
    """Judge and estimate ages; the exit code is 0 only if there are any."""
    given = read_command_line(
        __doc__, LightCurveAgeOptions, argv, clusters=None, leave_out=("workers", "scheduler")
    )
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.stages.estimate_light_curve_age import estimate_ages

    command = given.command.replace(" {}", "")
    return finish([], estimate_ages(given.run.data_dir, given.options, seed=given.run.seed, command=command))


if __name__ == "__main__":
    run(main)
