// Sheets: lists of the interface as tables that can be searched, opened, saved and worked on, with forms made from its description.

import { ask, data, dayAndClock, element, grouped, siteTime, words } from "./page.js";
import { send } from "./deeds.js";

const MOST = 200;
const config = JSON.parse(document.getElementById("sheets").textContent);
const label = (name) => words[`field_${name}`] ?? name.replace(/_micro$/, "").replaceAll("_", " ");
const isTime = (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value);

/** A value as people read it. */
function shown(name, value) {
  if (value === null || value === undefined || value === "") return "–";
  if (name.endsWith("_micro") && typeof value === "number") return grouped(value / 1e6);
  if (typeof value === "number") return Number.isInteger(value) ? grouped(value) : new Intl.NumberFormat("en-US", { maximumFractionDigits: 4 }).format(value);
  if (typeof value === "boolean") return value ? words.yes : words.no;
  if (isTime(value)) return dayAndClock(siteTime(value));
  if (Array.isArray(value)) return value.every((v) => typeof v !== "object") ? value.map((v) => words[`role_${v}`] ?? v).join(", ") : `${value.length} ×`;
  if (typeof value === "object") return Object.entries(value).map(([k, v]) => `${label(k)} ${typeof v === "object" ? "…" : shown(k, v)}`).join(", ");
  return words[`state_${value}`] ?? String(value);
}

/** Rows of an envelope are shown by what is inside it. */
function flat(row) {
  const inner = Object.entries(row).find(([name, v]) => ["content", "row", "document"].includes(name) && v && typeof v === "object" && !Array.isArray(v));
  return inner ? { ...inner[1], ...Object.fromEntries(Object.entries(row).filter(([name]) => name !== inner[0])) } : row;
}

/** What an id in a form names: chosen from a list of titles, so that nobody copies ids. */
const REFERS = { party_id: "parties", customer_id: "parties", lead_id: "leads", proposal_id: "proposals", contract_id: "contracts", premises_id: "premises", asset_id: "assets", project_id: "projects", auction_id: "auctions" };

async function fillChoices(form) {
  for (const choice of form.querySelectorAll("select[data-refers]")) {
    const found = await ask(`/api/v1/${choice.dataset.refers}?limit=${MOST}`), kept = choice.value;
    const known = (found?.items ?? []).map(flat).map((row) => element("option", { value: row.id }, `${row.title ?? row.name ?? row.id}${row.made_at ? `, ${dayAndClock(siteTime(row.made_at))}` : ""}`));
    choice.replaceChildren(element("option", { value: "" }, "–"), ...known);
    choice.value = kept || choice.dataset.kept || "";
  }
}

function input(field) {
  const name = { name: field.name, title: field.about };
  if (field.required) name.required = "";
  if (REFERS[field.name] && field.type === "text") return element("select", { ...name, "data-refers": REFERS[field.name] });
  if (field.type === "choice") return element("select", name, ...(field.required ? [] : [element("option", { value: "" }, "–")]), ...field.choices.map((c) => element("option", { value: c, ...(c === field.value ? { selected: "" } : {}) }, c)));
  if (field.type === "choices") return element("span", {}, ...field.choices.map((c) => element("label", { class: "box" }, element("input", { type: "checkbox", name: field.name, value: c, "data-member": "" }), words[`role_${c}`] ?? c)));
  if (field.type === "long" || field.type === "json") return element("textarea", { ...name, rows: 2, placeholder: field.example });
  const type = { number: "number", money: "number", box: "checkbox", date: "date", instant: "datetime-local" }[field.type] ?? (field.name.includes("password") ? "password" : "text");
  return element("input", { ...name, type, ...(type === "number" ? { step: "any" } : {}), placeholder: field.example, ...(type === "checkbox" ? {} : { value: field.value }) });
}

function read(form, fields) {
  const said = {};
  for (const field of fields) {
    const box = form.querySelector(`[name="${field.name}"]`);
    if (field.type === "choices") {
      const ticked = [...form.querySelectorAll(`[name="${field.name}"]:checked`)].map((b) => b.value);
      if (ticked.length || field.required) said[field.name] = ticked;
      continue;
    }
    const text = box.value.trim();
    if (field.type === "box") said[field.name] = box.checked;
    else if (text === "") continue;
    else if (field.type === "number") said[field.name] = Number(text);
    else if (field.type === "money") said[field.name] = Math.round(Number(text) * 1e6);
    else if (field.type === "list") said[field.name] = text.split(",").map((v) => v.trim()).filter(Boolean).map((v) => (/^-?\d+(\.\d+)?$/.test(v) ? Number(v) : v));
    else if (field.type === "instant") said[field.name] = `${text}${data.utc_offset}`;
    else if (field.type === "json") {
      try { said[field.name] = JSON.parse(text); } catch { said[field.name] = text; }
    } else said[field.name] = text;
  }
  return said;
}

const PLAIN_DEEDS = { POST: words.new_one, PUT: words.save, PATCH: words.save, DELETE: words.remove };

/** What a deed is called: by its method at the list or the row itself, by its own word below them. */
function verbOf(act, list) {
  const last = act.path.split(/[/:]/).at(-1);
  return last.startsWith("{") || act.path === list ? PLAIN_DEEDS[act.method] : words[`deed_${last}`] ?? last;
}

/** The form of a deed; a row's deed knows its id and version. */
function formOf(act, list, after, row) {
  const path = row ? act.path.replace(/\{\w+\}/, encodeURIComponent(row.id ?? row.name)) : act.path;
  const verb = verbOf(act, list);
  const fields = act.fields.map((f) => {
    const title = f.required ? `${label(f.name)} *` : label(f.name);
    if (f.type === "choices") return element("fieldset", { class: "full" }, element("legend", {}, title), input(f));
    return element("label", { class: f.type === "json" || f.type === "long" ? "full" : "" }, title, input(f));
  });
  const button = element("button", { class: act.method === "DELETE" ? "" : "main" }, verb);
  const form = element("form", { class: "fields" }, ...(act.about ? [element("p", { class: "note full" }, act.about)] : []), ...fields, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (act.versioned && row) form.dataset.match = `"${row.version}"`;
    const told = await send(form, act.method, path, act.fields.length || act.method === "POST" ? read(form, act.fields) : undefined);
    if (!told) return;
    if (told.secret) {
      const place = form.querySelector(".answer");
      place.className = "answer told";
      place.replaceChildren(element("p", {}, words.secret_once), element("code", {}, told.secret));
      place.hidden = false;
    } else form.reset();
    await after();
  });
  if (row) for (const f of act.fields) {
    const box = form.querySelector(`[name="${f.name}"]`), value = row[f.name];
    if (value === undefined || value === null) continue;
    if (f.type === "choices") for (const b of form.querySelectorAll(`[name="${f.name}"]`)) b.checked = value.includes(b.value);
    else if (f.type === "box") box.checked = value;
    else if (box.dataset.refers) box.dataset.kept = value;
    else box.value = f.type === "money" ? value / 1e6 : Array.isArray(value) && f.type === "list" ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : value;
  }
  const drawer = element("details", { class: "drawer" }, element("summary", {}, verb), form);
  drawer.addEventListener("toggle", () => drawer.open && fillChoices(form));
  return drawer;
}

class Sheet {
  constructor(box, about) {
    [this.box, this.about, this.rows, this.asked] = [box, about, [], 0];
    this.search = element("input", { type: "search", placeholder: words.search, "aria-label": words.search });
    this.search.addEventListener("input", () => this.paint());
    const save = element("button", { type: "button" }, "CSV");
    save.addEventListener("click", () => this.save());
    this.place = element("div", { class: "scroll tall", tabindex: "0", role: "group", "aria-label": box.dataset.title });
    this.detail = element("div");
    box.append(element("p", { class: "lineup" }, this.search, element("span", { class: "saves" }, words.save_as, save)), this.place, this.detail);
    for (const act of about.acts.filter((a) => !a.of_row)) box.append(formOf(act, about.path, refreshAll));
    this.ready = this.refresh();
  }

  async refresh() {
    const asked = ++this.asked;
    const found = await ask(`${this.about.path}?limit=${MOST}`) ?? (await ask(this.about.path));
    if (asked !== this.asked) return; // a newer question is under way; this answer may be older than what was done since
    if (!found) return this.place.replaceChildren(element("p", { class: "none" }, words.no_data));
    const rows = Array.isArray(found) ? found : found.items ?? Object.values(found).find(Array.isArray) ?? [found];
    this.rows = rows.map(flat);
    this.paint();
  }

  paint() {
    const wanted = this.search.value.toLowerCase();
    this.box.classList.toggle("empty", this.rows.length === 0);
    const rows = this.rows.filter((r) => JSON.stringify(r).toLowerCase().includes(wanted));
    if (!rows.length) return this.place.replaceChildren(element("p", { class: "none" }, this.rows.length ? words.no_match : words.sheet_empty));
    const columns = this.columns();
    const head = element("tr", {}, ...columns.map((c) => element("th", { class: typeof rows[0][c] === "number" ? "n" : "" }, label(c))), element("th", {}, element("span", { class: "hidden" }, words.open_row)));
    const body = rows.map((row) => {
      const more = element("button", { type: "button" }, words.open_row);
      more.addEventListener("click", () => this.open(row));
      return element("tr", { "data-id": row.id ?? row.name ?? "" }, ...columns.map((c) => element("td", { class: typeof row[c] === "number" ? "n" : "" }, shown(c, row[c]))), element("td", {}, more));
    });
    this.place.replaceChildren(element("table", { class: "list" }, element("thead", {}, head), element("tbody", {}, ...body)));
  }

  /** The columns that say most: short values first seen in the newest row, ids of ours and inner workings last or not at all. */
  columns() {
    const row = this.rows[0];
    const hidden = [...("name" in row || "title" in row ? ["id"] : []), "version", "hash", "previous", "tenant_id", "created_at", "size"];
    const names = Object.keys(row).filter((n) => !hidden.includes(n) && (typeof row[n] !== "object" || Array.isArray(row[n]) || row[n] === null));
    return (names.length ? names : Object.keys(row)).slice(0, 8);
  }

  open(row) {
    const told = Object.entries(row).map(([name, value]) => element("div", {}, element("dt", {}, label(name)), element("dd", {}, typeof value === "object" && value !== null ? JSON.stringify(value, null, 1) : shown(name, value))));
    const close = element("button", { type: "button" }, words.close);
    close.addEventListener("click", () => this.detail.replaceChildren());
    const forms = this.about.acts.filter((a) => a.of_row).map((act) => formOf(act, this.about.path, async () => { await refreshAll(); this.detail.replaceChildren(); }, row));
    this.detail.replaceChildren(element("section", { class: "opened" }, element("header", {}, element("b", {}, String(row.title ?? row.name ?? row.id ?? "")), element("span", { class: "acts" }, ...this.pageOf(row), close)), element("dl", { class: "told" }, ...told), ...forms));
    this.detail.scrollIntoView({ block: "nearest" });
  }

  /** The way to the page of one row, where rows have pages. */
  pageOf(row) {
    return this.about.page ? [element("a", { href: this.about.page.replace("{id}", encodeURIComponent(row.id)) }, words.open_page)] : [];
  }

  save() {
    const names = [...new Set(this.rows.flatMap((r) => Object.keys(r)))];
    const cell = (v) => { const text = v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v) : String(v); return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; };
    const text = [names.join(","), ...this.rows.map((r) => names.map((n) => cell(r[n])).join(","))].join("\n");
    const link = element("a", { href: URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" })), download: `${this.about.name}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

const boxes = [...document.querySelectorAll("[data-sheet]")];
const made = new Map();
/** What is done in one sheet shows in others too: who did it in the audit, what it led to beside it. */
function refreshAll() {
  return Promise.all([...made.values()].map((sheet) => sheet.refresh()));
}
function meet(box) {
  if (made.has(box)) return;
  made.set(box, new Sheet(box, config.find((s) => s.path === box.dataset.sheet)));
}
/** Sheets are filled when they come into view, so that a room with many of them opens at once. */
const seen = new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting).forEach((e) => meet(e.target)), { rootMargin: "200px" });
boxes.forEach((box) => seen.observe(box));
/** The others follow one by one, so that nobody scrolls into empty frames. */
for (const box of boxes) {
  meet(box);
  await made.get(box).ready;
}
