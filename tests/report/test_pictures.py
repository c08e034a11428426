"""The pictures of a report: those it opens with, thumbnails, previews of figures."""

import base64
import io
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from plot_sets import VARIANTS
from report_sets import report_sets

from gaia_oc_amd.plot_style import PROBABILITY_COLOURS
from gaia_oc_amd.report.pictures import MOST_IN_THUMBNAIL, as_webp, opening_figure, pictures, thumbnail
from gaia_oc_amd.report.view import probability_palette

ROOM = 1_000_000


@pytest.fixture(scope="module")
def sets():
    return report_sets()


def opened(address):
    kind, content = re.fullmatch(r"data:image/(\w+);base64,(.+)", address).groups()
    with Image.open(io.BytesIO(base64.b64decode(content)), formats=[kind]) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("panel", ["cmd", "sky"])
@pytest.mark.parametrize("variant", ["normal", "not evaluated", "empty", "no photometry"])
def test_a_report_opens_with_a_picture(sets, panel, variant):
    """Ink where there are axes, and in the sets that have stars many more colours than the axes need."""
    pixels = opened(as_webp(opening_figure(VARIANTS[variant](sets), panel, prob_threshold=0.5)))
    assert min(pixels.shape[:2]) > 500
    assert pixels.min() < 60
    coloured = (np.ptp(pixels.astype(int), axis=2) > 60).mean()
    assert (coloured > 0.001) == (variant != "empty")


def test_the_opening_picture_has_the_colours_of_its_caption(sets):
    """Those of the page's ramp, which begins at the threshold, not at 0."""
    ax = opening_figure(sets, "cmd", prob_threshold=0.5).axes[0]
    (stars,) = [part for part in ax.collections if part.get_cmap().name == PROBABILITY_COLOURS]
    drawn = [to_hex(stars.cmap(stars.norm(p))) for p in (0.5, 1.0)]
    assert drawn == probability_palette(9, 0.5)[::8]


def test_the_sky_ends_near_the_members(sets):
    """The field of 3 degrees is cut at three times the radius of the members; no title says so."""
    ax = opening_figure(sets, "sky", prob_threshold=0.9).axes[0]
    assert not ax.get_title()


def test_a_thumbnail_holds_the_most_probable_members(sets):
    paths = thumbnail(sets, prob_threshold=0.5)
    for path in paths.values():
        dots = re.findall(r"M(\d+) (\d+)h0", path)
        assert 50 < len(dots) <= MOST_IN_THUMBNAIL
        assert max(int(value) for dot in dots for value in dot) <= 60
    assert thumbnail(VARIANTS["empty"](sets), prob_threshold=0.5) == {"cmd": "", "sky": ""}


def test_bright_stars_are_at_the_top_of_a_thumbnail_and_east_on_its_left(sets):
    two = sets.members.head(2).assign(phot_g_mean_mag=[10.0, 18.0], g_rp=[0.2, 1.0], PMemb=1.0)
    two = two.assign(ra=[sets.cluster.ra + 0.5, sets.cluster.ra - 0.5], dec=sets.cluster.dec)
    alone = replace(sets, members=two, judged_members=two, candidates=sets.candidates[:0])
    paths = thumbnail(alone, prob_threshold=0.5)
    assert paths["cmd"] == "M0 0h0M60 60h0"
    east, west = re.findall(r"M(\d+) ", paths["sky"])
    assert (int(east), int(west)) == (0, 60)


def test_figures_are_previewed(tmp_path):
    Image.new("RGB", (1400, 700), "white").save(tmp_path / "new_members.png")
    (tmp_path / "comparison.svg").write_text("<svg/>")
    (tmp_path / "venn_diagram.pdf").write_bytes(b"%PDF")
    (tmp_path / "candidates.png").write_bytes(b"\x89PNG no picture")
    found = {picture.name: picture for picture in pictures(tmp_path, room=ROOM)}
    assert opened(found["new_members"].preview).shape == (450, 900, 3)
    assert found["comparison"].preview.startswith("data:image/svg+xml;base64,")
    assert found["comparison"].section == "comparison"
    assert (found["venn_diagram"].preview, found["venn_diagram"].file) == ("", "venn_diagram.pdf")
    assert found["candidates"].preview == ""


def test_previews_take_no_more_room_than_there_is(tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (600, 600, 3), np.uint8)
    for name in ("new_members", "candidates", "density_profile"):
        Image.fromarray(noise).save(tmp_path / f"{name}.png")
    whole = pictures(tmp_path, room=100 * ROOM)
    room = sum(len(picture.preview) for picture in whole[:2])
    some = pictures(tmp_path, room=room)
    assert [bool(picture.preview) for picture in some] == [True, True, False]
    assert all(picture.preview for picture in whole)


def test_a_figure_of_an_earlier_evaluation_is_marked(tmp_path):
    Image.new("RGB", (100, 100)).save(tmp_path / "comparison.png")
    (tmp_path / "candidates.csv").write_text("")
    assert not pictures(tmp_path, room=ROOM)[0].stale
    os.utime(tmp_path / "comparison.png", (1e9, 1e9))
    assert pictures(tmp_path, room=ROOM)[0].stale
