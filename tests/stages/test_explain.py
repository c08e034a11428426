"""The script that explains stars: what it takes, what it writes, what it says on the screen."""

import shutil
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from toy_field import toy_field

from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import ConeRegion, calibrate
from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.files.provenance import ChangedFileError
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.kept_cone import keep_cone
from gaia_oc_amd.members import find_members
from gaia_oc_amd.set_building import divide_cone
from gaia_oc_amd.source_sets import save_sets
from gaia_oc_amd.stages.explain import EXPLANATION_FILE, explain_stars, explanation_text
from gaia_oc_amd.stages.options import ExplainOptions


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A data directory with the sets of a toy, and its tables."""
    data, field = tmp_path_factory.mktemp("data"), toy_field(3, n_field=1500)
    cluster = Cluster(**field.parameters.iloc[0].to_dict())
    sources = calibrate(field.sources)
    members = find_members("Toy_1", sources, field.members)
    save_sets(divide_cone(sources, cluster, members, nearest_age(field.isochrones, 8.5)), data)
    return data, field


def explained(data, *stars, **options):
    return explain_stars("toy 1", data, ExplainOptions(stars=stars, **options))


def test_identifiers_positions_and_tables_are_stars(built, tmp_path):
    data, field = built
    star = field.members.iloc[0]
    mine = tmp_path / "mine.csv"
    renamed = {"source_id": "Source", "ra": "RA_ICRS", "dec": "DE_ICRS"}
    field.members.assign(cluster="Other_1").head(3).rename(columns=renamed).to_csv(mine, index=False)
    words = (str(star["source_id"]), f"Gaia DR3 {star['source_id']}", f"{star['ra']:.7f},{star['dec']:.7f}")
    table, path = explained(data, *words, str(mine))
    assert table["verdict"].tolist() == ["member"] * 6
    assert table["source_id"].iloc[2] == star["source_id"]
    assert path == data / "clusters/Toy_1" / EXPLANATION_FILE
    written = pd.read_csv(path, dtype={"source_id": "Int64"})
    assert written["reason"].tolist() == table["reason"].tolist()
    assert written["source_id"].tolist() == table["source_id"].tolist()


def test_a_table_of_several_clusters_gives_the_stars_of_this_one(built, tmp_path):
    data, field = built
    both = pd.concat([field.members.head(4), field.members.tail(9).assign(cluster="Other_1")])
    both.to_csv(tmp_path / "list.csv", index=False)
    assert len(explained(data, str(tmp_path / "list.csv"))[0]) == 4
    assert len(explained(data, from_=str(tmp_path / "list.csv"))[0]) == 4
    both.to_csv(data / "t22_members.csv", index=False)
    assert len(explained(data, from_="T22")[0]) == 4
    both.assign(cluster="Other_1").drop_duplicates("source_id").to_csv(data / "t22_members.csv", index=False)
    with pytest.raises(ValueError, match="has no star of Toy_1"):
        explained(data, from_="t22")
    with pytest.raises(
        FileNotFoundError, match="hunt99 does not exist: give a file, or a list that is here: t22"
    ):
        explained(data, from_="hunt99")


def test_lists_that_are_remembered_have_names(built, tmp_path):
    data, field = built
    field.members.head(7).to_csv(tmp_path / "my_list.csv", index=False)
    field.members.head(5).to_csv(tmp_path / "t22_members.csv", index=False)
    (data / "t22_members.csv").unlink(missing_ok=True)
    defaults = data / "defaults.toml"
    defaults.write_text(
        f'members_path = "{tmp_path}/my_list.csv"\ncomparison_path = "{tmp_path}/t22_members.csv"\n'
    )
    try:
        for name, n_stars in (("t22", 5), ("T22", 5), ("comparison", 5), ("members", 7), ("my list", 7)):
            assert len(explained(data, from_=name)[0]) == n_stars
    finally:
        defaults.unlink()


def test_identifiers_of_an_earlier_release_are_found_by_place(built):
    """As those of Cantat-Gaudin et al. (2018), not as those of T22, which are of DR3."""
    data, field = built
    renamed = field.members.head(4).assign(source_id=[1, 2, 3, 4])
    for name, found in (("cg18", 4), ("t22", 0)):
        renamed.to_csv(data / f"{name}_members.csv", index=False)
        table = explained(data, from_=name)[0]
        assert (table["verdict"] == "member").sum() == found
        assert table["reason"].str.startswith("by its place ").sum() == found
        (data / f"{name}_members.csv").unlink()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no star is named"),
        (("NGC",), "NGC is no file"),
        (("400,3",), "is no file"),
        (("9999999999999999999",), "no identifier of Gaia DR3"),
    ],
)
def test_what_is_no_star_is_refused(built, words, message):
    with pytest.raises(UsageError, match=message):
        explained(built[0], *words)


def test_without_a_cluster_or_sets_the_remedy_is_said(built):
    with pytest.raises(UsageError, match=r"python explain_stars\.py NGC_2509 my_stars\.csv"):
        explain_stars(None, built[0])
    with pytest.raises(FileNotFoundError, match=r"build_sets\.py NGC_1"):
        explain_stars("NGC_1", built[0], ExplainOptions(stars=("5714209934411718784",)))


def test_the_screen_has_a_line_for_each_star_and_a_count(built):
    data, field = built
    table, path = explained(data, str(field.members["source_id"].iloc[0]), "10.0,-80.0")
    lines = explanation_text(table, path).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("10.000000 -80.000000: beyond the cone: ")
    assert lines[2] == f"2 stars: 1 member, 1 not in the cone: {path}"
    many = pd.concat([table] * 80, ignore_index=True)
    shown = explanation_text(many, path).splitlines()
    assert shown[-2] == "... and 60 more, less doubtful ones, in the file"
    assert shown[-1].startswith("160 stars: 80 members, 80 not in the cone: ")
    assert all("beyond the cone" in line for line in shown[:80])  # members are shown last


def test_of_very_many_the_nearest_to_being_members_are_shown():
    n = 150
    table = pd.DataFrame(
        {
            "star": [str(i) for i in range(4 * n)],
            "source_id": pd.array(range(4 * n), dtype="Int64"),
            "verdict": np.repeat(["member", "non-member", "candidate", "not in the cone"], n),
            "PMemb": np.repeat([0.9, 0.0, 0.2, np.nan], n),
            "reason": "because",
        }
    ).assign(f_pm_sigma=6.0, f_plx_sigma=0.1, f_c_sigma=0.1, f_g_sigma=0.1)
    table.loc[[2 * n + 7, 2 * n + 9], "PMemb"] = 0.3, 0.49
    table.loc[n + 4, "f_pm_sigma"] = 3.1
    table.loc[n + 5, "f_plx_sigma"] = -40.0
    table.loc[n - 1, "PMemb"] = 0.5

    def first(part):
        return [line.partition(":")[0] for line in explanation_text(part, "file.csv").splitlines()]

    assert first(table)[:3] == [str(2 * n + 9), str(2 * n + 7), str(2 * n)]
    non_members = table[table["verdict"] == "non-member"]
    assert first(non_members)[0] == str(n + 4)
    assert str(n + 5) not in first(non_members)[:100]
    assert first(table[table["verdict"] == "member"])[0] == str(n - 1)
    assert first(table.head(50))[:2] == ["0", "1"]  # a few stand in the order given


def test_the_region_is_that_of_the_cone_which_must_be_as_it_was_kept(built, tmp_path):
    data, field = shutil.copytree(built[0], tmp_path / "data"), built[1]
    folder = data / "clusters" / "Toy_1"
    star = field.members.iloc[0]
    beyond = f"{star['ra']:.7f},{star['dec'] + 5:.7f}"
    region = ConeRegion(star["ra"], star["dec"], 0.7, 0.0, 0.0, np.inf, 0.0, np.inf)
    made_by = {"region": region.as_dict(), "n_sources": len(field.sources)}
    keep_cone(folder, field.sources, "csv", made_by)
    assert "(the cone's radius is 0.70)" in explained(data, beyond)[0]["reason"].iloc[0]
    field.sources.iloc[1:].to_csv(folder / "cone.csv", index=False)
    with pytest.raises(ChangedFileError, match="cone.csv was changed .* --accept_changes"):
        explained(data, beyond)
    explained(data, beyond, accept_changes=True)
    assert "(the cone's radius is 0.70)" in explained(data, beyond)[0]["reason"].iloc[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ids: [f"{number:.5e}" for number in ids], "rounded identifiers"),
        (lambda ids: [f"2MASS J{number}" for number in range(len(ids))], "identifiers that are not Gaia's"),
        (lambda ids: [None] * len(ids), None),
    ],
)
def test_stars_without_an_identifier_of_gaia_are_found_by_place(built, tmp_path, change, message):
    data, field = built
    stars = field.members.head(30).assign(source_id=change(field.members["source_id"].head(30)))
    stars[["source_id", "ra", "dec"]].to_csv(tmp_path / "s.csv", index=False)
    with pytest.warns(UserWarning, match=message) if message else nullcontext():
        table = explained(data, str(tmp_path / "s.csv"))[0]
    assert table["source_id"].tolist() == field.members["source_id"].head(30).tolist()
    stars[["source_id"]].assign(n=1).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(ValueError, match=r"source_id|identifiers"):
        explained(data, str(tmp_path / "s.csv"))


def test_columns_that_are_remembered_are_those_of_every_list(built, tmp_path):
    data, field = built
    both = pd.concat([field.members.head(4), field.members.tail(9).assign(cluster="Other_1")])
    names = {"source_id": "star", "cluster": "group"}
    both.rename(columns=names).drop(columns=["ra", "dec"]).to_csv(tmp_path / "l.csv", index=False)
    defaults = data / "defaults.toml"
    defaults.write_text('columns = ["source_id=star", "cluster=group"]\n')
    try:
        assert len(explained(data, from_=str(tmp_path / "l.csv"))[0]) == 4
        assert len(explained(data, str(tmp_path / "l.csv"))[0]) == 4
    finally:
        defaults.unlink()


def test_a_table_without_rows_is_refused(built, tmp_path):
    (tmp_path / "s.csv").write_text("source_id,ra,dec\n")
    with pytest.raises(ValueError, match=r"s\.csv has no rows: write an identifier or a position in each"):
        explained(built[0], str(tmp_path / "s.csv"))
