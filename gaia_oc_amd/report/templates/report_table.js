// The table of stars, the numbers at the slider, and what is saved.
const ROWS = 25;
const WELL_KNOWN = /^(training member|member|candidate) with p [<=] [\d.]+(: |, )?/; // the row says so already
const HEADINGS = settings.columns.filter((column) => column.heading);

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

function countNumbers() {
  const chosen = everyStar().filter(likely);
  fill(element("counts").tBodies[0], settings.bins.map((bin) => {
    const inside = chosen.filter((i) => bin.label === "all" || (stars.g[i] >= bin.low && stars.g[i] < bin.high));
    const judged = inside.filter((i) => settings.judged || !stars.isMember[i]);
    const field = judged.reduce((sum, i) => sum + 1 - stars.p[i], 0), members = inside.filter((i) => stars.isMember[i]).length;
    return [bin.label, members, inside.length - members, judged.length ? `${((100 * field) / judged.length).toFixed(1)} %` : "–"];
  }));
}

// a number to the two first digits of its error
function cellText(column, i) {
  const value = stars[column.name][i], error = column.error ? stars[column.error][i] : NaN;
  if (!Number.isFinite(value)) return "–";
  if (!(error > 0)) return value.toFixed({ p: 3, g: 2, bp_rp: 2, r: 1, ruwe: 2 }[column.name] ?? (column.error ? 3 : 1));
  const digits = Math.min(Math.max(1 - Math.floor(Math.log10(error)), 0), 4);
  return `${value.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

function matches(i) {
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => stars.id[i].includes(word) || stars.kind[i].includes(word) || stars.reason[i].toLowerCase().includes(word));
}

function before(a, b) {
  const values = stars[state.sort], sign = state.descending ? -1 : 1, x = values[a], y = values[b];
  if (state.sort === "id") return sign * (x.length - y.length || (x < y ? -1 : x > y ? 1 : 0));
  if (typeof x !== "number") return sign * (x < y ? -1 : x > y ? 1 : 0);
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  return sign * (x - y);
}

function chooseRows() {
  const only = element("only-selected").checked && state.selected.length ? state.selected : everyStar().filter(visible);
  state.rows = only.filter(matches).sort((a, b) => before(a, b) || b - a);
}

function showTable() {
  chooseRows();
  const pages = Math.max(1, Math.ceil(state.rows.length / ROWS));
  state.page = Math.min(state.page, pages - 1);
  const chosen = new Set(state.selected);
  const rows = state.rows.slice(state.page * ROWS, (state.page + 1) * ROWS).map((i) => tableRow(i, chosen.has(i)));
  element("stars-table").tBodies[0].replaceChildren(...rows);
  element("row-count").textContent = `${whole.format(state.rows.length)} ${state.rows.length === 1 ? "star" : "stars"}`;
  element("page").textContent = `page ${state.page + 1} of ${pages}`;
  element("previous").disabled = state.page === 0;
  element("next").disabled = state.page === pages - 1;
  element("save-rows").disabled = state.rows.length === 0;
}

function tableRow(i, chosen) {
  const row = document.createElement("tr"), add = (kind, text, name = "") => {
    const cell = document.createElement(kind);
    cell.textContent = text;
    cell.className = name;
    row.append(cell);
    return cell;
  };
  row.classList.toggle("chosen", chosen);
  row.dataset.index = i;
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: chosen, ariaLabel: `select ${stars.id[i]}` });
  add("td", "").append(box);
  add("th", stars.id[i]);
  add("td", stars.kind[i]);
  for (const column of HEADINGS) add("td", cellText(column, i));
  if (settings.comparison) add("td", stars.listed[i] ? "yes" : "no");
  add("td", stars.reason[i].replace(WELL_KNOWN, ""), "words reason");
  if (settings.links) links(add("td", ""), i);
  return row;
}

function links(cell, i) {
  const id = stars.id[i], query = `SELECT * FROM gaiadr3.gaia_source WHERE source_id = ${id}`;
  const addresses = {
    Gaia: `https://gea.esac.esa.int/tap-server/tap/sync?REQUEST=doQuery&LANG=ADQL&FORMAT=csv&QUERY=${encodeURIComponent(query)}`,
    SIMBAD: `https://simbad.cds.unistra.fr/simbad/sim-id?Ident=${encodeURIComponent("Gaia DR3 " + id)}`,
    Aladin: `https://aladin.cds.unistra.fr/AladinLite/?target=${encodeURIComponent(stars.ra[i] + " " + stars.dec[i])}&fov=0.05`,
  };
  for (const [name, address] of Object.entries(addresses)) {
    cell.append(Object.assign(document.createElement("a"), { href: address, textContent: name, target: "_blank", rel: "noopener noreferrer" }), " ");
  }
}

function showHeadings() {
  const row = element("stars-table").tHead.rows[0];
  const sorted = [["id", "source_id"], ["kind", "kind"], ...HEADINGS.map((column) => [column.name, column.heading]),
    ...(settings.comparison ? [["listed", `in ${settings.comparison}`]] : []), ["reason", "reason"]];
  const headings = sorted.map(([name, title]) => {
    const heading = document.createElement("th"), button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: title });
    button.addEventListener("click", () => {
      state.descending = state.sort === name ? !state.descending : name === "p";
      state.sort = name;
      showSorting();
      showTable();
    });
    Object.assign(heading, { scope: "col", className: name === "reason" ? "words" : "" }).dataset.name = name;
    heading.append(button);
    return heading;
  });
  headings.unshift(Object.assign(document.createElement("td"), { textContent: "" }));
  if (settings.links) headings.push(Object.assign(document.createElement("th"), { textContent: "elsewhere", scope: "col" }));
  row.replaceChildren(...headings);
  showSorting();
}

function showSorting() {
  for (const heading of element("stars-table").tHead.querySelectorAll("th[data-name]")) {
    if (heading.dataset.name === state.sort) heading.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
}

function saveFile(name, type, text) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function asCsv(indices) {
  const columns = settings.columns.filter((column) => !["x", "y"].includes(column.name));
  const heading = ["source_id", "kind", ...columns.map((column) => column.source), "in_comparison_list", "subsets", "reason"];
  const rows = indices.map((i) => [stars.id[i], stars.kind[i],
    ...columns.map((column) => (Number.isFinite(stars[column.name][i]) ? stars[column.name][i] : "")),
    stars.listed[i], subsetsOf(i).join("; "), stars.reason[i]].map((cell) => quoted(String(cell))).join(","));
  return [heading.join(","), ...rows].join("\n") + "\n";
}

function asAdql(indices) {
  const ids = indices.map((i) => stars.id[i]), lines = [];
  for (let k = 0; k < ids.length; k += 5) lines.push("  " + ids.slice(k, k + 5).join(", "));
  return `SELECT *\nFROM gaiadr3.gaia_source\nWHERE source_id IN (\n${lines.join(",\n")}\n)\n`;
}
