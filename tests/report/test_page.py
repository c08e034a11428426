"""The report: what it holds, that it needs nothing else, that it cannot be broken by data, and its index."""

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bokeh.plotting import figure
from hand_made_validation import hand_made
from PIL import Image
from plot_sets import VARIANTS
from report_pages import Page
from report_sets import FIRST_ID, report_sets

from gaia_oc_amd.columns import SET_COLUMNS, SIGMA_OFFSETS
from gaia_oc_amd.comparison import ComparisonCounts
from gaia_oc_amd.files.data_directory import write_json
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.report.page import LARGEST_PAGE, SELECTION_FUNCTION, write_report
from gaia_oc_amd.report.stars import LEAST_PROBABILITY, MOST_CANDIDATES
from gaia_oc_amd.source_sets import SET_NAMES, save_sets
from gaia_oc_amd.validation import validate as selection_function

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<b>"


@pytest.fixture(scope="module")
def sets():
    return report_sets()


@pytest.fixture(scope="module")
def rendered(sets, tmp_path_factory):
    """The report of these sets in a folder that has nothing else."""
    return report_text(sets, tmp_path_factory.mktemp("plain"))


def report_text(sets, folder, **options):
    return write_report(sets, folder, PlotOptions(**options)).read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(rendered):
    page = Page(rendered)
    for tag, attributes in page.elements:
        address = attributes.get("src") or attributes.get("href") or ""
        assert tag == "a" or not address or address.startswith("data:"), (tag, address)
        assert attributes.get("target") != "_blank" or attributes["rel"] == "noopener noreferrer"
        assert tag not in ("iframe", "object", "embed", "form", "base")
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    styles = (ROOT / "gaia_oc_amd/report/templates/report.css").read_text()
    assert "url(" not in styles
    assert "@import" not in styles


def test_same_data_same_bytes_whatever_was_drawn_before(sets, rendered, tmp_path):
    figure()  # which moves Bokeh's running numbers on
    assert without_folder(report_text(sets, tmp_path)) == without_folder(rendered)


def without_folder(text):
    """The page without the data directory, which stands in the command that it shows."""
    return re.sub(r"--data_dir \S+", "", text)


def test_hostile_words_stay_words(sets, tmp_path):
    """Names and options come from files that anyone may have written."""
    folder = tmp_path / "clusters" / "Test_1"
    record = {
        "command": f"python {HOSTILE}",
        "files": {},
        "warnings": [HOSTILE],
        "list": [HOSTILE, {"a": HOSTILE}],
    }
    write_json(folder / "provenance.json", {HOSTILE: record})
    (folder / SELECTION_FUNCTION).write_text(f"bin,{HOSTILE}\n")
    page = Page(report_text(sets, tmp_path))
    assert [a for t, a in page.elements if t == "img" and not a["src"].startswith("data:")] == []
    assert not any("onerror" in a for _, a in page.elements)
    assert len(page.scripts) == 8
    for name in ("summary", "settings", "panel-item"):
        page.json(name)


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - {"two rows"}))
def test_every_kind_of_sets_gives_a_page(sets, tmp_path, variant):
    text = report_text(VARIANTS[variant](sets), tmp_path)
    assert ("evaluate_clusters.py Test_1" in text) == (variant == "not evaluated")
    assert ("There is no comparison list" in text) == (variant in ("empty", "no comparison"))
    assert ("No star passed the candidate selection" in text) == (variant == "empty")
    words = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).lower()
    assert not re.search(r"\bnan\b", words)


def test_a_cluster_without_an_isochrone_gives_a_page(sets, tmp_path):
    nothing = Isochrone(np.array([]), np.array([]))
    assert "No isochrone." in report_text(VARIANTS["empty"](replace(sets, isochrone=nothing)), tmp_path)


def test_truth_is_shown_where_it_is_known(sets, rendered, tmp_path):
    """Stars of a simulation are in no archive, so that there is nothing to look up."""
    assert "against the truth" not in rendered
    truth = pd.DataFrame({"source_id": sets.members["source_id"], "is_member": True})
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    truth.to_csv(folder / "truth.csv", index=False)
    page = Page(text := report_text(sets, tmp_path))
    assert "against the truth" in text
    assert not any("simbad" in attributes.get("href", "") for _, attributes in page.elements)
    assert page.json("settings")["links"] is False
    assert Page(rendered).json("settings")["links"] is True


def test_report_counts_the_comparison_list_and_names_it(sets, tmp_path):
    text = report_text(sets, tmp_path)
    assert str(ComparisonCounts.of(sets, 0.5)).replace("'", "&#39;") in text
    assert "in T22" in text
    strict = report_text(sets, tmp_path, prob_threshold=0.9)
    assert "members, p ≥ 0.9" in strict
    assert "p ≥ 0.5" not in strict


def test_what_was_warned_of_on_the_way_is_repeated(sets, tmp_path):
    records = {
        "sets": {"files": {}, "warnings": ["12 rows lack G"], "command": "python build_sets.py Test_1"}
    }
    write_json(tmp_path / "clusters/Test_1/provenance.json", records)
    text = report_text(VARIANTS["empty"](sets), tmp_path)
    assert "<strong>Said by the sets.</strong>" in text
    assert "12 rows lack G" in text
    assert "The commands that made this" in text


def test_validation_of_an_earlier_evaluation_is_marked(sets, tmp_path):
    folder = tmp_path / "clusters/Test_1"
    write_json(folder / "provenance.json", {"evaluation": {"files": {}}, "validation": {"files": {}}})
    table = selection_function.selection_function(hand_made(), (17.0, 18.0), (0.0, 2.0))
    table.to_csv(folder / SELECTION_FUNCTION, index=False)
    empty = VARIANTS["empty"](sets)
    assert "Older validation" not in report_text(empty, tmp_path)
    write_json(folder / "provenance.json", {"evaluation": {"files": {}}})
    assert "Older validation" in report_text(empty, tmp_path)


def test_script_writes_report_and_index(sets, tmp_path):
    tables = {
        name: getattr(sets, name).reindex(columns=SET_COLUMNS).assign(rejected_by="") for name in SET_NAMES
    }
    save_sets(replace(sets, **tables), tmp_path)
    command = [sys.executable, ROOT / "evaluate_clusters.py", "test 1", "--data_dir", tmp_path, "--plot_only"]
    arguments = [str(word) for word in (*command, "--no-save_plots", "--report")]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "clusters/Test_1/report.html").read_text(encoding="utf-8")
    assert "<h1>Test 1</h1>" in text
    assert 'href="clusters/Test_1/report.html"' in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "--data_dir" in text  # the command that made the sets


def test_templates_are_shipped():
    """The wheel holds the whole package, the report's templates too."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["gaia_oc_amd"]
    assert len(list((ROOT / "gaia_oc_amd/report/templates").iterdir())) >= 6


def test_seventy_thousand_candidates_stay_small(sets, tmp_path):
    """Half of them above the least probability, as a bad model may find, and as many others; no two stars alike."""
    rng = np.random.default_rng(3)

    def many(table, first):
        table = table.iloc[rng.integers(0, len(table), 70_000)].reset_index(drop=True)
        offsets = {name: rng.uniform(2, 9, 70_000) for name in (*SIGMA_OFFSETS, "f_r", "f_pm", "f_c", "f_g")}
        places = {
            name: table[name] + rng.normal(0, 0.1, 70_000) for name in ("ra", "dec", "pmra", "parallax")
        }
        ids = first + 128 * np.sort(rng.integers(0, 2**30, 70_000))
        return table.assign(source_id=ids, **offsets, **places).drop_duplicates("source_id")

    candidates = many(sets.candidates, FIRST_ID + 2**50)
    candidates["PMemb"] = rng.uniform(0, 1, len(candidates)) ** 2
    non_members = many(sets.non_members, FIRST_ID + 2**51)
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    for name in ("new_members", "candidates", "comparison", "venn_diagram", "density_profile"):
        Image.fromarray(rng.integers(0, 255, (900, 900, 3), np.uint8)).save(folder / f"{name}.png")
    text = report_text(replace(sets, candidates=candidates, non_members=non_members), tmp_path)
    assert len(text.encode()) <= LARGEST_PAGE
    assert "Not in this page" in text
    left_out = (candidates["PMemb"] >= LEAST_PROBABILITY).sum() - MOST_CANDIDATES
    assert f"{left_out:,} more have p" in text


def test_the_page_opens_with_pictures_sentence_and_class(sets, rendered):
    """Before any table, any warning and any script of the page."""
    body = rendered.partition("<body>")[2]
    first = body.index("<table")
    for part in ('id="sentence"', 'class="class ', 'id="opening"', "data:image/webp"):
        assert body.index(part) < first
    members = our_members(sets, 0.5)
    share = 100 * (1 - members["PMemb"].mean())
    assert (
        f"{len(members)} members to G {members['phot_g_mean_mag'].max():.1f}, {share:.0f} % expected" in body
    )
    page = Page(rendered)
    assert page.json("summary")["class"] in ("A", "B", "C", "D")
    assert any(a.get("href") == "../../index.html" for t, a in page.elements if t == "a")


def test_nobody_is_asked_for_a_sky_image_without_a_click(rendered):
    addresses = [(t, a.get("href", "")) for t, a in Page(rendered).elements if "Aladin" in a.get("href", "")]
    assert addresses
    assert {tag for tag, _ in addresses} == {"a"}


def test_warnings_stand_before_notes(sets, tmp_path):
    text = report_text(
        replace(sets, members=sets.members[:20], judged_members=sets.judged_members[:20]), tmp_path
    )
    assert text.index("<strong>Few training members.</strong>") < text.index("<details><summary>")
    assert text.index("<details><summary>") < text.index("<strong>Not validated.</strong>")
