// The four panels: any pair of columns on their axes, one selection, one tool for all.
const panels = [];
const TOOLS = { point: null, move: "PanTool", zoom: "BoxZoomTool", box: "BoxSelectTool", lasso: "LassoSelectTool" };
const axisOf = Object.fromEntries(settings.axes.map((axis) => [axis.name, axis]));
const STEP = 0.1, FACTOR = 1.4;

async function makePanels() {
  const text = element("panel-item").textContent;
  // each panel is a document of its own, with names of its own
  const managers = await Promise.all(settings.panels.map((_, n) =>
    Bokeh.embed.embed_item(JSON.parse(text.replace(/"m(\d+)"/g, `"p${n}m$1"`)), `panel-${n}`)));
  for (const [n, manager] of managers.entries()) {
    const view = manager.get_by_id ? [...manager][0] : manager, models = [...view.model.document._all_models.values()];
    const named = (name) => models.filter((model) => model.name === name);
    const panel = { n, view, model: view.model, models, named, box: element(`panel-${n}`), stars: named("stars")[0] };
    panels.push(panel);
    listenToPanel(panel);
    setAxes(panel, ...settings.panels[n]); // while there are no stars that this would move
  }
  setMode(matchMedia("(pointer: coarse)").matches ? "point" : "zoom");
  filterStars();
  for (const panel of panels) {
    panel.stars.data = Object.fromEntries(Object.keys(panel.stars.data).map((name) => [name, stars[name]]));
    panel.named("field stars")[0].data = field;
    for (const range of [panel.model.x_range, panel.model.y_range]) range.change.connect(() => equaliseSoon(panel));
    panel.stars.selected.properties.indices.change.connect(() => select(panel.stars.selected.indices));
  }
}

function listenToPanel(panel) {
  for (const [end, select] of Object.entries({ x: element(`x-${panel.n}`), y: element(`y-${panel.n}`) })) {
    select.replaceChildren(...settings.axes.map((axis) => new Option(axis.label, axis.name)));
    select.addEventListener("change", () => setAxes(panel, ...(end === "x" ? [select.value, panel.y] : [panel.x, select.value])));
  }
  panel.box.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) transform(panel, 1, moves[event.key]);
    else if (event.key === "+" || event.key === "=") transform(panel, 1 / FACTOR);
    else if (event.key === "-") transform(panel, FACTOR);
    else if (event.key === "0") resetRanges(panel);
    else return;
    event.preventDefault();
  });
}

function setAxes(panel, x, y) {
  Object.assign(panel, { x, y });
  element(`x-${panel.n}`).value = x;
  element(`y-${panel.n}`).value = y;
  for (const name of ["field", "members", "candidates", "rings"]) {
    for (const renderer of panel.models.filter((model) => model.name === name && model.type === "GlyphRenderer")) {
      const kinds = ["nonselection_glyph", "selection_glyph", "hover_glyph", "muted_glyph", "glyph"];
      for (const glyph of new Set(kinds.map((kind) => renderer[kind]))) {
        if (glyph?.setv) glyph.setv({ x: { field: x }, y: { field: y } });
      }
    }
  }
  panel.named("lines")[0].data = linesOf(x, y);
  panel.model.below[0].axis_label = axisOf[x].label;
  panel.model.left[0].axis_label = axisOf[y].label;
  panel.box.setAttribute("aria-label", `${axisOf[y].label} against ${axisOf[x].label}`);
  resetRanges(panel);
}

function linesOf(x, y) {
  const straight = settings.lines[`${x} ${y}`], swapped = settings.lines[`${y} ${x}`];
  const broken = (lines) => lines.map((line) => Float64Array.from(line, (value) => value ?? NaN));
  if (straight) return { xs: broken(straight.xs), ys: broken(straight.ys), dash: straight.dash };
  if (swapped) return { xs: broken(swapped.ys), ys: broken(swapped.xs), dash: swapped.dash };
  return { xs: [], ys: [], dash: [] };
}

function setRanges(panel, [left, right], [bottom, top]) {
  panel.model.x_range.setv({ start: left, end: right });
  panel.model.y_range.setv({ start: bottom, end: top });
  equalise(panel);
}

// the range of an axis at the start; bright stars are at the top and, as in the figures, on the left
const startOf = (name, isAcross) => (name === "g" && isAcross ? [...axisOf[name].range].reverse() : axisOf[name].range);

const resetRanges = (panel) => setRanges(panel, startOf(panel.x, true), startOf(panel.y, false));

// stretch the ranges about their middles, and move them by shares of their widths
function transform(panel, factor, [right, up] = [0, 0]) {
  const moved = (range, share) => {
    const half = (factor * (range.end - range.start)) / 2, middle = (range.start + range.end) / 2 + 2 * share * half;
    return [middle - half, middle + half];
  };
  setRanges(panel, moved(panel.model.x_range, right), moved(panel.model.y_range, up));
}

// the ranges of all panels that hold the selected stars
function zoomToSelection() {
  if (!state.selected.length) return;
  const holding = (name, isAcross) => {
    const values = state.selected.map((i) => stars[name][i]).filter(Number.isFinite);
    const whole = startOf(name, isAcross);
    if (!values.length) return whole;
    const low = Math.min(...values), high = Math.max(...values);
    const margin = Math.max(0.08 * (high - low), 0.01 * Math.abs(whole[1] - whole[0]));
    return whole[0] < whole[1] ? [low - margin, high + margin] : [high + margin, low - margin];
  };
  for (const panel of panels) setRanges(panel, holding(panel.x, true), holding(panel.y, false));
}

// sky and proper motion have the same scale on both axes, whatever box was zoomed to
function equalise(panel) {
  const frame = panel.view.frame?.bbox, { x_range, y_range } = panel.model;
  const isEqual = settings.equal.some((pair) => pair.includes(panel.x) && pair.includes(panel.y) && panel.x !== panel.y);
  if (!isEqual || !frame?.width || !frame?.height) return;
  const x = (x_range.end - x_range.start) / frame.width, y = (y_range.end - y_range.start) / frame.height;
  const scale = Math.max(Math.abs(x), Math.abs(y));
  for (const [range, own] of [[x_range, x], [y_range, y]]) {
    if (Math.abs(own) > 0.999 * scale) continue;
    const middle = (range.start + range.end) / 2, half = ((range.end - range.start) / 2) * (scale / Math.abs(own));
    range.setv({ start: middle - half, end: middle + half });
  }
}

function equaliseSoon(panel) {
  panel.waiting ??= requestAnimationFrame(() => { panel.waiting = null; equalise(panel); });
}

function setMode(mode) {
  for (const button of document.querySelectorAll("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  for (const panel of panels) {
    for (const tool of panel.models.filter((model) => Object.values(TOOLS).includes(model.type))) {
      tool.active = tool.type === TOOLS[mode];
    }
    for (const tool of panel.models.filter((model) => model.type === "WheelZoomTool")) tool.active = mode === "zoom";
    panel.box.dataset.mode = mode;
  }
}

let selecting = false;

// the selection of one panel is that of all, and of the table
function select(indices) {
  if (selecting) return;
  selecting = true;
  state.selected = [...indices];
  for (const panel of panels) panel.stars.selected.indices = state.selected;
  selecting = false;
  showSelection();
}

function filterStars() {
  const chosen = everyStar().map(likely);
  for (const panel of panels) {
    panel.named("threshold")[0].booleans = chosen.map((is, i) => is && !stars.isMember[i]);
    panel.named("threshold of members")[0].booleans = chosen.map((is, i) => is && stars.isMember[i]);
  }
}

// rings around the stars of marked subsets
function ringStars(marked) {
  const indices = [...marked.keys()];
  if (!indices.length && !panels[0].named("marks")[0].get_length()) return;
  for (const panel of panels) {
    const source = panel.named("marks")[0];
    source.data = Object.fromEntries(Object.keys(source.data).map((name) => [name,
      name === "mark" ? [...marked.values()] : indices.map((i) => stars[name][i])]));
  }
}

function showLayer(name, isVisible) {
  for (const panel of panels) for (const renderer of panel.named(name)) if (renderer.type === "GlyphRenderer") renderer.visible = isVisible;
}
