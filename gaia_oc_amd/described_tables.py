"""Tables that say what they are: a set of stars with what its columns mean and how it was made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd.column_descriptions import Description, describe
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, read_json
from gaia_oc_amd.files.provenance import read_provenance
from gaia_oc_amd.files.votable import DescribedTable, Value

SET_DESCRIPTIONS = {
    "members": "training members of the cluster: listed members that pass the candidate selection",
    "candidates": "candidates: stars that pass the candidate selection, and listed members that do not",
    "non_members": "stars of the cone that do not pass the candidate selection",
    "comparison": "stars of the comparison list that are in the cone, whatever set they are in",
}

REFERENCES = (
    "Gaia Collaboration, Vallenari et al. 2023, A&A 674, A1, doi:10.1051/0004-6361/202243940 (data)",
    "van Groeningen et al. 2023, A&A 675, A68, doi:10.1051/0004-6361/202345952 (method)",
)

_LIMITS = {
    "pm": ("mas/yr", "Largest difference in proper motion of a candidate without errors (Eq. 6)"),
    "parallax_far": ("mas", "The same of a parallax below the mean (Eqs. 8 to 10)"),
    "parallax_near": ("mas", "The same of a parallax above the mean (Eqs. 8 to 10)"),
    "colour": ("mag", "The same of the colour, from the isochrone (Eq. 11)"),
    "g": ("mag", "The same of G, from the isochrone (Eq. 12)"),
}
_NOT_OF_THE_RESULT = ("overwrite_cone",)


def described_set(name: str, rows: pd.DataFrame, folder: Path) -> DescribedTable:
    """One set of a cluster with all that its folder knows of it.

    Parameters
    ----------
    name : str
        ``members``, ``candidates``, ``non_members`` or ``comparison``.
    rows : DataFrame
        Its stars.
    folder : path
        The cluster's folder.

    Returns
    -------
    DescribedTable
        Without dates and without anything that differs between equal runs.
    """
    text = f"{folder.name}, {SET_DESCRIPTIONS[name]}"
    return DescribedTable(f"{folder.name} {name}", text, rows, tuple(_parameters(folder)))


def _parameters(folder: Path) -> Iterator[tuple[Description, Value]]:
    """What holds for all sets of a cluster; what is unknown (null) is left out."""
    content = read_json(folder / CLUSTER_FILE)
    yield Description("cluster", "", "meta.id;src", "Name of the open cluster"), folder.name
    yield (
        Description("creator", "", "meta.software", "Program that made the sets"),
        f"gaia_oc_amd {content['version']}",
    )
    for number, reference in enumerate(REFERENCES, 1):
        yield Description(f"reference_{number}", "", "meta.bib", "What to cite"), reference
    for name, value in content["cluster"].items():
        if name != "name" and value is not None:
            yield cluster_parameter(name), value
    for name, value in content["limits"].items():
        if value is not None:
            yield Description(f"limit_{name}", _LIMITS[name][0], "", _LIMITS[name][1]), value
    for group in content["options"].values():
        yield from _options("option", group, "Option of build_sets.py")
    cone = _record(folder / "cone.json")
    yield from _options("cone", {"source": cone.get("source")}, "Where the stars were taken from")
    evaluation = read_provenance(folder).get("evaluation", {}).get("made_with", {})
    yield from _options("evaluation", {"model": evaluation.get("model")}, "Fingerprint of the network")
    options = evaluation.get("options", {})
    chosen = options.get("sampling", {}) | {"seed": options.get("seed")}
    yield from _options("evaluation", chosen, "Option of evaluate_clusters.py")


def cluster_parameter(name: str) -> Description:
    """Description of a parameter of a cluster; that of the column of the same name is about a star.

    Parameters
    ----------
    name : str
        A field of `cluster.Cluster`, but its name.

    Returns
    -------
    Description
        Its name begins with ``cluster_``.
    """
    about = describe(name)
    scatter = "Standard deviation of the members' " + name.removesuffix("_error")
    mean = {
        "ra": "Mean right ascension of the members, ICRS",
        "dec": "Mean declination of the members, ICRS",
        "pmra": "Weighted mean of the members' pmra",
        "pmdec": "Weighted mean of the members' pmdec",
        "parallax": "Weighted mean of the members' parallaxes",
        **dict.fromkeys(("pmra_error", "pmdec_error", "parallax_error"), scatter),
    }
    ucd = about.ucd.replace(";meta.main", "")
    if name in ("pmra_error", "pmdec_error", "parallax_error"):
        ucd = ucd.replace("stat.error", "stat.stdev")
    return Description(f"cluster_{name}", about.unit, ucd, mean.get(name, about.text))


def _options(prefix: str, values: dict[str, Any], text: str) -> Iterator[tuple[Description, Value]]:
    """Options that have a value; several values in one are joined by spaces."""
    for name, value in values.items():
        if value is None or name in _NOT_OF_THE_RESULT:
            continue
        plain = " ".join(map(str, value)) if isinstance(value, list | tuple) else value
        if isinstance(plain, str):  # a path may hold what no table format does
            plain = "".join(letter if letter.isprintable() else "?" for letter in plain)
        yield Description(f"{prefix}_{name}", "", "", text), plain


def _record(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}
