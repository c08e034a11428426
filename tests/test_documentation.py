"""The documentation's own parts: pages made of the program, and a README that is a door."""

import argparse
import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))


@pytest.fixture
def docs(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    yield importlib.import_module
    sys.modules.pop("generated_pages", None)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_scripts_page_has_every_option_of_its_help(script, docs, monkeypatch, capsys):
    pages = docs("generated_pages")
    text = pages._script_page(script)
    with pytest.raises(SystemExit):
        importlib.import_module(script).main(["--help"])
    helped = set(re.findall(r"^  (--\w+)", capsys.readouterr().out, re.MULTILINE)) - {"--version"}
    assert len(helped) > 4
    assert helped == set(re.findall(r"^\| `(--\w+)`", text, re.MULTILINE))
    assert f"python {script}.py" in text


def test_a_row_gives_default_and_bound(docs):
    pages = docs("generated_pages")
    text = pages._script_page("evaluate_clusters")
    assert (
        "| `--prob_threshold` | `0.5` | greater than 0 and at most 1 | smallest probability of a member"
        in text
    )
    assert "| `--precision` | `float32` | `float32`, `bfloat16` |" in text
    assert pages._row(argparse.Action(["--x"], "x", help="a|b"), None) == r"| `--x` |  |  | a\|b |"


def test_the_readme_is_a_door():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 120
