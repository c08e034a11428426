// The page: what its controls do.
function showSelection() {
  const number = state.selected.length, members = state.selected.filter((i) => stars.isMember[i]).length;
  for (const id of ["clear", "save-csv", "save-adql", "copy-adql", "keep-subset", "zoom-selection"]) element(id).disabled = number === 0;
  element("selected-count").textContent = number
    ? `${whole.format(number)} selected: ${members} training members, ${number - members} others.` : "Nothing is selected.";
  state.page = 0;
  showTable();
}

function showThreshold() {
  const value = Number(element("threshold").value);
  element("threshold-value").textContent = value.toFixed(2);
  state.threshold = value - 1e-6; // probabilities are rounded
  countNumbers();
}

function moveThreshold() {
  showThreshold();
  filterStars();
  showSubsets();
  select(state.selected.filter(visible));
}

async function copyAdql() {
  const text = asAdql(state.selected);
  try {
    await navigator.clipboard.writeText(text);
    element("copied").textContent = "Copied.";
  } catch {
    element("copied").textContent = "The browser does not let a page copy: save the file instead.";
  }
  setTimeout(() => { element("copied").textContent = ""; }, 4000);
}

function once(action) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; action(); });
  };
}

function listen() {
  const on = (id, kind, action) => element(id).addEventListener(kind, action);
  on("threshold", "input", once(moveThreshold));
  on("show-members", "change", (event) => { showLayer("members", event.target.checked); select(state.selected.filter(visible)); });
  on("show-field", "change", (event) => showLayer("field", event.target.checked));
  for (const mode of document.querySelectorAll("[data-mode]")) mode.addEventListener("click", () => setMode(mode.dataset.mode));
  on("zoom-selection", "click", zoomToSelection);
  on("reset", "click", () => panels.forEach(resetRanges));
  on("clear", "click", () => select([]));
  on("save-csv", "click", () => saveFile(`${settings.name}_selection.csv`, "text/csv", asCsv(state.selected)));
  on("save-adql", "click", () => saveFile(`${settings.name}_selection.adql`, "text/plain", asAdql(state.selected)));
  on("copy-adql", "click", copyAdql);
  on("keep-subset", "click", nameSelection);
  on("subset-name", "keydown", (event) => { if (event.key === "Enter" && state.selected.length) nameSelection(); });
  on("look-up", "click", lookUp);
  on("ids", "keydown", (event) => { if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); lookUp(); } });
  on("search", "input", (event) => { state.search = event.target.value; state.page = 0; showTable(); });
  on("only-selected", "change", showSelection);
  on("previous", "click", () => { state.page--; showTable(); });
  on("next", "click", () => { state.page++; showTable(); });
  on("save-rows", "click", () => saveFile(`${settings.name}_stars.csv`, "text/csv", asCsv(state.rows)));
  element("stars-table").tBodies[0].addEventListener("change", (event) => {
    const i = Number(event.target.closest("tr").dataset.index);
    element("only-selected").checked = false; // the other rows stay, so that more can be chosen
    select(event.target.checked ? [...state.selected, i] : state.selected.filter((k) => k !== i));
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") select([]); });
  addEventListener("resize", once(() => panels.forEach(equalise)));
}

async function start() {
  const [code] = await Promise.all([unpackedText("packed-bokeh"), readStars()]);
  showThreshold();
  showHeadings();
  showSelection();
  document.head.append(Object.assign(document.createElement("script"), { textContent: code }));
  await makePanels();
  recallSubsets();
  showSubsets();
  listen();
  document.body.dataset.ready = Math.round(performance.now()); // [ms] since the page was asked for
}

start().catch((error) => {
  element("failure").hidden = false;
  element("failure").textContent = `The linked view could not be made: ${error.message}. A browser of 2023 or later is needed.`;
  throw error;
});
