"""The report in a real browser (Debian's Chromium): all that can be done with it, and that nothing is requested."""

import io
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from plot_sets import VARIANTS
from report_sets import FIRST_ID, report_sets
from watched_page import Watched

from gaia_oc_amd.report import write_index
from gaia_oc_amd.report.page import write_report
from gaia_oc_amd.report.pictures import opening_figure
from gaia_oc_amd.report.stars import cone_with_reasons, shown_stars

playwright = pytest.importorskip(
    "playwright.sync_api", reason="no browser test without playwright: pip install -r requirements-dev.txt"
)
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no browser test without Chromium: apt-get install chromium (as root)"
)

CMD, SKY, MOTION, PARALLAX = range(4)


@pytest.fixture(scope="module")
def sets():
    return report_sets()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, sets):
    """A data directory with one report and its index."""
    data = tmp_path_factory.mktemp("data")
    (data / "clusters" / "Test_1").mkdir(parents=True)
    opening_figure(sets, "motion", prob_threshold=0.5).savefig(data / "clusters/Test_1/comparison.png")
    write_report(sets, data)
    write_index(data)
    return data


@pytest.fixture(scope="module")
def cone(sets, folder):
    return cone_with_reasons(sets, folder / "clusters" / "Test_1", 0.5)


@pytest.fixture(scope="module")
def stars(sets, cone):
    return shown_stars(sets, cone).stars


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(browser, folder):
    watched = Watched(browser, (folder / "clusters/Test_1/report.html").as_uri())
    watched.page.wait_for_selector("body[data-ready]", timeout=600_000)
    yield watched
    watched.context.close()


@pytest.fixture
def report(opened):
    """The page with slider, search, selection and panels as at its start; nothing may be wrong with it afterwards."""
    opened.page.fill("#search", "")
    opened.page.set_checked("#only-selected", True)
    opened.page.keyboard.press("Escape")
    opened.set_threshold(0.5)
    opened.page.click("#reset")
    opened.mode("point")
    for box in opened.page.locator("#subsets input:checked").all():
        box.uncheck()
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
    report.mode("box")
    report.drag(SKY, (0.4, -0.3), (-0.3, 0.5))
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


@pytest.mark.parametrize("panel", [CMD, SKY, MOTION, PARALLAX])
def test_one_zoom_tool_works_in_every_panel(report, panel):
    """A box that is drawn becomes the range; sky and proper motion keep the same scale on both axes."""
    report.look_at("stars")
    report.mode("zoom")
    before = report.panels()
    (left, right), (bottom, top) = before[panel]["x"], before[panel]["y"]
    corner = (left + 0.3 * (right - left), bottom + 0.3 * (top - bottom))
    opposite = (left + 0.5 * (right - left), bottom + 0.6 * (top - bottom))
    report.drag(panel, corner, opposite)
    after = report.panels()
    for name, k in (("x", 0), ("y", 1)):
        zoomed, whole = after[panel][name], before[panel][name]
        assert abs(zoomed[1] - zoomed[0]) < 0.65 * abs(whole[1] - whole[0])
        assert min(zoomed) <= min(corner[k], opposite[k]) + 0.02 * abs(whole[1] - whole[0])
        assert max(zoomed) >= max(corner[k], opposite[k]) - 0.02 * abs(whole[1] - whole[0])
    for other in {CMD, SKY, MOTION, PARALLAX} - {panel}:
        assert after[other]["x"] == before[other]["x"]
    for equal in (SKY, MOTION):
        scales = [
            abs(after[equal][name][1] - after[equal][name][0]) / size
            for name, size in zip("xy", after[equal]["size"], strict=True)
        ]
        assert scales[0] == pytest.approx(scales[1], rel=0.03)  # a few pixels of the axes' labels
    report.page.click("#reset")
    assert report.panels()[panel]["x"] == pytest.approx(
        before[panel]["x"], rel=0.03
    )  # the frame may have grown


def test_the_wheel_scrolls_the_page_unless_zoom_is_chosen(report):
    report.look_at("stars")
    before = report.panels()[CMD]["x"]
    report.page.mouse.move(*report.place(CMD, np.mean(before), np.mean(report.panels()[CMD]["y"])))
    report.page.mouse.wheel(0, 100)
    report.settle()
    assert report.panels()[CMD]["x"] == before
    report.look_at("stars")
    report.mode("zoom")
    report.page.mouse.move(*report.place(CMD, np.mean(before), np.mean(report.panels()[CMD]["y"])))
    report.page.mouse.wheel(0, -200)
    report.settle()
    after = report.panels()[CMD]["x"]
    assert abs(after[1] - after[0]) < abs(before[1] - before[0])


def test_all_panels_zoom_to_the_selection(report, stars):
    report.page.get_by_role("button", name="select training members", exact=True).click()
    report.page.click("#zoom-selection")
    chosen = stars[(stars["kind"] == "training member") & (stars["p"] >= 0.5)]
    for panel, (x, y) in zip(report.panels(), (("g_rp", "g"), ("x", "y")), strict=False):
        for name, column in (("x", x), ("y", y)):
            assert min(panel[name]) <= chosen[column].min()
            assert max(panel[name]) >= chosen[column].max()
    assert max(report.panels()[SKY]["x"]) < 1.0  # candidates reach 3 degrees


def test_any_two_columns_make_a_panel(report, stars):
    """Axes, lines and ranges follow the choice; a pair that is turned round keeps its lines."""
    assert report.panels()[CMD]["y"][0] > report.panels()[CMD]["y"][1]  # bright stars at the top
    assert report.panels()[PARALLAX]["x"][0] < report.panels()[PARALLAX]["x"][1]  # and on the left
    report.page.select_option("#x-0", "r")
    report.page.select_option("#y-0", "p")
    panel = report.panels()[CMD]
    assert panel["label"] == ["projected radius [pc]", "membership probability"]
    assert panel["lines"] == 0
    assert panel["y"] == [-0.03, 1.03]
    report.set_threshold(0.01)
    report.look_at("stars")
    i = lonely_star(stars[stars["r"] < 25].reset_index(drop=True), "r", "p", scales=(1.0, 0.05))
    star = stars[stars["r"] < 25].iloc[i]
    report.page.mouse.click(*report.place(CMD, star["r"], star["p"]))
    report.settle()
    assert [stars["id"][k] for k in report.selected()] == [star["id"]]
    report.page.select_option("#x-0", "parallax")
    report.page.select_option("#y-0", "g")
    assert report.panels()[CMD]["lines"] == 2
    report.page.select_option("#x-0", "g_rp")
    assert report.panels()[CMD]["label"] == ["G − G_RP [mag]", "G [mag]"]


def test_keys_move_and_zoom_the_panel_in_focus(report):
    before = report.panels()[PARALLAX]
    report.page.focus("#panel-3")
    report.page.keyboard.press("+")
    zoomed = report.panels()[PARALLAX]
    assert abs(zoomed["y"][1] - zoomed["y"][0]) == pytest.approx(abs(before["y"][1] - before["y"][0]) / 1.4)
    report.page.keyboard.press("ArrowUp")
    moved = report.panels()[PARALLAX]
    assert moved["y"][0] > zoomed["y"][0]
    report.page.keyboard.press("0")
    assert report.panels()[PARALLAX]["y"] == before["y"]


def test_a_selection_is_kept_by_name_and_ringed(report, stars, browser, folder):
    """It stays in this browser: the page knows it when it is opened again."""
    report.page.get_by_role("button", name="select in T22, not ours", exact=True).click()
    missed = stars[stars["listed"] & ~(stars["p"] >= 0.5)]
    assert sorted(stars["id"][i] for i in report.selected()) == sorted(missed["id"])
    report.page.fill("#subset-name", "missed & <b>odd</b>")
    report.page.click("#keep-subset")
    entry = report.page.locator("#subsets li", has_text="missed & <b>odd</b>")
    assert f"({len(missed)})" in entry.inner_text()
    for panel in report.panels():
        assert sorted(panel["marks"]) == sorted(missed["id"])
    assert "missed & <b>odd</b>" in report.saved("#save-csv").splitlines()[1]
    again = report.context.new_page()
    again.goto((folder / "clusters/Test_1/report.html").as_uri())
    again.wait_for_selector("body[data-ready]", timeout=600_000)
    assert again.locator("#subsets li", has_text="missed & <b>odd</b>").count() == 1
    again.close()
    report.page.get_by_role("button", name="forget missed & <b>odd</b>", exact=True).click()
    assert all(panel["marks"] == [] for panel in report.panels())


def test_a_pasted_list_of_identifiers_is_marked(report, cone, stars):
    """Whatever stands between them; what is not drawn is said with its reason."""
    drawn = stars["id"].iloc[[5, 40, 300]].tolist()
    hidden = cone[(cone["group"] == "non-member") & ~cone["source_id"].astype(str).isin(stars["id"])].iloc[7]
    pasted = f"Gaia DR3 {drawn[0]}, {drawn[1]};{hidden['source_id']}\n{drawn[2]} 1.25 123456789012345678 {drawn[0]}"
    answers = report.look_up(pasted)
    assert report.text("#answer-count").startswith("5 source_ids: 3 marked; 1 in the cone")
    assert "1 not in the cone" in report.text("#answer-count")
    for panel in report.panels():
        assert sorted(panel["marks"]) == sorted(drawn)
    by_id = dict(answers)
    assert by_id[str(hidden["source_id"])] == f"non-member: {hidden['reason']}"
    assert by_id["123456789012345678"] == "not among the sources of the cone"


def test_any_star_of_the_cone_is_looked_up(report, cone):
    """The first, the last, and some in between: each has the reason that the sets give it."""
    some = cone.iloc[[0, 149, 150, 400, 549, 550, 1000, 1549]]
    answers = dict(report.look_up("\n".join(some["source_id"].astype(str))))
    for identifier, verdict, reason in some[["source_id", "verdict", "reason"]].to_numpy():
        answer = answers.pop(str(identifier))
        assert answer.endswith(reason)
        assert verdict in answer or answer.startswith("training member with p")
    assert answers == {}
    assert report.look_up("no identifier at all") == []
    assert report.text("#answer-count") == "There is no source_id in the text."


def test_tap_in_the_diagram_marks_the_row(report, stars):
    """A star that is alone in the colour-magnitude diagram is chosen by a click and stands alone in the table."""
    i = lonely_star(stars, "g_rp", "g", scales=(0.03, 0.4))
    report.set_threshold(0.01)
    report.look_at("stars")
    report.page.mouse.click(*report.place(CMD, stars["g_rp"][i], stars["g"][i]))
    report.settle()
    assert report.selected() == [i]
    assert report.rows().count() == 1
    assert report.rows().first.locator("th").inner_text() == stars["id"][i]


def lonely_star(stars, x, y, *, scales):
    """Index of the star whose nearest neighbour is farthest away."""
    places = np.column_stack([stars[x] / scales[0], stars[y] / scales[1]])
    inside = (
        (stars["g"] > stars["g"].quantile(0.1))
        & (stars["g"] < stars["g"].quantile(0.9))
        & (stars["p"] > 0.02)
    )
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(stars))
    return int(np.argmax(np.where(inside, distance.min(axis=1), -1)))


def test_hover_tells_every_digit(report, stars):
    i = lonely_star(stars, "g_rp", "g", scales=(0.03, 0.4))
    report.set_threshold(0.01)
    report.look_at("stars")
    x, y = report.place(CMD, stars["g_rp"][i], stars["g"][i])
    report.page.mouse.move(x - 30, y)
    report.page.mouse.move(x, y, steps=3)
    for text in (stars["id"][i], f"{stars['g'][i]:.3f} mag", stars["kind"][i]):
        report.page.locator(".bk-Tooltip").get_by_text(text, exact=True).first.wait_for(timeout=600_000)


def test_search_finds_one_of_two_neighbours(report, stars):
    """Identifiers that are equal as floating-point numbers are two stars."""
    wanted, neighbour = (str(FIRST_ID + i) for i in (3, 4))
    assert {wanted, neighbour} <= set(stars["id"])
    assert float(wanted) == float(neighbour)
    report.page.fill("#search", wanted)
    assert report.rows().count() == 1
    assert report.rows().first.locator("th").inner_text() == wanted
    links = report.rows().first.locator("a").evaluate_all("all => all.map((a) => a.href)")
    assert all(wanted in link for link in links[:2])
    report.page.fill("#search", "no such star")
    assert report.rows().count() == 0


def test_rows_stand_by_probability_and_are_sorted_and_turned_over(report, stars):
    seen = stars[stars["p"] >= 0.5].iloc[::-1]
    column = report.page.locator("#stars-table tbody td:nth-child(4)")
    first = [float(text) for text in column.all_inner_texts()]
    np.testing.assert_allclose(first, seen["p"][:25], atol=6e-4)
    report.page.get_by_role("button", name="G", exact=True).click()
    shown = [
        float(text) for text in report.page.locator("#stars-table tbody td:nth-child(5)").all_inner_texts()
    ]
    np.testing.assert_allclose(shown, np.sort(seen["g"])[: len(shown)], atol=6e-3)
    report.page.click("#next")
    assert report.text("#page").startswith("page 2 of")
    report.page.get_by_role("button", name="p", exact=True).click()


def test_numbers_of_the_table_are_rounded_to_their_errors(report, stars):
    star = stars[stars["p"] >= 0.5].iloc[-1]
    cells = report.rows().first.locator("td").all_inner_texts()
    assert f"{star['parallax']:.3f} ± 0.020" in cells
    assert f"{star['pmra']:.3f} ± 0.020" in cells
    assert f"{star['bp_rp']:.2f}" in cells


def test_a_row_is_chosen_by_its_box_and_by_the_keyboard(report, stars):
    report.page.locator("#stars-table tbody input").nth(2).focus()
    report.page.keyboard.press("Space")
    assert [stars["id"][i] for i in report.selected()] == [stars["id"].iloc[-3]]
    report.page.keyboard.press("Escape")
    assert report.selected() == []


def test_a_selection_is_saved_as_csv_and_adql(report, stars):
    """Every digit of the identifiers, values of the sets, and a query that names just these stars."""
    report.set_threshold(0.8)
    report.page.get_by_role("button", name="select ours, not in T22", exact=True).click()
    seen = stars[(stars["p"] >= 0.8) & ~stars["listed"]].set_index("id")
    table = pd.read_csv(io.StringIO(report.saved("#save-csv")), dtype={"source_id": str}).set_index(
        "source_id"
    )
    assert sorted(table.index) == sorted(seen.index)
    for ours, name in (("parallax", "parallax"), ("g", "phot_g_mean_mag"), ("r", "f_r"), ("p", "PMemb")):
        np.testing.assert_allclose(table.loc[seen.index, name], seen[ours], atol=6e-4)
    assert (table.loc[seen.index, "reason"] == seen["reason"]).all()
    query = report.saved("#save-adql")
    assert query.startswith("SELECT *\nFROM gaiadr3.gaia_source\nWHERE source_id IN (")
    inside = query.partition("IN (")[2].partition(")")[0]
    assert sorted(word.strip() for word in inside.split(",")) == sorted(seen.index)


def test_rows_of_the_table_are_saved_with_every_digit(report, stars):
    report.set_threshold(0.8)
    lines = report.saved("#save-rows").splitlines()
    assert sorted(line.split(",")[0] for line in lines[1:]) == sorted(stars.loc[stars["p"] >= 0.8, "id"])
    assert lines[0].startswith("source_id,kind,PMemb")


PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def phone(browser, folder):
    watched = Watched(browser, (folder / "clusters/Test_1/report.html").as_uri(), **PHONE)
    watched.page.wait_for_selector("body[data-ready]", timeout=600_000)
    yield watched
    assert watched.complaints == []
    watched.context.close()


def test_a_phone_shows_panels_below_each_other_and_scrolls_one_way(phone):
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390
    boxes = [phone.page.locator(f"#panel-{n}").bounding_box() for n in range(4)]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    assert all(box["width"] > 300 for box in boxes)
    tops = [box["y"] for box in boxes]
    assert np.diff(tops).min() > 300
    pictures = [box.bounding_box() for box in phone.page.locator("#opening img").all()]
    assert pictures[1]["y"] > pictures[0]["y"] + 300
    assert pictures[0]["y"] + pictures[0]["height"] < 844  # the diagram is on the first screen


def test_a_finger_that_moves_over_a_panel_scrolls_the_page(phone):
    assert phone.page.get_attribute("[data-mode=point]", "aria-pressed") == "true"
    touched = phone.page.evaluate(
        """() => [...Bokeh.index.query((view) => view.model.type === "Figure")].map((view) =>
             getComputedStyle(view.canvas_view.events_el).touchAction)"""
    )
    assert all(action in ("pan-y", "auto", "manipulation") for action in touched)


def test_a_desktop_shows_diagram_and_sky_on_its_first_screen(browser, folder):
    watched = Watched(browser, (folder / "clusters/Test_1/report.html").as_uri(), width=1280, height=800)
    cmd, sky = (box.bounding_box() for box in watched.page.locator("#opening img").all())
    for box in (cmd, sky):
        assert box["y"] + box["height"] <= 800
    assert sky["x"] >= cmd["x"] + cmd["width"]
    watched.context.close()


def test_figures_are_dark_in_the_dark(browser, folder):
    """The middle of a panel's margin, and of the pictures' white paper, is as dark as the page."""
    watched = Watched(browser, (folder / "clusters/Test_1/report.html").as_uri(), color_scheme="dark")
    watched.page.wait_for_selector("body[data-ready]", timeout=600_000)
    watched.settle()
    for selector in ("#opening img", "#panel-1", "#figure-comparison img"):
        shot = watched.page.locator(selector).first.screenshot()
        pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("L"))
        assert np.median(pixels) < 60
        assert pixels.max() > 150  # and something is drawn on it
    watched.context.close()


def test_index_leads_to_the_report_in_the_dark(browser, folder):
    watched = Watched(browser, (folder / "index.html").as_uri(), color_scheme="dark")
    background = watched.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(23, 23, 23)"
    watched.page.fill("#search", "nothing of that name")
    assert watched.text("#row-count") == "0 of 1"
    watched.page.fill("#search", "test")
    watched.page.click(".map a")
    watched.page.wait_for_selector("body[data-ready]", timeout=600_000)
    watched.page.click(".back a")
    watched.page.wait_for_selector("#clusters tbody a")
    assert watched.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in watched.requests)
    watched.context.close()


@pytest.mark.parametrize(
    "variant", ["empty", "one row", "not evaluated", "no comparison", "no photometry", "other colour"]
)
def test_odd_sets_have_a_page_without_complaints(browser, sets, tmp_path, variant):
    odd = VARIANTS[variant](sets)
    watched = Watched(browser, write_report(odd, tmp_path).as_uri())
    watched.page.wait_for_selector("body[data-ready]", timeout=600_000)
    assert watched.text("#threshold-value") == "0.50"
    assert watched.page.locator("#subsets li").count() == (2 if variant in ("empty", "no comparison") else 5)
    anyone = str(sets.non_members["source_id"].iloc[0])
    answer = dict(watched.look_up(anyone))[anyone]
    assert answer.startswith("non-member: ") == (variant not in ("empty",))
    assert watched.complaints == []
    watched.context.close()
