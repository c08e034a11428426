"use strict";
// Search and sorting of the table of clusters.
(() => {
  const table = document.getElementById("clusters"), body = table.tBodies[0], rows = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  const number = new Intl.NumberFormat("en");

  function show() {
    const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    document.getElementById("row-count").textContent = `${number.format(shown)} of ${number.format(rows.length)}`;
  }

  function sort(column) {
    const heading = headings[column], falling = heading.getAttribute("aria-sort") === "ascending";
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    const compare = (a, b) => {
      const x = Number.parseFloat(value(a)), y = Number.parseFloat(value(b));
      if (column === 0 || (Number.isNaN(x) && Number.isNaN(y))) return value(a).localeCompare(value(b), "en", { numeric: true });
      if (Number.isNaN(x) || Number.isNaN(y)) return Infinity * (Number.isNaN(x) - Number.isNaN(y));
      return x - y;
    };
    const sorted = [...rows].sort((a, b) => {
      const order = compare(a, b);
      return Math.abs(order) === Infinity ? order : (falling ? -order : order);
    });
    body.replaceChildren(...sorted);
  }

  headings.forEach((heading, column) => heading.querySelector("button")?.addEventListener("click", () => sort(column)));
  document.getElementById("search").addEventListener("input", show);
  show();
})();
