"""A page in a real browser, with hands to use it and an ear for its complaints."""

PLACE = """([n, x, y]) => {
  const box = document.getElementById(`panel-${n}`);
  const view = [...Bokeh.index.query((view) => view.model.type === "Figure")].find((view) => box.contains(view.el));
  const place = view.el.getBoundingClientRect();
  return [place.x + view.frame.x_scale.compute(x), place.y + view.frame.y_scale.compute(y)];
}"""
PANELS = """() => [0, 1, 2, 3].map((n) => {
  const box = document.getElementById(`panel-${n}`);
  const view = [...Bokeh.index.query((view) => view.model.type === "Figure")].find((view) => box.contains(view.el));
  const named = (name) => [...view.model.document._all_models.values()].find((model) => model.name === name);
  const { x_range, y_range } = view.model, frame = view.frame.bbox;
  return { x: [x_range.start, x_range.end], y: [y_range.start, y_range.end], size: [frame.width, frame.height],
    selected: named("stars").selected.indices, marks: named("marks").get_array("id"),
    lines: named("lines").get_length(),
    label: [view.model.below[0].axis_label, view.model.left[0].axis_label] };
})"""
LOOK = f"""() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(
  JSON.stringify([scrollY, document.body.innerText, ({PANELS})()])))))"""


class Watched:
    """A page without a network that keeps what it asked for and complained of."""

    def __init__(self, browser, address, *, width=1366, height=1000, **options):
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
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

    def settle(self, looks=4):
        """Wait until so many looks in a row, a tenth of a second and two drawn frames apart, are the same."""
        seen = []
        while len(seen) < looks or len(set(seen[-looks:])) > 1:
            self.page.wait_for_timeout(100)
            seen.append(self.page.evaluate(LOOK))

    def set_threshold(self, value):
        self.page.fill("#threshold", f"{value:g}")
        self.settle(2)

    def look_at(self, section):
        self.page.evaluate("id => document.getElementById(id).scrollIntoView()", section)
        self.settle(2)

    def place(self, panel, x, y):
        """Where a point of a panel is on the screen."""
        return self.page.evaluate(PLACE, [panel, float(x), float(y)])

    def panels(self):
        """Ranges, selection and marks of each panel."""
        return self.page.evaluate(PANELS)

    def selected(self):
        """What is selected, the same in all panels."""
        first, *others = [panel["selected"] for panel in self.panels()]
        assert others == [first] * 3
        return first

    def drag(self, panel, corner, opposite):
        """Drag from one point of a panel to another."""
        self.page.mouse.move(*self.place(panel, *corner))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(panel, *opposite), steps=4)
        self.page.mouse.up()
        self.settle()

    def mode(self, name):
        self.page.click(f"[data-mode={name}]")

    def saved(self, button):
        """Text of the file that a button saves."""
        with self.page.expect_download() as download:
            self.page.click(button)
        return download.value.path().read_text()

    def look_up(self, text):
        self.page.fill("#ids", text)
        self.page.click("#look-up")
        self.page.locator("#answer-count", has_text=".").wait_for(timeout=600_000)
        return [
            row.locator("th, td").all_inner_texts() for row in self.page.locator("#answers tbody tr").all()
        ]
