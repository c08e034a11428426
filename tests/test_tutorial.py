"""The outputs that are kept in the tutorial are those of its code, run once from top to bottom."""

import json
from pathlib import Path

TUTORIAL = Path(__file__).resolve().parents[1] / "tutorial.ipynb"


def code_cells():
    return [
        cell
        for cell in json.loads(TUTORIAL.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]


def test_every_cell_was_run_in_order_without_an_error():
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds
    assert kinds <= {"stream", "display_data", "execute_result"}


def test_figures_are_pictures_and_small():
    pictures = [
        output for cell in code_cells() for output in cell["outputs"] if "image/png" in output.get("data", {})
    ]
    drawn = [cell for cell in code_cells() if "_figure(sets)" in "".join(cell["source"])]
    assert len(pictures) >= len(drawn) >= 2
    assert TUTORIAL.stat().st_size < 2_500_000


def test_nothing_is_written_into_a_users_data():
    code = "".join("".join(cell["source"]) + "\n" for cell in code_cells())
    assert 'DATA_DIR = Path("tutorial_data")' in code
    for line in code.splitlines():
        writes = any(word in line for word in ("save_sets(", "simulate_clusters([", "load_cone("))
        assert not writes or "DATA_DIR" in line, line
        assert "TABLES" not in line or line.startswith(
            ("CLUSTER, TABLES", "# CLUSTER, TABLES", "tables = oc.read")
        )
