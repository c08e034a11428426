// What the page holds: settings, the stars that are shown one by one, and what became of every star of the cone.
const element = (id) => document.getElementById(id);
const settings = JSON.parse(element("settings").textContent);
const whole = new Intl.NumberFormat("en");
const state = { threshold: settings.start, search: "", sort: "p", descending: true, page: 0, rows: [], selected: [] };
let stars, field;

async function unpacked(id) {
  const text = atob(element(id).textContent), raw = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) raw[i] = text.charCodeAt(i);
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const unpackedText = async (id) => new TextDecoder().decode(await unpacked(id));
const unpackedJson = async (id) => JSON.parse(await unpackedText(id));

// numbers come with null for what is missing
const numeric = (table) => Object.fromEntries(Object.entries(table).map(([name, values]) => [name,
  typeof (values.find((value) => value !== null) ?? 0) === "number"
    ? Float64Array.from(values, (value) => value ?? NaN) : values]));

async function readStars() {
  const tables = await unpackedJson("packed-stars");
  stars = numeric(tables.stars);
  field = numeric(tables.field);
  field.p = new Float64Array(field.g.length).fill(NaN); // the field has no probabilities
  stars.count = stars.id.length;
  stars.isMember = stars.kind.map((kind) => kind === "training member");
  stars.place = new Map(stars.id.map((id, i) => [id, i]));
}

// before an evaluation training members have no probability of ours, and count all
const likely = (i) => stars.p[i] >= state.threshold || (stars.isMember[i] && !settings.judged);
const visible = (i) => likely(i) && (!stars.isMember[i] || element("show-members").checked);
const everyStar = () => Array.from({ length: stars.count }, (_, i) => i);

// identifiers come as differences, the most significant bytes of all first
function unpackIdentifiers(bytes) {
  const count = bytes.length / 8, identifiers = new BigUint64Array(count);
  let last = 0n;
  for (let i = 0; i < count; i++) {
    let high = 0, low = 0;
    for (let k = 0; k < 4; k++) {
      high = high * 256 + bytes[k * count + i];
      low = low * 256 + bytes[(k + 4) * count + i];
    }
    last += (BigInt(high) << 32n) | BigInt(low);
    identifiers[i] = last;
  }
  return identifiers;
}

// sentences come as patterns with a place for each number, and the numbers of each place
function unpackTexts({ patterns, chosen, numbers }) {
  const parts = patterns.map((pattern) => pattern.split("\0"));
  const columns = numbers.map((lists) => lists.map((list) => list.split(" ")));
  const used = patterns.map(() => 0);
  return chosen.map((pattern) => {
    const row = used[pattern]++;
    return parts[pattern].reduce((text, part, k) => text + columns[pattern][k - 1][row] + part);
  });
}

let cone; // identifiers and reasons, unpacked when somebody asks for the first time

async function readCone() {
  cone ??= Promise.all([unpacked("packed-identifiers"), unpackedJson("packed-reasons")])
    .then(([identifiers, reasons]) => ({ identifiers: unpackIdentifiers(identifiers), reasons: unpackTexts(reasons) }));
  return cone;
}

// what became of stars of the cone: text by identifier, null for what is not in it
async function reasonsOf(ids) {
  const { identifiers, reasons } = await readCone();
  return ids.map((id) => {
    const wanted = BigInt(id);
    let low = 0, high = identifiers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (identifiers[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return identifiers[low] === wanted ? reasons[low] : null;
  });
}
