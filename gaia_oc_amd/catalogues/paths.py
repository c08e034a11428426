"""Which files a run reads its catalogues from, and what their lists are called."""

from pathlib import Path

from gaia_oc_amd.catalogues.published import (
    CATALOGUES,
    CG18_MEMBERS,
    CG20_PARAMETERS,
    T22_MEMBERS,
    PublishedTable,
    find_catalogue,
)
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.options import TablePaths


def list_name(path: Path) -> str:
    """What figures and tables call a member list: a catalogue's key in capitals, else the file's name."""
    table = published_list(path)
    keys = [catalogue.key for catalogue in CATALOGUES if table is not None and catalogue.members is table]
    return keys[0].upper() if keys else path.name.split(".")[0].replace("_", " ")


def published_list(path: Path) -> PublishedTable | None:
    """Member list of a catalogue that a file is by its name, whatever its format; None for a list of a user's own."""
    stem = path.name.split(".")[0]
    tables = (catalogue.members for catalogue in CATALOGUES if catalogue.members is not None)
    return next((table for table in tables if table.file_name.split(".")[0] == stem), None)


def table_paths(
    data_dir: Path, paths: TablePaths, *, need_parameters: bool = True, need_members: bool = True
) -> tuple[Path, Path, Path | None]:
    """Files of cluster parameters, members and comparison members: a path that was given, else a catalogue's file.

    A catalogue that lacks one of the two is completed by the members of Cantat-Gaudin et al. (2018) and the
    parameters of Cantat-Gaudin et al. (2020).

    Parameters
    ----------
    data_dir : path
        Holds the catalogues.
    paths : TablePaths
        Paths and catalogues that were asked for.
    need_parameters : bool
        Whether the parameter table must exist although it was not asked for.
    need_members : bool
        The same of the member list.

    Returns
    -------
    tuple of Path
        The last is None if no comparison was asked for and the default list is not there.

    Raises
    ------
    FileNotFoundError
        If a file does not exist; the message names the download.
    ValueError
        If the comparison catalogue has no member list.
    """
    chosen = find_catalogue(paths.catalogue)
    parameters = chosen.parameters or CG20_PARAMETERS
    members = chosen.members or CG18_MEMBERS
    parameters_path = paths.cluster_path or data_dir / parameters.file_name
    if need_parameters or paths.cluster_path:
        existing_file(parameters_path, "--cluster_path", is_given=paths.cluster_path is not None)
    members_path = paths.members_path or data_dir / members.file_name
    if need_members or paths.members_path:
        existing_file(members_path, "--members_path", is_given=paths.members_path is not None)
    return parameters_path, members_path, comparison_path(data_dir, paths)


def comparison_path(data_dir: Path, paths: TablePaths) -> Path | None:
    """File of the comparison members, None if none were asked for and the default list is not there."""
    if paths.comparison_path:
        return paths.comparison_path
    if paths.comparison_catalogue is None:
        default = data_dir / T22_MEMBERS.file_name
        return default if default.exists() else None
    members = find_catalogue(paths.comparison_catalogue).members
    if members is None:
        names = ", ".join(catalogue.key for catalogue in CATALOGUES if catalogue.members)
        raise ValueError(
            f"{paths.comparison_catalogue} has no member list to compare with: choose among {names}."
        )
    return existing_file(data_dir / members.file_name, "--comparison_path")


_DOWNLOAD = "download_members_and_cluster_params.py"


def existing_file(path: Path, option: str, script: str = _DOWNLOAD, *, is_given: bool = False) -> Path:
    """The file, if it exists.

    Parameters
    ----------
    path : path
        The file.
    option : str
        That names another.
    script : str
        That downloads it.
    is_given : bool
        Whether the user named it, so that no download helps.

    Raises
    ------
    FileNotFoundError
        With the remedies.
    """
    if not path.exists():
        keys = [c.key for c in CATALOGUES for table in c.tables if table.file_name == path.name]
        words = ("--catalogues", keys[0]) if keys and script == _DOWNLOAD else ()
        how = "" if is_given else f"run `{script_command(script, *words, data_dir=path.parent)}` or "
        raise FileNotFoundError(f"{path} does not exist: {how}name another file with {option}.")
    return path
