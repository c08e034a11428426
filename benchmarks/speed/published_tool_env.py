"""The published tool in an environment of its own: it has the same import name as ours."""

import sys
from pathlib import Path

from timing import BenchmarkError, run_process

VERSION = "0.2.1"
CONSTRAINT = "torch==2.13.0\n"
"""The newest PyTorch that it was seen to run with, and the one of our requirements."""
_FIND_VERSION = (
    "import importlib.metadata as m, json; print(json.dumps({'version': m.version('gaia_oc_amd')}))"
)


def published_python(env_dir: Path) -> Path:
    """Interpreter that imports the published tool, which is installed if it is not there.

    Parameters
    ----------
    env_dir : path
        Folder of the virtual environment.

    Returns
    -------
    Path
        To be run with ``-I``, so that neither the working directory nor PYTHONPATH offers our package.

    Raises
    ------
    BenchmarkError
        If it cannot be installed.
    """
    python = env_dir.absolute() / "bin" / "python"
    if _installed_version(python) != VERSION:
        _install(env_dir, python)
    if _installed_version(python) != VERSION:
        raise BenchmarkError(
            f"{env_dir} does not hold gaia_oc_amd {VERSION}: remove the folder and try again."
        )
    return python


def _installed_version(python: Path) -> str | None:
    if not python.exists():
        return None
    return run_process([python, "-I", "-c", _FIND_VERSION], may_fail=True).figures.get("version")


def _install(env_dir: Path, python: Path) -> None:
    print(f"installing the published tool into {env_dir}, which takes some minutes...", file=sys.stderr)
    try:
        if not python.exists():
            run_process([sys.executable, "-m", "venv", env_dir])
        constraint = env_dir / "constraint.txt"
        constraint.write_text(CONSTRAINT)
        run_process([python, "-m", "pip", "install", "-q", f"gaia_oc_amd=={VERSION}", "-c", constraint])
    except (BenchmarkError, OSError) as error:
        raise BenchmarkError(
            f"the published tool cannot be installed into {env_dir} ({error}): is there a network, or a package "
            "registry? An environment that holds it can be given with --env_dir."
        ) from error
