"""The package as a user installs it: commands and model in the wheel, names of scripts, libraries that are declared."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd._version import __version__
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.exceptions import missing_library, one_line
from gaia_oc_amd.installation import as_called, program, scripts, shipped

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SMALL = [
    "--dist",
    "2000",
    "--field_density",
    "3000",
    "--cone_radius",
    "15",
    "--n_members",
    "200",
    "--seed",
    "5",
]


def commands():
    return {f"gaia-oc-{script.replace('_', '-')}" for script in SCRIPTS}


def call(*words, cwd, path):
    """Run a program with a package folder of its own; the processor's threads are left to others."""
    result = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        env=os.environ | {"PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, installed without the repository; its libraries are those of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", ROOT, "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("gaia_open_clusters-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    return folder / "site"


def test_the_wheel_holds_every_script_and_the_model(installed):
    package = installed / "gaia_oc_amd"
    assert {path.name for path in (installed / "bin").iterdir()} == commands() == set(PROJECT["scripts"])
    for script in SCRIPTS:
        assert (package / "scripts" / f"{script}.py").read_bytes() == (ROOT / f"{script}.py").read_bytes()
    for path in (ROOT / "deep_sets_model").iterdir():
        assert (package / "deep_sets_model" / path.name).read_bytes() == path.read_bytes()
    files = [
        path
        for path in (ROOT / "gaia_oc_amd").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert [path for path in files if not (installed / path.relative_to(ROOT)).is_file()] == []


def test_an_installed_package_goes_from_nothing_to_members_in_an_empty_folder(installed, tmp_path):
    def run(command, *arguments):
        return call(installed / "bin" / f"gaia-oc-{command}", *arguments, cwd=tmp_path, path=installed)

    assert run("simulate-clusters", "Sim_1", "--data_dir", "data", *SMALL).returncode == 0
    missing = run("evaluate-clusters", "Sim_1")
    assert missing.returncode == 1
    assert "run `gaia-oc-build-sets Sim_1` first" in missing.stderr
    built = run("build-sets", "Sim_1", "--cone_source", "data/cones", "--cone_radius", 15, "--no-save_plots")
    assert built.returncode == 0, built.stderr
    by_module = [sys.executable, "-m", "gaia_oc_amd", "evaluate-clusters", "Sim_1", "--no-save_plots"]
    evaluated = call(*by_module, "--n_samples", 20, cwd=tmp_path, path=installed)
    assert evaluated.returncode == 0, evaluated.stderr
    folder = tmp_path / "data/clusters/Sim_1"
    assert np.isfinite(pd.read_csv(folder / "candidates.csv")["PMemb"]).all()
    record = (folder / "provenance.json").read_text()
    assert '"command": "gaia-oc-build-sets Sim_1 --cone_source data/cones ' in record
    assert '"command": "python -m gaia_oc_amd evaluate-clusters Sim_1 ' in record


def test_help_and_errors_of_a_command_name_commands(installed, tmp_path):
    shown = call(installed / "bin/gaia-oc-find-first-members", "--help", cwd=tmp_path, path=installed).stdout
    assert "example: gaia-oc-find-first-members NGC_2509" in shown
    assert "gaia-oc-build-sets NGC_2509 --find_first_members" in shown
    assert ".py" not in shown
    version = call(installed / "bin/gaia-oc-build-sets", "--version", cwd=tmp_path, path=installed).stdout
    assert version == call(sys.executable, "build_sets.py", "--version", cwd=ROOT, path=ROOT).stdout


def test_the_module_lists_all_scripts_and_refuses_others():
    listed = call(sys.executable, "-m", "gaia_oc_amd", cwd=ROOT, path=ROOT)
    assert listed.returncode == 0
    assert set(re.findall(r"^  ([a-z]\S+)  +\S", listed.stdout, re.MULTILINE)) - {"script"} == set(scripts())
    assert {f"gaia-oc-{name}" for name in scripts()} == commands()
    assert call(sys.executable, "-m", "gaia_oc_amd", "evaluate", cwd=ROOT, path=ROOT).returncode == 2


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        (
            "build_sets.py",
            "run `python build_sets.py NGC_1`, see find_first_members.py, not other.py",
        ),
        (
            "/somewhere/build_sets.py",
            "run `python /somewhere/build_sets.py NGC_1`, see find_first_members.py, not other.py",
        ),
        (
            "/usr/bin/gaia-oc-evaluate-clusters",
            "run `gaia-oc-build-sets NGC_1`, see gaia-oc-find-first-members, not other.py",
        ),
        (
            "python -m gaia_oc_amd evaluate-clusters",
            "run `python -m gaia_oc_amd build-sets NGC_1`, see python -m gaia_oc_amd find-first-members, "
            "not other.py",
        ),
    ],
)
def test_scripts_have_the_names_by_which_the_user_calls_them(called, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", [called])
    text = "run `python build_sets.py NGC_1`, see find_first_members.py, not other.py"
    assert program() == called.rpartition("/")[2]
    assert as_called(text) == one_line(ValueError(text)) == expected


def test_the_shipped_model_is_found_from_anywhere_and_gives_way_to_one_that_is_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped(Path("deep_sets_model")) == ROOT / "deep_sets_model"
    there = Classifier.load("deep_sets_model").fingerprint()
    assert there == Classifier.load(ROOT / "deep_sets_model").fingerprint()
    Path("deep_sets_model").mkdir()
    with pytest.raises(FileNotFoundError, match=r"^deep_sets_model/hyper_parameters does not exist"):
        Classifier.load("deep_sets_model")
    with pytest.raises(FileNotFoundError, match=r"^no_model/hyper_parameters does not exist"):
        Classifier.load("no_model")


def declared(*extras):
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return {requirement for requirements in lists for requirement in requirements}


def imported():
    """Top-level names of all that the package imports, but for Python's own and its own."""
    for path in (ROOT / "gaia_oc_amd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module.split(".")[0]


def test_every_import_is_declared():
    extras = set(PROJECT["optional-dependencies"]) - {"dev", "docs"}
    known = {re.split(r"[^\w-]", each)[0].lower().replace("_", "-") for each in declared(*extras)}
    distributions = packages_distributions()
    foreign = set(imported()) - set(sys.stdlib_module_names) - {"gaia_oc_amd"}
    assert {"numpy", "zero_point", "sklearn"} <= foreign
    lost = {
        name
        for name in foreign & set(distributions)
        if not known & {each.lower().replace("_", "-") for each in distributions[name]}
    }
    assert lost == set()


def test_messages_name_requirements_that_an_extra_has():
    named = re.findall(r'missing_library\(.*?, error, (".*?)\)\)', "".join(p.read_text() for p in sources()))
    assert len(named) >= 3
    for requirements in named:
        assert set(re.findall(r'"(.+?)"', requirements)) <= declared(
            "report", "distributed", "hats", "images"
        )
    line = missing_library("--report", ImportError("No module named 'bokeh'"), "bokeh>=3.8", "jinja2>=3.1")
    assert line.endswith('(No module named \'bokeh\'): pip install "bokeh>=3.8" "jinja2>=3.1"')


def test_the_citation_is_of_this_version():
    assert re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M) == [__version__]


def sources():
    return sorted((ROOT / "gaia_oc_amd").rglob("*.py"))


def test_nothing_recommends_the_other_program_of_our_name():
    texts = [*sources(), *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*.py")]
    assert [path.name for path in texts if re.search(r"pip install \S*gaia_oc_amd", path.read_text())] == []


def test_without_bokeh_a_report_is_refused_before_anything_is_done(tmp_path):
    (tmp_path / "bokeh.py").write_text("raise ImportError('not installed')")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    words = [sys.executable, ROOT / "evaluate_clusters.py", "NGC_1", "--data_dir", "data", "--report"]
    result = call(*words, cwd=tmp_path, path=path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: --report needs a library")
    assert line.endswith('pip install "bokeh>=3.8" "jinja2>=3.1"')
