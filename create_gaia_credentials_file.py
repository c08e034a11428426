"""Write the file with the user name and password of your account at the Gaia archive.

You do not need an account. The archive also answers without one, but keeps long queries for a shorter time.

example: python create_gaia_credentials_file.py my_name
"""

from dataclasses import asdict

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.stages.options import CredentialsOptions


def main(argv: list[str] | None = None) -> int:
    """Ask for what is missing and write the file; returns the exit code."""
    given = read_command_line(__doc__, CredentialsOptions, argv, clusters=None, leave_out=("seed", "workers"))
    from gaia_oc_amd.archive.login import create_gaia_credentials_file

    create_gaia_credentials_file(**asdict(given.options), data_dir=given.run.data_dir)
    return 0


if __name__ == "__main__":
    run(main)
