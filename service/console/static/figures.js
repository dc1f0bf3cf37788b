// Draws charts that the server has computed: panels over one axis, a line for now, bands, runs; saves them as pictures.

import { ask, clock, colour, data, dayAndClock, element, font, grouped, onEdge, swatch, tick, tooltip, words } from "./page.js";

const narrow = matchMedia("(max-width: 620px)");
const offset = () => data.utc_offset_s * 1000;
const GENTLE_MS = 2000;
const drawn = [];
/** What nobody sees yet waits until what is seen is there. */
const whenIdle = (task) => (window.requestIdleCallback ? requestIdleCallback(task, { timeout: 1000 }) : setTimeout(task, 300));

const tint = (name) => colour(name) || colour("--faint");
const mark = (view, x) => (view.axis === "time" ? x + offset() : x);
const points = (view, line, values = line.values) => values.map((v, i) => [mark(view, line.at[i]), v]);

function layout(view, height) {
  const top = 58, bottom = 34, gap = 38, total = view.panels.reduce((sum, p) => sum + p.weight, 0);
  const unit = (height - top - bottom - gap * (view.panels.length - 1)) / total;
  const wide = view.across || view.lines.some((l) => l.look === "runs");
  const left = wide ? (narrow.matches ? 92 : 140) : narrow.matches ? 44 : 62;
  let y = top;
  return view.panels.map((panel) => {
    const box = { left, right: 14, top: y, height: panel.weight * unit };
    y += box.height + gap;
    return box;
  });
}

/** Runs of steps in which something is on, as boxes on a row of their own. */
function runs(view, line, row) {
  const found = [];
  line.values.forEach((value, i) => {
    if (!(value > 0.5) || i + 1 >= line.at.length) return;
    const [start, end] = [mark(view, line.at[i]), mark(view, line.at[i + 1])];
    if (found.length && found.at(-1)[1] === start) found.at(-1)[1] = end;
    else found.push([start, end, row]);
  });
  return {
    name: line.title, type: "custom", data: found, encode: { x: [0, 1], y: 2 }, silent: true, animation: false, itemStyle: { color: tint(line.colour) },
    renderItem(params, api) {
      const [from, to] = [api.coord([api.value(0), api.value(2)]), api.coord([api.value(1), api.value(2)])];
      const high = Math.min(api.size([0, 1])[1] * 0.62, 16), area = params.coordSys;
      const [left, right] = [Math.max(from[0], area.x), Math.min(to[0], area.x + area.width)];
      if (right <= left) return null;
      return { type: "rect", shape: { x: left, y: from[1] - high / 2, width: right - left, height: high, r: 3 }, style: { fill: tint(line.colour), opacity: 0.85 } };
    },
  };
}

function band(view, line, id) {
  const base = { type: "line", stack: id, stackStrategy: "all", symbol: "none", silent: true, animation: false, lineStyle: { width: 0 }, name: line.title, itemStyle: { color: tint(line.colour) } };
  const width = line.values.map((low, i) => (low === null || line.upper[i] === null ? null : line.upper[i] - low));
  return [
    { ...base, data: points(view, line), areaStyle: { opacity: 0 } },
    { ...base, data: points(view, line, width), areaStyle: { color: tint(line.colour), opacity: 0.2 } },
  ];
}

function seriesOf(view, line, id) {
  const fill = tint(line.colour);
  const base = { name: line.title, data: points(view, line), symbol: "none", showSymbol: false, animation: false, silent: true, connectNulls: false, itemStyle: { color: fill }, stack: line.stack ? `${line.panel}-${line.stack}` : undefined };
  switch (line.look) {
    case "band": return band(view, line, id);
    case "bars": return [{ ...base, type: "bar", silent: false, barMaxWidth: 26, data: view.across ? line.values : base.data.map(([, v]) => v), itemStyle: { color: fill, borderRadius: 3 } }];
    case "points": return [{ ...base, type: "scatter", symbol: "circle", symbolSize: 9, silent: false }];
    case "area": return [{ ...base, type: "line", lineStyle: { width: 0 }, areaStyle: { color: fill, opacity: 0.75 } }];
    case "ahead": return [{ ...base, type: "line", step: "end", lineStyle: { width: 0 }, areaStyle: { color: fill, opacity: 0.38 } }];
    case "step": return [{ ...base, type: "line", step: "end", lineStyle: { color: fill, width: 1.6 } }];
    case "dashed": return [{ ...base, type: "line", step: "end", lineStyle: { color: fill, width: 1.6, type: [5, 4] } }];
    default: return [{ ...base, type: "line", lineStyle: { color: fill, width: 2 } }];
  }
}

/** Notes on stretches of time, as soft bands with their words. */
function marked(view, first) {
  if (view.axis !== "time" || !first || !view.marks?.length) return [];
  return [{
    type: "line", name: "notes", data: [], silent: false, animation: false, xAxisIndex: 0, yAxisIndex: 0,
    markArea: {
      itemStyle: { color: colour("--warn-bg"), opacity: 0.6 },
      label: { show: !narrow.matches, color: colour("--warn"), fontSize: 11, position: "insideTop", overflow: "truncate", width: 160 },
      data: view.marks.map((m) => [{ name: m.text, xAxis: m.start + offset() }, { xAxis: Math.max(m.end, m.start + 300_000) + offset() }]),
    },
  }];
}

function nowLine(view, first) {
  return {
    type: "line", name: "now", data: [[view.now + offset(), null]], silent: true, animation: false,
    markLine: {
      silent: true, symbol: "none", animation: false, lineStyle: { color: colour("--ink"), width: 1.2, type: "solid" },
      label: { show: first && !narrow.matches, formatter: `${words.now} ${clock(view.now + offset())}`, color: colour("--ink"), fontSize: 11, fontWeight: 600, distance: 4 },
      data: [{ xAxis: view.now + offset() }],
    },
  };
}

function series(view) {
  const rows = view.panels.map(() => 0);
  return view.lines.flatMap((line, i) => {
    const made = line.look === "runs" ? [runs(view, line, rows[line.panel]++)] : seriesOf(view, line, `band-${i}`);
    return made.map((one) => ({ ...one, xAxisIndex: line.panel, yAxisIndex: line.panel }));
  });
}

/** The value of a line at a place on the axis: of the step that holds there. */
function valueAt(view, line, at) {
  if (view.axis === "names") return line.values[line.at.indexOf(at)];
  let low = -1;
  for (let high = line.at.length; high - low > 1;) {
    const middle = (low + high) >> 1;
    if (mark(view, line.at[middle]) <= at) low = middle;
    else high = middle;
  }
  const far = line.at.length > 1 ? line.at[line.at.length - 1] - line.at[line.at.length - 2] : Infinity;
  if (low === line.at.length - 1 && at - mark(view, line.at[low]) > far) return null;
  return low < 0 ? null : [line.values[low], line.upper?.[low]];
}

function tip(view, items) {
  if (!items.length) return "";
  const at = items[0].axisValue ?? items[0].name;
  const body = element("tbody");
  view.panels.forEach((panel, i) => {
    const rows = view.lines.filter((l) => l.panel === i).flatMap((line) => {
      const [value, upper] = [valueAt(view, line, at)].flat();
      if (value === null || value === undefined || (line.stack && Math.abs(value) < 0.05)) return [];
      const text = line.look === "runs" ? (value > 0.5 ? words.on : words.off) : upper === null || upper === undefined ? grouped(value) : `${grouped(value)} … ${grouped(upper)}`;
      return [element("tr", {}, element("td", {}, swatch(tint(line.colour)), line.title), element("td", {}, text))];
    });
    if (rows.length) body.append(element("tr", { class: "head" }, element("td", {}, `${panel.title}${panel.unit ? `, ${panel.unit}` : ""}`), element("td")), ...rows);
  });
  const head = view.axis === "time" ? dayAndClock(at) : view.axis === "number" ? `${grouped(at)} ${view.axis_title}` : at;
  return element("div", { class: "tip" }, element("h4", {}, head), element("table", {}, body));
}

const quiet = () => ({ axisLabel: { color: colour("--soft"), fontSize: 11, hideOverlap: true }, axisLine: { onZero: false, lineStyle: { color: colour("--edge") } }, splitLine: { show: true, lineStyle: { color: colour("--grid-line") } } });

function xAxis(view, i, last) {
  const base = { ...quiet(), gridIndex: i };
  const shown = { ...base.axisLabel, show: last };
  if (view.axis === "names") {
    const names = [...new Set(view.lines.flatMap((l) => l.at))];
    return { ...base, type: "category", data: names, axisLabel: { ...shown, width: narrow.matches ? 88 : 140, overflow: "truncate", hideOverlap: !view.across }, splitLine: { show: false }, inverse: view.across };
  }
  if (view.axis === "number") return { ...base, type: "value", scale: true, name: last ? view.axis_title : "", nameLocation: "middle", nameGap: 22, nameTextStyle: { color: colour("--soft"), fontSize: 11 }, axisLabel: { ...shown, formatter: onEdge } };
  const ends = view.lines.flatMap((l) => [l.at[l.values.findIndex((v) => v !== null)], l.at.at(-1)]).filter((m) => m !== undefined);
  const first = view.now === null ? Math.min(...ends) : Math.min(...ends, view.now - 3 * 3600000);
  return { ...base, type: "time", min: first + offset(), max: Math.max(...ends) + offset(), axisLabel: { ...shown, formatter: tick }, maxInterval: 6 * 3600000 };
}

function yAxis(view, i) {
  const base = { ...quiet(), gridIndex: i };
  const rows = view.lines.filter((l) => l.panel === i && l.look === "runs");
  if (rows.length) return { ...base, type: "category", data: rows.map((l) => l.title), inverse: true, axisLabel: { ...base.axisLabel, width: narrow.matches ? 88 : 140, overflow: "truncate" }, axisTick: { show: false } };
  const shares = view.panels[i].unit === "%" && view.lines.every((l) => l.panel !== i || l.values.every((v) => v === null || (v >= 0 && v <= 100)));
  return { ...base, type: "value", scale: view.axis === "number", splitNumber: 4, max: shares ? 100 : undefined, axisLabel: { ...base.axisLabel, formatter: onEdge } };
}

/** A panel's title and unit; the title is left out where it already stands above the chart. */
const headline = (panel, heading) => `${panel.title === heading ? "" : `${panel.title}  `}{unit|${panel.unit}}`;

function option(view, height, heading) {
  const boxes = layout(view, height);
  const names = [...new Map(view.lines.filter((l) => l.look !== "runs").map((l) => [l.title, l])).values()];
  const [across, along] = [boxes.map((_, i) => xAxis(view, i, i === boxes.length - 1)), boxes.map((_, i) => yAxis(view, i))];
  return {
    animation: false, useUTC: true, grid: boxes, textStyle: { fontFamily: font },
    title: view.panels.map((panel, i) => ({
      text: headline(panel, heading), left: 0, top: boxes[i].top - 22, padding: 0,
      textStyle: { color: colour("--ink"), fontSize: 12.5, fontWeight: 600, rich: { unit: { color: colour("--faint"), fontSize: 11 } } },
    })),
    legend: { show: names.length > 1, type: "scroll", top: 0, left: 0, right: 8, itemWidth: 16, itemHeight: 8, icon: "roundRect", data: names.map((l) => l.title), textStyle: { color: colour("--soft"), fontSize: 12 }, pageTextStyle: { color: colour("--soft") } },
    axisPointer: { link: [{ xAxisIndex: "all" }], lineStyle: { color: colour("--faint") }, label: { show: false } },
    tooltip: tooltip((items) => tip(view, [items].flat()), { trigger: view.lines.some((l) => l.look === "points") ? "item" : "axis" }),
    dataZoom: view.axis === "time" ? [{ type: "inside", xAxisIndex: boxes.map((_, i) => i), zoomOnMouseWheel: "ctrl", moveOnMouseMove: "shift", filterMode: "none" }] : [],
    xAxis: view.across ? along : across,
    yAxis: view.across ? across : along,
    series: [...series(view), ...marked(view, true), ...(view.now === null ? [] : view.panels.map((_, i) => ({ ...nowLine(view, i === 0), xAxisIndex: i, yAxisIndex: i })))],
  };
}

let [noted, notedAt] = [[], -Infinity];
async function notes() {
  if (performance.now() - notedAt > 10_000) {
    notedAt = performance.now();
    noted = (await ask("/console/marks/site")) ?? [];
  }
  return noted;
}

class Figure {
  constructor(box) {
    this.box = box;
    this.place = box.querySelector(".chart");
    this.place.dataset.words = words.fetching;
    this.place.classList.add("waiting");
    this.asked = -Infinity;
    box.querySelector(".png")?.addEventListener("click", () => this.save());
    for (const name of (box.dataset.refresh ?? "").split(" ").filter(Boolean)) document.body.addEventListener(name, () => this.refresh(true));
    if (box.dataset.everyS) setInterval(() => this.refresh(true), 1000 * Number(box.dataset.everyS));
    new ResizeObserver(() => { this.chart?.resize(); if (this.view) this.paint(); }).observe(this.place);
    if (box.getBoundingClientRect().top < innerHeight) this.refresh();
    else whenIdle(() => this.refresh());
  }

  async refresh(gently = false) {
    if (gently && (document.hidden || performance.now() - this.asked < GENTLE_MS)) return;
    this.asked = performance.now();
    const path = this.box.dataset.chart;
    const view = await ask(path);
    if (!view && !this.view) this.place.dataset.words = words.no_data;
    if (!view || path !== this.box.dataset.chart) return;
    this.view = view;
    if (view.axis === "time") view.marks = await notes();
    this.paint();
  }

  heat() {
    const { view } = this, cells = view.lines.flatMap((line, row) => line.values.map((v, i) => [i, row, v === null ? "-" : v]));
    const high = Math.max(...cells.map((c) => (c[2] === "-" ? 0 : c[2])));
    return {
      animation: false, textStyle: { fontFamily: font }, grid: { left: 52, right: 92, top: 10, bottom: 30 },
      tooltip: tooltip((item) => element("div", { class: "tip" }, element("h4", {}, `${view.lines[0].at[item.value[0]]} ${view.lines[item.value[1]].title}`), `${grouped(item.value[2])} ${view.panels[0].unit}`), { trigger: "item" }),
      xAxis: { type: "category", data: view.lines[0].at, axisLabel: { color: colour("--soft"), fontSize: 11, hideOverlap: true } },
      yAxis: { type: "category", data: view.lines.map((l) => l.title), axisLabel: { color: colour("--soft"), fontSize: 11, interval: 5 } },
      visualMap: { min: 0, max: high, calculable: true, right: 0, top: "center", itemHeight: 160, text: [view.panels[0].unit, ""], textStyle: { color: colour("--soft"), fontSize: 11 }, inRange: { color: ["#2b3a67", "#1f8a9c", "#6fc27b", "#f6e34c"] } },
      series: [{ type: "heatmap", data: cells, progressive: 0, itemStyle: { borderWidth: 0 } }],
    };
  }

  paint() {
    const empty = !this.view.lines.some((l) => l.values.some((v) => v !== null));
    this.place.classList.toggle("waiting", empty);
    this.place.dataset.words = this.view.notes[0] ?? words.no_data;
    if (empty) return this.chart?.clear();
    this.chart ??= echarts.init(this.place, null, { renderer: "canvas" });
    this.chart.setOption(this.view.lines[0].look === "heat" ? this.heat() : option(this.view, this.place.clientHeight, this.box.querySelector("h2")?.textContent), { notMerge: true });
    this.box.dataset.drawn = this.view.name;
  }

  /** Another chart in the same place, and in what is saved. */
  lead(path) {
    this.box.dataset.chart = path;
    for (const link of this.box.querySelectorAll(".saves a")) {
      const form = new URL(link.href).searchParams.get("format");
      link.href = `${path}${path.includes("?") ? "&" : "?"}format=${form}`;
    }
    this.refresh();
  }

  save() {
    if (!this.chart) return;
    const link = element("a", { href: this.chart.getDataURL({ pixelRatio: 2, backgroundColor: colour("--card") }), download: `${this.view.name}.png` });
    link.click();
  }
}

/** Find the charts that the page has now; those that were there stay. */
export function settle() {
  for (const box of document.querySelectorAll(".figure[data-chart]")) {
    if (!drawn.some((f) => f.box === box)) drawn.push(new Figure(box));
  }
}

/** A choice beside a chart leads it elsewhere: ``data-leads`` names the chart, ``data-path`` has {} where the choice goes. */
document.addEventListener("change", (event) => {
  const choice = event.target.closest("[data-leads]");
  const figure = choice && drawn.find((f) => f.box.id === choice.dataset.leads);
  if (figure) figure.lead(choice.dataset.path.replace("{}", encodeURIComponent(choice.value)));
});
const repaint = () => drawn.forEach((f) => f.view && f.paint());
document.addEventListener("theme-changed", repaint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
document.addEventListener("htmx:after:swap", settle);
settle();
