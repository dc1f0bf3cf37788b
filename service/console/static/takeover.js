// Taking over by hand: a schedule of one set-point, drafted, approved and applied in one go, as far as four eyes let it.

import { words } from "./page.js";
import { complain, send } from "./deeds.js";

const form = document.getElementById("takeover");

async function takeOver() {
  const said = Object.fromEntries(new FormData(form));
  const answer = await fetch("/api/v1/health");
  const start = new Date((await answer.json()).now);
  const end = new Date(start.getTime() + 60000 * Number(said.minutes));
  const setpoints_kw = { [said.asset]: [{ at: start.toISOString(), kw: Number(said.kw) }] };
  delete form.dataset.match;
  let found = await send(form, "POST", "/api/v1/schedules", { title: said.title, start: start.toISOString(), end: end.toISOString(), setpoints_kw });
  for (const [deed, body] of [["approve", undefined], ["apply", { lease_s: Math.min(Math.max(60 * Number(said.minutes), 60), 86400) }]]) {
    if (!found) break;
    form.dataset.match = `"${found.version}"`;
    found = await send(form, "POST", `/api/v1/schedules/${found.id}/${deed}`, body);
  }
  document.body.dispatchEvent(new CustomEvent("book-changed"));
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = form.elements.asset.selectedOptions[0].dataset;
  const kw = Number(form.elements.kw.value);
  if (kw >= Number(chosen.least) && kw <= Number(chosen.most)) return takeOver();
  form.querySelector(".answer") ?? form.insertAdjacentHTML("beforeend", '<div class="answer" role="alert"></div>');
  complain(form.querySelector(".answer"), { detail: `${words.out_of_range} ${chosen.least} … ${chosen.most} kW` });
});
