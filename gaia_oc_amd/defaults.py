"""Paths that a data directory remembers, so that they are given once: ``defaults.toml``."""

import json
from argparse import Action
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DEFAULTS_FILE = "defaults.toml"

REMEMBERED = (
    "catalogue",
    "comparison_catalogue",
    "cluster_path",
    "members_path",
    "comparison_path",
    "members_label",
    "comparison_label",
    "isochrone_path",
    "isochrone_rotation",
    "credentials_path",
    "columns",
    "cone_source",
)
"""Options that say where things lie, what they are called and which of them are meant; no others are remembered."""

_NOTHING: tuple[object, ...] = (None, "", (), [])
_HEADING = """\
# What build_sets.py was given, for all scripts that work in this folder. An option on the command line goes before it.
# Relative paths are relative to this folder. Change or remove a line, or the file, as you like.
"""


def read_defaults(data_dir: Path | str) -> dict[str, list[str]]:
    """What a data directory remembers.

    Parameters
    ----------
    data_dir : path
        The data directory.

    Returns
    -------
    dict of str to list of str
        Values by the name of the option, as a command line gives them; nothing if there is no file.

    Raises
    ------
    ValueError
        If the file is no TOML, or holds something else than remembered options.
    """
    path = Path(data_dir) / DEFAULTS_FILE
    if not path.is_file():
        return {}
    import tomllib  # here: --help has no use for it

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not a readable TOML file ({error}): mend or remove it.") from error
    found = {name: value if isinstance(value, list) else [value] for name, value in content.items()}
    for name, values in found.items():
        if name not in REMEMBERED or not values or not all(isinstance(value, str) for value in values):
            raise ValueError(
                f"{path} has {name} = {content[name]!r}, but it must be a text, or a list of texts, of one of "
                f"{', '.join(REMEMBERED)}: mend or remove the line."
            )
    return {
        name: [_from_file(name, value, path.parent) for value in values] for name, values in found.items()
    }


def as_given(action: Action, values: list[str], origin: str) -> Any:
    """Value of an option as the command line would give it.

    Parameters
    ----------
    action : Action
        The option.
    values : list of str
        Texts that the file has for it.
    origin : str
        File and option, for messages.

    Returns
    -------
    any
        A value, or a list of an option that takes several.

    Raises
    ------
    ValueError
        If it is no choice, of another type, or one of several where one is wanted.
    """
    wanted = None
    if action.choices is not None and not set(values) <= set(action.choices):
        wanted = f"one of {', '.join(map(str, action.choices))}"
    elif action.nargs != "+" and len(values) > 1:
        wanted = "one value"
    if wanted:
        raise ValueError(f"{origin} = {', '.join(values)}, but must be {wanted}: mend it.")
    try:
        converted = [action.type(value) if callable(action.type) else value for value in values]
    except ValueError as error:
        raise ValueError(f"{origin} = {values[0]}: {error}: mend it.") from error
    return converted if action.nargs == "+" else converted[0]


def defaults_text(data_dir: Path | str, given: Mapping[str, Any]) -> str:
    """Content of the file that lets a data directory remember options beside those that it remembers already.

    Parameters
    ----------
    data_dir : path
        The data directory.
    given : mapping of str to any
        Options by name; those that are not in `REMEMBERED`, and those that are None or empty, are left out.

    Returns
    -------
    str
        TOML; empty if there is nothing to remember.
    """
    new = {name: _texts(given[name]) for name in REMEMBERED if given.get(name) not in _NOTHING}
    folder = Path(data_dir)
    kept = read_defaults(folder) | new
    lines = [
        f"{name} = {_toml([_for_file(name, value, folder) for value in kept[name]])}\n"
        for name in REMEMBERED
        if name in kept
    ]
    return _HEADING + "".join(lines) if lines else ""


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, tuple | list) else [str(value)]


def _is_path(name: str, value: str) -> bool:
    """Whether a value names a file or folder: a source of stars may be a word, a URL or a path with a prefix."""
    return name.endswith("_path") or (name == "cone_source" and Path(value).exists())


def _for_file(name: str, value: str, folder: Path) -> str:
    """Value that means the same from every folder, and goes with the data directory where it lies in it."""
    prefix, colon, rest = value.partition(":")
    if name == "cone_source" and colon and prefix in ("parquet", "hats") and Path(rest).exists():
        return f"{prefix}:{Path(rest).resolve()}"
    if not _is_path(name, value):
        return value
    path, folder = Path(value).resolve(), folder.resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _from_file(name: str, value: str, folder: Path) -> str:
    """Value as it would be given in the present folder."""
    inside = folder / value
    return str(inside) if name.endswith("_path") or (name == "cone_source" and inside.exists()) else value


def _toml(values: list[str]) -> str:
    texts = [json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
