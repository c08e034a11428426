"""Processor seconds to write a set of stars in each format of --table_format, beside astropy's own writers.

    python benchmarks/speed/table_formats.py --n_stars 200000

The formats take turns; the median of the repeats is printed. Processor time, for the computer may be busy with other
things. astropy's writers write the same columns with their units, without descriptions of the run; --fast_only leaves
out those that need minutes.
"""

import argparse
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.columns import SET_COLUMNS, UNITS
from gaia_oc_amd.exports.tables import WRITERS
from gaia_oc_amd.files.tables import write_rows
from gaia_oc_amd.files.votable import DescribedTable
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n_stars", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fast_only", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = random_stars(arguments.n_stars, np.random.default_rng(1))
    with tempfile.TemporaryDirectory() as folder:
        one_round(rows.iloc[:100], Path(folder))  # imports
        work = partial(one_round, rows, Path(folder), fast_only=arguments.fast_only)
        rounds = pd.DataFrame([work() for _ in range(arguments.repeats)])
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(Path(folder).iterdir())}
    median = rounds.median()
    print(
        f"{len(rows)} stars, {rows.shape[1]} columns; median processor seconds of {arguments.repeats} rounds"
    )
    for name, value in median.items():
        ratios = (rounds[name] / rounds["ours, " + name.split(", ")[1]]).median()
        print(f"{name:28s} {value:7.2f} s {ratios:7.1f} times ours")
    print("MB:", {name: round(size, 1) for name, size in sizes.items()})


if __name__ == "__main__":
    main()
