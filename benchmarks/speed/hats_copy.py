"""What cones cost that come from a HATS copy of the catalogue, beside the same cones as files of their own.

Simulates clusters over the catalogue's parameter space, imports their cones into one HATS catalogue as copies of Gaia
are imported, builds the sets of all clusters from it and from the files, and compares what came out byte by byte.
Processor time counts, with one thread.

example: python benchmarks/speed/hats_copy.py --work_dir EMPTY_FOLDER

It needs `pip install lsdb hats-import` besides what this program needs.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import pandas as pd

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from timing import BenchmarkError, Run, load, machine, markdown_table, run_process, short

from gaia_oc_amd.astrometry import angular_separation, mean_direction

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("cone.parquet", "members.csv", "candidates.csv", "non_members.csv", "comparison.csv")
VALUES = ("cluster", "limits", "isochrone", "colour")
"""What cluster.json says of the cluster; it says of the making where the cones lay, too."""
IMPORT = """
import sys
from hats_import import ImportArguments, pipeline

if __name__ == "__main__":
    folder, rows, *tables = sys.argv[1:]
    pipeline(
        ImportArguments(
            input_file_list=tables,
            file_reader="parquet",
            output_path=folder,
            output_artifact_name="copy",
            pixel_threshold=int(rows),
            progress_bar=False,
        )
    )
"""


def cut_from_one_sky(tables: list[Path], folder: Path) -> list[Path]:
    """Each cone as a Parquet file, with the stars that other cones have in it: the copy's cones have these, too."""
    folder.mkdir()
    stars = [pd.read_parquet(path) for path in tables]
    sky, files = pd.concat(stars, ignore_index=True), []
    places = sky["ra"].to_numpy(), sky["dec"].to_numpy()
    for own, path in zip(stars, tables, strict=True):
        centre = mean_direction(own["ra"].to_numpy(), own["dec"].to_numpy())
        reach = angular_separation(own["ra"].to_numpy(), own["dec"].to_numpy(), *centre).max()
        files.append(folder / path.name)
        sky[angular_separation(*places, *centre) < 1.3 * reach].to_parquet(files[-1], index=False)
    return files


def import_copy(tables: list[Path], work_dir: Path, rows: int) -> Path:
    """A HATS catalogue of tables, in partitions of at most so many rows."""
    script = work_dir / "import_copy.py"
    script.write_text(IMPORT)
    whole = work_dir / "sky.parquet"
    pd.concat([pd.read_parquet(path) for path in tables], ignore_index=True).to_parquet(whole, index=False)
    run_process([sys.executable, script, work_dir, rows, whole], cwd=work_dir)
    return work_dir / "copy"


def built(names: list[str], data_dir: Path, source: str) -> tuple[Run, Run]:
    """What building all sets takes, and once more with nothing to do."""
    command = [sys.executable, ROOT / "build_sets.py", *names, "--data_dir", data_dir]
    command += ["--cone_source", source, "--no-save_plots", "--prob_threshold", 0.5]  # some lists are short
    return run_process(command, cwd=data_dir), run_process(command, cwd=data_dir)


def differing(names: list[str], first: Path, second: Path) -> list[str]:
    """Tables of sets that are not the same in two data directories, and clusters whose values are not."""
    found = []
    for name in names:
        one, other = first / "clusters" / name, second / "clusters" / name
        found += [
            f"{name}/{file}" for file in TABLES if (one / file).read_bytes() != (other / file).read_bytes()
        ]
        values = [json.loads((folder / "cluster.json").read_text()) for folder in (one, other)]
        found += [f"{name}/{value}" for value in VALUES if values[0][value] != values[1][value]]
    return found


def partitions(copy: Path) -> list[int]:
    """Rows of each partition."""
    files = sorted(copy.rglob("Npix=*.parquet"))
    return [len(pd.read_parquet(path, columns=["source_id"])) for path in files]


def main() -> None:
    """Simulate, import, build twice, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clusters", type=int, default=20, help="how many are simulated")
    parser.add_argument("--field_stars", type=int, default=30_000, help="stars to which a field is thinned")
    parser.add_argument("--partition_rows", type=int, default=1_000_000, help="rows of a partition at most")
    parser.add_argument("--work_dir", type=Path, required=True, help="empty folder for all that is made")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    work_dir = options.work_dir.resolve()
    names = [f"Simulated_{i + 1}" for i in range(options.clusters)]
    data_dir, second = work_dir / "data", work_dir / "data_of_copy"
    simulate = [sys.executable, ROOT / "simulate_clusters.py", *names, "--vary", "--data_dir", data_dir]
    run_process([*simulate, "--max_field_stars", options.field_stars], cwd=work_dir)
    shutil.copytree(data_dir, second, ignore=shutil.ignore_patterns("cones"))
    tables = [data_dir / "cones" / f"{name}.parquet" for name in names]
    cut_from_one_sky(tables, work_dir / "cones")
    copy = import_copy(tables, work_dir, options.partition_rows)
    of_files = built(names, data_dir, str(work_dir / "cones"))
    of_copy = built(names, second, f"hats:{copy}")
    libraries = run_process([sys.executable, "-c", "import dask, lsdb"], cwd=work_dir)
    if unequal := differing(names, data_dir, second):
        raise BenchmarkError(
            f"the copy gives other sets ({len(unequal)} differences, {unequal[0]} the first)."
        )
    rows = []
    for source, (full, idle), extra in (("files", of_files, 0.0), ("HATS copy", of_copy, libraries.cpu)):
        seconds = (full.cpu - idle.cpu - extra) / len(names)
        rows.append([source, *(short(v) for v in (seconds, idle.cpu + extra, full.peak))])
    sizes = partitions(copy)
    header = ["cones from", "cone and sets per cluster [s of one core]", "start [s]", "peak memory [MiB]"]
    about = f"{sum(sizes):,} stars in {len(sizes)} partitions of {min(sizes):,} to {max(sizes):,}"
    sys.stdout.write(
        f"{machine()}; {load()}. {len(names)} simulated clusters; the copy has {about}. Cones and sets are the same "
        f"byte by byte.\n\n{markdown_table(header, rows)}\n"
    )


if __name__ == "__main__":
    main()
