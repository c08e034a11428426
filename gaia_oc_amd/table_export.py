"""The sets of a cluster in the formats of other tools, beside the CSV files that the package itself reads."""

from functools import partial
from pathlib import Path
from typing import Any

from gaia_oc_amd._version import __version__
from gaia_oc_amd.described_tables import described_set
from gaia_oc_amd.export_options import EXPORT_SUFFIXES
from gaia_oc_amd.files.provenance import Stage, file_fingerprints, run_stage, value_fingerprint
from gaia_oc_amd.files.votable import write_votable
from gaia_oc_amd.source_sets import SET_FILES, SET_NAMES, SourceSets, load_sets
from gaia_oc_amd.table_writers import write_ecsv, write_fits, write_parquet

WRITERS = {"votable": write_votable, "fits": write_fits, "ecsv": write_ecsv, "parquet": write_parquet}


def export_tables(folder: Path, formats: list[str], command: str = "") -> None:
    """Write the four sets of a cluster in the formats that are asked for, as far as they are not there.

    The files of an earlier state of the sets are gone already: `source_sets.save_sets` and `save_candidates` remove
    them before they change a CSV file.

    Parameters
    ----------
    folder : path
        The cluster's folder, held by `files.data_directory.locked`.
    formats : list of str
        Of `export_options.EXPORT_SUFFIXES`.
    command : str
        Shell command that does it, for provenance.json.
    """
    if not formats:
        return
    sets = load_sets(folder.name, folder.parents[1])
    made_with = {
        "sets": file_fingerprints(folder, SET_FILES),
        "parameters": value_fingerprint(
            [
                (about.name, value)
                for about, value in described_set("members", sets.members, folder).parameters
            ]
        ),
        "version": __version__,
    }
    for name in formats:
        stage = Stage(f"tables_{name}", made_with, command)
        run_stage(folder, stage, partial(write_sets, sets, folder, name))


def write_sets(sets: SourceSets, folder: Path, format: str) -> tuple[dict[str, Any], list[str]]:
    """Write the four sets in one format; returns the names of the files."""
    files = [f"{name}{EXPORT_SUFFIXES[format]}" for name in SET_NAMES]
    for name, file in zip(SET_NAMES, files, strict=True):
        WRITERS[format](folder / file, described_set(name, getattr(sets, name), folder))
    return {}, files
