// Keeps the page live: listens to the event stream, refreshes what changed, and says so when the service falls silent.

import { clock, data, siteTime, words } from "./page.js";
import * as flow from "./flow.js";
import * as lines from "./lines.js";
import * as one from "./one.js";

const SILENT_AFTER_MS = 4000;
const LINES_EVERY_MS = 2000;
const connection = document.getElementById("connection");
const banner = document.getElementById("lost");
let heardAt = performance.now();
let linesAt = -Infinity;

function tell(state) {
  if (connection.dataset.state === state) return;
  connection.dataset.state = state;
  connection.querySelector("b").textContent = { live: words.connected, lost: words.lost_short, connecting: words.connecting }[state];
  banner.hidden = state !== "lost";
}

function heard(message) {
  heardAt = performance.now();
  tell("live");
  const now = JSON.parse(message.data).now ?? JSON.parse(message.data).at;
  if (message.type !== "snapshot" && message.type !== "ping") return;
  const shifted = siteTime(now);
  document.getElementById("clock").textContent = `${new Date(shifted).toISOString().slice(0, 10)} ${clock(shifted)}`;
}

/** Tell the parts that the server renders; they ask for themselves anew. */
const happened = (name) => document.body.dispatchEvent(new CustomEvent(name));

function refreshLines(force = false) {
  if (document.hidden || (!force && performance.now() - linesAt < LINES_EVERY_MS)) return;
  linesAt = performance.now();
  lines.refresh();
  one.refresh();
}

function refreshAll() {
  happened("site-changed");
  happened("commands-sent");
  happened("something-happened");
  happened("alarms-changed");
  flow.refresh();
  refreshLines(true);
}

function listen() {
  const stream = new EventSource("/api/v1/events");
  let opened = false;
  stream.addEventListener("open", () => {
    if (opened) refreshAll();
    opened = true;
  });
  for (const kind of ["snapshot", "plan", "commands", "guard", "fault", "recovery", "alarm", "ping"]) stream.addEventListener(kind, heard);
  stream.addEventListener("snapshot", () => {
    if (document.hidden) return;
    happened("site-changed");
    flow.refresh();
    refreshLines();
  });
  stream.addEventListener("commands", () => happened("commands-sent"));
  for (const kind of ["plan", "guard", "fault", "recovery"]) stream.addEventListener(kind, () => happened("something-happened"));
  stream.addEventListener("alarm", () => happened("alarms-changed"));
  // A refused connection is final for the browser; after a restart of the service only a new stream hears again.
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

setInterval(() => {
  if (performance.now() - heardAt > SILENT_AFTER_MS) tell("lost");
}, 500);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refreshAll();
});
const repaintAll = () => [flow, lines, one].forEach((part) => part.repaint());
document.addEventListener("theme-changed", repaintAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaintAll);

flow.refresh();
refreshLines(true);
listen();
