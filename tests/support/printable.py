"""Whether a figure can be printed: what the tests of all figures ask."""

from itertools import combinations

from matplotlib.text import Text

SMALLEST_TYPE = 6.0  # pt
TOUCH = 2.0  # pixels by which boxes may overlap


def labels_around(figure):
    """Boxes of all that stands around the panels: titles, legends, axis labels."""
    boxes = {"title": figure._suptitle} if figure.get_suptitle() else {}
    boxes |= {f"legend {i}": legend for i, legend in enumerate(figure.legends)}
    for i, ax in enumerate(figure.axes):
        if ax.axison:
            boxes |= {f"x label {i}": ax.xaxis.label, f"y label {i}": ax.yaxis.label}
        boxes |= {f"panel title {i}": ax.title}
        if ax.get_legend():
            boxes[f"panel legend {i}"] = ax.get_legend()
    extents = {name: artist.get_window_extent() for name, artist in boxes.items()}
    return {name: box for name, box in extents.items() if box.width > 0}


def assert_printable(figure):
    """Type is large enough, and no title, legend or label lies over another, over a panel or beyond the edge."""
    figure.draw_without_rendering()
    written = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert min(text.get_fontsize() for text in written) >= SMALLEST_TYPE
    boxes = labels_around(figure)
    for name, box in boxes.items():
        assert min(box.x0, box.y0) > -TOUCH, name
        assert max(box.x1 - figure.bbox.x1, box.y1 - figure.bbox.y1) < TOUCH, name
        for ax in figure.axes:
            assert not overlap(box, ax.bbox), (name, ax.get_xlabel())
    for (one, first), (two, second) in combinations(boxes.items(), 2):
        assert not overlap(first, second), (one, two)


def overlap(one, two):
    """Whether two boxes share more than they may."""
    across = min(one.x1, two.x1) - max(one.x0, two.x0)
    down = min(one.y1, two.y1) - max(one.y0, two.y0)
    return across > TOUCH and down > TOUCH
