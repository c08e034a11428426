"""Member lists and parameter tables that users have, and what is refused in them."""

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.catalogues.tables import (
    InputTables,
    check_parameters,
    read_member_list,
    read_parameter_table,
)
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.files.tables import write_table

BIG = 5853498713190525696  # not representable as a float


@pytest.fixture
def members():
    return pd.DataFrame(
        {"cluster": ["M_67", "M_67", "IC_1"], "source_id": [BIG, BIG + 1, BIG], "PMemb": [0.1, 1.0, 0.5]}
    )


@pytest.fixture
def parameters():
    columns = ("name", "ra", "dec", "pmra", "pmdec", "parallax")
    return pd.DataFrame(
        [("M_67", 132.8, 11.8, -11.0, -2.9, 1.15), ("IC_1", 2.1, 27.7, 0, 0, 1)], columns=columns
    )


@pytest.mark.parametrize("name", ["m.csv", "m.csv.gz", "m.vot.gz", "m.parquet"])
def test_member_lists_of_every_format(tmp_path, members, name):
    format = {".csv": "csv", ".gz": "votable" if "vot" in name else "csv.gz", ".parquet": "parquet"}
    write_table(tmp_path / name, members, format["." + name.rpartition(".")[2]])
    pd.testing.assert_frame_equal(read_member_list(tmp_path / name), members)


def test_of_members_listed_twice_the_most_probable_row_is_kept(tmp_path, members):
    members.iloc[[0, 1, 2, 0, 1]].assign(PMemb=[0.1, 1.0, 0.5, 0.3, 0.2]).to_csv(
        tmp_path / "m.csv", index=False
    )
    with pytest.warns(UserWarning, match=r"m\.csv lists 2 members more than once"):
        result = read_member_list(tmp_path / "m.csv")
    expected = pd.DataFrame(
        {"cluster": ["M_67", "IC_1", "M_67"], "source_id": [BIG + 1, BIG, BIG], "PMemb": [1.0, 0.5, 0.3]}
    )
    pd.testing.assert_frame_equal(result, expected)


def test_a_member_listed_under_two_spellings_of_its_cluster_is_listed_twice(tmp_path, members):
    two = members.iloc[[0, 0]].assign(cluster=["M_67", "m 67"], PMemb=[0.4, 0.9])
    pd.concat([two, members.iloc[1:]]).to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(UserWarning, match=r"m\.csv lists 1 members more than once"):
        result = read_member_list(tmp_path / "m.csv")
    assert result["cluster"].iloc[0] == "m 67"
    assert len(result) == len(members)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.drop(columns="source_id"),
            r"m\.csv has no column source_id, only cluster, PMemb: rename .* --columns source_id=NAME",
        ),
        (lambda t: t.iloc[:0], r"m\.csv has no rows"),
        (lambda t: t.assign(PMemb=[0.1, 170, 190]), r"PMemb 190, and most above 1, .*in percent"),
        (
            lambda t: t.assign(PMemb=-1),
            r"no row that can be used, of 3 rows 3 with a PMemb that is not between 0 and 1",
        ),
        (lambda t: t.assign(PMemb=["high", "low", "low"]), r"PMemb that is no number \('high'"),
        (lambda t: t.assign(source_id=t["source_id"] + 0.0), r"source_id in .*m\.csv is .*not an integer"),
        (lambda t: t.assign(dec=[132.8, 0, 0]), r"dec 132\.8 deg, outside -90\.\.90: are ra and dec swapped"),
    ],
)
def test_bad_member_lists_are_refused_in_one_line(tmp_path, members, change, message):
    change(members).to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(ValueError, match=message) as caught:
        read_member_list(tmp_path / "m.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=["ra", "dec"]), r"p\.csv has no column ra, dec, only name, pmra"),
        (lambda t: t.iloc[:0], r"p\.csv has no rows"),
        (lambda t: t.rename(columns={"ra": "dec", "dec": "ra"}), r"dec 132\.8 deg.*swapped\?"),
        (lambda t: t.assign(ra=["08:51:84", "0:8:24"]), r"ra that is no number \('08:51:84'"),
    ],
)
def test_bad_parameter_tables_are_refused_in_one_line(tmp_path, parameters, change, message):
    change(parameters).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(ValueError, match=message) as caught:
        read_parameter_table(tmp_path / "p.csv")
    assert "\n" not in str(caught.value)


def test_what_a_parameter_table_may_lack_is_nan(tmp_path, parameters):
    parameters.assign(n=5).to_csv(tmp_path / "p.csv", index=False)
    result = read_parameter_table(tmp_path / "p.csv")
    assert result[["pmra_error", "age", "a0", "dist"]].isna().all(axis=None)
    assert list(result)[-1] == "n"
    assert result["dist"].dtype == np.float64


def test_real_tables_are_read(shared):
    real = shared / "real"
    assert len(read_parameter_table(real / "cluster_parameters.csv")) == 2017
    for name, n_rows in (("cg18_members.csv.gz", 384_208), ("t22_members.csv.gz", 135_094)):
        members = read_member_list(real / name)
        assert len(members) == n_rows
        assert members["source_id"].dtype == np.int64
    with pytest.warns(UserWarning, match="lists 73 members more than once"):
        members = read_member_list(real / "almeida23_members.parquet")
    assert len(members) == 276_571 - 73
    assert {"cluster", "source_id", "PMemb", "ra", "dec", "pmra", "phot_g_mean_mag"} <= set(members)


def test_a_truncated_real_list_is_named(shared, tmp_path):
    content = (shared / "real" / "t22_members.csv.gz").read_bytes()
    (tmp_path / "t22_members.csv.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"t22_members\.csv\.gz cannot be read as a table .*truncated"):
        read_member_list(tmp_path / "t22_members.csv.gz")


def test_a_formula_is_text_and_no_source_id(tmp_path, members):
    formula = "=cmd|' /C calc'!A0"
    members.assign(cluster=[formula, formula, "IC_1"], note="=1+1").to_csv(tmp_path / "m.csv", index=False)
    result = read_member_list(tmp_path / "m.csv")
    assert result["cluster"].tolist() == [formula, formula, "IC_1"]
    assert result["note"].tolist() == ["=1+1"] * 3
    ids = members["source_id"].astype(object)
    members.assign(source_id=ids.mask(ids.index == 1, "=1+1")).to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(
        UserWarning, match=r"1 of 3 rows are left out, 1 without a usable source_id .*, in line 3\."
    ):
        result = read_member_list(tmp_path / "m.csv")
    assert result["source_id"].tolist() == [BIG, BIG]


@pytest.mark.parametrize("name", ["\x1b[2J", "NGC_1\x00", "NGC\u202e_1"])
def test_names_that_cannot_be_printed_are_left_out(tmp_path, members, name):
    write_table(tmp_path / "m.parquet", members.assign(cluster=["M_67", name, "IC_1"]), "parquet")
    with pytest.warns(
        UserWarning, match="1 of 3 rows are left out, 1 with a cluster that cannot be printed"
    ) as caught:
        result = read_member_list(tmp_path / "m.parquet")
    assert str(caught[0].message).isprintable()
    assert result["cluster"].tolist() == ["M_67", "IC_1"]


def test_a_list_of_identifiers_alone_is_certain_and_of_one_cluster(tmp_path):
    (tmp_path / "m.csv").write_text(f"Source\n{BIG}\nGaia DR3 {BIG + 1}\n")
    with pytest.warns(
        UserWarning, match="m.csv has no PMemb: its 2 stars count as certain members; --columns PMemb="
    ):
        result = read_member_list(tmp_path / "m.csv")
    assert result[["cluster", "source_id", "PMemb"]].values.tolist() == [["", BIG, 1.0], ["", BIG + 1, 1.0]]


def test_percentages_are_recognised_by_the_whole_column(tmp_path, members):
    members.assign(PMemb=[0.5, 70, 90]).to_csv(tmp_path / "m.csv", index=False)
    assert read_member_list(tmp_path / "m.csv")["PMemb"].tolist() == [0.005, 0.7, 0.9]
    members.assign(PMemb=[0.5, 1.0, 90]).to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(UserWarning, match=r"1 with a PMemb that is not between 0 and 1, in line 4"):
        assert read_member_list(tmp_path / "m.csv")["PMemb"].tolist() == [0.5, 1.0]


def test_bad_rows_of_other_clusters_are_left_out_and_counted(tmp_path, members, parameters):
    members.assign(cluster=["M_67", "M_67", None]).to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(
        UserWarning, match=r"m\.csv: 1 of 3 rows are left out, 1 without a cluster, in line 4\."
    ):
        assert len(read_member_list(tmp_path / "m.csv")) == 2
    parameters.assign(name=["M_67", ""]).to_csv(tmp_path / "p.csv", index=False)
    with pytest.warns(UserWarning, match=r"p\.csv: 1 of 2 rows are left out, 1 without a name"):
        assert read_parameter_table(tmp_path / "p.csv")["name"].tolist() == ["M_67"]
    three = pd.concat([parameters.assign(age=8.0)] * 2).assign(age=["8.0", "9.1", "old", "---"])
    three.assign(name=list("abcd")).to_csv(tmp_path / "p.csv", index=False)
    with pytest.warns(
        UserWarning, match=r"1 values of age are no number .*\('old' is the first, in line 4\)"
    ):
        assert read_parameter_table(tmp_path / "p.csv")["age"].isna().tolist() == [False, False, True, True]


def test_a_cluster_in_two_rows_is_refused_when_it_is_asked_for(tmp_path, parameters):
    twice = pd.concat([parameters, parameters.iloc[[1]].assign(name="ic 1", pmra=1.0)])
    twice.to_csv(tmp_path / "p.csv", index=False)
    read = read_parameter_table(tmp_path / "p.csv")
    tables = InputTables(read, "p.csv", None, None, pd.DataFrame(), None)
    assert tables.parameters_of("M_67")["ra"] == 132.8
    with pytest.raises(ClusterError, match=r"p\.csv has IC_1 in 2 different rows: keep one"):
        tables.parameters_of("IC_1")


def rounded(numbers, n_digits):
    return [
        int(f"{number:.{n_digits - 1}e}".partition("e")[0].replace(".", "")) * 10 ** (19 - n_digits)
        for number in numbers
    ]


def test_identifiers_in_the_first_sixth_of_the_sky_are_not_called_rounded(tmp_path):
    """Those of Gaia end in seven zero bits, so that a floating-point number holds all below 2**60."""
    pixels = np.arange(1, 2**25, 80_000)
    of_gaia = (pixels << 35) | (np.random.default_rng(1).integers(0, 1 << 25, len(pixels)) << 7)
    path = tmp_path / "list.csv"
    pd.DataFrame({"source_id": of_gaia, "PMemb": 1.0}).to_csv(path, index=False)
    assert read_member_list(path)["source_id"].tolist() == of_gaia.tolist()


@pytest.mark.parametrize(
    "make",
    [
        lambda ids: rounded(ids, 15),
        lambda ids: [int(float(i)) for i in ids],
        lambda ids: [float(i) for i in ids],
    ],
)
def test_rounded_identifiers_are_recognised(tmp_path, make):
    rng = np.random.default_rng(3)
    stars = pd.DataFrame(
        {"cluster": "M_67", "source_id": make((BIG + rng.integers(0, 10**6, 40)).tolist()), "PMemb": 1.0}
    )
    stars.to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(ValueError, match=r"rounded identifiers|a float loses its last digits"):
        read_member_list(tmp_path / "m.csv")
    stars.assign(ra=np.arange(40) * 0.01, dec=0.5).to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(UserWarning, match="rounded identifiers: .*looked for by their positions alone"):
        result = read_member_list(tmp_path / "m.csv")
    assert len(result) == 40
    assert (result["source_id"] < 0).all()


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"cluster": "Cluster", "source_id": "GaiaDR3", "PMemb": "Proba"}, ()),
        ({"cluster": "NAME", "source_id": "SOURCE", "PMemb": "prob"}, ()),
        (
            {"cluster": "group", "source_id": "star", "PMemb": "score"},
            ("cluster=group", "source_id=star", "pmemb=score"),
        ),
    ],
)
def test_columns_of_other_names_are_found_or_named(tmp_path, members, columns, options):
    members.rename(columns=columns).to_csv(tmp_path / "m.csv", index=False)
    pd.testing.assert_frame_equal(read_member_list(tmp_path / "m.csv", options), members)


def test_a_table_of_a_row_limits_length_is_not_taken_for_whole(tmp_path):
    stars = pd.DataFrame({"cluster": "M_67", "source_id": BIG + np.arange(50), "PMemb": 1.0})
    stars.to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(UserWarning, match="m.csv has exactly 50 rows, VizieR's and astroquery's default"):
        read_member_list(tmp_path / "m.csv")


def test_of_a_published_name_twice_the_first_row_is_kept(parameters):
    twice = parameters.assign(name=["LP_866", "lp 866"])
    with pytest.warns(UserWarning, match="VizieR's x has lp 866 more than once: the first row is kept"):
        result = check_parameters(twice, "VizieR's x", published=True)
    assert result["ra"].tolist() == [132.8]


LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE VOTABLE [{entities}]>
<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="cluster" datatype="char" arraysize="*"/>
<FIELD name="source_id" datatype="long"/><FIELD name="PMemb" datatype="double"/>
<DATA><TABLEDATA><TR><TD>{cell}</TD><TD>1</TD><TD>1</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("entities", "cell"),
    [
        (
            '<!ENTITY a "ha">'
            + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcde", "bcdef", strict=True)),
            "&f;",
        ),
        ('<!ENTITY f SYSTEM "file:///etc/hostname">', "&f;"),
        ('<!ENTITY % f SYSTEM "file:///etc/hostname">', "x"),
    ],
    ids=["billion laughs", "file", "parameter entity"],
)
def test_xml_entities_are_refused_unexpanded(tmp_path, entities, cell, encoding):
    text = LAUGHS.format(entities=entities, cell=cell)
    (tmp_path / "m.vot").write_bytes(text.encode(encoding))
    with pytest.raises(
        ValueError, match=r"m\.vot cannot be read as a table \(it defines XML entities"
    ) as caught:
        read_member_list(tmp_path / "m.vot")
    assert "\n" not in str(caught.value)


def test_a_document_type_without_entities_is_read(tmp_path):
    """As VOTables of version 1.0 have."""
    text = LAUGHS.format(entities="", cell="M_67").replace(
        "VOTABLE []", 'VOTABLE SYSTEM "http://x/VOTable.dtd"'
    )
    (tmp_path / "m.vot").write_text(text)
    assert read_member_list(tmp_path / "m.vot")["cluster"].tolist() == ["M_67"]


@pytest.mark.parametrize("name", ["m.vot", "m.vot.gz"])
def test_an_oversized_votable_is_one_line(tmp_path, members, monkeypatch, name):
    write_table(tmp_path / name, pd.concat([members] * 100), "votable")
    monkeypatch.setattr("gaia_oc_amd.files.containers._LARGEST_VOTABLE", 3000)
    with pytest.raises(ValueError, match=r"\(it has more than 3000 bytes, try Parquet or CSV\)") as caught:
        read_member_list(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("identifiers", "message"),
    [
        (None, "has no source_id: its 12 stars are looked for by their positions"),
        ("08004567-19032{}", r"identifiers that are not Gaia's \('08004567-190320' is the first\)"),
    ],
)
def test_a_list_of_positions_does_without_identifiers(tmp_path, identifiers, message):
    table = pd.DataFrame({"cluster": "M_67", "ra": 132.8 + np.arange(12) / 100, "dec": 11.8, "PMemb": 1.0})
    if identifiers:
        table = table.assign(Source=[identifiers.format(number) for number in range(12)])
    table.to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(UserWarning, match=message):
        result = read_member_list(tmp_path / "m.csv")
    assert len(result) == 12
    assert (result["source_id"] < 0).all()
    assert result["source_id"].is_unique
    table.drop(columns=["ra", "dec"]).to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(ValueError, match=r"source_id"):
        read_member_list(tmp_path / "m.csv")


def test_percentages_with_a_decimal_comma(tmp_path, members):
    members.assign(PMemb=["70,5 %", "100,0 %", "9 %"]).to_csv(tmp_path / "m.csv", index=False, sep=";")
    assert read_member_list(tmp_path / "m.csv")["PMemb"].tolist() == [0.705, 1.0, 0.09]


@pytest.mark.parametrize("column", ["probs", "p_mem", "member_prob"])
def test_probabilities_under_the_names_of_other_lists(tmp_path, members, column):
    members.rename(columns={"PMemb": column}).to_csv(tmp_path / "m.csv", index=False)
    assert read_member_list(tmp_path / "m.csv")["PMemb"].tolist() == [0.1, 1.0, 0.5]


@pytest.mark.parametrize("name", ["NGC\u2011188", "NGC\u00a0188", "NGC 188\u200b"])
def test_names_that_were_copied_from_a_page_name_a_folder(tmp_path, members, parameters, name):
    members.iloc[:2].assign(cluster=name).to_csv(tmp_path / "m.csv", index=False)
    parameters.assign(name=[name, "IC_1"]).to_csv(tmp_path / "p.csv", index=False)
    assert set(read_member_list(tmp_path / "m.csv")["cluster"]) <= {"NGC-188", "NGC 188"}
    assert read_parameter_table(tmp_path / "p.csv")["name"].iloc[0] in {"NGC-188", "NGC 188"}


def test_ages_that_are_no_logarithms_count_as_missing_where_they_look_like_one(tmp_path, parameters):
    three = pd.concat([parameters] * 2).iloc[:3].assign(name=list("abc"))
    three.assign(age=[1500.0, 8.5, 120.0]).to_csv(tmp_path / "p.csv", index=False)
    with pytest.warns(UserWarning, match=r"p\.csv has age 1500, and most outside 5\.\.10\.3"):
        result = read_parameter_table(tmp_path / "p.csv")
    np.testing.assert_array_equal(result["age"], [1500.0, np.nan, 120.0])
    three.assign(age=[9.1, 8.5, 120.0]).to_csv(tmp_path / "p.csv", index=False)
    assert read_parameter_table(tmp_path / "p.csv")["age"].tolist() == [9.1, 8.5, 120.0]
    three.iloc[:2].assign(age=[8.5, 120.0]).to_csv(tmp_path / "p.csv", index=False)
    assert read_parameter_table(tmp_path / "p.csv")["age"].tolist() == [8.5, 120.0]  # half are not most


@pytest.mark.parametrize("fill", [0.0, -99.9, -999.0, 9999.0])
def test_ages_that_are_known_count_where_most_are_not(tmp_path, parameters, fill):
    three = pd.concat([parameters] * 2).iloc[:3].assign(name=list("abc"))
    three.assign(age=[fill, 8.5, fill]).to_csv(tmp_path / "p.csv", index=False)
    assert read_parameter_table(tmp_path / "p.csv")["age"].tolist() == [fill, 8.5, fill]


def test_ages_of_a_stated_unit_are_logarithms_where_most_are_unknown(tmp_path, parameters):
    three = pd.concat([parameters] * 2).iloc[:3].assign(name=list("abc"))
    three.assign(**{"age (Myr)": [0, 1000.0, 0]}).to_csv(tmp_path / "p.csv", index=False)
    assert read_parameter_table(tmp_path / "p.csv")["age"].iloc[1] == 9


def test_distances_stand_for_parallaxes_that_a_table_lacks(tmp_path, parameters):
    table = parameters.drop(columns="parallax").assign(**{"Dist (kpc)": [0.8, 2.0]})
    table.to_csv(tmp_path / "p.csv", index=False)
    assert read_parameter_table(tmp_path / "p.csv")["parallax"].tolist() == [1.25, 0.5]
    table.assign(**{"Dist (kpc)": [0.8, -999]}).to_csv(tmp_path / "p.csv", index=False)
    np.testing.assert_array_equal(read_parameter_table(tmp_path / "p.csv")["parallax"], [1.25, np.nan])
    parameters.drop(columns="parallax").to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(ValueError, match="has no column parallax"):
        read_parameter_table(tmp_path / "p.csv")


def test_sums_that_are_a_little_above_1_are_no_percentages(tmp_path, members):
    members.assign(PMemb=[1.0000000002, 1.0000001, 0.5]).to_csv(tmp_path / "m.csv", index=False)
    assert read_member_list(tmp_path / "m.csv")["PMemb"].tolist() == [1.0, 1.0, 0.5]


@pytest.mark.parametrize("fill", [-999.0, -9999.0, 0.0, 1e20])
def test_fill_values_of_lists_are_missing_values(tmp_path, members, fill):
    table = members.assign(ra=[fill, 132.8, 2.1], dec=[fill, 11.8, 27.7], phot_g_mean_mag=[99.9, 12.0, 99.0])
    table.to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(UserWarning, match=r"1 of ra .* 1 of dec .* 2 of phot_g_mean_mag \(99\.9\)"):
        result = read_member_list(tmp_path / "m.csv")
    assert result["ra"].isna().tolist() == result["dec"].isna().tolist() == [True, False, False]
    assert result["phot_g_mean_mag"].isna().tolist() == [True, False, True]


def test_names_of_columns_as_they_are_written_in_a_spreadsheet(tmp_path, members):
    names = {"cluster": "Cluster Name", "source_id": "Gaia DR3 Source ID", "PMemb": "Membership  Probability"}
    placed = members.assign(**{"Right Ascension": 132.8, "RA (deg)": 132.8, "Dec (deg)": 11.8})
    placed.rename(columns=names).to_csv(tmp_path / "m.csv", index=False)
    result = read_member_list(tmp_path / "m.csv")
    pd.testing.assert_frame_equal(result[["cluster", "source_id", "PMemb"]], members)
    assert result["ra"].tolist() == [132.8] * 3


@pytest.mark.parametrize("values", [[True, False, True], [1, 0, 1]])
@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_yes_and_no_are_probabilities(tmp_path, members, values, name):
    write_table(tmp_path / name, members.assign(PMemb=values), name.rpartition(".")[2])
    result = read_member_list(tmp_path / name)["PMemb"]
    assert result.dtype == np.float64
    assert result.tolist() == [1.0, 0.0, 1.0]
