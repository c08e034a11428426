"""Every command that a message shows runs as it is printed, wherever the data directory is."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from desk import Desk
from toy_field import toy_field

from gaia_oc_amd.installation import as_called, for_cluster, moved_command, script_command, values_of

MODEL = Path(__file__).resolve().parents[1] / "deep_sets_model"
QUICK = " --n_artificial 60 --n_controls 0"

pytestmark = [
    pytest.mark.usefixtures("restored_log"),
    pytest.mark.filterwarnings("ignore"),  # which the scripts log
]


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    """Stars, members and isochrones of a cluster that no catalogue has; no data directory yet."""
    own = toy_field(9, name="My_1", n_field=4000)
    own.members.to_csv(tmp_path / "my_members.csv", index=False)
    own.sources.to_csv(tmp_path / "my_stars.csv", index=False)
    iso = own.isochrones
    rows = f"# {' '.join(iso)}\n{iso.to_string(index=False, header=False)}\n#isochrone terminated\n"
    (tmp_path / "my isochrones.dat").write_text(rows)
    (tmp_path / "deep_sets_model").symlink_to(MODEL)
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capsys)


BY_HAND = (
    "build_sets.py My_1 --data_dir 'my data' --members_path my_members.csv --ra 120 --dec -20 --age 8.5 --a0 0 "
    "--cone_source my_stars.csv --isochrone_path 'my isochrones.dat' --prob_threshold 0.8 --no-save_plots"
)


def only(desk, start):
    (command,) = {command for command in desk.printed() if command.startswith(f"python {start}")}
    assert desk.folder.joinpath("data").exists() is False, "the default data directory is not meant"
    return command


def test_what_is_next_and_what_is_to_do_again(desk):
    desk(BY_HAND)
    desk(only(desk, "evaluate_clusters.py My_1 --report"))
    desk(only(desk, "validate_clusters.py My_1") + QUICK)
    desk(f"{BY_HAND} --c_margin 0.15")
    for command in {command for command in desk.printed() if "evaluate" in command}:
        desk(command)
    assert Path("my data/clusters/My_1/report.html").exists()
    desk.fails("build_sets.py all --data_dir 'my data' --c_margin 0.2")
    assert "every cluster that is built has parameters or members of its own" in desk.log[-1]
    before = Path("my data/clusters/My_1/cluster.json").read_bytes()
    desk(only(desk, "build_sets.py My_1"))  # the command of its own builds it as it is
    assert Path("my data/clusters/My_1/cluster.json").read_bytes() == before


def test_a_copied_data_directory_is_mended_where_it_is(desk):
    desk(BY_HAND)
    shutil.copytree("my data", "copy")
    shutil.rmtree("my data")
    damaged = Path("copy/clusters/My_1/candidates.csv")
    damaged.write_text(damaged.read_text()[:5000])
    desk.fails("explain_stars.py My_1 123456 --data_dir copy")
    command = only(desk, "build_sets.py My_1")
    assert command.endswith("--overwrite --data_dir copy")
    desk(command)
    assert not Path("my data").exists()
    desk("explain_stars.py My_1 123456 --data_dir copy")
    desk.fails("validate_clusters.py My_1 --data_dir copy")
    assert only(desk, "evaluate_clusters.py My_1") == "python evaluate_clusters.py My_1 --data_dir copy"


def test_what_is_missing_is_made_where_it_is_looked_for(desk):
    Path("my data").mkdir()
    for command, remedy in (
        ("evaluate_clusters.py My_1 --data_dir 'my data'", "build_sets.py My_1"),
        ("evaluate_clusters.py all --data_dir 'my data'", "build_sets.py NGC_2509"),
        (
            "build_sets.py My_1 --data_dir 'my data'",
            "download_members_and_cluster_params.py --catalogues parameters",
        ),
        ("find_first_members.py My_1 --fit_isochrone --data_dir 'my data'", "download_isochrones.py"),
    ):
        desk.fails(command)
        assert only(desk, remedy) == f"python {remedy} --data_dir 'my data'"


@pytest.mark.parametrize("more", ["--no-astrometric_quality", "--n_runs 5 --fit_isochrone"])
def test_first_members_go_on_with_what_was_given(desk, more):
    """In the same way, or with what was found where build_sets.py would search otherwise."""
    desk(
        "find_first_members.py My_1 --data_dir 'my data' --ra 120 --dec -20 --radius 0.6 --cone_source my_stars.csv "
        f"--isochrone_path 'my isochrones.dat' --no-save_plots {more}"
    )
    found = Path("my data/clusters/My_1/first_members.csv").read_bytes()
    desk(only(desk, "build_sets.py My_1"))
    members = pd.read_csv("my data/clusters/My_1/members.csv")
    assert len(members) >= 40
    if "n_runs" in more:
        assert Path("my data/clusters/My_1/first_members.csv").read_bytes() == found


def test_simulated_clusters_go_on(desk):
    desk(
        "simulate_clusters.py 'My sky' --data_dir 'my data' --cone_radius 13 --field_density 300 --n_members 90"
    )
    desk(only(desk, "build_sets.py My_sky"))
    assert (desk.folder / "my data/clusters/My_sky/members.csv").exists()


def test_scripts_of_another_folder_are_named_with_their_path(monkeypatch):
    text = "run `python build_sets.py NGC_1`; --list of find_first_members.py"
    monkeypatch.setattr("sys.argv", ["../the tool/explain_stars.py"])
    assert (
        as_called(text) == "run `python '../the tool/build_sets.py' NGC_1`; --list of find_first_members.py"
    )
    for called in ("explain_stars.py", "/usr/lib/pytest/__main__.py"):
        monkeypatch.setattr("sys.argv", [called])
        assert as_called(text) == text


def test_words_are_quoted_and_moved():
    assert script_command("a.py", "My 1", data_dir="my data") == "python a.py 'My 1' --data_dir 'my data'"
    assert script_command("a.py", data_dir="data") == "python a.py"
    assert for_cluster("python a.py {} --cone_source 'x{}'", "NGC_1_(b)") == (
        "python a.py 'NGC_1_(b)' --cone_source 'x{}'"
    )
    recorded = "python a.py N --data_dir old --cluster_path old/t.csv --prob_threshold 0.7 --dec -3 --report"
    assert moved_command(recorded, "new", "--prob_threshold", "0.5", "--report") == (
        "python a.py N --cluster_path new/t.csv --dec -3 --prob_threshold 0.5 --report --data_dir new"
    )
    assert moved_command("python a.py N --x data/y", "data") == "python a.py N --x data/y"
    assert values_of(recorded, "--dec") == ["--dec", "-3"]
    assert values_of(recorded, "--none") == []
