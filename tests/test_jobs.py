"""The jobs that a user has: each in at most two commands, with the answer on the screen and in one file."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from desk import Desk
from toy_field import toy_field

MODEL = Path(__file__).resolve().parents[1] / "deep_sets_model"
NAMES = [f"Toy_{number}" for number in range(1, 8)]

pytestmark = [
    pytest.mark.usefixtures("restored_log"),
    pytest.mark.filterwarnings("ignore"),  # which the scripts log
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Lists, parameters, isochrones and fields of seven toy clusters, as a user's catalogues have them."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "data").mkdir()
    (folder / "cones").mkdir()
    fields = [toy_field(number, name=name) for number, name in enumerate(NAMES, start=1)]
    for field, name in zip(fields, NAMES, strict=True):
        field.sources.to_csv(folder / "cones" / f"{name}.csv", index=False)
    pd.concat([f.members for f in fields]).to_csv(folder / "data/cg18_members.csv", index=False)
    pd.concat([f.parameters for f in fields]).to_csv(folder / "data/cluster_parameters.csv", index=False)
    others = [f.members.iloc[20:].assign(PMemb=1.0) for f in fields]
    stranger = others[0].head(3).assign(source_id=[1, 2, 3], dec=-50.0)
    pd.concat([*others, stranger]).to_csv(folder / "data/t22_members.csv", index=False)
    iso = fields[0].isochrones
    (folder / "data/isochrones.dat").write_text(
        f"# {' '.join(iso)}\n{iso.to_string(index=False, header=False)}\n#isochrone terminated\n"
    )
    (folder / "deep_sets_model").symlink_to(MODEL)
    return folder


@pytest.fixture
def desk(tables, tmp_path, monkeypatch, capsys):
    for path in tables.iterdir():
        if path.name == "data":
            (tmp_path / "data").mkdir()
            for file in path.iterdir():
                (tmp_path / "data" / file.name).symlink_to(file)
        else:
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capsys)


def test_members_of_a_cluster_with_a_figure_for_a_paper(desk):
    desk("build_sets.py Toy_1 --cone_source cones --prob_threshold 0.8 --no-save_plots")
    assert desk.lines[-1] == "next: python evaluate_clusters.py Toy_1 --report"
    desk("evaluate_clusters.py Toy_1 --plot_format pdf")
    assert desk.n_commands == 2
    line = desk.line_of("Toy_1: ")
    n_members = int(line.split()[1])
    assert 50 <= n_members <= 80
    assert "expected contamination" in line
    stars = pd.read_csv(desk.file_of(line))
    assert (stars["PMemb"] >= 0.5).sum() <= n_members
    figure = desk.folder / "data/clusters/Toy_1/new_members.pdf"
    assert figure.read_bytes().startswith(b"%PDF")
    assert len(desk.lines) <= 5
    assert logging.getLogger("fontTools").getEffectiveLevel() >= logging.WARNING
    member = stars["source_id"].iloc[0]
    desk("evaluate_clusters.py Toy_1 --prob_threshold 1 --no-save_plots")  # as if the network knew no member
    assert not figure.exists(), "it counts with another threshold"
    assert any("Toy_1: no star has p >= 1, not one of the " in line for line in desk.log)
    desk(f"explain_stars.py Toy_1 {member}")
    assert desk.lines[-1].startswith("1 star: 1 candidate: ")


def test_six_clusters_then_a_seventh_then_one_option_changed(desk):
    undrawn = "--no-save_plots"
    Path("mine.txt").write_text("\n".join(NAMES[:6]))
    desk(f"build_sets.py mine.txt --cone_source cones {undrawn}")
    first = {path: path.stat().st_mtime_ns for path in Path("data/clusters").glob("*/cluster.json")}
    assert len(first) == 6
    desk(f"build_sets.py Toy_7 {undrawn}")  # the place of the stars is remembered
    assert {path: path.stat().st_mtime_ns for path in first} == first
    desk(f"build_sets.py all --c_margin 0.15 {undrawn}")
    assert len([line for line in desk.lines if line.startswith("Toy_")]) == 7
    assert all(path.stat().st_mtime_ns > before for path, before in first.items())
    assert desk.lines[-1] == "next: python evaluate_clusters.py all --report"


def test_an_own_list_with_own_parameters(desk):
    """In a data directory without any catalogue."""
    own = toy_field(9, name="My_1")
    own.members.to_csv("my_members.csv", index=False)
    own.sources.to_csv("my_stars.csv", index=False)
    desk(
        "build_sets.py My_1 --data_dir own --members_path my_members.csv --ra 120 --dec -20 --age 8.5 --a0 0 "
        "--cone_source my_stars.csv --isochrone_path data/isochrones.dat --prob_threshold 0.8 --no-save_plots"
    )
    desk("evaluate_clusters.py My_1 --data_dir own --no-save_plots")
    assert desk.n_commands == 2
    assert 50 <= int(desk.line_of("My_1: ").split()[1]) <= 80
    assert desk.file_of(desk.line_of("My_1: ")).is_relative_to(desk.folder / "own/clusters/My_1")


def test_a_position_without_a_list(desk):
    """In a data directory without any catalogue, of a cluster that nobody has listed."""
    own = toy_field(9, name="My_1", n_field=4000)
    own.sources.to_csv("my_stars.csv", index=False)
    desk(
        "build_sets.py My_1 --data_dir own --ra 120 --dec -20 --search_radius 0.6 --find_first_members "
        "--cone_source my_stars.csv --isochrone_path data/isochrones.dat --no-save_plots"
    )
    desk("evaluate_clusters.py My_1 --data_dir own --no-save_plots")
    assert desk.n_commands == 2
    line = desk.line_of("My_1: ")
    assert len(desk.lines) == 4
    stars = pd.read_csv(desk.file_of(line))
    ours = stars.loc[stars["PMemb"] >= 0.5, "source_id"]
    assert int(line.split()[1]) == len(ours) >= 50
    assert ours.isin(own.members["source_id"]).mean() > 0.9


def test_which_of_my_stars_are_members_and_why_not_the_others(desk):
    desk("build_sets.py Toy_1 --cone_source cones --prob_threshold 0.8 --no-save_plots")
    field = pd.read_csv("cones/Toy_1.csv")
    sets = {name: pd.read_csv(f"data/clusters/Toy_1/{name}.csv") for name in ("members", "non_members")}
    mine = np.concatenate([sets["members"]["source_id"][:10], sets["non_members"]["source_id"][:9], [12345]])
    assert set(mine[:-1]) <= set(field["source_id"])
    pd.DataFrame({"source_id": mine}).to_csv("mine.csv", index=False)
    desk("explain_stars.py Toy_1 mine.csv")
    assert desk.n_commands == 2
    assert len(desk.lines) == 21
    for star in sets["members"]["source_id"][:10]:
        assert "training member with p = " in desk.line_of(f"{star}: ")
    for star in sets["non_members"]["source_id"][:9]:
        assert any(word in desk.line_of(f"{star}: ") for word in ("sigma off", "sigma from the isochrone"))
    assert "beyond the cone" in desk.line_of("12345: ")
    assert desk.line_of("20 stars: ").startswith("20 stars: 10 members, 9 non-members, 1 not in the cone")
    table = pd.read_csv(desk.file_of(desk.lines[-1]))
    assert (table["star"] == mine).all()
    assert table["reason"].notna().all()


def test_whom_of_a_published_list_we_lose_and_why(desk):
    desk("build_sets.py Toy_1 --cone_source cones --prob_threshold 0.8 --no-save_plots")
    desk("explain_stars.py Toy_1 --from t22")
    assert desk.n_commands == 2
    assert len(desk.lines) == 44
    lost = [line for line in desk.lines[:-1] if "member with p = " not in line]
    assert len([line for line in lost if "beyond the cone: " in line]) == 3
    assert not any("by its place" in line for line in lost)  # T22's identifiers are of DR3
    assert all(": " in line and line.split(": ", 1)[1] for line in lost)
    assert desk.lines[-1].startswith("43 stars: ")
    assert len(pd.read_csv(desk.file_of(desk.lines[-1]))) == 43
