"""From a name and a table of stars to the four sets, their files, and the mistakes on the way."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toy_field import tables, toy_field

from gaia_oc_amd.catalogues.lookup import find_cluster
from gaia_oc_amd.cluster import update_from_members
from gaia_oc_amd.columns import REJECTED_BY, SET_COLUMNS
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.exceptions import ClusterError, TooFewMembersError, UnknownClusterError
from gaia_oc_amd.files.data_directory import read_json, write_json
from gaia_oc_amd.files.provenance import file_fingerprint, sealed
from gaia_oc_amd.files.tables import read_table, write_rows, write_table
from gaia_oc_amd.options import ConeOptions, MemberOptions, SelectionOptions
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.source_sets import SET_NAMES, accept_changes, load_sets, save_candidates, save_sets


@pytest.fixture
def cone_file(toy, tmp_path):
    path = tmp_path / "fields" / "toy-1.csv.gz"
    path.parent.mkdir()
    toy.sources.to_csv(path, index=False)
    return path


def build(toy, cone_file, tmp_path, name="Toy_1", *, cone=None, **options):
    cone = ConeOptions(**{"cone_source": str(cone_file), "cone_format": "csv"} | (cone or {}))
    return build_sets(name, tables(toy), tmp_path / "data", cone=cone, **options)


def test_sets_are_disjoint_and_whole(toy, cone_file, tmp_path):
    sets = build(toy, cone_file, tmp_path)
    ids = np.concatenate(
        [getattr(sets, name)["source_id"] for name in ("members", "candidates", "non_members")]
    )
    assert len(ids) == len(np.unique(ids))
    assert set(ids) <= set(toy.sources["source_id"])
    assert len(sets.members) >= 45
    assert (sets.members["PMemb"] == 1).all()
    assert sets.candidates["PMemb"].isna().all()
    assert (sets.non_members["PMemb"] == 0).all()
    assert set(sets.comparison["source_id"]) <= set(toy.members["source_id"])


def test_folder_of_tables_is_searched_by_name(toy, cone_file, tmp_path):
    by_file = build(toy, cone_file, tmp_path)
    by_folder = build(toy, cone_file.parent, tmp_path / "other")
    pd.testing.assert_frame_equal(by_file.members, by_folder.members)
    with pytest.raises(ClusterError, match="holds no table for Toy_1"):
        build(toy, tmp_path, tmp_path)


def test_member_that_fails_the_selection_becomes_a_candidate(toy, cone_file, tmp_path):
    far = toy.members["source_id"].iloc[0]
    toy.sources.loc[toy.sources["source_id"] == far, "g_rp"] += 1.5
    toy.sources.to_csv(cone_file, index=False)
    sets = build(toy, cone_file, tmp_path)
    assert far in sets.candidates["source_id"].to_numpy()
    assert far not in sets.members["source_id"].to_numpy()


@pytest.mark.parametrize("where", [{"ra": 0.003}, {"ra": 359.999, "dec": 60.0}, {"ra": 30.0, "dec": 86.0}])
def test_the_place_on_the_sky_does_not_matter(where, tmp_path):
    """The same stars turned to ra = 0 or to the pole give the same sets; only f_r moves by the projection."""
    plain, turned = toy_field(dist=3000.0), toy_field(dist=3000.0, **where)
    results = []
    for field, folder in ((plain, "plain"), (turned, "turned")):
        path = tmp_path / f"{folder}.csv"
        field.sources.to_csv(path, index=False)
        results.append(build(field, path, tmp_path / folder))
    one, two = results
    assert abs(len(one.members) - len(two.members)) <= 1
    shift = min(abs(two.cluster.ra - where["ra"]), 360 - abs(two.cluster.ra - where["ra"]))
    assert shift * np.cos(np.radians(two.cluster.dec)) < 0.02
    assert two.members["f_r"].median() == pytest.approx(one.members["f_r"].median(), rel=0.1)


def test_saved_sets_are_loaded_unchanged(toy, cone_file, tmp_path):
    options = SelectionOptions(c_margin=0.12, source_error_weight=2.0)
    sets = build(toy, cone_file, tmp_path, selection=options)
    folder = save_sets(sets, tmp_path / "data", made_with={"member": MemberOptions()})
    loaded = load_sets("toy 1", tmp_path / "data")
    for name in SET_NAMES:
        pd.testing.assert_frame_equal(
            getattr(loaded, name), getattr(sets, name).reset_index(drop=True), check_dtype=False
        )
        assert getattr(loaded, name)["source_id"].dtype == np.int64
        assert not (folder / f"{name}.csv").read_text().startswith(",")
    # by repr: a dataclass with NaN differs from itself from Python 3.13 on
    assert repr(loaded.cluster) == repr(sets.cluster)
    assert loaded.limits == sets.limits
    np.testing.assert_array_equal(loaded.isochrone.g, sets.isochrone.g)
    assert loaded.selection == options
    recorded = json.loads((folder / "cluster.json").read_text())["options"]
    assert (recorded["selection"]["c_margin"], recorded["member"]["n_min_members"]) == (0.12, 15)


def test_failed_saving_keeps_the_old_sets(toy, cone_file, tmp_path, monkeypatch):
    sets = build(toy, cone_file, tmp_path)
    folder = save_sets(sets, tmp_path / "data")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fill_the_disk(file, table):
        write_rows(file, table)
        if "non_members" in file.name:
            raise OSError("no space left on device")

    monkeypatch.setattr("gaia_oc_amd.source_sets.write_rows", fill_the_disk)
    with pytest.raises(OSError, match="no space left"):
        save_sets(replace(sets, members=sets.members.iloc[:5]), tmp_path / "data")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_absent_and_damaged_sets_are_named(toy, cone_file, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"build_sets.py Toy_1"):
        load_sets("Toy_1", tmp_path / "data")
    folder = save_sets(build(toy, cone_file, tmp_path), tmp_path / "data")
    content = (folder / "members.csv").read_text()
    (folder / "members.csv").write_text(content[: len(content) // 2])
    with pytest.raises(ValueError, match="members.csv was changed after build_sets.py made it"):
        load_sets("Toy_1", tmp_path / "data")
    assert accept_changes(folder) == ["members.csv"]
    with pytest.raises(ValueError, match="members.csv cannot be read as a table"):
        load_sets("Toy_1", tmp_path / "data")
    (folder / "members.csv").write_text("source_id,ra\n15,2\n")
    accept_changes(folder)
    with pytest.raises(ValueError, match="members.csv lacks the columns dec"):
        load_sets("Toy_1", tmp_path / "data")
    (folder / "members.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"members.csv does not exist: run `.*build_sets.py Toy_1"):
        load_sets("Toy_1", tmp_path / "data", parts=("members",))


def test_folder_is_found_by_its_exact_name_first(toy, cone_file, tmp_path):
    sets = build(toy, cone_file, tmp_path)
    for name in ("Toy_1", "TOY1"):
        save_sets(replace(sets, cluster=replace(sets.cluster, name=name)), tmp_path / "data")
        assert load_sets(name, tmp_path / "data").cluster.name == name
    with pytest.raises(ValueError, match="may be any of the folders TOY1, Toy_1"):
        load_sets("toy 1", tmp_path / "data")


def test_folder_is_found_by_an_alias(toy, cone_file, tmp_path):
    sets = build(toy, cone_file, tmp_path)
    save_sets(replace(sets, cluster=replace(sets.cluster, name="Melotte_22")), tmp_path / "data")
    for name in ("M45", "Pleiades", "mel 22"):
        assert load_sets(name, tmp_path / "data").cluster.name == "Melotte_22"
    with pytest.raises(FileNotFoundError, match="build_sets.py M44"):
        load_sets("M44", tmp_path / "data")


def test_unfinished_cone_is_not_used(toy, cone_file, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    whole = build(toy, cone_file, tmp_path)
    monkeypatch.setattr("gaia_oc_amd.kept_cone.write_table", killed)
    with pytest.raises(KeyboardInterrupt):
        build(toy, cone_file, tmp_path, cone={"cone_radius": 5.0})
    monkeypatch.undo()
    again = build(toy, cone_file, tmp_path)
    pd.testing.assert_frame_equal(again.candidates, whole.candidates)


def test_kept_cone_is_used_until_the_region_changes(toy, cone_file, tmp_path):
    first = build(toy, cone_file, tmp_path)
    content = cone_file.read_bytes()
    cone_file.unlink()
    again = build(toy, cone_file, tmp_path)
    pd.testing.assert_frame_equal(first.candidates, again.candidates)
    with pytest.raises(ClusterError):  # another radius needs another cone
        build(toy, cone_file, tmp_path, cone={"cone_radius": 40.0})
    cone_file.write_bytes(content)
    assert len(build(toy, cone_file, tmp_path, cone={"cone_radius": 5.0}).non_members) < len(
        first.non_members
    )
    assert sorted(path.name for path in (tmp_path / "data/clusters/Toy_1").iterdir()) == [
        "cone.csv",
        "cone.json",
    ]


@pytest.mark.parametrize("name", ["cone.vot.gz", "cone.vot"])
def test_a_kept_votable_is_used_packed_as_older_versions_wrote_it_or_not(toy, cone_file, tmp_path, name):
    first = build(toy, cone_file, tmp_path, cone={"cone_format": "votable"})
    folder = tmp_path / "data/clusters/Toy_1"
    record = read_json(folder / "cone.json")
    write_table(folder / name, read_table(folder / "cone.vot"), "votable")
    for other in {"cone.vot", "cone.vot.gz"} - {name}:
        (folder / other).unlink(missing_ok=True)
    write_json(folder / "cone.json", sealed(record | {"files": {name: file_fingerprint(folder / name)}}))
    cone_file.unlink()
    again = build(toy, cone_file, tmp_path, cone={"cone_format": "votable"})
    pd.testing.assert_frame_equal(first.candidates, again.candidates)


def test_means_are_those_of_the_members(toy):
    sources = calibrate(toy.sources)
    members = sources[sources["source_id"].isin(toy.members["source_id"])]
    cluster = update_from_members(find_cluster("Toy_1", tables(toy)), members)
    weights = 1 / (members["pmra_error"] ** 2 + cluster.pm_dispersion**2)
    assert cluster.pmra == pytest.approx((weights * members["pmra"]).sum() / weights.sum(), abs=2e-3)
    assert cluster.pmra_mean_error == pytest.approx(weights.sum() ** -0.5, rel=0.1)
    assert cluster.parallax_error == pytest.approx(members["parallax"].std())
    assert abs(cluster.ra - members["ra"].mean()) < 1e-4


def test_missing_standard_deviations_and_distance_are_computed(toy):
    gaps = toy.parameters.assign(pmra_error=np.nan, parallax_error=np.nan, dist=np.nan)
    cluster = find_cluster("Toy_1", tables(toy, parameters=gaps))
    assert cluster.pmra_error == pytest.approx(toy.members["pmra"].std())
    assert cluster.dist == pytest.approx(1000 / cluster.parallax)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": 8e8}, "log10 of the age"),
        ({"dist": 1.0}, "dist 1 pc, .* is dist in kpc\\? Give 1000 pc"),
        ({"dist": 10.0}, "is dist a distance modulus\\? Give 1000 pc"),
        ({"dist": 11.99, "parallax": 0.363}, "is dist a distance modulus\\? Give 2500.35 pc"),
        ({"dist": 8.5, "parallax": 0.118}, "do not belong together: is dist in kpc"),
        ({"dist": 14.6, "parallax": -0.02}, "do not belong together: is dist in kpc"),
        ({"dec": 120.0, "ra": -20.0}, "outside"),
        ({"parallax_error": 0.0}, "standard deviation in mas"),
    ],
)
def test_parameters_in_other_units_are_refused(toy, change, message):
    with pytest.raises(ClusterError, match=message):
        find_cluster("Toy_1", tables(toy, parameters=toy.parameters.assign(**change)))


@pytest.mark.parametrize("column", ["age", "a0", "pmra", "ra"])
def test_missing_parameter_is_named(toy, column):
    with pytest.raises(ClusterError, match=f"Toy_1 has no {column} in the parameter table"):
        find_cluster("Toy_1", tables(toy, parameters=toy.parameters.assign(**{column: np.nan})))


def test_unknown_cluster_gets_suggestions(toy):
    with pytest.raises(UnknownClusterError, match=r"Toy_2.*did you mean Toy_1"):
        find_cluster("Toy_2", tables(toy))


def test_bootstrapped_members_join(toy, cone_file, tmp_path):
    sets = build(toy, cone_file, tmp_path)
    save_sets(sets, tmp_path / "data")
    with pytest.raises(
        FileNotFoundError, match="which --bootstrap_members needs: run `python evaluate_clusters.py Toy_1"
    ):
        build(toy, cone_file, tmp_path / "new", member=MemberOptions(bootstrap_members=True))
    sure = sets.candidates["source_id"].isin(toy.members["source_id"])
    judged = sets.candidates.assign(PMemb=np.where(sure, 0.97, 0.5))
    save_candidates(replace(sets, candidates=judged), tmp_path / "data")
    grown = build(toy, cone_file, tmp_path, member=MemberOptions(bootstrap_members=True))
    assert sure.sum() >= 5
    assert len(grown.members) >= len(sets.members) + sure.sum() - 2
    assert set(grown.members["PMemb"]) == {1.0, 0.97}
    save_sets(grown, tmp_path / "data")
    with pytest.raises(FileNotFoundError, match="has no probabilities"):  # of the new candidates
        build(toy, cone_file, tmp_path, member=MemberOptions(bootstrap_members=True))
    save_candidates(replace(grown, candidates=grown.candidates.assign(PMemb=0.5)), tmp_path / "data")
    again = build(toy, cone_file, tmp_path, member=MemberOptions(bootstrap_members=True))
    assert set(again.members["source_id"]) >= set(grown.members["source_id"])


def refused(toy, tmp_path, message, sources=None, **options):
    path = tmp_path / "bad.csv"
    (toy.sources if sources is None else sources).to_csv(path, index=False)
    with pytest.raises(ClusterError, match=message) as caught:
        build(toy, path, tmp_path, **options)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "data").rglob("*.csv"))


def test_bad_tables_are_refused_in_one_line(toy, tmp_path):
    s = toy.sources
    refused(
        toy,
        tmp_path,
        "lacks the column.*pmra_error, phot_bp_mean_mag",
        s.drop(columns=["pmra_error", "phot_bp_mean_mag"]),
    )
    refused(
        toy,
        tmp_path,
        r"has 1 repeated source_id \(the first is",
        pd.concat([s, s.iloc[[3]].assign(parallax=0.9)]),
    )
    refused(toy, tmp_path, "outside -90..90 .*swapped", s.assign(ra=s["dec"] + 30, dec=s["ra"]))
    refused(toy, tmp_path, "are they in degrees", s.assign(ra=np.radians(s["ra"]), dec=np.radians(s["dec"])))
    refused(toy, tmp_path, "is it another field", s.assign(ra=s["ra"] + 90))
    refused(toy, tmp_path, "fail the cuts in proper motion", s.assign(pmra=s["pmra"] + 90))
    refused(toy, tmp_path, "an error must be positive", s.assign(parallax_error=0.0))
    refused(toy, tmp_path, "holds no usable source", s.iloc[:0])
    refused(toy, tmp_path, "parallax_pmra_corr = 5, outside -1..1", s.assign(parallax_pmra_corr=5.0))
    text = s["phot_g_mean_mag"].astype(object).mask(s.index < 50, "abc")
    refused(
        toy,
        tmp_path,
        r"phot_g_mean_mag that is no number \('abc' is the first",
        s.assign(phot_g_mean_mag=text),
    )


def test_members_that_fail_the_selection_altogether_are_an_error(toy, cone_file, tmp_path):
    nothing_passes = SelectionOptions(source_error_weight=0.0, pm_error_weight=0.0)
    with pytest.raises(
        TooFewMembersError, match="50 of 50 training members fail the candidate selection, 0 are left"
    ):
        build(toy, cone_file, tmp_path, selection=nothing_passes)


def test_too_few_members_says_how_many(toy, cone_file, tmp_path):
    with pytest.raises(TooFewMembersError, match="has 50 members with PMemb >= 1 in the cone .* at least 55"):
        build(toy, cone_file, tmp_path, member=MemberOptions(n_min_members=55))


def test_incomplete_rows_are_counted_and_change_nothing(toy, cone_file, tmp_path):
    expected = build(toy, cone_file, tmp_path)
    broken = toy.sources.copy()
    extra = broken.iloc[:3].assign(source_id=[1, 2, 3], pmra=[np.nan, -3, -3], parallax=[1, np.nan, 1])
    pd.concat([broken, extra.assign(phot_g_mean_mag=[15, 15, np.nan])]).to_csv(cone_file, index=False)
    with pytest.warns(UserWarning, match="3 of 463 rows lack astrometry or G"):
        found = build(toy, cone_file, tmp_path, cone={"overwrite_cone": True})
    for name in SET_NAMES:
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))


def test_names_never_escape_the_data_directory(toy, cone_file, tmp_path):
    parameters = toy.parameters.assign(name="../../escaped")
    members = toy.members.assign(cluster="../../escaped")
    with pytest.raises(ValueError, match="cannot name a cluster folder"):
        build_sets("../../escaped", tables(toy, parameters=parameters, members=members), tmp_path / "data")
    assert not list(tmp_path.rglob("*escaped*"))


def test_one_table_for_all_clusters_is_read_once(toy, cone_file, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        "gaia_oc_amd.archive.local_tables.read_table",
        lambda path, **how: read.append(path) or read_table(path, **how),
    )
    parameters = pd.concat([toy.parameters, toy.parameters.assign(name="Toy_2")], ignore_index=True)
    members = pd.concat([toy.members, toy.members.assign(cluster="Toy_2")], ignore_index=True)
    both = tables(toy, parameters=parameters, members=members)
    cone = ConeOptions(cone_source=str(cone_file), cone_format="csv")
    one, two = (build_sets(name, both, tmp_path / "data", cone=cone) for name in ("Toy_1", "Toy_2"))
    assert read == [cone_file]
    pd.testing.assert_frame_equal(one.candidates, two.candidates)
    toy.sources.iloc[:-1].to_csv(cone_file, index=False)  # a changed table is another one
    build_sets("Toy_1", both, tmp_path / "other", cone=cone)
    assert read == [cone_file] * 2


@pytest.mark.parametrize("part", ["non_members", "candidates", "comparison"])
def test_an_empty_set_has_the_types_of_a_full_one(toy, cone_file, tmp_path, part):
    """A small cone may have no non-member; columns of objects would not be numbers for what comes next."""
    sets, folder = build(toy, cone_file, tmp_path), tmp_path / "data"
    save_sets(replace(sets, **{part: getattr(sets, part).iloc[:0]}), folder)
    empty = getattr(load_sets(sets.cluster.name, folder), part)
    assert len(empty) == 0
    assert empty["source_id"].dtype == np.int64
    numbers = [name for name in SET_COLUMNS if name != REJECTED_BY and name in empty]
    assert len(numbers) > 25
    assert all(empty[name].dtype.kind in "if" for name in numbers)
    left_out = load_sets(sets.cluster.name, folder, parts=("members",)).candidates
    assert left_out["ra"].dtype.kind == "f"
