"""What is shipped beside the code, scripts and model: where it lies, and by which name the user called a script."""

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
BY_NAME = ("gaia-oc-", "python -m gaia_oc_amd ")
"""What stands before the name of a script, build-sets, that was not called as a file."""


def scripts() -> dict[str, Path]:
    """Files of all scripts by their names, ``build-sets``: in the package if it is installed, else beside it."""
    inside = PACKAGE / "scripts"
    folder = inside if inside.is_dir() else PACKAGE.parent
    return {path.stem.replace("_", "-"): path for path in sorted(folder.glob("*.py"))}


def shipped(folder: Path) -> Path:
    """A folder as it is named; one that is not here is that of the repository, else the one inside the package."""
    places = (folder, PACKAGE.parent / folder, PACKAGE / folder)
    return next((place for place in places if place.exists()), folder)


def program() -> str:
    """The name by which the user called this program: ``build_sets.py``, ``gaia-oc-build-sets``."""
    name = Path(sys.argv[0]).name
    return name.removesuffix(".exe")


def command() -> str:
    """What calls this program in a shell: ``python build_sets.py``, ``gaia-oc-build-sets``."""
    return program() if program().startswith(BY_NAME) else f"python {program()}"


def as_called(text: str) -> str:
    """A text that names scripts by their files, with the names by which the user calls them.

    Parameters
    ----------
    text : str
        Help or message: "run `python build_sets.py NGC_2509`".

    Returns
    -------
    str
        The same, if this program was called as a file; else "run `gaia-oc-build-sets NGC_2509`".
    """
    prefix = next((prefix for prefix in BY_NAME if program().startswith(prefix)), None)
    if prefix is None or ".py" not in text:
        return text
    known = "|".join(path.stem for path in scripts().values())
    return re.sub(rf"(?:python )?\b({known})\.py\b", lambda match: prefix + match[1].replace("_", "-"), text)
