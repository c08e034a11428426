"""The index of all reports: what it holds, where its map shows clusters."""

import json
from urllib.parse import unquote

import numpy as np
import pytest
from matplotlib.projections.geo import AitoffAxes
from report_pages import Page
from report_sets import report_sets

from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.report.index import aitoff, graticule, index_rows, refresh_index, write_index
from gaia_oc_amd.report.page import write_report

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<b>"


@pytest.fixture(scope="module")
def sets():
    return report_sets()


@pytest.fixture(scope="module")
def rendered(sets, tmp_path_factory):
    return write_report(sets, tmp_path_factory.mktemp("plain")).read_text(encoding="utf-8")


def test_index_holds_every_report_and_no_other_folder(sets, rendered, tmp_path):
    assert write_index(tmp_path) is None
    for name in ("Test_1", "T_(2)+x"):
        (tmp_path / "clusters" / name).mkdir(parents=True)
        (tmp_path / "clusters" / name / "report.html").write_text(rendered, encoding="utf-8")
    (tmp_path / "clusters" / "Unfinished").mkdir()
    foreign = tmp_path / "clusters" / "Foreign"
    foreign.mkdir()
    (foreign / "report.html").write_text(f'<script type="application/json" id="summary">[{HOSTILE}</script>')
    rows = {row.folder: row for row in index_rows(tmp_path)}
    assert sorted(rows) == ["Foreign", "T_(2)+x", "Test_1"]
    assert rows["Foreign"].summary == {}
    assert rows["Test_1"].summary["numbers"]["members"] == len(our_members(sets, 0.5))
    assert rows["Test_1"].summary["numbers"]["training members"] == len(sets.members)
    page = Page(write_index(tmp_path).read_text(encoding="utf-8"))
    links = [a["href"] for t, a in page.elements if t == "a"]
    assert len(links) == 5  # three in the table, two on the map
    assert all((tmp_path / unquote(link)).is_file() for link in links)
    assert not any(t == "img" for t, _ in page.elements)


def summary_of(report, **changes):
    """The report with something else in its summary."""
    head, start, rest = report.partition('<script type="application/json" id="summary">')
    content, end, tail = rest.partition("</script>")
    return head + start + json.dumps(json.loads(content) | changes) + end + tail


def test_an_index_shows_class_thumbnails_and_warnings_first(rendered, tmp_path):
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    changed = summary_of(rendered, attention=["Poor isochrone fit"], notes=["Not validated"])
    (folder / "report.html").write_text(changed, encoding="utf-8")
    text = write_index(tmp_path).read_text(encoding="utf-8")
    row = text.partition("<tbody>")[2].partition("</tr>")[0]
    assert row.index("Poor isochrone fit") < row.index("<details>") < row.index("Not validated")
    paths = [a["d"] for t, a in Page(row).elements if t == "path"]
    assert len(paths) == 2
    assert all(path.startswith("M") for path in paths)
    assert "letter B" in row or "letter A" in row or "letter C" in row or "letter D" in row


@pytest.mark.parametrize(
    "changes",
    [
        {"thumbnail": {"cmd": HOSTILE, "sky": ""}},
        {"thumbnail": []},
        {"class": 3},
        {"cluster": "nothing"},
    ],
)
def test_a_summary_that_is_none_of_ours_is_left_out(rendered, tmp_path, changes):
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(summary_of(rendered, **changes), encoding="utf-8")
    assert index_rows(tmp_path)[0].summary == {}
    assert "the report says nothing of itself" in write_index(tmp_path).read_text(encoding="utf-8")


def test_a_cluster_without_a_direction_is_not_on_the_map(rendered, tmp_path):
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    for ra, dec in ((None, 3.0), (10.0, 95.0), ("east", 3.0)):
        (folder / "report.html").write_text(
            summary_of(rendered, cluster={"ra": ra, "dec": dec}), encoding="utf-8"
        )
        assert index_rows(tmp_path)[0].place is None
        assert "<circle" not in write_index(tmp_path).read_text(encoding="utf-8")


def test_an_index_without_reports_goes(rendered, tmp_path):
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(rendered, encoding="utf-8")
    path = write_index(tmp_path)
    (folder / "report.html").unlink()
    refresh_index(tmp_path)
    assert not path.exists()


def test_aitoff_is_matplotlibs():
    """Its map is half as wide as it is defined, with longitude to the right and latitude upwards."""
    transform = AitoffAxes.AitoffTransform(20)
    rng = np.random.default_rng(1)
    places = np.column_stack([rng.uniform(-179, 179, 50), rng.uniform(-89, 89, 50)])
    expected = np.degrees(transform.transform(np.radians(places))) * [-2, -1]
    np.testing.assert_allclose([aitoff(*place) for place in places], expected, atol=0.01)
    assert aitoff(0, 0) == (0, 0)
    assert aitoff(350, 0)[0] == pytest.approx(10, abs=0.1)
    assert len(graticule()) == 12
