// The form of a case: changes as rows whose fields come from the format itself, judged while one types.

import { element, words } from "./page.js";
import { send } from "./deeds.js";

const { document: begun, kinds, names, parameters } = JSON.parse(document.getElementById("editor").textContent);
const form = document.getElementById("case");
const list = document.getElementById("changes");
const verdict = document.getElementById("verdict");
let waiting = 0;

function field(spec, value) {
  const text = value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  const known = names[spec.name === "grid" ? "asset" : spec.name];
  const input = spec.type === "json" ? element("textarea", { rows: 3 }, text) : element("input", { value: text });
  input.dataset.field = spec.name;
  input.dataset.kind = spec.type;
  input.title = spec.about;
  if (known) input.setAttribute("list", `names-${spec.name}`);
  return element("label", spec.type === "json" ? { class: "full" } : {}, spec.required ? `${spec.label} *` : spec.label, input);
}

function row(change) {
  const about = kinds[change.kind];
  const fields = element("div", { class: "fields" }, ...about.fields.map((spec) => field(spec, change[spec.name])));
  const leave = element("button", { type: "button" }, words.remove);
  const made = element("li", {}, element("header", {}, element("b", {}, about.title), leave), element("p", { class: "note" }, about.about), fields);
  made.dataset.kind = change.kind;
  leave.addEventListener("click", () => { made.remove(); judge(); });
  return made;
}

/** A field's value: a number, a parameter like ${name}, a document, or text. */
function valueOf(input) {
  const text = input.value.trim();
  if (text === "") return undefined;
  if (input.dataset.kind === "number") return Number.isFinite(Number(text)) ? Number(text) : text;
  if (input.dataset.kind === "json") try { return JSON.parse(text); } catch { return text; }
  return text;
}

function changeOf(item) {
  const change = { kind: item.dataset.kind };
  for (const input of item.querySelectorAll("[data-field]")) {
    const value = valueOf(input);
    if (value !== undefined) change[input.dataset.field] = value;
  }
  return change;
}

function written() {
  const said = Object.fromEntries(["name", "title", "start", "story"].map((n) => [n, form.elements[n].value]));
  const made = { ...begun, ...said, days: Number(form.elements.days.value), changes: [...list.children].map(changeOf) };
  const used = JSON.stringify(made.changes);
  made.parameters = Object.fromEntries(Object.entries(begun.parameters ?? {}).filter(([name]) => used.includes(`\${${name}}`)));
  const values = Object.fromEntries([...document.querySelectorAll("#parameters input")].filter((i) => i.dataset.name in made.parameters).map((i) => [i.dataset.name, Number(i.value)]));
  return { case: made, values };
}

async function judge() {
  const asked = ++waiting;
  const body = written();
  document.getElementById("document").textContent = JSON.stringify(body.case, null, 1);
  const answer = await fetch("/console/check/case", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const { findings } = await answer.json();
  if (asked !== waiting) return;
  verdict.className = findings.length ? "answer wrong full" : "answer told full";
  verdict.replaceChildren(findings.length ? element("ul", {}, ...findings.map((f) => element("li", {}, element("b", {}, f.place), ` ${f.message}`))) : words.case_fine);
  document.getElementById("run").disabled = findings.length > 0;
}

let timer = 0;
form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(judge, 250); });
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = await send(form, "POST", "/api/v1/jobs", { kind: "scenario", ...written() });
  if (told) location.assign(`/studies/${told.id}`);
});
document.getElementById("add").addEventListener("click", () => { list.append(row({ kind: document.getElementById("kind").value })); judge(); });

for (const [name, known] of Object.entries(names)) document.body.append(element("datalist", { id: `names-${name}` }, ...known.map((value) => element("option", { value }))));
document.getElementById("kind").append(...Object.entries(kinds).map(([kind, { title }]) => element("option", { value: kind }, title)));
for (const name of ["name", "title", "start", "story", "days"]) form.elements[name].value = begun[name] ?? (name === "days" ? 1 : "");
form.elements.name.value = `${begun.name}_mine`.slice(0, 40);
for (const [name, p] of Object.entries(begun.parameters ?? {})) {
  document.getElementById("parameters").append(element("label", {}, parameters[name] ?? name, element("input", { type: "number", step: "any", "data-name": name, value: p.default })));
}
list.append(...(begun.changes ?? []).filter((c) => kinds[c.kind]).map(row));
judge();
