"""From a name or a position to the files that build_sets reads; what happens when there is nothing to find."""

import json
import logging
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest
from matplotlib.contour import QuadContourSet
from search_fields import field

from gaia_oc_amd.catalogues.tables import read_member_list, read_parameter_table
from gaia_oc_amd.cluster import Cluster, check_complete
from gaia_oc_amd.exceptions import (
    ClusterError,
    ConeUnavailableError,
    NoClusterError,
    TooFewStarsError,
    UnknownClusterError,
)
from gaia_oc_amd.first_members.field import (
    SearchTables,
    find_target,
    quality_cuts,
    read_search_tables,
    sesame_position,
)
from gaia_oc_amd.first_members.options import (
    FieldOptions,
    FindOptions,
    QualityOptions,
    SearchOptions,
)
from gaia_oc_amd.first_members.plots import first_members_figure
from gaia_oc_amd.first_members.results import found_parameters, save_search, search_folder, search_members
from gaia_oc_amd.options import ConeOptions, FigureOptions, TablePaths
from gaia_oc_amd.stages.build import read_tables
from gaia_oc_amd.stages.find_first_members import search_and_save
from gaia_oc_amd.stages.options import BuildOptions, FirstMembersOptions

HERE = FieldOptions(120.0, -20.0, 0.25)
QUICK = SearchOptions(n_runs=3, n_controls=10)
PARAMETERS = pd.DataFrame(
    {
        "name": ["Toy_1"],
        **{
            "ra": [120.0],
            "dec": [-20.0],
            "pmra": [-3.0],
            "pmdec": [2.0],
            "parallax": [1.0],
            "dist": [1000.0],
        },
        **{"pmra_error": [0.1], "pmdec_error": [0.1], "parallax_error": [0.05], "age": [8.5], "a0": [0.1]},
    }
)


@pytest.fixture
def cone(tmp_path):
    """A folder with the field of Toy_1, and options that read it."""
    (tmp_path / "cones").mkdir()
    field().drop(columns="is_member").to_csv(tmp_path / "cones" / "Toy_1.csv", index=False)
    return ConeOptions((str(tmp_path / "cones"),))


def toy_search(tmp_path, cone, target=None, **keywords):
    target = target or find_target("Toy_1", PARAMETERS, HERE)
    return search_members(target, tmp_path, cone=cone, search=QUICK, **keywords)


def test_files_are_what_build_sets_reads(tmp_path, cone):
    search = toy_search(tmp_path, cone)
    assert save_search(search, tmp_path) == [
        *("first_members.csv", "first_members_parameters.csv", "first_members.json")
    ]
    folder = search_folder(search.target, tmp_path)
    members = read_member_list(folder / "first_members.csv")
    assert set(members) >= {"cluster", "source_id", "PMemb", "ra", "dec", "pmra", "pmdec", "phot_g_mean_mag"}
    assert members["PMemb"].between(0.1, 1).all()
    row = read_parameter_table(folder / "first_members_parameters.csv").iloc[0].to_dict()
    cluster = check_complete(Cluster(**row))
    assert cluster.name == "Toy_1"
    assert cluster.pmra == pytest.approx(-3, abs=0.03)
    assert cluster.dist == pytest.approx(1000, rel=0.05)
    assert cluster.pmra_error < 0.3
    record = json.loads((folder / "first_members.json").read_text())
    assert (
        record["counts"]["all"]
        >= record["counts"]["flux_excess" if "flux_excess" in record["counts"] else "complete"]
    )
    assert record["significance"] > 5
    assert record["options"]["search"]["method"] == "hdbscan"
    assert record["target"]["found_in"] == "given by hand"
    assert "scikit-learn" in record["versions"]


def test_the_field_is_kept_apart_from_the_cone_and_used_again(tmp_path, cone):
    toy_search(tmp_path, cone)
    folder = tmp_path / "clusters" / "Toy_1"
    assert not list(folder.glob("cone*"))
    kept = folder / "search_field" / "cone.parquet"
    before = kept.stat().st_mtime_ns
    toy_search(tmp_path, cone)
    assert kept.stat().st_mtime_ns == before  # a region without limits is known again
    toy_search(tmp_path, cone, find_target("Toy_1", PARAMETERS, replace(HERE, radius=0.2)))
    assert kept.stat().st_mtime_ns != before


def test_a_search_that_was_done_is_left_as_found(tmp_path, cone):
    target, tables = find_target("Toy_1", PARAMETERS, HERE), SearchTables(None, None, None)
    options = FindOptions(cone=cone, search=QUICK, figures=FigureOptions(save_plots=False))
    first = search_and_save(target, tmp_path, options, tables=tables, seed=1)
    path = tmp_path / "clusters" / "Toy_1" / "first_members.csv"
    before = path.stat().st_mtime_ns
    assert search_and_save(target, tmp_path, options, tables=tables, seed=1) == first
    assert path.stat().st_mtime_ns == before
    search_and_save(target, tmp_path, options, tables=tables, seed=2)
    assert path.stat().st_mtime_ns != before


def test_another_figure_is_drawn_and_leaves_the_list_as_found(tmp_path, cone):
    target, tables = find_target("Toy_1", PARAMETERS, HERE), SearchTables(None, None, None)
    folder = tmp_path / "clusters" / "Toy_1"

    def drawn(seed=1, **figures):
        options = FindOptions(cone=cone, search=QUICK, figures=FigureOptions(**figures))
        search_and_save(target, tmp_path, options, tables=tables, seed=seed)
        return {path.suffix: path.stat().st_mtime_ns for path in folder.glob("first_members.*")}

    first = drawn(save_plots=False)
    assert set(first) == {".csv", ".json"}
    second = drawn()
    assert second == first | {".png": second[".png"]}
    assert drawn() == second
    other = drawn(plot_format="svg")  # in the place of the older figure
    assert other == first | {".svg": other[".svg"]}
    anew = drawn(seed=2, save_plots=False)
    assert ".svg" not in anew  # it showed the earlier search
    assert anew[".csv"] != first[".csv"]


def test_a_replaced_table_of_stars_is_searched_again(tmp_path, cone):
    target, tables = find_target("Toy_1", PARAMETERS, HERE), SearchTables(None, None, None)
    options = FindOptions(cone=cone, search=QUICK, figures=FigureOptions(save_plots=False))
    search_and_save(target, tmp_path, options, tables=tables, seed=1)
    folder = tmp_path / "clusters" / "Toy_1"
    first = set(read_member_list(folder / "first_members.csv")["source_id"])
    table = tmp_path / "cones" / "Toy_1.csv"
    stars = pd.read_csv(table)
    stars[~stars["source_id"].isin(sorted(first)[:20])].to_csv(table, index=False)
    search_and_save(target, tmp_path, options, tables=tables, seed=1)
    assert not set(sorted(first)[:20]) & set(read_member_list(folder / "first_members.csv")["source_id"])


def test_a_name_is_found_in_the_table_in_any_spelling():
    target = find_target("toy 1", PARAMETERS, FieldOptions())
    assert (target.name, target.ra, target.dec, target.found_in) == (
        "Toy_1",
        120.0,
        -20.0,
        "the parameter table",
    )
    assert target.radius == pytest.approx(np.degrees(np.arctan(0.015)))
    np.testing.assert_array_equal(target.known.mean, [-3, 2, 1])
    moved = find_target("toy 1", PARAMETERS, FieldOptions(10.0, 5.0, 0.5))
    assert (moved.name, moved.ra, moved.radius) == ("Toy_1", 10.0, 0.5)
    assert find_target("Toy_1", PARAMETERS.assign(dist=10.0), FieldOptions()).radius == 2.0


class Sesame(BaseHTTPRequestHandler):
    """Knows one object, in the words of the real one."""

    def do_GET(self):
        known = self.path.endswith("?Toy%201")
        text = "%J 120.5000000 -20.2500000 = 08 02 00 -20 15 00\n" if known else "#!SIMBAD: Nothing found\n"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def sesame():
    server = HTTPServer(("127.0.0.1", 0), Sesame)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_sesame_is_asked_for_other_names(sesame):
    assert sesame_position("Toy_1", servers=[sesame]) == (120.5, -20.25)
    with pytest.raises(
        UnknownClusterError, match="'Toy_2' is in no .* Sesame does not know it: give .* --ra --dec"
    ):
        sesame_position("Toy_2", servers=[sesame])


def test_without_a_network_the_position_is_asked_for():
    with pytest.raises(UnknownClusterError, match="Sesame cannot be reached .*--ra --dec") as told:
        sesame_position("Toy_1", servers=["http://127.0.0.1:9/"], timeout=2)
    assert "\n" not in str(told.value)


def test_an_empty_field_and_another_one_are_said(tmp_path, cone):
    with pytest.raises(ConeUnavailableError, match="is it another field"):
        toy_search(tmp_path, cone, find_target("Toy_1", None, FieldOptions(10.0, 5.0, 0.2)))
    with pytest.raises(ConeUnavailableError, match="holds no table for Toy_2"):
        toy_search(tmp_path, cone, find_target("Toy_2", None, HERE))
    assert not list((tmp_path / "clusters").rglob("first_members*"))


def test_a_field_without_parallaxes_is_refused(tmp_path, cone):
    stars = field().drop(columns="is_member").assign(parallax=np.nan)
    stars.to_csv(tmp_path / "cones" / "Toy_1.csv", index=False)
    with (
        pytest.warns(UserWarning, match="rows lack astrometry"),
        pytest.raises(ConeUnavailableError, match="holds no usable source"),
    ):
        toy_search(tmp_path, cone)
    stars.drop(columns="parallax").to_csv(tmp_path / "cones" / "Toy_1.csv", index=False)
    with pytest.raises(ClusterError, match="lacks the column.*parallax"):
        toy_search(tmp_path, cone)


def test_a_globular_cluster_is_found_as_any_other(tmp_path, cone):
    """A rich and distant group with parallaxes around zero: its distance is a guess, and said to be one."""
    stars = field(clusters=((0.0, 0.0, -3.0, 2.0, 0.0, 900),)).drop(columns="is_member")
    stars.to_csv(tmp_path / "cones" / "Toy_1.csv", index=False)
    with (
        pytest.warns(UserWarning, match="hardly gives a distance; 25000 pc is used"),
        pytest.warns(UserWarning, match="age 8.2, a0 1.5 is assumed"),
    ):
        search = toy_search(tmp_path, cone, find_target("Toy_1", None, HERE))
    assert len(search.members) > 500
    assert check_complete(Cluster(**search.row)).dist == 25_000


def test_quality_cuts_one_by_one():
    stars = field(n_field=300, clusters=())
    _, all_counts = quality_cuts(stars)
    assert list(all_counts) == ["all", "complete", "search_g_max", "astrometric_quality", "parallax_snr"]
    bad = stars.assign(
        ruwe=np.where(stars.index < 10, 2.0, 1.0),
        phot_bp_rp_excess_factor=np.where(stars.index >= 280, 2.5, 1.2),
        bp_rp=stars["bp_rp"].where(stars.index != 50),
        **{f"phot_{band}_mean_flux": 100.0 for band in ("g", "bp", "rp")},
        **{f"phot_{band}_mean_flux_error": 1.0 for band in ("g", "bp", "rp")},
    )
    kept, counts = quality_cuts(bad)
    assert counts == {
        **{"all": 300, "complete": 299, "search_g_max": 299, "astrometric_quality": 289},
        **{"flux_excess": 269, "parallax_snr": 269, "flux_snr": 269},
    }
    assert (
        kept["source_id"].tolist()
        == bad["source_id"][(bad.index >= 10) & (bad.index < 280) & (bad.index != 50)].tolist()
    )
    off = QualityOptions(astrometric_quality=False, flux_excess=False, min_flux_snr=0, search_g_max=30)
    assert quality_cuts(bad, off)[1]["flux_snr"] == 299
    assert quality_cuts(bad, replace(off, min_flux_snr=101))[1]["flux_snr"] == 0
    assert quality_cuts(bad, replace(off, min_parallax_snr=5))[1]["parallax_snr"] < 299


def test_a_cut_whose_column_is_empty_is_left_out_and_said(caplog):
    stars = field(n_field=300, clusters=()).assign(
        astrometric_chi2_al=np.nan,
        astrometric_n_good_obs_al=200,
        phot_bp_rp_excess_factor=np.nan,
        ruwe=np.nan,
    )
    with caplog.at_level(logging.INFO):
        _, counts = quality_cuts(stars)
    assert list(counts) == ["all", "complete", "search_g_max", "parallax_snr"]
    assert counts["parallax_snr"] == 300
    for name in ("astrometric_quality", "flux_excess", "flux_snr"):
        assert f"the cut {name} is left out: its columns are not in the table, or empty." in caplog.text
    one_known = stars.assign(ruwe=np.where(stars.index == 0, 1.0, np.nan))
    assert quality_cuts(one_known)[1]["astrometric_quality"] == 1  # a star without a value fails


def test_too_few_stars_are_refused_with_what_each_cut_left(tmp_path, cone):
    quality = QualityOptions(search_g_max=12.5)
    with pytest.raises(
        TooFewStarsError, match=r"Left after each cut: all \d+, complete \d+, search_g_max \d+"
    ):
        search_members(
            find_target("Toy_1", PARAMETERS, HERE), tmp_path, cone=cone, quality=quality, search=QUICK
        )


def test_the_unit_weight_error_goes_before_ruwe():
    stars = field(n_field=100, clusters=()).assign(
        ruwe=2.0, astrometric_n_good_obs_al=205, astrometric_chi2_al=200 * 1.0
    )
    stars.loc[:9, "astrometric_chi2_al"] = (
        200 * 1.3**2
    )  # brighter than 19.5, the limit is 1.2 exp(-0.2 (G - 19.5))
    limit = 1.2 * np.maximum(1, np.exp(-0.2 * (stars["phot_g_mean_mag"] - 19.5)))
    passed = np.where(stars.index < 10, 1.3, 1.0) < limit
    assert quality_cuts(stars)[1]["astrometric_quality"] == passed.sum() > 0


def test_what_the_table_knows_of_age_and_distance_stays():
    members = field().query("is_member == 1").assign(PMemb=1.0).reset_index(drop=True)
    with pytest.warns(UserWarning, match="a0 0.72 is assumed"):
        row, origins = found_parameters(
            "Toy_1",
            members,
            table_row={"age": 9.0, "a0": np.nan, "dist": 1200.0},
            rng=np.random.default_rng(1),
        )
    assert (row["age"], row["dist"]) == (9.0, 1200.0)
    assert origins["from"] == {"age": "table", "a0": "assumed", "dist": "table"}
    assert row["pmra"] == pytest.approx(-3, abs=0.02)


def test_tables_need_not_exist_but_isochrones_of_a_fit_do(tmp_path):
    assert read_search_tables(tmp_path) == SearchTables(None, None, None)
    with pytest.raises(FileNotFoundError, match="download_isochrones.py"):
        read_search_tables(tmp_path, need_isochrones=True)
    with pytest.raises(FileNotFoundError, match="--cluster_path"):
        read_search_tables(tmp_path, TablePaths(cluster_path=tmp_path / "none.csv"))
    with pytest.raises(FileNotFoundError, match="download_isochrones.py"):
        read_tables(tmp_path, BuildOptions(first=FirstMembersOptions(find_first_members=True)))


def test_two_of_position_are_needed():
    with pytest.raises(ValueError, match="ra is 12.0, but must be given together with dec"):
        FieldOptions(ra=12.0)


def test_the_figure_shows_the_found_stars(tmp_path, cone, toy):
    search = toy_search(tmp_path, cone)
    for isochrones, n_lines in ((None, 0), (toy.isochrones, 2)):  # the curve and what is drawn beneath it
        figure = first_members_figure(search, isochrones)
        assert len(figure.axes) == 5
        assert "first members (hdbscan" in figure._suptitle.get_text()
        assert len(figure.axes[3].lines) >= n_lines
        assert figure.axes[3].get_ylabel() == "$G$ [mag]"
        assert not any(
            isinstance(part, QuadContourSet) for part in figure.axes[3].collections
        )  # colours have no limit
        words = [entry.get_text() for entry in figure.legends[0].get_texts()]
        assert words[-1] == "core: 2.5 standard deviations of errors and scatter"


def test_a_field_without_a_cluster_leaves_no_list(tmp_path, cone):
    field(clusters=(), seed=5).drop(columns="is_member").to_csv(tmp_path / "cones" / "Toy_1.csv", index=False)
    tables = SearchTables(None, None, None)
    with pytest.raises(NoClusterError):
        search_and_save(
            find_target("Toy_1", PARAMETERS, HERE),
            tmp_path,
            FindOptions(cone=cone, search=QUICK),
            tables=tables,
            seed=1,
        )
    assert not list(tmp_path.rglob("first_members*"))
