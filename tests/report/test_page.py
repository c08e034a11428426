"""The report: what it holds, that it needs nothing else, that it cannot be broken by data, and its index."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from bokeh.plotting import figure
from hand_made_validation import hand_made
from plot_sets import VARIANTS
from report_sets import FIRST_ID, report_sets

from gaia_oc_amd.columns import SET_COLUMNS
from gaia_oc_amd.command_line import add_options, collect, make_parser
from gaia_oc_amd.comparison import ComparisonCounts
from gaia_oc_amd.files.data_directory import write_json
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.options import ConeOptions, GivenCluster, MemberOptions, PlotOptions, SelectionOptions
from gaia_oc_amd.report.page import (
    LARGEST_FIGURE,
    SELECTION_FUNCTION,
    index_rows,
    pictures,
    write_index,
    write_report,
)
from gaia_oc_amd.report.tables import (
    commands,
    number_table,
    parameter_table,
    recorded,
    selection_function_table,
    truth_table,
)
from gaia_oc_amd.report.view import LEAST_PROBABILITY, MOST_CANDIDATES, shown_stars, view_item
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


class Page(HTMLParser):
    """The elements of a page, with the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self._script = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("id", str(len(self.scripts)))
            self.scripts[self._script] = ""

    def handle_endtag(self, tag):
        self._script = None if tag == "script" else self._script

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] += data

    def json(self, name):
        return json.loads(self.scripts[name])


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


def test_identifiers_keep_their_last_digits(sets, rendered):
    view = Page(rendered).scripts["view-item"]
    ids = re.findall(r'"(\d{19})"', view)
    shown = sets.candidates["PMemb"] >= LEAST_PROBABILITY
    assert ids[: len(sets.members)] == [str(FIRST_ID + i) for i in range(len(sets.members))]
    assert set(ids[len(sets.members) :]) == {str(i) for i in sets.candidates.loc[shown, "source_id"]}
    assert not re.search(rf"[^\"\d]{str(FIRST_ID)[:12]}", view)  # nowhere as a number


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
    assert [a for t, a in page.elements if t == "img"] == []
    assert not any("onerror" in a for _, a in page.elements)
    assert len(page.scripts) == 5
    for name in ("summary", "settings", "view-item"):
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


def test_shown_stars_and_field_are_all_stars(sets):
    shown = shown_stars(sets)
    assert len(shown.stars) + len(shown.field) == sum(
        sets.counts()[n] for n in ("members", "candidates", "non_members")
    )
    candidates = shown.stars[shown.stars["kind"] == "candidate"]
    assert (candidates["p"] >= LEAST_PROBABILITY).all()
    assert candidates["p"].is_monotonic_decreasing
    assert shown.n_left_out == 0


def test_many_candidates_are_cut_to_the_most_probable(sets):
    shown = shown_stars(sets, most=50)
    candidates = shown.stars[shown.stars["kind"] == "candidate"]
    np.testing.assert_array_equal(np.sort(candidates["p"]), np.sort(sets.candidates["PMemb"])[-50:])
    assert shown.n_left_out == (sets.candidates["PMemb"] >= LEAST_PROBABILITY).sum() - 50
    assert LEAST_PROBABILITY < shown.least_probability <= candidates["p"].min()


def test_seventy_thousand_candidates_stay_small(sets, tmp_path):
    """Half of them above the least probability, as a bad model may find; 1.3 MB are Bokeh's script."""
    rng = np.random.default_rng(3)
    many = sets.candidates.iloc[rng.integers(0, len(sets.candidates), 70_000)].reset_index(drop=True)
    many = many.assign(source_id=np.arange(70_000) + FIRST_ID + 10**6, PMemb=rng.uniform(0, 1, 70_000))
    text = report_text(replace(sets, candidates=many), tmp_path)
    assert len(text.encode()) < 4e6
    left_out = (many["PMemb"] >= LEAST_PROBABILITY).sum() - MOST_CANDIDATES
    assert f"{left_out:,} more have p" in text


def test_numbers_by_magnitude_add_up(sets):
    table = number_table(sets, 0.5)
    numbers = (
        pd.DataFrame(table.rows, columns=table.columns).set_index("G [mag]").drop(columns="expected field")
    )
    numbers = numbers.apply(lambda column: column.str.replace(",", "").astype(float))
    np.testing.assert_allclose(numbers.iloc[1:].sum(), numbers.loc["all"], atol=0.3)
    ours = our_members(sets, 0.5)
    assert numbers.loc["all", "members, p ≥ 0.5"] == len(ours)
    assert numbers.loc["all", "Σ p"] == pytest.approx(ours["PMemb"].sum(), abs=0.06)
    assert numbers.loc["all", "new"] == (sets.candidates["PMemb"][40:] >= 0.5).sum()
    assert table.rows[0][table.columns.index("expected field")] == f"{100 * (1 - ours['PMemb'].mean()):.1f} %"


def test_parameters_carry_their_errors(sets):
    cluster = replace(sets.cluster, parallax_mean_error=0.0042, age=9.3)
    rows = {row[0]: row[1:] for row in parameter_table(replace(sets, cluster=cluster)).rows}
    assert rows["parallax ϖ"][:3] == ["2.0000", "0.0042", "0.050"]
    assert rows["distance of 1 / ϖ"][:2] == ["500", "5"]  # 1000 hypot(0.0042, 0.015, 0.011) / 2^2
    assert rows["systematic error in proper motion"][1] == "0.026"
    assert "2.00 Gyr" in rows["log10(age / yr)"][-1]
    assert rows["proper motion μδ"][1] == "–"  # not known, not 0


def test_selection_function_is_shown_as_it_was_measured():
    assert selection_function.SELECTION_FUNCTION == SELECTION_FUNCTION
    measured = selection_function.selection_function(hand_made(), (17.0, 18.0), (0.0, 2.0))
    table = selection_function_table(measured)
    assert [row[0] for row in table.rows] == ["all", "G 17 – 18", "0 – 2 pc"]
    assert table.rows[1][1].startswith("60.0 % (")
    assert table.rows[1][6].startswith("12.5 % (")
    with pytest.raises(ValueError, match="lacks the columns g_min"):
        selection_function_table(pd.DataFrame({"bin": ["all"]}))


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


def test_what_a_fit_found_stands_with_its_range(sets, tmp_path):
    fit = {"age": 9.166, "age_lower": 9.137, "age_upper": 9.205, "a0": 0.24, "a0_lower": 0.2, "a0_upper": 0.27,
           "dist": 2434.0, "dist_lower": 2380.0, "dist_upper": 2489.0, "n_stars": 298, "metal_fraction": 0.02,
           "age_limit": ""}  # fmt: skip
    rows = {row[0]: row[1:] for row in parameter_table(sets, fit).rows}
    assert rows["log10(age / yr), fitted"][:2] == ["9.17", "0.03"]
    assert rows["distance, fitted"][-1] == "fit_isochrone.py, 2,380 to 2,489"
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    assert "no 68 % confidence intervals" not in report_text(sets, tmp_path)
    (folder / "isochrone_fit.json").write_text(json.dumps({"fit": fit}))
    assert "no 68 % confidence intervals" in report_text(sets, tmp_path)


def test_report_counts_the_comparison_list_and_names_it(sets, tmp_path):
    text = report_text(sets, tmp_path)
    assert str(ComparisonCounts.of(sets, 0.5)).replace("'", "&#39;") in text
    assert "in T22" in text
    strict = report_text(sets, tmp_path, prob_threshold=0.9)
    assert "members, p ≥ 0.9" in strict
    assert "p ≥ 0.5" not in strict


def test_shares_that_do_not_exist_are_dashes():
    nothing = {"true": 2, "found": 0, "correct": 0, "completeness": 0.5, "contamination": np.nan}
    scores = pd.DataFrame([{"G": "x"} | nothing] * 6)
    assert truth_table(scores, 0.5).rows[0] == ["all", "2", "0", "0", "50.0 %", "–"]


def test_figures_are_embedded_as_they_are(sets, tmp_path):
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    (folder / "new_members.png").write_bytes(b"\x89PNG abc")
    (folder / "comparison.svg").write_text("<svg/>")
    (folder / "venn_diagram.pdf").write_bytes(b"%PDF")
    (folder / "candidates.png").write_bytes(bytes(LARGEST_FIGURE + 1))
    found = {picture.name: picture for picture in pictures(folder)}
    assert found["new_members"].address == "data:image/png;base64,iVBORyBhYmM="
    assert found["comparison"].address.startswith("data:image/svg+xml;base64,")
    assert not found["venn_diagram"].embedded
    assert found["candidates"].address == "candidates.png"
    page = Page(report_text(VARIANTS["empty"](sets), tmp_path))
    assert len([a for t, a in page.elements if t == "img"]) == 2


def test_recorded_commands_are_shown_once():
    provenance = {
        "cone": {"command": ["python", "build_sets.py", "NGC 2509"]},
        "sets": {"command": "python build_sets.py 'NGC 2509'"},
        "evaluation": [{"nested": {"commands": ["python evaluate_clusters.py NGC_2509"]}}],
    }
    assert commands(provenance, "NGC_2509", "data") == (
        ["python build_sets.py 'NGC 2509'", "python evaluate_clusters.py NGC_2509"],
        True,
    )


def test_command_from_options_gives_these_options(tmp_path):
    """What the report reconstructs is parsed by build_sets' own parser to the options that were recorded."""
    made_with = {
        "cone": ConeOptions(cone_source=("my tables", "gaia"), cone_radius=30.0, overwrite_cone=True),
        "member": MemberOptions(prob_threshold=0.7, bootstrap_members=True),
        "selection": SelectionOptions(colour="bp_rp"),
        "given": GivenCluster(ra=12.5, dec=-3.25),
    }
    write_json(
        tmp_path / "cluster.json", {"options": {name: asdict(part) for name, part in made_with.items()}}
    )
    lines, were_recorded = commands(recorded(tmp_path), "Test_1", "elsewhere")
    assert not were_recorded
    words = shlex.split(lines[0])
    assert words[:3] + words[-2:] == ["python", "build_sets.py", "Test_1", "--data_dir", "elsewhere"]
    parser = make_parser("")
    for options in made_with.values():
        add_options(parser, type(options))
    arguments = parser.parse_args(words[3:-2])
    assert {name: collect(type(part), arguments) for name, part in made_with.items()} == made_with


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


def test_unreadable_provenance_is_said_so(tmp_path):
    (tmp_path / "cluster.json").write_text("{")
    assert "not a readable JSON file" in recorded(tmp_path)["sets"]["unreadable"]


def test_index_holds_every_report_and_no_other_folder(sets, rendered, tmp_path):
    assert write_index(tmp_path) is None
    for name in ("Test_1", "T_(2)+x"):
        (tmp_path / "clusters" / name).mkdir(parents=True)
        (tmp_path / "clusters" / name / "report.html").write_text(rendered, encoding="utf-8")
    (tmp_path / "clusters" / "Unfinished").mkdir()
    foreign = tmp_path / "clusters" / "Foreign"
    foreign.mkdir()
    (foreign / "report.html").write_text(f'<script type="application/json" id="summary">[{HOSTILE}</script>')
    rows = {row.folder: row for row in index_rows(tmp_path)}
    assert sorted(rows) == ["Foreign", "T_(2)+x", "Test_1"]
    assert rows["Foreign"].summary == {}
    assert rows["Test_1"].summary["numbers"]["members"] == len(our_members(sets, 0.5))
    assert rows["Test_1"].summary["numbers"]["training members"] == len(sets.members)
    page = Page(write_index(tmp_path).read_text(encoding="utf-8"))
    links = [a["href"] for t, a in page.elements if t == "a"]
    assert len(links) == 3
    assert all((tmp_path / unquote(link)).is_file() for link in links)
    assert not any(t == "img" for t, _ in page.elements)


def test_view_is_one_data_source_for_all_panels(sets):
    item = json.loads(view_item(shown_stars(sets), sets, threshold=0.5))
    text = json.dumps(item)
    assert text.count('"name": "stars"') == 1
    assert text.count(f'"{FIRST_ID}"') == 1


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
