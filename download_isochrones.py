"""Download PARSEC isochrones in Gaia EDR3 bands from the CMD web form into the data directory.

Example: python download_isochrones.py --log_age_min 7 --log_age_step 0.05
"""

from gaia_oc_amd.command_line import add_options, add_run_options, collect, make_parser, parse, run
from gaia_oc_amd.options import RunOptions


def main(argv: list[str] | None = None) -> int:
    """Download the isochrones; returns the exit code."""
    from gaia_oc_amd.catalogues.download import download_isochrones

    parser = make_parser(__doc__)
    add_options(
        parser,
        download_isochrones,
        log_age_min="first log10 of the age [yr]",
        log_age_max="last log10 of the age [yr]",
        log_age_step="step in log10 of the age; at most 400 isochrones are given at once",
        metal_frac="metal fraction Z",
        overwrite="replace an existing file",
        url="address of the CMD web form",
    )
    add_run_options(parser, leave_out=("seed", "workers"))
    arguments, _ = parse(parser, argv, RunOptions)
    collect(download_isochrones, arguments)
    return 0


if __name__ == "__main__":
    run(main)
