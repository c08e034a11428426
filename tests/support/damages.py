"""Files damaged in every way, and what a reader makes of them: the same result, or one line; nothing else.

    PYTHONPATH=.:tests/support python -m damages 10000 --seed 1

damages files ten thousand times and writes the table of docs/faults.md.
"""

import argparse
import bz2
import gzip
import hashlib
import lzma
import random
import shutil
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from damage_kinds import KINDS
from PIL import Image
from toy_field import toy_field

from gaia_oc_amd.archive.login import read_credentials, write_credentials
from gaia_oc_amd.catalogues.names import read_cluster_names
from gaia_oc_amd.catalogues.tables import read_input_tables
from gaia_oc_amd.cepheids.options import CepheidOptions
from gaia_oc_amd.cepheids.simulated import SimulatedCepheids, simulate_cepheids
from gaia_oc_amd.cepheids.tables import read_cepheids
from gaia_oc_amd.classifier import Classifier, Standardisation
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.defaults import read_defaults
from gaia_oc_amd.evidence import CONE_FEATURES, STAR_FEATURES, SUPPORT_FEATURES
from gaia_oc_amd.exceptions import ClusterError, one_line
from gaia_oc_amd.files.provenance import PROVENANCE, Stage, run_stage
from gaia_oc_amd.files.tables import read_table, write_table
from gaia_oc_amd.images.options import ImageOptions
from gaia_oc_amd.images.tables import read_images
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.light_curves.simulated import simulate_light_curves
from gaia_oc_amd.light_curves.tables import read_light_curves
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.posterior import Calibration
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.source_sets import load_sets, save_sets
from gaia_oc_amd.spatial import SPATIAL_FILE, SpatialModel, SpatialSummary, read_spatial, save_spatial
from gaia_oc_amd.training import CHECKPOINT, Checkpoint, TrainingState
from gaia_oc_amd.truth import LABELS_FILE, read_labels

NAME = "Toy_1"
KNOWN = (ClusterError, ValueError, OSError, ImportError)
"""What `batch.outcomes.attempt` and `command_line.run` make one line and a non-zero exit of."""


def fingerprint(value: object) -> str:
    """Of a result, by what it holds."""
    digest = hashlib.blake2b(digest_size=12)
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, pd.DataFrame):
            part = part.to_csv(index=False)
        digest.update(repr(part).encode())
    return digest.hexdigest()


class Workshop:
    """A data directory of one cluster with every file that the product reads, and who reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.cluster, self.model = self.data / "clusters" / NAME, folder / "model"
        toy = toy_field(n_field=120)
        self.data.mkdir(parents=True)
        toy.sources.to_csv(folder / "stars.csv", index=False)
        toy.parameters.to_csv(self.data / "cluster_parameters.csv", index=False)
        toy.members.to_csv(self.data / "cg18_members.csv", index=False)
        _write_isochrones(self.data / "isochrones.dat", toy.isochrones)
        (folder / "names.txt").write_text("NGC_1\nNGC_2  # twice\nNGC_3\n", encoding="utf-8")
        write_credentials(folder / "login", "somebody", "p4ssword")
        self.own = own_tables(folder, toy.sources.head(60))
        other_works(folder)
        self._write_results(toy.sources)
        self.cone = ConeOptions(cone_source=(str(folder / "stars.csv"),))
        self.tables = read_input_tables(self.data)
        run_stage_of(self.cluster, self.built)

    def _write_results(self, stars: pd.DataFrame) -> None:
        (self.data / "defaults.toml").write_text('isochrone_path = "isochrones.dat"\n', encoding="utf-8")
        labels = stars[["source_id"]].assign(is_member=True, weight=0.5)
        (self.data / "clusters" / "Labelled").mkdir(parents=True)
        labels.to_csv(self.data / "clusters" / "Labelled" / LABELS_FILE, index=False)
        values = dict.fromkeys(SpatialSummary.__dataclass_fields__, 1.5)
        save_spatial(self.folder, SpatialModel(np.linspace(-1, 1, 7)), SpatialSummary(**values))
        self.checkpoint = Checkpoint(self.folder / CHECKPOINT, {"n_epochs": 4, "hidden_size": 8})
        weights = {"layer": torch.linspace(-1, 1, 60)}
        self.checkpoint.write(TrainingState(weights, {}, weights, 0.5, 1, {"loss": [2.0, 1.0]}))
        _save_model(self.model)

    def readers(self) -> dict[str, tuple[list[Path], Callable[[], object]]]:
        """Files of each kind, and what reads them."""
        folder = self.folder
        return {
            "sets": ([self.cluster / f for f in SET_FILES], self.sets),
            "kept cone": ([self.cluster / "cone.parquet", self.cluster / "cone.json"], self.from_cone),
            "record of the stages": (
                [self.cluster / PROVENANCE],
                lambda: run_stage_of(self.cluster, self.built),
            ),
            "model": ([self.model / "hyper_parameters", self.model / "model_parameters"], self.loaded_model),
            **{
                f"own table, {path.name.removeprefix('t.')}": ([path], partial(read_table, path))
                for path in self.own
            },
            "input tables": ([self.data / f for f in INPUT_FILES], self.inputs),
            "list of names": (
                [folder / "names.txt"],
                lambda: read_cluster_names([str(folder / "names.txt")]),
            ),
            "credentials": ([folder / "login"], lambda: read_credentials(folder / "login")),
            "remembered options": (
                [self.data / "defaults.toml"],
                lambda: sorted(read_defaults(self.data).items()),
            ),
            "place of the members": ([folder / SPATIAL_FILE], lambda: self.place(folder)),
            "labels": (
                [self.data / "clusters" / "Labelled" / LABELS_FILE],
                lambda: read_labels("Labelled", self.data),
            ),
            "checkpoint": ([folder / CHECKPOINT], lambda: sorted(vars(self.checkpoint.read()).items())),
            "light curves": (
                [folder / "curves" / name for name in ("a.fits", "b.csv")],
                lambda: read_light_curves(folder / "curves").curves,
            ),
            "Cepheids": (
                [folder / "cepheids.csv"],
                lambda: read_cepheids(CepheidOptions(str(folder / "cepheids.csv"))),
            ),
            "images": (
                [folder / "images" / name for name in ("one/a.fits", "two/b.png")],
                lambda: read_images(folder / "images", ImageOptions(size=8)).pixels.tobytes(),
            ),
        }

    def built(self) -> tuple[dict[str, int], list[str]]:
        sets = build_sets(NAME, self.tables, self.data, cone=self.cone)
        save_sets(sets, self.data)
        return sets.counts(), [*SET_FILES, "cone.json", "cone.parquet"]

    def sets(self) -> object:
        sets = load_sets(NAME, self.data)
        return sets.cluster, sets.limits, sets.members, sets.candidates, sets.non_members, sets.comparison

    def from_cone(self) -> object:
        sets = build_sets(NAME, self.tables, self.data, cone=self.cone)
        return sets.cluster, sets.members, sets.candidates, sets.non_members

    def loaded_model(self) -> object:
        return Classifier.load(self.model).fingerprint()

    def place(self, folder: Path) -> object:
        model, summary = read_spatial(folder)
        return sorted(model.as_dict().items()), summary

    def inputs(self) -> object:
        tables = read_input_tables(self.data)
        return tables.parameters, tables.listed_members(NAME), read_isochrones(self.data / "isochrones.dat")


SET_FILES = ("cluster.json", "members.csv", "candidates.csv", "non_members.csv", "comparison.csv")
INPUT_FILES = ("cluster_parameters.csv", "cg18_members.csv", "isochrones.dat")
PROVEN = {"sets", "kept cone", "record of the stages", "model", "checkpoint"}
"""Files with a fingerprint: no damage may change a result. Of a user's own file only the form can be checked."""


def own_tables(folder: Path, stars: pd.DataFrame) -> list[Path]:
    """One table in every format and packing that is read."""
    for format, name in (("votable", "t.vot"), ("parquet", "t.parquet"), ("csv", "t.csv")):
        write_table(folder / name, stars, format)
    described = Table.from_pandas(stars)
    for format, name in (
        ("ascii.ipac", "t.tbl"),
        ("ascii.mrt", "t.mrt"),
        ("fits", "t.fits"),
        ("ascii.ecsv", "t.ecsv"),
    ):
        described.write(folder / name, format=format)
    stars.to_feather(folder / "t.feather")
    places = SkyCoord(stars["ra"], stars["dec"], unit="deg")
    hours = {
        "ra": places.ra.to_string("h", sep=":", precision=4),
        "dec": places.dec.to_string(sep=":", precision=3),
    }
    stars.assign(**hours).to_csv(folder / "t.hours.tsv", sep="\t", index=False)
    content = (folder / "t.csv").read_bytes()
    (folder / "t.csv.gz").write_bytes(gzip.compress(content, mtime=0))
    (folder / "t.csv.bz2").write_bytes(bz2.compress(content))
    (folder / "t.csv.xz").write_bytes(lzma.compress(content))
    with zipfile.ZipFile(folder / "t.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("t.csv", (2026, 1, 1, 0, 0, 0)), content)
    return sorted(folder.glob("t.*"))


def other_works(folder: Path) -> None:
    """Light curves, Cepheids and images."""
    rng = np.random.default_rng(7)
    curves = simulate_light_curves(1, n_sectors=1, rng=rng).curves
    (folder / "curves").mkdir()
    curves.to_csv(folder / "curves" / "b.csv", index=False)
    head = fits.PrimaryHDU()
    head.header.update(NAME="NGC 1", LOCATION="80.9,-69.7", LOG_AGE=8.5)
    sector = Table.from_pandas(curves[["time", "flux", "flux_err"]])
    fits.HDUList([head, fits.table_to_hdu(sector)]).writeto(folder / "curves" / "a.fits")
    simulate_cepheids(SimulatedCepheids(n_milky_way=40, n_lmc=30), rng=rng).to_csv(
        folder / "cepheids.csv", index=False
    )
    pixels = rng.uniform(0, 200, (3, 16, 16)).astype(np.float32)
    for name in ("one", "two"):
        (folder / "images" / name).mkdir(parents=True)
    fits.writeto(folder / "images" / "one" / "a.fits", pixels)
    Image.fromarray(pixels.transpose(1, 2, 0).astype(np.uint8)).save(folder / "images" / "two" / "b.png")


def run_stage_of(folder: Path, work: Callable[[], tuple[dict[str, int], list[str]]]) -> object:
    folder.mkdir(parents=True, exist_ok=True)
    return run_stage(folder, Stage("sets", {"options": 1}, "python build_sets.py Toy_1"), work)


def _write_isochrones(path: Path, table: pd.DataFrame) -> None:
    rows = "\n".join(" ".join(f"{value:.6g}" for value in row) for row in table.to_numpy(float))
    path.write_text(f"# {' '.join(table.columns)}\n{rows}\n", encoding="utf-8")


def _save_model(folder: Path) -> None:
    network = DeepSets(len(STAR_FEATURES) + len(CONE_FEATURES), len(SUPPORT_FEATURES), hidden_size=8)
    network.initialise(torch.Generator().manual_seed(1))
    kinds = [
        Standardisation(names, np.linspace(-1, 1, len(names)), np.linspace(0.5, 2, len(names)))
        for names in (STAR_FEATURES, CONE_FEATURES, SUPPORT_FEATURES)
    ]
    settings = {"probability": "posterior", "calibration": Calibration().as_dict()}
    Classifier(network.weights(), kinds[0], kinds[1], settings, kinds[2]).save(folder)


@dataclass(frozen=True)
class Damage:
    """What was done to which file, and what came of it: ``same``, ``refused``, ``read``, or what is wrong."""

    kind: str
    reader: str
    file: str
    outcome: str
    message: str = ""


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@contextmanager
def workshop() -> Iterator[Workshop]:
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Workshop(Path(name))


def damage_files(number: int, seed: int) -> Iterator[Damage]:
    """Damage files one after the other, each time a whole one."""
    rng = random.Random(seed)
    with workshop() as shop, tempfile.TemporaryDirectory() as store:
        kept = Path(store) / "kept"
        shutil.copytree(shop.folder, kept)
        before, expected = everything(shop.folder), {}
        readers = shop.readers()
        for name, (_, read) in readers.items():
            expected[name] = fingerprint(read())
        for _ in range(number):
            name = rng.choice(list(readers))
            paths, read = readers[name]
            path, kind = rng.choice(paths), rng.choice(KINDS)
            content = path.read_bytes()
            path.write_bytes(kind(content, rng))
            outcome, message = _outcome(read, expected[name], name)
            now = everything(shop.folder)
            own = str(path.relative_to(shop.folder))
            others = {file for file in before.keys() | now.keys() if before.get(file) != now.get(file)} - {
                own
            }
            if others:
                outcome, message = "other files changed", ", ".join(sorted(others))
                shutil.rmtree(shop.folder)
                shutil.copytree(kept, shop.folder)
            path.write_bytes(content)
            yield Damage(kind.__name__.replace("_", " "), name, path.name, outcome, message)


def _outcome(read: Callable[[], object], expected: str, reader: str) -> tuple[str, str]:
    try:
        found = fingerprint(read())
    except KNOWN as error:
        message = one_line(error)
        return ("refused", message) if "\n" not in str(error) or message else ("several lines", message)
    except Exception as error:
        return "internal error", f"{type(error).__name__}: {one_line(error)}"
    if found == expected:
        return "same", ""
    return ("silently wrong", "") if reader in PROVEN else ("read", "")


FINE = ("same", "refused", "read")

_HEAD = """# Damaged files

Every file that the program reads was damaged at random: bits flipped, cut, emptied, parts repeated or exchanged, values
replaced by huge numbers, other types, deep nesting or other plausible numbers, or the whole replaced by another file.
Two outcomes are right: the same result as without the damage, or one line and a non-zero exit. No other file may
change.

Sets, kept cones, records, models and checkpoints have fingerprints. Another result of them would be silently wrong. A
table that a user brings (parameters, members, isochrones, lists, stars) has none. Nobody can tell a number that was
replaced by another of the same kind from what was meant. It is counted as *read as it stands*.

"""


def table(damages: list[Damage], number: int, seed: int) -> str:
    """The page of the documentation."""
    columns = {"same": "same result", "refused": "one line", "read": "read as it stands"}
    bad = [damage for damage in damages if damage.outcome not in FINE]
    counts = Counter((damage.reader, damage.outcome) for damage in damages)
    by_kind = Counter((damage.kind, damage.outcome) for damage in damages)
    lines = [
        f"Made by `make fuzz` ({number} damages, seed {seed}): {len(bad)} silently wrong, internal errors, or",
        "changes of other files.",
        "",
    ]
    for title, key, count in (("file", "reader", counts), ("kind of damage", "kind", by_kind)):
        lines += [f"| {title} | damages | {' | '.join(columns.values())} | wrong |", "| --- " * 6 + "|"]
        for row in sorted({getattr(damage, key) for damage in damages}):
            numbers = [count[row, name] for name in columns]
            total = sum(n for (name, _), n in count.items() if name == row)
            lines.append(f"| {row} | {total} | {' | '.join(map(str, numbers))} | {total - sum(numbers)} |")
        lines.append("")
    return _HEAD + "\n".join(lines).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("number", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, help="where the table goes, docs/faults.md")
    given = parser.parse_args()
    damages = []
    for damage in damage_files(given.number, given.seed):
        damages.append(damage)
        if damage.outcome not in FINE:
            print(damage)
    if given.page:
        given.page.write_text(table(damages, given.number, given.seed), encoding="utf-8")
    print(Counter(damage.outcome for damage in damages))
    return int(any(damage.outcome not in FINE for damage in damages))


if __name__ == "__main__":
    raise SystemExit(main())
