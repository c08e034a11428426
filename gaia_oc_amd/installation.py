"""What is shipped beside the code, scripts and model: where it lies, and by which name the user called a script."""

import re
import shlex
import sys
from itertools import takewhile
from pathlib import Path

from gaia_oc_amd.options import RunOptions

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


def script_command(script: str, *words: str, data_dir: Path | str | None = None) -> str:
    """A command that can be copied into a shell, as every message shows it.

    Parameters
    ----------
    script : str
        Name of its file, ``build_sets.py``.
    *words : str
        Clusters, options and their values, not quoted.
    data_dir : path, optional
        The data directory; it is named unless it is the default.

    Returns
    -------
    str
        ``python build_sets.py NGC_2509 --data_dir 'my data'``; `as_called` turns it into the name of an installed
        script.
    """
    elsewhere = (
        [] if data_dir is None or Path(data_dir) == RunOptions.data_dir else ["--data_dir", str(data_dir)]
    )
    return shlex.join(["python", script, *words, *elsewhere])


def for_cluster(command: str, name: str) -> str:
    """Command of a batch, in which ``{}`` stands for the clusters, for one of them."""
    return command.replace("{}", shlex.quote(name), 1)


def values_of(command: str, option: str) -> list[str]:
    """Words of an option in a command, its name first; nothing if it is not there."""
    words = shlex.split(command)
    if option not in words:
        return []
    rest = words[words.index(option) + 1 :]
    return [option, *takewhile(lambda word: not word.startswith("--"), rest)]


def moved_command(command: str, data_dir: Path | str, *words: str) -> str:
    """A command that was recorded, for the place where its data directory is now, with further words.

    Parameters
    ----------
    command : str
        As `command_line.command_of` writes it.
    data_dir : path
        The data directory; paths in the one that was recorded are in this one now.
    *words : str
        Options, with their values, that are added, or put in the place of those that are there.

    Returns
    -------
    str
    """
    try:
        old = shlex.split(command)
    except ValueError:  # not one of ours
        return command
    before = old[old.index("--data_dir") + 1] if "--data_dir" in old[:-1] else str(RunOptions.data_dir)
    replaced = {"--data_dir", *(word for word in words if word.startswith("--"))}
    kept, option = [], ""
    for word in old:
        option = word if word.startswith("--") else option
        if option not in replaced:
            kept.append(str(data_dir) + word.removeprefix(before) if word.startswith(f"{before}/") else word)
    elsewhere = [] if Path(data_dir) == RunOptions.data_dir else ["--data_dir", str(data_dir)]
    return shlex.join([*kept, *words, *elsewhere])


def as_called(text: str) -> str:
    """A text that names scripts by their files, with the names by which the user calls them.

    Parameters
    ----------
    text : str
        Help or message: "run `python build_sets.py NGC_2509`".

    Returns
    -------
    str
        The same, if this program was called as a file of the present folder; with the path of the folder if it was
        called as a file of another one; else "run `gaia-oc-build-sets NGC_2509`".
    """
    if ".py" not in text:
        return text
    prefix = next((prefix for prefix in BY_NAME if program().startswith(prefix)), None)
    stems = [path.stem for path in scripts().values()]
    known = "|".join(stems)
    if prefix is None:
        folder = Path(sys.argv[0]).parent
        if folder == Path() or program().removesuffix(".py") not in stems:
            return text
        return re.sub(
            rf"\bpython (({known})\.py)\b",
            lambda match: f"python {shlex.quote(str(folder / match[1]))}",
            text,
        )
    return re.sub(rf"(?:python )?\b({known})\.py\b", lambda match: prefix + match[1].replace("_", "-"), text)
