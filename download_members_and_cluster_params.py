"""Download published member lists and cluster parameters from VizieR into the data directory.

example: python download_members_and_cluster_params.py --catalogues parameters cg18

The catalogues:
"""

from dataclasses import asdict

from gaia_oc_amd.catalogues.published import CATALOGUES, CatalogueDownload
from gaia_oc_amd.command_line import read_command_line, run


def main(argv: list[str] | None = None) -> int:
    """Download the catalogues; returns the exit code."""
    listing = "\n".join(f"  {catalogue.key:12} {catalogue.content}" for catalogue in CATALOGUES)
    given = read_command_line(
        f"{__doc__}{listing}", CatalogueDownload, argv, clusters=None, leave_out=("seed", "workers")
    )
    from gaia_oc_amd.catalogues.download import download_catalogues

    download_catalogues(given.run.data_dir, **asdict(given.options))
    return 0


if __name__ == "__main__":
    run(main)
