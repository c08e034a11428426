"""Processor time of drawing all figures of an evaluated cluster, five times in one process.

example: python benchmarks/speed/drawing.py NGC_2447 --data_dir data
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.figures import evaluation_figures, save_and_show
from gaia_oc_amd.options import FigureOptions
from gaia_oc_amd.source_sets import load_sets


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cluster", help="a cluster that was evaluated")
    parser.add_argument("--data_dir", default="data")
    arguments = parser.parse_args()
    sets = load_sets(arguments.cluster, arguments.data_dir)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(5):
            start = time.process_time()
            save_and_show(evaluation_figures(sets), Path(folder), FigureOptions())
            print(f"{time.process_time() - start:.2f} s")


if __name__ == "__main__":
    main()
