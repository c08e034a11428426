"use strict";
// The page around the four panels: threshold slider, numbers, member table. The data are Bokeh's, one copy for all.
(() => {
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const item = JSON.parse(document.getElementById("view-item").textContent);
  const element = (id) => document.getElementById(id);
  const ROWS = 25;
  const state = { threshold: settings.start, search: "", sort: null, descending: false, page: 0, rows: [] };
  const fixed = (digits) => (value) => (Number.isFinite(value) ? value.toFixed(digits) : "");
  const COLUMNS = [
    ["id", "source_id", String], ["kind", "kind", String], ["p", "p", fixed(3)], ["g", "G", fixed(3)],
    ["colour", settings.colour, fixed(3)], ["parallax", "ϖ", fixed(3)], ["parallax_error", "±", fixed(3)],
    ["pmra", "μα*", fixed(3)], ["pmra_error", "±", fixed(3)], ["pmdec", "μδ", fixed(3)], ["pmdec_error", "±", fixed(3)],
    ["r", "r [pc]", fixed(2)], ["ra", "RA", fixed(5)], ["dec", "Dec", fixed(5)], ["ruwe", "RUWE", fixed(2)],
    ["listed", "listed", String],
  ];
  let source, filter, memberFilter, doc, data, count, isMember;

  // before an evaluation training members have no probability of ours, and count all
  const likely = (i) => data.p[i] >= state.threshold || (isMember[i] && !settings.judged);
  const visible = (i) => likely(i) && (!isMember[i] || element("show-members").checked);
  const selected = () => source.selected.indices.filter(visible);

  function countNumbers() {
    const rows = settings.bins.map((bin) => {
      let members = 0, candidates = 0, field = 0;
      for (let i = 0; i < count; i++) {
        const g = data.g[i];
        if (bin.label !== "all" && !(g >= bin.low && g < bin.high)) continue;
        if (!likely(i)) continue;
        if (isMember[i]) members++;
        else candidates++;
        if (settings.judged || !isMember[i]) field += 1 - data.p[i];
      }
      const all = candidates + (settings.judged ? members : 0);
      return [bin.label, members, candidates, all ? `${(100 * field / all).toFixed(1)} %` : "–"];
    });
    fill(element("counts").tBodies[0], rows);
  }

  function fill(body, rows) {
    body.replaceChildren(...rows.map((cells) => {
      const row = document.createElement("tr");
      cells.forEach((cell, i) => {
        const part = document.createElement(i ? "td" : "th");
        part.textContent = cell;
        row.append(part);
      });
      return row;
    }));
  }

  function matches(i) {
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    return words.every((word) => data.id[i].includes(word) || data.kind[i].includes(word));
  }

  function before(a, b) {
    const values = data[state.sort], sign = state.descending ? -1 : 1, x = values[a], y = values[b];
    if (state.sort === "id") return sign * (x.length - y.length || (x < y ? -1 : x > y ? 1 : 0));
    if (typeof x === "string") return sign * (x < y ? -1 : x > y ? 1 : 0);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (x - y);
  }

  function chooseRows() {
    const chosen = selected();
    const only = element("only-selected").checked && chosen.length ? new Set(chosen) : null;
    state.rows = [];
    for (let i = 0; i < count; i++) if (visible(i) && (!only || only.has(i)) && matches(i)) state.rows.push(i);
    if (state.sort) state.rows.sort(before);
  }

  function showTable() {
    chooseRows();
    const pages = Math.max(1, Math.ceil(state.rows.length / ROWS));
    state.page = Math.min(state.page, pages - 1);
    const chosen = new Set(source.selected.indices);
    const rows = state.rows.slice(state.page * ROWS, (state.page + 1) * ROWS).map((i) => tableRow(i, chosen.has(i)));
    element("stars-table").tBodies[0].replaceChildren(...rows);
    element("row-count").textContent = `${state.rows.length.toLocaleString("en")} ${state.rows.length === 1 ? "star" : "stars"}`;
    element("page").textContent = `page ${state.page + 1} of ${pages}`;
    element("previous").disabled = state.page === 0;
    element("next").disabled = state.page === pages - 1;
    element("download").disabled = state.rows.length === 0;
  }

  function tableRow(i, chosen) {
    const row = document.createElement("tr");
    row.classList.toggle("chosen", chosen);
    row.dataset.index = i;
    COLUMNS.forEach(([name, , text], k) => {
      const cell = document.createElement(k ? "td" : "th");
      cell.textContent = text(data[name][i]);
      row.append(cell);
    });
    if (settings.links) row.append(links(i));
    return row;
  }

  function links(i) {
    const id = data.id[i], cell = document.createElement("td");
    const query = `SELECT * FROM gaiadr3.gaia_source WHERE source_id = ${id}`;
    const addresses = {
      Gaia: `https://gea.esac.esa.int/tap-server/tap/sync?REQUEST=doQuery&LANG=ADQL&FORMAT=csv&QUERY=${encodeURIComponent(query)}`,
      SIMBAD: `https://simbad.cds.unistra.fr/simbad/sim-id?Ident=${encodeURIComponent("Gaia DR3 " + id)}`,
      Aladin: `https://aladin.cds.unistra.fr/AladinLite/?target=${encodeURIComponent(data.ra[i] + " " + data.dec[i])}&fov=0.05`,
    };
    for (const [name, address] of Object.entries(addresses)) {
      const link = document.createElement("a");
      Object.assign(link, { href: address, textContent: name, target: "_blank", rel: "noopener noreferrer" });
      cell.append(link, " ");
    }
    return cell;
  }

  function showHeadings() {
    const row = element("stars-table").tHead.rows[0];
    const headings = COLUMNS.map(([name, title]) => {
      const heading = document.createElement("th"), button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: title });
      button.addEventListener("click", () => {
        state.descending = state.sort === name ? !state.descending : name === "p";
        state.sort = name;
        row.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
        showTable();
      });
      heading.scope = "col";
      heading.append(button);
      return heading;
    });
    if (settings.links) headings.push(Object.assign(document.createElement("th"), { textContent: "look up", scope: "col" }));
    row.replaceChildren(...headings);
  }

  function showSelection() {
    const chosen = selected(), number = chosen.length;
    element("clear").disabled = source.selected.indices.length === 0;
    element("selected-count").textContent = number ? `${number.toLocaleString("en")} selected: ` +
      `${chosen.filter((i) => isMember[i]).length} training members, ${chosen.filter((i) => !isMember[i]).length} candidates.` : "Nothing is selected.";
    state.page = 0;
    showTable();
  }

  function moveThreshold() {
    state.threshold = Number(element("threshold").value);
    element("threshold-value").textContent = state.threshold.toFixed(2);
    // a shade below, for p is kept in single precision
    state.threshold -= 1e-6;
    filter.booleans = Array.from({ length: count }, (_, i) => !isMember[i] && likely(i));
    memberFilter.booleans = Array.from({ length: count }, (_, i) => isMember[i] && likely(i));
    countNumbers();
    showSelection();
  }

  function named(name) {
    return [...doc._all_models.values()].filter((model) => model.name === name);
  }

  function save() {
    const heading = COLUMNS.map(([name]) => ({ p: "PMemb", g: "phot_g_mean_mag", id: "source_id", r: "f_r" })[name] || name);
    const rows = state.rows.map((i) => COLUMNS.map(([name]) => (Number.isNaN(data[name][i]) ? "" : data[name][i])).join(","));
    const blob = new Blob([[heading.join(","), ...rows].join("\n") + "\n"], { type: "text/csv" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${settings.name}_stars.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function paint(dark) {
    // the panels themselves stay white paper, as the figures do
    const text = dark ? "#e4e8ec" : "#1b1f24", faint = dark ? "#6b7682" : "#8a94a0";
    for (const model of doc._all_models.values()) {
      if (model.type === "LinearAxis") {
        model.setv({ axis_label_text_color: text, major_label_text_color: text, axis_line_color: faint,
          major_tick_line_color: faint, minor_tick_line_color: faint });
      } else if (model.type === "Figure" || model.type === "Plot") {
        model.outline_line_color = faint;
      } else if (model.type === "ColorBar") {
        model.setv({ title_text_color: text, major_label_text_color: text, major_tick_line_color: text });
      }
    }
  }

  function followTheme() {
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => paint(dark.matches));
    window.addEventListener("beforeprint", () => paint(false));
    window.addEventListener("afterprint", () => paint(dark.matches));
    if (dark.matches) paint(true);
  }

  function listen() {
    let waiting = false;
    element("threshold").addEventListener("input", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; moveThreshold(); });
    });
    element("show-members").addEventListener("change", (event) => {
      for (const renderer of named("members")) renderer.visible = event.target.checked;
      showSelection();
    });
    element("show-field").addEventListener("change", (event) => {
      for (const renderer of named("field")) renderer.visible = event.target.checked;
    });
    element("clear").addEventListener("click", () => { source.selected.indices = []; });
    element("search").addEventListener("input", (event) => { state.search = event.target.value; state.page = 0; showTable(); });
    element("only-selected").addEventListener("change", showSelection);
    element("previous").addEventListener("click", () => { state.page--; showTable(); });
    element("next").addEventListener("click", () => { state.page++; showTable(); });
    element("download").addEventListener("click", save);
    element("stars-table").tBodies[0].addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (!row || event.target.closest("a")) return;
      const i = Number(row.dataset.index), chosen = source.selected.indices;
      element("only-selected").checked = false; // the other rows stay, so that more can be chosen
      source.selected.indices = chosen.includes(i) ? chosen.filter((k) => k !== i) : [...chosen, i];
    });
    source.selected.connect(source.selected.properties.indices.change, showSelection);
  }

  async function start() {
    const manager = await Bokeh.embed.embed_item(item);
    doc = (manager.get_by_id ? [...manager][0] : manager).model.document;
    source = named("stars")[0];
    filter = named("threshold")[0];
    memberFilter = named("threshold of members")[0];
    data = Object.fromEntries(COLUMNS.map(([name]) => [name, source.get_column(name)]));
    count = data.id.length;
    isMember = Array.from(data.kind, (kind) => kind === "training member");
    showHeadings();
    listen();
    followTheme();
    moveThreshold();
    document.body.dataset.ready = "yes";
  }
  start();
})();
