// Trying a register map on a device: every point read once, raw and as a value; kept when it is right.

import { element, grouped, words } from "./page.js";
import { complain, documentOf, send } from "./deeds.js";

const form = document.getElementById("trial");
const maps = JSON.parse(document.getElementById("maps").textContent);

document.getElementById("shipped").addEventListener("change", (event) => { form.elements.text.value = maps[event.target.value] ?? form.elements.text.value; });
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = documentOf(form);
  const told = await send(form, "POST", "/console/devices/try", said);
  if (!told) return;
  const rows = told.points.map((p) => element("tr", {}, ...[p.quantity, p.address, p.raw].map((v) => element("td", {}, String(v))), element("td", { class: "n" }, p.value === null ? "–" : grouped(p.value)), element("td", {}, p.unit), element("td", {}, element("span", { class: `badge ${p.words ? "warn" : "good"}` }, p.words || words.good))));
  const head = [words.point, words.register, words.raw, words.value, words.unit, words.quality].map((t) => element("th", {}, t));
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
