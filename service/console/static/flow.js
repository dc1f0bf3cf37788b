// The energy flow as a Sankey diagram, and the balance of every carrier below it: one answer, so both show the same numbers.

import { ask, carrierColour, chartIn, colour, data, element, font, grouped, kindColour, swatch, tooltip, words } from "./page.js";

const { chart, draw } = chartIn("sankey");
const switches = [...document.querySelectorAll("#period button")];
let hours = 0;
let shown = null;

// Columns from where energy enters to where it is used. Carriers stand behind what feeds them.
const COLUMN = {
  "grid_connection:out": 0, "gas_supply:out": 0, pv: 0, wind: 0, "carrier:gas": 1, chp: 2, gas_boiler: 2, "battery:out": 2,
  "carrier:electricity": 3, ambient: 3, heat_pump: 4, electric_boiler: 4, electric_chiller: 4, electrolyser: 4, "battery:in": 4, "hot_tank:out": 4,
  "carrier:heat": 5, absorption_chiller: 6, "hot_tank:in": 6, "cold_store:out": 6, "carrier:hydrogen": 6, "carrier:cold": 7,
};
const LAST = 9; // one column is left free for the labels of the last
const ORDER = ["grid_connection", "pv", "wind", "carrier:electricity", "battery", "chp", "heat_pump", "gas_supply", "carrier:gas"];

function title(node) {
  const [head, kind, carrier] = node.split(":");
  if (head === "carrier") return words[kind];
  if (head === "difference") return words.difference;
  if (head === "use") return kind === "consumer" ? `${words.consumer}, ${words[carrier].toLowerCase()}` : words[kind];
  if (head === "grid_connection" && kind === "in") return words.to_grid;
  if (["battery", "hot_tank", "cold_store"].includes(head)) return `${words[head]} ${kind === "in" ? words.to_store : words.from_store}`;
  return words[head] ?? head;
}

function nodeColour(node) {
  const [head, kind] = node.split(":");
  if (head === "carrier") return carrierColour(kind);
  if (head === "difference" || head === "conversion_losses" || head === "ambient") return colour("--faint");
  return kindColour(head === "use" ? kind : head);
}

function rank(node) {
  const place = ORDER.findIndex((name) => node.startsWith(name));
  return place < 0 ? ORDER.length : place;
}

/** Carriers carry their names on top, so that the names of what feeds them do not run into theirs. */
function labelOf(name) {
  if (name.startsWith("carrier:")) return { position: "top", distance: 3, fontWeight: 600 };
  return { position: columnOf(name) === LAST ? "left" : "right" };
}

/** What meters saw beyond what was fed comes in just before its carrier. */
const columnOf = (name) =>
  COLUMN[name] ?? (name.startsWith("difference") && name.endsWith(":in") ? COLUMN[name.replace("difference", "carrier").slice(0, -3)] - 1 : LAST);

function nodesOf(flows) {
  const names = [...new Set(flows.flatMap((f) => [f.source, f.target]))].sort((a, b) => rank(a) - rank(b));
  const used = [...new Set([...names.map(columnOf), LAST - 1])].sort((a, b) => a - b); // empty columns close up, but for the one before the last
  return names.map((name) => ({
    name,
    depth: used.indexOf(columnOf(name)),
    itemStyle: { color: nodeColour(name), borderWidth: 0 },
    label: labelOf(name),
  }));
}

function tip(item) {
  const amount = item.dataType === "edge" ? item.data.value : item.value;
  const name = item.dataType === "edge" ? `${title(item.data.source)} → ${title(item.data.target)}` : title(item.name);
  return element("div", { class: "tip" }, element("h4", {}, name), `${grouped(amount)} ${shown.unit}`);
}

function option(view) {
  const flows = view.flows.filter((f) => f.amount >= 0.05);
  const largest = Math.max(...view.balances.map((b) => b.supplied + b.discharged));
  const twoLines = (item) => columnOf(item.name) < LAST && !item.name.startsWith("carrier:") && item.value > 0.06 * largest;
  return {
    animation: false, // a new layout every second would never come to rest
    tooltip: tooltip(tip, { trigger: "item" }),
    series: [{
      type: "sankey",
      left: 4, right: 4, top: 20, bottom: 8,
      nodeWidth: 11, nodeGap: 12, layoutIterations: 40, draggable: false,
      data: nodesOf(flows),
      links: flows.map((f) => ({
        source: f.source, target: f.target, value: f.amount,
        lineStyle: { color: carrierColour(f.carrier), opacity: 0.34, curveness: 0.5 },
      })),
      label: {
        color: colour("--ink"), fontFamily: font, fontSize: 12, textBorderColor: colour("--card"), textBorderWidth: 2.5,
        lineHeight: 15,
        formatter: (item) => `${title(item.name)}${twoLines(item) ? "\n" : " "}${grouped(item.value)}`,
      },
      emphasis: { focus: "adjacency", lineStyle: { opacity: 0.6 } },
    }],
  };
}

function balanceRow(balance) {
  const head = element("td", {}, swatch(carrierColour(balance.carrier)), ` ${words[balance.carrier]}`);
  const amounts = ["supplied", "discharged", "used", "charged", "exported", "difference"];
  const cells = amounts.map((name) => element("td", { "data-amount": balance[name], "data-name": name }, grouped(balance[name])));
  return element("tr", { "data-carrier": balance.carrier }, head, ...cells);
}

function show(view) {
  if (!view) return;
  shown = view;
  if (view.flows.length) draw(option(view), { notMerge: true });
  document.querySelector("#balance tbody")?.replaceChildren(...view.balances.map(balanceRow));
  const place = document.getElementById("sankey");
  place.dataset.unit = view.unit;
  place.dataset.flows = JSON.stringify(view.flows.map((f) => [f.source, f.target, f.amount]));
}

async function refresh() {
  if (document.hidden) return;
  const asked = hours;
  const view = await ask(`/api/v1/flows?period_h=${asked}`);
  if (asked === hours) show(view);
}

function repaint() {
  if (shown) show(shown);
}

for (const button of switches) {
  button.addEventListener("click", () => {
    hours = Number(button.dataset.hours);
    for (const other of switches) other.setAttribute("aria-pressed", String(other === button));
    for (const link of document.querySelectorAll("#flow-card .saves a")) {
      const form = new URL(link.href).searchParams.get("format");
      link.href = `/console/charts/flow?period_h=${hours}&format=${form}`;
    }
    refresh();
  });
}
document.getElementById("flow-png")?.addEventListener("click", () => {
  element("a", { href: chart.getDataURL({ pixelRatio: 2, backgroundColor: colour("--card") }), download: "flow.png" }).click();
});
document.body.addEventListener("site-changed", refresh);
document.addEventListener("theme-changed", repaint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
if (data.flows) show(data.flows); // came with the page, so that nobody waits for it
else refresh();
