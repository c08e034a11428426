"""Processor seconds to write a set of stars in each format of --table_format, beside astropy's own writers.

    python benchmarks/speed/table_formats.py --n_stars 200000
    python benchmarks/speed/table_formats.py --cone demo/clusters/Simulated_1/cone.parquet   # kept cones

The formats take turns; the median of the repeats is printed. Processor time, for the computer may be busy with other
things. astropy's writers write the same columns with their units, without descriptions of the run; --fast_only leaves
out those that need minutes. With --cone a kept cone is written and read in each --cone_format instead.
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.columns import SET_COLUMNS, UNITS
from gaia_oc_amd.exports.tables import WRITERS
from gaia_oc_amd.files.tables import read_table, write_rows, write_table
from gaia_oc_amd.files.votable import DescribedTable
from gaia_oc_amd.kept_cone import CONE_FILES
from gaia_oc_amd.options import EXPORT_SUFFIXES

ASTROPY = {
    "votable": {"format": "votable", "tabledata_format": "binary2"},
    "votable, tabledata": {"format": "votable", "tabledata_format": "tabledata"},
    "fits": {"format": "fits"},
    "ecsv": {"format": "ascii.ecsv"},
    "parquet": {"format": "parquet"},
}


def random_stars(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Stars with all columns of a set; the values mean nothing."""
    table = pd.DataFrame({name: rng.normal(size=n) for name in SET_COLUMNS})
    counts = {name: rng.integers(5, 500, n) for name in SET_COLUMNS if name.endswith("_n_obs")}
    failed = rng.choice(["", "isochrone", "proper_motion+parallax"], n)
    return table.assign(
        source_id=5_853_498_713_190_525_696 + np.arange(n) * 3,
        astrometric_params_solved=31,
        rejected_by=pd.Series(failed, dtype="str"),
        **counts,
    )


def seconds(work, *arguments, **keywords) -> float:
    start = time.process_time()
    work(*arguments, **keywords)
    return time.process_time() - start


def write_csv(path: Path, rows: pd.DataFrame) -> None:
    with path.open("wb") as file:
        write_rows(file, rows)


def one_round(rows: pd.DataFrame, folder: Path, *, fast_only: bool = False) -> dict[str, float]:
    """Seconds of every writer, once."""
    table = DescribedTable("Test_1 candidates", "random numbers", rows)
    theirs = Table.from_pandas(rows, units={name: UNITS[name] for name in rows if UNITS[name]})
    found = {"ours, csv": seconds(write_csv, folder / "a.csv", rows)}
    for name, suffix in EXPORT_SUFFIXES.items():
        found[f"ours, {name}"] = seconds(WRITERS[name], folder / f"a{suffix}", table)
    for name, keywords in ASTROPY.items():
        if fast_only and name not in ("fits", "parquet"):
            continue
        path = folder / f"b{EXPORT_SUFFIXES[name.split(',')[0]]}"
        found[f"astropy, {name}"] = seconds(theirs.write, path, overwrite=True, **keywords)
    return found


def measure_kept_cones(path: Path, folder: Path, repeats: int) -> None:
    """Print what writing and reading a cone costs in each format; the first round, which imports, does not count."""
    cone = read_table(path)
    print(f"{len(cone)} stars, {cone.shape[1]} columns; median processor seconds of {repeats} rounds")
    for name, file in CONE_FILES.items():
        rounds = [
            (seconds(write_table, folder / file, cone, name), seconds(read_table, folder / file))
            for _ in range(repeats + 1)
        ]
        written, read = np.median(rounds[1:], axis=0)
        size = (folder / file).stat().st_size / 1e6
        print(f"{name:8s} written {written:.3f} s, read {read:.3f} s, {size:.1f} MB")


def measure_writers(rows: pd.DataFrame, folder: Path, repeats: int, *, fast_only: bool) -> None:
    """Print what every writer costs, beside ours."""
    one_round(rows.iloc[:100], folder)  # imports
    rounds = pd.DataFrame([one_round(rows, folder, fast_only=fast_only) for _ in range(repeats)])
    sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(folder.iterdir())}
    print(f"{len(rows)} stars, {rows.shape[1]} columns; median processor seconds of {repeats} rounds")
    for name, value in rounds.median().items():
        ratios = (rounds[name] / rounds["ours, " + name.split(", ")[1]]).median()
        print(f"{name:28s} {value:7.2f} s {ratios:7.1f} times ours")
    print("MB:", {name: round(size, 1) for name, size in sizes.items()})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n_stars", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fast_only", action="store_true")
    parser.add_argument("--cone", type=Path, help="a kept cone")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.cone:
            measure_kept_cones(arguments.cone, Path(folder), arguments.repeats)
        else:
            rows = random_stars(arguments.n_stars, np.random.default_rng(1))
            measure_writers(rows, Path(folder), arguments.repeats, fast_only=arguments.fast_only)


if __name__ == "__main__":
    main()
