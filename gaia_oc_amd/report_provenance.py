"""What made a cluster's files: provenance and commands, as far as the cluster's folder says."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gaia_oc_amd.files.data_directory import CLUSTER_FILE, read_json
from gaia_oc_amd.files.provenance import read_provenance
from gaia_oc_amd.options import ConeOptions, GivenCluster, MemberOptions, SelectionOptions
from gaia_oc_amd.report_warnings import Caution

_CONE_FILE = "cone.json"
_OPTIONS = {
    "cone": ConeOptions,
    "member": MemberOptions,
    "selection": SelectionOptions,
    "given": GivenCluster,
}


def recorded(folder: Path) -> dict[str, Any]:
    """What the folder says of its making.

    Parameters
    ----------
    folder : path
        A cluster's folder.

    Returns
    -------
    dict
        The content of cone.json under "cone", and the records of the stages in provenance.json; without these
        version, options and counts of cluster.json. A file that cannot be read is said so.
    """
    found = {"cone": _read(folder / _CONE_FILE)} if (folder / _CONE_FILE).exists() else {}
    stages = read_provenance(folder)
    if stages:
        return found | stages
    sets = _read(folder / CLUSTER_FILE)
    return found | {
        "sets": {key: sets[key] for key in ("version", "options", "counts", "unreadable") if key in sets}
    }


def recorded_cautions(provenance: dict[str, Any]) -> list[Caution]:
    """What was warned of while the files were made, as notes."""
    found = []
    for stage, record in provenance.items():
        texts = record.get("warnings", []) if isinstance(record, dict) else []
        title = f"Said by the {stage.replace('_', ' ')}"
        found += [Caution("note", title, str(text)) for text in texts if isinstance(texts, list)]
    return found


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"unreadable": f"there is no {path.name}"}
    try:
        return read_json(path)
    except (ValueError, OSError) as error:
        return {"unreadable": str(error)}


def commands(provenance: dict[str, Any], name: str, data_dir: Path | str) -> tuple[list[str], bool]:
    """The commands that made the files.

    Parameters
    ----------
    provenance : dict
        From `recorded`.
    name : str
        The cluster.
    data_dir : path
        The data directory.

    Returns
    -------
    list of str
        The commands that were recorded, each once; without any, that of build_sets.py as its options tell it.
    bool
        Whether they were recorded.
    """
    recorded = list(dict.fromkeys(_recorded(provenance)))
    if recorded:
        return recorded, True
    options = provenance.get("sets", {}).get("options", {})
    words = ["python", "build_sets.py", name]
    if Path(data_dir) != Path("data"):
        words += ["--data_dir", str(data_dir)]
    for group, signature in _OPTIONS.items():
        if isinstance(options.get(group), dict):
            words += _arguments(options[group], asdict(signature()))
    return [shlex.join(words)], False


def _recorded(value: Any) -> list[str]:
    """Every entry called command, at any depth."""
    if isinstance(value, list):
        return [text for part in value for text in _recorded(part)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, part in value.items():
        if key in ("command", "commands"):
            found += _as_commands(part, several=key == "commands")
        else:
            found += _recorded(part)
    return found


def _as_commands(value: Any, *, several: bool) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and several:
        return [text for part in value for text in _as_commands(part, several=False)]
    return [shlex.join(map(str, value))] if isinstance(value, list) else []


def _arguments(given: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    """Options that differ from their defaults, as a shell takes them."""
    words = []
    for key, default in defaults.items():
        value = given.get(key, default)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        if value == default or value is None:
            continue
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{key}")
        else:
            words += [f"--{key}", *(map(str, value) if isinstance(value, tuple) else [str(value)])]
    return words
