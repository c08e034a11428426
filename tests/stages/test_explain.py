"""The script that explains stars: what it takes, what it writes, what it says on the screen."""

import pandas as pd
import pytest
from toy_field import toy_field

from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.isochrones import nearest_age
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
    with pytest.raises(FileNotFoundError, match="give a file, or one of cg18"):
        explained(data, from_="hunt99")


@pytest.mark.parametrize(
    ("words", "message"), [((), "no star is named"), (("NGC",), "NGC is no file"), (("400,3",), "is no file")]
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
    assert explanation_text(many, path).splitlines()[-2] == "... and 60 more"
