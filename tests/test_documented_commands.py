"""Every command and Python block of README, docs and --help: executed before local stand-ins, or excepted by reason."""

import importlib
import re
import shutil

import pandas as pd
import pytest
from documented_commands import (
    DOCUMENTS,
    PYTHON_EXCEPTIONS,
    ROOT,
    SCRIPTS,
    blocks,
    commands_in,
    documented,
    exception,
    help_examples,
    words,
)

COMMANDS = documented()
EXECUTED = [command for command in COMMANDS if exception(command) is None]
SIZE = ["--field_density", "3000", "--cone_radius", "15", "--n_members", "200", "--seed", "5"]


def main(script, *arguments):
    return importlib.import_module(script.removesuffix(".py")).main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a user would be: a data directory with two clusters and their cones, tables of their own, a model."""
    folder = tmp_path_factory.mktemp("user")
    data, demo = folder / "data", folder / "demo"
    main("simulate_clusters.py", "NGC_2509", "NGC_752", "--data_dir", data, "--dist", 2000, *SIZE)
    place = ["--ra", 123.4, "--dec", -12.3, "--dist", 833, "--pmra", -3, "--pmdec", 2]
    main("simulate_clusters.py", "My_1", "--data_dir", folder / "mine", *place, *SIZE)
    main("simulate_clusters.py", "Simulated_1", "--data_dir", demo, "--dist", 2000, *SIZE)
    main(
        "build_sets.py", "Simulated_1", "--data_dir", demo, "--cone_source", demo / "cones", "--no-save_plots"
    )
    shutil.copytree(data / "cones", folder / "my_tables")
    for cones in (data / "cones", folder / "mine" / "cones"):  # found there, no archive is asked
        for path in cones.glob("*.parquet"):
            home = data / "clusters" / path.stem
            home.mkdir(parents=True, exist_ok=True)
            pd.read_parquet(path).to_csv(home / "cone.csv", index=False)
    both = [pd.read_csv(place / "cg18_members.csv") for place in (data, folder / "mine")]
    pd.concat(both).to_csv(folder / "my_members.csv", index=False)
    shutil.copy(data / "cluster_parameters.csv", folder / "my_table.csv")
    shutil.copy(
        data / "cluster_parameters.csv", data / "fitted_parameters.csv"
    )  # as fit_isochrone.py makes it
    found = data / "clusters/My_1"  # what find_first_members.py makes
    shutil.copy(folder / "mine/cg18_members.csv", found / "first_members.csv")
    shutil.copy(folder / "mine/cluster_parameters.csv", found / "first_members_parameters.csv")
    for old, new in (("cg18_members", "hunt24_members"), ("cluster_parameters", "hunt24_parameters")):
        shutil.copy(data / f"{old}.csv", data / f"{new}.csv")
    (folder / "survey.txt").write_text("NGC_2509\nNGC_752\n")
    field = pd.read_parquet(demo / "cones" / "Simulated_1.parquet")
    members = pd.read_csv(demo / "clusters/Simulated_1/members.csv")["source_id"]
    mine = pd.concat(
        [field[field["source_id"].isin(members)][:40], field[~field["source_id"].isin(members)][:200]]
    )
    mine.to_csv(folder / "my_stars.csv", index=False)
    (folder / "deep_sets_model").symlink_to(ROOT / "deep_sets_model")
    return folder


@pytest.fixture
def there(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def test_commands_are_found():
    """In every place and form that they have; a reader that finds nothing would let everything pass."""
    assert len(COMMANDS) > 30
    assert len(EXECUTED) >= 6
    assert all(help_examples(script) for script in SCRIPTS)
    text = "Text\n\n    python a.py --b \\\n        c   # why\n\n```sh\nmake d\n```\n"
    assert [command for body in blocks(text) for command in commands_in(body)] == [
        "make d",
        "python a.py --b c",
    ]
    assert exception("python new_script.py NGC_1") is None


@pytest.mark.parametrize("command", COMMANDS)
def test_scripts_options_and_targets_exist(command, monkeypatch, capsys):
    """Of the commands that are not executed, too."""
    program, *arguments = words(command) if not command.startswith("while") else ["while"]
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    paths = [word for word in (program, *arguments) if re.match(r"(benchmarks|tests)/", word)]
    assert all((ROOT / path).exists() for path in paths)
    if paths and arguments:
        known = (ROOT / paths[0]).read_text()
        assert all(word.removeprefix("--") in known for word in arguments if word.startswith("--"))
    if program == "python" and arguments[0] in SCRIPTS:
        script = importlib.import_module(arguments[0].removesuffix(".py"))

        class Parsed(Exception):
            """Ends the script where its work would begin."""

        def read_only(*given, **keywords):
            read(*given, **keywords)
            raise Parsed

        read = script.read_command_line
        monkeypatch.setattr(script, "read_command_line", read_only)
        with pytest.raises(Parsed):
            script.main(arguments[1:])


def before(script, arguments):
    """What a user has run before a command; the tests come in any order."""
    if script == "build_sets.py":
        return []
    evaluates_anew = script == "evaluate_clusters.py" and "--plot_only" not in arguments
    return ["build_sets.py"] if evaluates_anew else ["build_sets.py", "evaluate_clusters.py"]


@pytest.mark.filterwarnings("ignore")  # which the scripts log
@pytest.mark.parametrize("command", EXECUTED)
def test_command_runs(command, there):
    program, script, *arguments = words(command)
    assert program == "python", f"neither a script nor in documented_commands.EXCEPTIONS: {command}"
    assert script in SCRIPTS, f"neither a script nor in documented_commands.EXCEPTIONS: {command}"
    for earlier in before(script, arguments):
        assert main(earlier, "NGC_2509", "--no-save_plots") == 0
    assert main(script, *arguments) == 0


PYTHON = {
    body: path.name for path in DOCUMENTS for body in blocks(path.read_text(encoding="utf-8"), "python")
}


@pytest.mark.parametrize("body", PYTHON, ids=PYTHON.values())
def test_python_block_runs(body, there, capsys):
    compiled = compile(body, PYTHON[body], "exec")
    if any(text in body for text in PYTHON_EXCEPTIONS):
        return
    exec(compiled, {"__name__": "documented"})
    if "my_stars.png" in body:
        assert "source_id" in capsys.readouterr().out
        assert (there / "my_stars.png").read_bytes().startswith(b"\x89PNG")


def test_the_documented_session_has_ten_lines():
    body = next(blocks((ROOT / "docs/python.md").read_text(encoding="utf-8"), "python"))
    assert len([line for line in body.splitlines() if line.strip()]) <= 11
