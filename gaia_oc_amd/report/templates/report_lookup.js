// Named subsets of the stars, and what became of any star of the cone.
const COLOURS = ["#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#e377c2", "#8c564b"];
const STORE = `gaia_oc_amd subsets of ${settings.name}`;
const MOST_ANSWERS = 200;
const subsets = [];

// subsets that every report has: their stars are chosen anew when the slider moves
const presets = {
  "training members": (i) => likely(i) && stars.isMember[i],
  "new members": (i) => likely(i) && stars.new[i],
  ...(settings.comparison ? {
    [`in ${settings.comparison}`]: (i) => stars.listed[i],
    [`in ${settings.comparison}, not ours`]: (i) => stars.listed[i] && !likely(i),
    [`ours, not in ${settings.comparison}`]: (i) => likely(i) && !stars.listed[i],
  } : {}),
};

const starsOf = (subset) => (subset.preset ? everyStar().filter(subset.preset) : subset.indices);
const subsetsOf = (i) => subsets.filter((subset) => !subset.preset && subset.indices.includes(i)).map((subset) => subset.name);

function addSubset(name, indices, { preset = null, isMarked = true } = {}) {
  const taken = subsets.findIndex((subset) => subset.name === name && !subset.preset);
  const colour = COLOURS[(taken < 0 ? subsets.length : taken) % COLOURS.length];
  const subset = { name, indices: [...indices], preset, isMarked, colour };
  if (taken < 0) subsets.push(subset);
  else subsets[taken] = subset;
}

// what was named stays in this browser; a browser that keeps nothing is no failure
function keepSubsets() {
  const own = subsets.filter((subset) => !subset.preset).map(({ name, indices }) => ({ name, ids: indices.map((i) => stars.id[i]) }));
  try {
    if (own.length) localStorage.setItem(STORE, JSON.stringify(own));
    else localStorage.removeItem(STORE);
  } catch { /* private window */ }
}

function recallSubsets() {
  let kept = [];
  try {
    kept = JSON.parse(localStorage.getItem(STORE) ?? "[]");
  } catch { /* private window, or not ours */ }
  for (const [name, preset] of Object.entries(presets)) addSubset(name, [], { preset, isMarked: false });
  for (const { name, ids } of Array.isArray(kept) ? kept : []) {
    const indices = (Array.isArray(ids) ? ids : []).map((id) => stars.place.get(id)).filter((i) => i !== undefined);
    if (indices.length) addSubset(String(name), indices, { isMarked: false });
  }
}

function showSubsets() {
  element("subsets").replaceChildren(...subsets.map((subset) => {
    const line = document.createElement("li"), label = document.createElement("label"), number = starsOf(subset).length;
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: subset.isMarked });
    box.addEventListener("change", () => { subset.isMarked = box.checked; ringSubsets(); });
    const swatch = Object.assign(document.createElement("span"), { className: "ring" });
    swatch.style.borderColor = subset.colour;
    label.append(box, swatch, ` ${subset.name} (${whole.format(number)})`);
    line.append(label, button("select", `select ${subset.name}`, () => select(starsOf(subset)), number === 0));
    if (!subset.preset) {
      line.append(button("×", `forget ${subset.name}`, () => {
        subsets.splice(subsets.indexOf(subset), 1);
        keepSubsets();
        showSubsets();
      }));
    }
    return line;
  }));
  ringSubsets();
}

function button(text, label, action, disabled = false) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, ariaLabel: label, disabled });
  made.addEventListener("click", action);
  return made;
}

function ringSubsets() {
  const marked = new Map();
  for (const subset of subsets.filter((each) => each.isMarked)) for (const i of starsOf(subset)) marked.set(i, subset.colour);
  ringStars(marked);
}

function nameSelection() {
  const name = element("subset-name").value.trim() || `subset ${1 + subsets.filter((subset) => !subset.preset).length}`;
  addSubset(name, state.selected);
  element("subset-name").value = "";
  keepSubsets();
  showSubsets();
}

// whatever stands between the identifiers of a pasted list
const identifiersIn = (text) => [...new Set(text.match(/(?<![\d.])\d{5,19}(?![\d.])/g) ?? [])];

async function lookUp() {
  element("answer-count").textContent = "";
  const ids = identifiersIn(element("ids").value), reasons = await reasonsOf(ids);
  const shown = ids.filter((id) => stars.place.has(id)), absent = ids.filter((_, k) => reasons[k] === null).length;
  const inCone = ids.length - absent - shown.length;
  element("answer-count").textContent = ids.length === 0 ? "There is no source_id in the text." : [
    `${whole.format(ids.length)} ${ids.length === 1 ? "source_id" : "source_ids"}: ${whole.format(shown.length)} marked`,
    inCone ? `${whole.format(inCone)} in the cone, too improbable to be drawn` : "",
    absent ? `${whole.format(absent)} not in the cone` : "",
  ].filter(Boolean).join("; ") + ".";
  fill(element("answers").tBodies[0], ids.slice(0, MOST_ANSWERS).map((id, k) => [id, reasons[k] ?? "not among the sources of the cone"]));
  element("answers").hidden = ids.length === 0;
  if (shown.length) {
    addSubset("looked up", shown.map((id) => stars.place.get(id)));
    keepSubsets();
  }
  showSubsets();
}
