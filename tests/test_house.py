"""The house keeps its rules: what import-linter (pyproject.toml) cannot say of modules, imports, scripts and doors."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gaia_oc_amd"
MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
SCRIPTS = sorted(ROOT.glob("*.py"))

INSIDE_FUNCTIONS = {
    (
        "batch.dask",
        "gaia_oc_amd.batch.processes",
    ): "the function is sent to workers; a scheduler has no package",
    ("batch.run", "gaia_oc_amd.batch.dask"): "for a scheduler only",
    ("report.index", "gaia_oc_amd.report.rendering"): "Bokeh, when an index is written",
    ("stages.build", "gaia_oc_amd.figures"): "matplotlib, when something is drawn",
    ("stages.evaluate", "gaia_oc_amd.figures"): "matplotlib, when something is drawn",
    ("stages.evaluate", "gaia_oc_amd.classifier"): "SciPy, when stars are judged",
    (
        "classifier",
        "gaia_oc_amd.deep_sets",
    ): "PyTorch, for accelerators, reduced precision and the network itself",
    ("stages.evaluate", "gaia_oc_amd.deep_sets"): "PyTorch, to see whether there is such a device",
    ("stages.evaluate", "gaia_oc_amd.membership"): "SciPy, when stars are judged",
    ("stages.evaluate", "gaia_oc_amd.spatial"): "scipy.optimize, when stars are judged",
    ("stages.many", "gaia_oc_amd.classifier"): "SciPy, for a model folder of the published tool",
}
"""Imports of ours that do not stand at the top of their module, (importer, imported), with the reason."""
DRAWS = {
    "canvas",
    "comparison_figures",
    "figures",
    "panels",
    "plot_style",
    "plotting",
    "radial_figures",
    "report.pictures",
    "report.view",
}
"""Modules that import matplotlib, beside the ``plots`` of the folders."""
AFTER_PARSING = r"gaia_oc_amd\.(stages\.\w+|catalogues\.download|archive\.login)"
"""What a script does: it imports one of these, once it knows what is asked."""
BESIDE_IT = {"gaia_oc_amd.batch", "gaia_oc_amd.catalogues.names"}
OF_NO_MODULE = {
    "damaged_files",
    "documentation",
    "documented_commands",
    "house",
    "jobs",
    "messages",
    "nothing_lost",
    "public_interface",
    "scripts",
    "shipped_model",
    "tutorial",
}
"""Tests of the whole: of scripts, documents, the model that is shipped."""


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path, *, inside_functions):
    """Modules that are imported by their full names, outside or inside of functions."""
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if (id(node) in inside) != inside_functions:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def loaded_by(statement):
    """Modules that are loaded after a statement in a new process, but for those of Python itself."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name for name in result.stdout.split() if name.split(".")[0] not in sys.stdlib_module_names}


def test_no_module_is_two_ideas():
    long = {module_name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in long.items() if lines > 550} == {}


def test_imports_of_ours_stand_at_the_top():
    found = {
        (module_name(path), name)
        for path in MODULES
        for name in imports(path, inside_functions=True)
        if name.startswith("gaia_oc_amd")
    }
    assert found == set(INSIDE_FUNCTIONS)


def test_only_pictures_import_matplotlib():
    found = {
        module_name(path)
        for path in MODULES
        if path.stem != "plots"
        for inside in (False, True)
        for name in imports(path, inside_functions=inside)
        if name.split(".")[0] == "matplotlib"
    }
    assert found == DRAWS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_a_parser_and_one_call(script):
    assert len(script.read_text().splitlines()) <= 60
    at_the_top = [name for name in imports(script, inside_functions=False) if name.startswith("gaia_oc_amd")]
    assert "gaia_oc_amd.command_line" in at_the_top
    light = r"gaia_oc_amd\.(command_line|(\w+\.)?options|catalogues\.published)"
    assert [name for name in at_the_top if not re.fullmatch(light, name)] == []
    after_parsing = set(imports(script, inside_functions=True)) - BESIDE_IT
    assert len([name for name in after_parsing if re.fullmatch(AFTER_PARSING, name)]) == 1
    assert len(after_parsing) == 1


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_states_its_door(folder):
    module = importlib.import_module(f"gaia_oc_amd.{folder}")
    description = " ".join(module.__doc__.split())
    if "has no door: import the module" in description:
        assert not hasattr(module, "__all__")
        return
    door = re.findall(r"`(\w+)`", description.partition("The door: ")[2])
    assert door
    assert set(door) <= set(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_a_door_is_a_docstring_and_names():
    """What a folder gives is defined in its modules."""
    for folder in FOLDERS:
        body = ast.parse((PACKAGE / folder / "__init__.py").read_text()).body
        assert not [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)], folder


def test_the_package_loads_nothing():
    words = {"gaia_oc_amd", "gaia_oc_amd._version", "gaia_oc_amd.interruption"}
    assert loaded_by("import gaia_oc_amd") - words <= {"lazy_loader"}


def test_help_needs_no_library():
    """Options of all scripts, and what reads them, load neither NumPy nor pandas."""
    options = sorted(PACKAGE.glob("**/options.py"))
    names = ["command_line", "catalogues.published", *map(module_name, options)]
    assert len(options) >= 6
    loaded = loaded_by("import " + ", ".join(f"gaia_oc_amd.{name}" for name in names))
    assert {name for name in loaded if not name.startswith("gaia_oc_amd")} <= {"lazy_loader"}
    doors = {f"gaia_oc_amd.{folder}" for folder in FOLDERS}
    light = (
        "_version",
        "arguments",
        "column_names",
        "columns",
        "defaults",
        "exceptions",
        "garbage",
        "installation",
        "interruption",
        "published_words",
    )
    words = {"gaia_oc_amd", *(f"gaia_oc_amd.{name}" for name in light)}
    assert loaded - doors - words - {"lazy_loader"} == {f"gaia_oc_amd.{name}" for name in names}


HEAVY = {
    "torch",
    "numba",
    "scipy",
    "matplotlib",
    "astropy",
    "bokeh",
    "jinja2",
    "sklearn",
    "distributed",
    "requests",
}
"""Libraries that take long to import: each is needed by a part of the work, none by a run with nothing to do."""


@pytest.mark.parametrize("stage", ["build", "evaluate"])
def test_a_run_with_nothing_to_do_loads_no_heavy_library(stage):
    """tests/stages say the same of whole runs."""
    loaded = loaded_by(f"import gaia_oc_amd.command_line, gaia_oc_amd.batch, gaia_oc_amd.stages.{stage}")
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()


def test_a_test_stands_where_its_module_stands():
    modules = {module_name(path) for path in MODULES}
    lost = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        folder = path.parent.relative_to(ROOT / "tests").as_posix()
        if folder == "benchmarks" or path.stem.removeprefix("test_") in OF_NO_MODULE:
            continue
        here = {name.rpartition(".")[2] for name in modules if name.rpartition(".")[0] == folder.strip(".")}
        if not any(re.fullmatch(f"test_{name}(_.*)?", path.stem) for name in here):
            lost.append(path.relative_to(ROOT).as_posix())
    assert lost == []


def has_name(module, name):
    found = importlib.import_module(module)
    spec = importlib.util.find_spec
    return hasattr(found, name) or (hasattr(found, "__path__") and spec(f"{module}.{name}") is not None)


def test_benchmarks_import_names_that_there_are():
    imported = [
        (path.name, node.module, alias.name)
        for path in sorted((ROOT / "benchmarks").rglob("*.py"))
        if not path.name.startswith("published_tool")  # whose package has the same name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gaia_oc_amd")
        for alias in node.names
    ]
    assert len(imported) > 100
    assert [each for each in imported if not has_name(*each[1:])] == []


def paths_of_the_tree():
    """Modules, scripts and folders in the tree of docs/architecture.md, relative to the repository."""
    tree = (ROOT / "docs/architecture.md").read_text().partition("```text\n")[2].partition("```")[0]
    folders = {}
    for line in tree.splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()
        if name.startswith("#"):
            continue
        depth = len(indent) // 2
        path = folders.get(depth - 1, "") + name
        if name.endswith("/"):
            folders[depth] = path
        yield path


def test_the_architecture_names_every_module_and_nothing_else():
    named = list(paths_of_the_tree())
    folders = {f"gaia_oc_amd/{folder}/" for folder in FOLDERS} | {"gaia_oc_amd/"}
    files = {path.relative_to(ROOT).as_posix() for path in [*SCRIPTS, *MODULES] if path.stem != "__init__"}
    assert sorted(named) == sorted(files | folders)
