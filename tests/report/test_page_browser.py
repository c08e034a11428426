"""The report in a real browser (Debian's Chromium): slider, selection, search and hover work, nothing is requested."""

import shutil

import numpy as np
import pytest
from report_sets import report_sets

from gaia_oc_amd.report.page import write_index, write_report
from gaia_oc_amd.report.view import shown_stars

playwright = pytest.importorskip(
    "playwright.sync_api", reason="no browser test without playwright: pip install -r requirements-dev.txt"
)
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no browser test without Chromium: apt-get install chromium (as root)"
)

PLACE = """([n, x, y]) => {
  const view = [...Bokeh.index.query((view) => view.model.type === "Figure")][n];
  const box = view.el.getBoundingClientRect();
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)];
}"""
SOURCE = """() => {
  const view = [...Bokeh.index.query((view) => view.model.type === "Figure")][0];
  return [...view.model.document._all_models.values()].find((model) => model.name === "stars").selected.indices;
}"""


@pytest.fixture(scope="module")
def sets():
    return report_sets()


@pytest.fixture(scope="module")
def stars(sets):
    return shown_stars(sets).stars


@pytest.fixture(scope="module")
def folder(tmp_path_factory, sets):
    """A data directory with one report and its index."""
    data = tmp_path_factory.mktemp("data")
    write_report(sets, data)
    write_index(data)
    return data


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page without a network that keeps what it asked for and complained of."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(viewport={"width": 1366, "height": 1000}, **options)
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self.listen)
        self.page.goto(address)

    def listen(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def text(self, selector):
        return self.page.inner_text(selector)

    def candidates(self):
        """The number of all candidates in the table at the slider."""
        return int(self.text("#counts tbody tr:first-child td:nth-child(3)"))

    def rows(self):
        return self.page.locator("#stars-table tbody tr")

    def set_threshold(self, value):
        self.page.fill("#threshold", str(value))
        self.page.wait_for_timeout(100)

    def look_at(self, section):
        self.page.evaluate("id => document.getElementById(id).scrollIntoView()", section)
        self.page.wait_for_timeout(100)

    def place(self, panel, x, y):
        """Where a point of a panel is on the screen."""
        return self.page.evaluate(PLACE, [panel, float(x), float(y)])

    def selected(self):
        return self.page.evaluate(SOURCE)


@pytest.fixture(scope="module")
def opened(browser, folder):
    watched = Watched(browser, (folder / "clusters/Test_1/report.html").as_uri())
    watched.page.wait_for_selector("body[data-ready]", timeout=600_000)
    yield watched
    watched.context.close()


@pytest.fixture
def report(opened):
    """The page with slider, search and selection as at its start; nothing may be wrong with it afterwards."""
    opened.page.fill("#search", "")
    opened.page.set_checked("#only-selected", True)
    if opened.page.is_enabled("#clear"):
        opened.page.click("#clear")
    opened.set_threshold(0.5)
    opened.page.mouse.move(2, 2)
    yield opened
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len([url for url in opened.requests if url.startswith("file:")]) == 1  # the page itself


def test_slider_changes_numbers_and_table(report, sets, stars):
    probability = sets.candidates["PMemb"].to_numpy()
    for threshold in (0.5, 0.9, 0.07, 1.0):
        report.set_threshold(threshold)
        expected = int((probability >= threshold).sum())
        assert report.candidates() == expected
        assert report.text("#threshold-value") == f"{threshold:.2f}"
        assert report.text("#row-count") == f"{int((stars['p'] >= threshold).sum())} stars"


def test_table_at_slider_counts_by_magnitude(report, sets, stars):
    report.set_threshold(0.3)
    chosen = sets.candidates[sets.candidates["PMemb"] >= 0.3]
    row = report.page.locator("#counts tbody tr", has_text="18 – 19").locator("th, td").all_inner_texts()
    inside = chosen["phot_g_mean_mag"].between(18, 19, inclusive="left")
    assert int(row[2]) == inside.sum()
    listed = stars[(stars["p"] >= 0.3) & stars["g"].between(18, 19, inclusive="left")]
    assert row[3] == f"{100 * (1 - listed['p']).mean():.1f} %"


def test_selection_in_one_panel_is_that_of_all(report, sets, stars):
    """A box on the sky chooses the stars that an independent calculation finds in it, members and candidates."""
    report.set_threshold(0.8)
    report.look_at("stars")
    report.page.get_by_title("Box Select").first.click()
    corner, opposite = report.place(0, 0.4, -0.3), report.place(0, -0.3, 0.5)
    report.page.mouse.move(*corner)
    report.page.mouse.down()
    report.page.mouse.move(*opposite, steps=4)
    report.page.mouse.up()
    report.page.wait_for_timeout(200)
    seen = stars["p"] >= 0.8
    x, y = stars["x"], stars["y"]
    surely = seen & x.between(-0.29, 0.39) & y.between(-0.29, 0.49)
    perhaps = seen & x.between(-0.31, 0.41) & y.between(-0.31, 0.51)
    chosen = set(report.selected())
    assert set(np.flatnonzero(surely)) <= chosen <= set(np.flatnonzero(perhaps))
    assert len(chosen) > 10
    assert report.text("#row-count") == f"{len(chosen)} stars"
    assert report.text("#selected-count").startswith(f"{len(chosen)} selected")
    report.page.click("#clear")
    assert report.selected() == []


def test_tap_in_the_diagram_marks_the_row(report, stars):
    """A star that is alone in the colour-magnitude diagram is chosen by a click and stands alone in the table."""
    i = lonely_star(stars, "colour", "g", scales=(0.03, 0.4))
    report.set_threshold(0.01)
    report.look_at("stars")
    report.page.mouse.click(*report.place(3, stars["colour"][i], stars["g"][i]))
    report.page.wait_for_timeout(200)
    assert report.selected() == [i]
    assert report.rows().count() == 1
    assert report.rows().first.locator("th").inner_text() == stars["id"][i]


def lonely_star(stars, x, y, *, scales):
    """Index of the star whose nearest neighbour is farthest away."""
    places = np.column_stack([stars[x] / scales[0], stars[y] / scales[1]])
    inside = (stars["g"] > stars["g"].quantile(0.1)) & (stars["g"] < stars["g"].quantile(0.9))
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(stars))
    return int(np.argmax(np.where(inside, distance.min(axis=1), -1)))


def test_hover_tells_every_digit(report, stars):
    i = lonely_star(stars, "colour", "g", scales=(0.03, 0.4))
    report.set_threshold(0.01)
    report.look_at("stars")
    x, y = report.place(3, stars["colour"][i], stars["g"][i])
    report.page.mouse.move(x - 30, y)
    report.page.mouse.move(x, y, steps=3)
    for text in (stars["id"][i], f"{stars['g'][i]:.3f} mag", stars["kind"][i]):
        report.page.locator(".bk-Tooltip").get_by_text(text, exact=True).first.wait_for(timeout=600_000)


def test_search_finds_one_of_two_neighbours(report, stars):
    """Identifiers that are equal as floating-point numbers are two stars."""
    wanted, neighbour = stars["id"][3], stars["id"][4]
    assert wanted != neighbour
    assert float(wanted) == float(neighbour)
    report.page.fill("#search", wanted)
    assert report.rows().count() == 1
    assert report.rows().first.locator("th").inner_text() == wanted
    links = report.rows().first.locator("a").evaluate_all("all => all.map((a) => a.href)")
    assert all(wanted in link for link in links[:2])
    report.page.fill("#search", "no such star")
    assert report.rows().count() == 0


def test_rows_are_sorted_and_turned_over(report, stars):
    report.page.get_by_role("button", name="G", exact=True).click()
    shown = [
        float(text) for text in report.page.locator("#stars-table tbody td:nth-child(4)").all_inner_texts()
    ]
    seen = stars[stars["p"] >= 0.5]
    np.testing.assert_allclose(shown, np.sort(seen["g"])[: len(shown)], atol=6e-4)
    report.page.click("#next")
    assert report.text("#page").startswith("page 2 of")


def test_rows_are_saved_with_every_digit(report, sets, stars, tmp_path):
    report.set_threshold(0.8)
    with report.page.expect_download() as download:
        report.page.click("#download")
    lines = download.value.path().read_text().splitlines()
    seen = stars[stars["p"] >= 0.8]
    assert sorted(line.split(",")[0] for line in lines[1:]) == sorted(seen["id"])
    assert lines[0].startswith("source_id,kind,PMemb")


def test_index_leads_to_the_report_in_the_dark(browser, folder):
    watched = Watched(browser, (folder / "index.html").as_uri(), color_scheme="dark")
    background = watched.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(20, 24, 29)"
    watched.page.fill("#search", "nothing of that name")
    assert watched.text("#row-count") == "0 of 1"
    watched.page.fill("#search", "test")
    watched.page.click("#clusters tbody a")
    watched.page.wait_for_selector("body[data-ready]", timeout=600_000)
    assert watched.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in watched.requests)
    watched.context.close()
