// Forms and buttons that do something: they ask the interface, as programs do, and show what it answers in words.

import { data, element, words } from "./page.js";

const dialog = document.getElementById("sure");

/** Ask somebody whether they mean it; true when they do. */
function sure(question) {
  document.getElementById("sure-words").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((settle) => dialog.addEventListener("close", () => settle(dialog.returnValue === "yes"), { once: true }));
}

/** One field's value as the interface wants it; undefined where it is left out. */
function valueOf(field) {
  const kind = field.dataset.type ?? field.type;
  if (kind === "checkbox") return field.checked;
  if (field.multiple) return [...field.selectedOptions].map((o) => o.value);
  if (field.value === "") return field.dataset.empty === "text" ? "" : undefined;
  if (kind === "number") return Number(field.value);
  if (kind === "list") return field.value.split(",").map((part) => part.trim()).filter(Boolean);
  if (kind === "datetime-local") return `${field.value}${data.utc_offset}`;
  return field.value;
}

function put(target, path, value) {
  const [head, ...rest] = path.split(".");
  if (rest.length === 0) target[head] = value;
  else put((target[head] ??= {}), rest.join("."), value);
}

/** What a form says, as a document; boxes of one name make a list, dots in names make documents within. */
export function documentOf(form) {
  const found = {};
  for (const field of form.querySelectorAll("[name]")) {
    if (field.disabled || field.closest("[hidden]")) continue;
    if (field.dataset.member !== undefined) {
      const list = (found[field.name] ??= []);
      if (field.checked) list.push(field.value);
      continue;
    }
    const value = valueOf(field);
    if (value !== undefined) put(found, field.name, value);
  }
  return found;
}

/** Tell a problem where it belongs: under the form, and beside the fields that it names. */
export function complain(place, problem) {
  const list = (problem.findings ?? []).map((f) => element("li", {}, element("b", {}, f.place), ` ${f.message}`));
  place.replaceChildren(element("p", {}, list.length ? words.not_done : problem.detail ?? words.not_done), element("ul", {}, ...list));
  place.className = "answer wrong";
  place.hidden = false;
  for (const field of place.closest("form")?.querySelectorAll("[name]") ?? []) {
    const wrong = (problem.findings ?? []).some((f) => f.place.endsWith(field.name));
    if (wrong) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}

function answerPlace(source) {
  const form = source.closest("form, .deeds") ?? source.parentElement;
  let place = form.querySelector(".answer");
  if (!place) form.append((place = element("div", { class: "answer", role: "alert" })));
  return place;
}

/** Ask the interface to do something; null and words on the page when it does not. */
export async function send(source, method, path, body) {
  const headers = { Accept: "application/json", "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
  if (source.dataset.match) headers["If-Match"] = source.dataset.match;
  const place = answerPlace(source);
  try {
    const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const told = answer.status === 204 ? {} : await answer.json();
    if (answer.ok) {
      place.hidden = true;
      return told;
    }
    complain(place, told);
  } catch {
    complain(place, { detail: words.lost_short });
  }
  return null;
}

/** What follows: an event, another page (with what was answered in its address), the page anew, or a secret that is told once. */
function followed(source, told) {
  for (const next of (source.dataset.done ?? "reload").split(" ")) {
    if (next === "reload") location.reload();
    else if (next.startsWith("go:")) location.assign(next.slice(3).replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(told[name])));
    else if (next.startsWith("show:")) {
      const place = answerPlace(source);
      place.className = "answer told";
      place.replaceChildren(element("p", {}, source.dataset.words ?? ""), element("code", {}, String(told[next.slice(5)])));
      place.hidden = false;
    } else document.body.dispatchEvent(new CustomEvent(next));
  }
}

async function act(source, body) {
  if (source.dataset.sure && !(await sure(source.dataset.sure))) return;
  const [method, path] = source.dataset.deed.split(" ");
  source.setAttribute("aria-busy", "true");
  const told = await send(source, method, path, body);
  source.removeAttribute("aria-busy");
  if (told) followed(source, told);
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-deed]");
  if (!form) return;
  event.preventDefault();
  act(form, documentOf(form));
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-deed]");
  if (button) act(button, button.dataset.body ? JSON.parse(button.dataset.body) : undefined);
});
/** Ticked boxes go into the address as one list. */
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-joins]");
  if (form) form.elements.thing.value = [...form.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.value).join(",");
});
/** A choice that leads elsewhere does so at once. */
document.addEventListener("change", (event) => event.target.closest("select[data-go]")?.form.submit());
/** Typing narrows a list to what has these letters. */
document.addEventListener("input", (event) => {
  const box = event.target.closest("[data-finds]");
  if (!box) return;
  for (const row of document.querySelectorAll(box.dataset.finds)) row.hidden = !row.textContent.toLowerCase().includes(box.value.toLowerCase());
});
/** What was pressed before this was there is done now (theme.js kept it). */
for (const kind of ["click", "submit"]) document.removeEventListener(kind, window.keepEarly);
for (const source of window.early) source.tagName === "FORM" ? source.requestSubmit() : source.click();
