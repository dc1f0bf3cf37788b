// The first run: a few words about each part of the page, once, and again whenever somebody asks.

import { data, element, words } from "./page.js";

const SEEN = "tour-seen";
const steps = (data.tour ?? []).filter(([place]) => document.querySelector(place));

function show(number, box) {
  document.querySelector(".toured")?.classList.remove("toured");
  if (number >= steps.length) return end(box);
  const [place, key] = steps[number];
  const target = document.querySelector(place);
  target.classList.add("toured");
  target.scrollIntoView({ block: "center", behavior: "auto" });
  const next = element("button", { type: "button", class: "main" }, number === steps.length - 1 ? words.tour_done : words.tour_next);
  const leave = element("button", { type: "button" }, words.tour_skip);
  next.addEventListener("click", () => show(number + 1, box));
  leave.addEventListener("click", () => end(box));
  box.replaceChildren(element("p", {}, words[key]), element("menu", {}, element("span", {}, `${number + 1} / ${steps.length}`), leave, next));
  next.focus({ preventScroll: true });
}

function end(box) {
  document.querySelector(".toured")?.classList.remove("toured");
  localStorage.setItem(SEEN, "yes");
  box.remove();
}

function begin() {
  document.querySelector(".tour")?.remove();
  const box = element("section", { class: "tour", role: "dialog", "aria-label": words.tour_title });
  document.body.append(box);
  show(0, box);
}

document.getElementById("tour-again").addEventListener("click", () => {
  document.getElementById("keys").close();
  begin();
});
if (steps.length && !localStorage.getItem(SEEN)) begin();
