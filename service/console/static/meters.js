// A file of meter data is handed over as it is; what is wrong with it stands below, row by row.

import { words } from "./page.js";
import { complain } from "./deeds.js";

const KIND = { csv: "text/csv", xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" };
const form = document.getElementById("meter-file");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { file, zone, unit } = form.elements, chosen = file.files[0];
  const headers = { Accept: "application/json", "Content-Type": KIND[chosen.name.split(".").at(-1).toLowerCase()] ?? KIND.csv };
  if (form.dataset.version !== "0") headers["If-Match"] = `"${form.dataset.version}"`;
  form.setAttribute("aria-busy", "true");
  const place = form.querySelector(".answer") ?? form.appendChild(document.createElement("div"));
  try {
    const answer = await fetch(`/api/v1/parties/${form.dataset.party}/intervals?${new URLSearchParams({ zone: zone.value, unit: unit.value })}`, { method: "PUT", headers, body: chosen });
    if (answer.ok) return location.reload();
    complain(place, await answer.json());
  } catch {
    complain(place, { detail: words.lost_short });
  } finally {
    form.removeAttribute("aria-busy");
  }
});
