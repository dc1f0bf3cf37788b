// Trying a register map on a device: every point read once, raw and as a value; kept when it is right, and the device put into service.

import { element, grouped, words } from "./page.js";
import { complain, documentOf, send } from "./deeds.js";

const form = document.getElementById("trial");
const live = document.getElementById("commission");
const maps = JSON.parse(document.getElementById("maps").textContent);

document.getElementById("shipped").addEventListener("change", (event) => { form.elements.text.value = maps[event.target.value] ?? form.elements.text.value; });
/** What is changed after a trial has to be tried again. */
form.addEventListener("input", () => { live.hidden = true; });
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = documentOf(form);
  const told = await send(form, "POST", "/console/devices/try", said);
  if (!told) return;
  const rows = told.points.map((p) => element("tr", {}, ...[p.quantity, p.address, p.raw].map((v) => element("td", {}, String(v))), element("td", { class: "n" }, p.value === null ? "–" : grouped(p.value)), element("td", {}, p.unit), element("td", {}, element("span", { class: `badge ${p.words ? "warn" : "good"}` }, p.words || words.good))));
  const head = [words.point, words.register, words.raw, words.value, words.unit, words.quality].map((t) => element("th", {}, t));
  live.hidden = false;
  document.getElementById("tried").replaceChildren(element("table", { class: "list", id: "points" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
});
document.getElementById("keep")?.addEventListener("click", async () => {
  const name = document.getElementById("map-name").value.trim();
  const answer = await fetch(`/api/v1/documents/map/${encodeURIComponent(name)}`, { method: "PUT", headers: { "Content-Type": "application/yaml" }, body: form.elements.text.value });
  const told = await answer.json();
  let place = form.querySelector(".answer");
  if (!place) form.append((place = element("div", { class: "answer", role: "alert" })));
  if (!answer.ok) return complain(place, told);
  place.className = "answer told";
  place.replaceChildren(`${words.kept_as} ${told.name}.yaml`);
});

live.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { host, port, unit, text } = documentOf(form);
  const { asset, poll_s } = documentOf(live);
  const button = live.querySelector("button");
  const tale = element("p", { class: "note full", role: "status" }, words.going_live);
  live.querySelector("[role=status]")?.remove();
  live.append(tale);
  button.disabled = true;
  const told = await send(live, "PUT", `/api/v1/devices/${asset}`, { asset, host, port, unit_id: unit, poll_s, map: text });
  button.disabled = false;
  if (!told) return tale.remove();
  const good = told.values.filter((v) => v.quality === "good").length;
  tale.replaceChildren(element("b", {}, told.id), ` ${words.went_live} ${good} / ${told.values.length}`);
  document.body.dispatchEvent(new CustomEvent("site-changed"));
});
