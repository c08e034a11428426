"""Write the file with the user name and password of your account at the Gaia archive.

Without an account the archive answers too, but keeps long queries for a shorter time.

Example: python create_gaia_credentials_file.py my_name
"""

from gaia_oc_amd.command_line import add_options, add_run_options, collect, make_parser, parse, run
from gaia_oc_amd.options import RunOptions


def main(argv: list[str] | None = None) -> int:
    """Ask for what is missing and write the file; returns the exit code."""
    from gaia_oc_amd.archive.login import create_credentials_file

    parser = make_parser(__doc__)
    parser.add_argument("username", nargs="?", help="user name; asked for if missing")
    parser.add_argument("password", nargs="?", help="better left out: then it is asked for, and not shown")
    add_options(
        parser,
        create_credentials_file,
        credentials_path="the file (default: gaia_credentials in the data directory)",
        overwrite="replace an existing file",
    )
    add_run_options(parser, leave_out=("seed", "workers"))
    arguments, _ = parse(parser, argv, RunOptions)
    collect(create_credentials_file, arguments)
    return 0


if __name__ == "__main__":
    run(main)
