// Measured and planned on one time axis: a panel per carrier, one for the stores, one line for now.

import { ask, carrierColour, chartIn, clock, colour, data, dayAndClock, element, grouped, kindColour, siteTime, swatch, tick, tooltip, words } from "./page.js";

const { chart, draw } = chartIn("timeline");
const narrow = matchMedia("(max-width: 620px)");
const STORE_COLOUR = { battery: "--k-battery", hot_tank: "--c-heat", cold_store: "--c-cold" };
let shown = null;

/** Times of a run of values: [start, step] to shifted milliseconds. */
const times = (start, step_s, count, offset = 0) => Array.from({ length: count }, (_, i) => siteTime(start) + (i + offset) * step_s * 1000);
const pairs = (stamps, values) => values.map((value, i) => [stamps[i], value]);
const positive = (values) => values.map((v) => (v === null ? null : Math.max(v, 0)));
const negative = (values) => values.map((v) => (v === null ? null : Math.min(v, 0)));
const any = (values) => values.some((v) => v !== null && Math.abs(v) > 0.5);
const total = (rows) => rows[0].map((_, i) => rows.reduce((sum, row) => (sum === null || row[i] === null ? null : sum + row[i]), 0));

function layout(panels) {
  const top = 26, bottom = 30, gap = 34;
  const weights = panels.map((p) => p.weight);
  const height = chart.getHeight() - top - bottom - gap * (panels.length - 1);
  const unit = height / weights.reduce((a, b) => a + b, 0);
  let y = top;
  return panels.map((panel) => {
    const box = { left: narrow.matches ? 40 : 58, right: narrow.matches ? 8 : 14, top: y, height: panel.weight * unit };
    y += box.height + gap;
    return box;
  });
}

function area(panel, id, name, points, fill, stack, opacity, step) {
  return {
    id, name, type: "line", xAxisIndex: panel, yAxisIndex: panel, data: points, stack, showSymbol: false, symbol: "none", silent: true,
    lineStyle: { width: 0 }, areaStyle: { color: fill, opacity }, step, connectNulls: false, animation: false, emphasis: { disabled: true },
  };
}

function line(panel, id, name, points, stroke, more = {}) {
  return {
    id, name, type: "line", xAxisIndex: panel, yAxisIndex: panel, data: points, showSymbol: false, symbol: "none", silent: true, animation: false,
    lineStyle: { color: stroke, width: 1.4, ...more.style }, itemStyle: { color: stroke }, step: more.step, z: 4, emphasis: { disabled: true }, markLine: more.markLine,
  };
}

function nowLine(now, labelled) {
  return {
    silent: true, symbol: "none", animation: false,
    lineStyle: { color: colour("--ink"), width: 1.2, type: "solid" },
    label: { show: labelled, formatter: `${words.now} ${clock(now)}`, color: colour("--ink"), fontSize: 11, fontWeight: 600, position: "end", distance: 4 },
    data: [{ xAxis: now }],
  };
}

function carrierSeries(view, lines, panel, axes) {
  const series = [];
  const future = axes.planned.map((t) => t >= axes.now - view.planned_step_s * 1000);
  for (const [kind, values] of Object.entries(lines.measured_kw)) {
    for (const [side, part] of [["fed", positive(values)], ["drawn", negative(values)]]) {
      if (any(part)) series.push(area(panel, `m-${panel}-${kind}-${side}`, kind, pairs(axes.measured, part), kindColour(kind), `m-${panel}-${side}`, 0.85));
    }
  }
  for (const [kind, values] of Object.entries(lines.planned_kw)) {
    const ahead = values.map((v, i) => (future[i] ? v : null));
    for (const [side, part] of [["fed", positive(ahead)], ["drawn", negative(ahead)]]) {
      if (any(part)) series.push(area(panel, `p-${panel}-${kind}-${side}`, kind, clipped(axes, pairs(axes.planned, part)), kindColour(kind), `p-${panel}-${side}`, 0.42, "end"));
    }
  }
  const rows = Object.values(lines.planned_kw);
  if (rows.length) {
    const style = { type: [4, 3], width: 1.3 };
    series.push(line(panel, `s-${panel}`, "planned_supply", pairs(axes.planned, total(rows.map(positive))), colour("--ink"), { style, step: "end" }));
    series.push(line(panel, `u-${panel}`, "planned_use", pairs(axes.planned, total(rows.map(negative))), colour("--ink"), { style, step: "end" }));
  }
  series.push(line(panel, `now-${panel}`, "now", [[axes.now, null]], colour("--ink"), { markLine: nowLine(axes.now, panel === 0) }));
  return series;
}

/** The step that is under way begins at the now-line, so that the plan does not cover what was measured. */
const clipped = (axes, points) => points.map(([t, v]) => [Math.max(t, v === null ? t : axes.now), v]);

function storeSeries(view, panel, axes) {
  const series = view.stores.flatMap((store) => {
    const stroke = colour(STORE_COLOUR[store.kind] ?? "--faint");
    const share = (values) => values.map((v) => (v === null ? null : (100 * v) / store.energy_kwh));
    return [
      line(panel, `sm-${store.asset}`, `${store.asset}:measured`, pairs(axes.measured, share(store.measured_kwh)), stroke, { style: { width: 2 } }),
      line(panel, `sp-${store.asset}`, `${store.asset}:planned`, pairs(axes.planned_ends, share(store.planned_kwh)), stroke, { style: { type: [4, 3] } }),
    ];
  });
  series.push(line(panel, `now-${panel}`, "now", [[axes.now, null]], colour("--ink"), { markLine: nowLine(axes.now, false) }));
  return series;
}

function axesOf(view) {
  const planned = view.carriers.length ? Object.values(view.carriers[0].planned_kw)[0]?.length ?? 0 : 0;
  const measured = Object.values(view.carriers[0]?.measured_kw ?? {})[0]?.length ?? 0;
  return {
    now: siteTime(view.now),
    measured: times(view.measured_start, view.measured_step_s, measured, 0.5),
    planned: times(view.planned_start, view.planned_step_s, planned),
    planned_ends: times(view.planned_start, view.planned_step_s, planned, 1),
  };
}

function tip(view, axes, at) {
  const body = element("tbody");
  const measuredRow = Math.floor((at - siteTime(view.measured_start)) / (view.measured_step_s * 1000));
  const plannedRow = Math.floor((at - siteTime(view.planned_start)) / (view.planned_step_s * 1000));
  const head = (name, unit) => body.append(element("tr", { class: "head" }, element("td", {}, `${name}, ${unit}`), element("td", {}, words.planned), element("td", {}, words.measured)));
  const row = (fill, name, planned, measured) =>
    body.append(element("tr", {}, element("td", {}, swatch(fill), name), element("td", {}, grouped(planned ?? null)), element("td", {}, grouped(measured ?? null))));
  for (const lines of view.carriers) {
    head(words[lines.carrier], "kW");
    for (const kind of Object.keys(lines.measured_kw)) {
      const [planned, measured] = [lines.planned_kw[kind]?.[plannedRow], lines.measured_kw[kind][measuredRow]];
      if (any([planned ?? null, measured ?? null])) row(kindColour(kind), words[kind], planned, measured);
    }
  }
  if (view.stores.length) head(words.stores, "%");
  for (const store of view.stores) {
    const share = (v) => (v === null || v === undefined ? null : (100 * v) / store.energy_kwh);
    row(colour(STORE_COLOUR[store.kind] ?? "--faint"), store.title, share(store.planned_kwh[plannedRow - 1]), share(store.measured_kwh[measuredRow]));
  }
  return element("div", { class: "tip" }, element("h4", {}, dayAndClock(at)), element("table", {}, body));
}

/** The axis begins where there is first something to see, and at least three hours before now. */
function firstOf(view, axes) {
  const rows = view.carriers.flatMap((lines) => [...Object.values(lines.measured_kw).map((v) => [v, axes.measured]), ...Object.values(lines.planned_kw).map((v) => [v, axes.planned])]);
  const first = rows.map(([values, stamps]) => stamps[values.findIndex((v) => v !== null)] ?? axes.now);
  return Math.min(...first, axes.now - 3 * 3600000);
}

function option(view) {
  const axes = axesOf(view);
  const panels = view.carriers.map((lines) => ({ name: words[lines.carrier], unit: "kW", tint: carrierColour(lines.carrier), weight: { electricity: 2, heat: 1.4 }[lines.carrier] ?? 1 }));
  if (view.stores.length) panels.push({ name: words.stores, unit: "%", tint: colour("--ink"), weight: 1 });
  const boxes = layout(panels);
  const start = firstOf(view, axes);
  const end = Math.max(axes.planned_ends.at(-1) ?? axes.now, axes.now + 3600000);
  return {
    animation: false,
    grid: boxes,
    title: panels.map((panel, i) => ({
      text: `${panel.name}  {unit|${panel.unit}}`, left: 0, top: boxes[i].top - 22, padding: 0,
      textStyle: { color: panel.tint, fontSize: 12.5, fontWeight: 600, rich: { unit: { color: colour("--faint"), fontSize: 11 } } },
    })),
    axisPointer: { link: [{ xAxisIndex: "all" }], lineStyle: { color: colour("--faint") }, label: { show: false } },
    tooltip: tooltip((items) => (items.length ? tip(view, axes, items[0].axisValue) : ""), { trigger: "axis" }),
    xAxis: panels.map((_, i) => ({
      type: "time", gridIndex: i, min: start, max: end,
      axisLabel: { show: i === panels.length - 1, color: colour("--soft"), fontSize: 11, hideOverlap: true, formatter: tick },
      axisTick: { show: i === panels.length - 1, lineStyle: { color: colour("--edge") } },
      axisLine: { onZero: false, lineStyle: { color: colour("--edge") } },
      splitLine: { show: true, lineStyle: { color: colour("--grid-line") } },
      minInterval: 3600000, maxInterval: narrow.matches ? 6 * 3600000 : 3 * 3600000,
    })),
    useUTC: true,
    yAxis: panels.map((panel, i) => ({
      type: "value", gridIndex: i, splitNumber: panel.weight > 1.5 ? 5 : 3,
      ...(panel.unit === "%" ? { min: 0, max: 100, interval: 50 } : {}),
      axisLabel: { color: colour("--soft"), fontSize: 11, formatter: (v) => grouped(v) },
      splitLine: { lineStyle: { color: colour("--grid-line") } },
    })),
    series: [
      ...view.carriers.flatMap((lines, i) => carrierSeries(view, lines, i, axes)),
      ...(view.stores.length ? storeSeries(view, panels.length - 1, axes) : []),
    ],
  };
}

function legend(view) {
  const kinds = data.kinds.filter((kind) => view.carriers.some((c) => any(c.measured_kw[kind] ?? []) || any(c.planned_kw[kind] ?? [])));
  const entries = kinds.map((kind) => element("span", {}, swatch(kindColour(kind)), words[kind]));
  entries.push(element("span", {}, swatch(colour("--ink"), true), words.planned));
  document.getElementById("legend").replaceChildren(...entries);
}

function show(view) {
  shown = view;
  draw(option(view), { notMerge: true });
  legend(view);
}

export async function refresh() {
  const [back, ahead] = narrow.matches ? [6, 12] : [12, 24];
  const view = await ask(`/api/v1/timeline?back_h=${back}&ahead_h=${ahead}`);
  if (view) show(view);
}

export function repaint() {
  if (shown) show(shown);
}

narrow.addEventListener("change", refresh);
