// What every page does: hears the service, says when it falls silent, shows how many alarms wait, and obeys the keyboard.

import { ask, clock, data, siteTime, words } from "./page.js";
import "./deeds.js";
import "./figures.js";
import "./tour.js";

const SILENT_AFTER_MS = 4000;
const KINDS = ["snapshot", "plan", "commands", "guard", "fault", "recovery", "alarm", "note", "ping"];
const HAPPENED = { snapshot: "site-changed", plan: "plan-made", commands: "commands-sent", alarm: "alarms-changed" };
const connection = document.getElementById("connection");
const banner = document.getElementById("lost");
const bell = document.getElementById("bell");
let heardAt = performance.now();

function tell(state) {
  if (connection.dataset.state === state) return;
  connection.dataset.state = state;
  connection.querySelector("b").textContent = { live: words.connected, lost: words.lost_short, connecting: words.connecting }[state];
  banner.hidden = state !== "lost";
}

/** Tell the parts of the page; those that the server renders ask for themselves anew. */
const happened = (name) => document.body.dispatchEvent(new CustomEvent(name));

function heard(message) {
  heardAt = performance.now();
  tell("live");
  const told = JSON.parse(message.data);
  if (message.type === "snapshot" || message.type === "ping") {
    const shifted = siteTime(told.now ?? told.at);
    document.getElementById("clock").textContent = `${new Date(shifted).toISOString().slice(0, 10)} ${clock(shifted)}`;
  }
  if (message.type === "alarm") countAlarms();
  if (document.hidden || message.type === "ping") return;
  happened(HAPPENED[message.type] ?? "something-happened");
  if (message.type === "plan") happened("something-happened");
}

function refreshAll() {
  for (const name of [...Object.values(HAPPENED), "something-happened"]) happened(name);
  countAlarms();
}

async function countAlarms() {
  const found = await ask("/api/v1/alarms");
  if (!found) return;
  const waiting = found.items.filter((a) => a.state === "unacknowledged" || a.state === "returned").length;
  bell.hidden = waiting === 0;
  bell.textContent = `⚠ ${waiting}`;
  bell.setAttribute("aria-label", `${waiting} ${words.alarms_waiting}`);
}

function listen() {
  const stream = new EventSource("/api/v1/events");
  let opened = false;
  stream.addEventListener("open", () => {
    if (opened) refreshAll();
    opened = true;
  });
  for (const kind of KINDS) stream.addEventListener(kind, heard);
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

const help = document.getElementById("keys");
document.getElementById("help").addEventListener("click", () => help.showModal());
document.getElementById("keys-close").addEventListener("click", () => help.close());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  if (event.key === "?") help.showModal();
  if (event.key === "t") document.getElementById("theme").click();
  const room = document.querySelectorAll("nav.rooms a")[Number(event.key) - 1];
  if (/^[1-9]$/.test(event.key) && room) location.assign(room.href);
});

countAlarms();
listen();
