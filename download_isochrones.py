"""Download PARSEC isochrones in Gaia EDR3 bands from the CMD web form into the data directory.

example: python download_isochrones.py --log_age_min 7 --log_age_step 0.05
"""

from dataclasses import asdict

from gaia_oc_amd.catalogues.published import IsochroneDownload
from gaia_oc_amd.command_line import read_command_line, run


def main(argv: list[str] | None = None) -> int:
    """Download the isochrones; returns the exit code."""
    given = read_command_line(__doc__, IsochroneDownload, argv, clusters=None, leave_out=("seed", "workers"))
    from gaia_oc_amd.catalogues.download import download_isochrones

    download_isochrones(given.run.data_dir, **asdict(given.options))
    return 0


if __name__ == "__main__":
    run(main)
