// One asset: what the plan wanted, what was commanded, what the meter saw.

import { ask, chartIn, clock, colour, dayAndClock, element, grouped, siteTime, swatch, tick, tooltip, words } from "./page.js";

const { draw } = chartIn("one");
const choice = document.getElementById("asset");
let shown = null;

const run = (start, step_s, values, offset) => values.map((value, i) => [siteTime(start) + (i + offset) * step_s * 1000, value]);

/** A set-point holds until the next one; the last one holds until now. */
function commanded(view, now) {
  const points = view.commanded.filter((c) => c.outcome === "applied").map((c) => [siteTime(c.at), c.setpoint_kw]);
  return points.length ? [...points, [now, points.at(-1)[1]]] : [];
}

function tip(items) {
  const rows = items.filter((i) => i.seriesName !== "now" && i.value[1] !== null).map((i) =>
    element("tr", {}, element("td", {}, swatch(i.color), words[i.seriesName]), element("td", {}, `${grouped(i.value[1])} kW`)));
  return element("div", { class: "tip" }, element("h4", {}, dayAndClock(items[0].axisValue)), element("table", {}, element("tbody", {}, ...rows)));
}

/** The axis begins where there is first something to see, and at least three hours before now. */
function firstOf(view, now) {
  const first = (start, step_s, values) => siteTime(start) + Math.max(values.findIndex((v) => v !== null), 0) * step_s * 1000;
  const starts = [first(view.measured_start, view.measured_step_s, view.measured_kw), first(view.planned_start, view.planned_step_s, view.planned_kw)];
  return Math.min(Math.max(...starts), now - 3 * 3600000);
}

function option(view) {
  const now = siteTime(view.now);
  const series = (name, data, stroke, more) => ({
    name, type: "line", data, showSymbol: false, symbol: "none", animation: false, itemStyle: { color: stroke },
    lineStyle: { color: stroke, width: 2, ...more.style }, step: more.step, z: more.z, markLine: more.markLine, areaStyle: more.area,
  });
  const label = { formatter: `${words.now} ${clock(now)}`, color: colour("--ink"), fontSize: 11, fontWeight: 600 };
  return {
    animation: false,
    useUTC: true,
    grid: { left: 58, right: 14, top: 46, bottom: 28 },
    legend: { top: 0, left: 0, itemWidth: 18, itemHeight: 8, icon: "roundRect", textStyle: { color: colour("--soft"), fontSize: 12 }, data: ["measured", "planned", "commanded"], formatter: (name) => words[name] },
    tooltip: tooltip((items) => (items.length ? tip(items) : ""), { trigger: "axis", axisPointer: { lineStyle: { color: colour("--faint") } } }),
    xAxis: { type: "time", min: firstOf(view, now), axisLabel: { color: colour("--soft"), fontSize: 11, hideOverlap: true, formatter: tick }, axisLine: { onZero: false, lineStyle: { color: colour("--edge") } }, splitLine: { show: true, lineStyle: { color: colour("--grid-line") } }, maxInterval: 6 * 3600000 },
    yAxis: { type: "value", axisLabel: { color: colour("--soft"), fontSize: 11, formatter: (v) => grouped(v) }, splitLine: { lineStyle: { color: colour("--grid-line") } } },
    series: [
      series("measured", run(view.measured_start, view.measured_step_s, view.measured_kw, 0.5), colour("--accent"), { z: 5, area: { opacity: 0.08 } }),
      series("planned", run(view.planned_start, view.planned_step_s, view.planned_kw, 0), colour("--ink"), { step: "end", style: { type: [5, 4], width: 1.5 }, z: 4 }),
      series("commanded", commanded(view, now), "#d99a15", { step: "end", style: { width: 1.5 }, z: 3,
        markLine: { silent: true, symbol: "none", animation: false, lineStyle: { color: colour("--ink"), width: 1.2, type: "solid" }, label, data: [{ xAxis: now }] } }),
    ],
  };
}

function show(view) {
  shown = view;
  draw(option(view), { notMerge: true });
}

export async function refresh() {
  const view = await ask(`/api/v1/timeline/${encodeURIComponent(choice.value)}?back_h=6&ahead_h=12`);
  if (view && view.asset === choice.value) show(view);
}

export function repaint() {
  if (shown) show(shown);
}

choice.addEventListener("change", refresh);
