"""Download published member lists and cluster parameters from VizieR into the data directory.

Example: python download_members_and_cluster_params.py --catalogues parameters cg18

The catalogues:
"""

from gaia_oc_amd.command_line import add_options, add_run_options, collect, make_parser, parse, run
from gaia_oc_amd.options import RunOptions


def main(argv: list[str] | None = None) -> int:
    """Download the catalogues; returns the exit code."""
    from gaia_oc_amd.catalogues.download import download_catalogues
    from gaia_oc_amd.catalogues.published import CATALOGUES

    listing = "\n".join(f"  {catalogue.key:12} {catalogue.content}" for catalogue in CATALOGUES)
    parser = make_parser(f"{__doc__}{listing}")
    add_options(
        parser,
        download_catalogues,
        catalogues="which ones of the list above",
        overwrite="replace existing files",
        server="host name of VizieR or of one of its mirrors",
    )
    add_run_options(parser, leave_out=("seed", "workers"))
    arguments, _ = parse(parser, argv, RunOptions)
    collect(download_catalogues, arguments)
    return 0


if __name__ == "__main__":
    run(main)
