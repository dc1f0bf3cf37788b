// Runs before the first paint, so that a chosen theme never flashes in the other one.
"use strict";
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
// What is pressed before the scripts behind it have come is not lost: it waits here, and deeds.js does it.
window.early = new Set();
window.keepEarly = (event) => {
  const source = event.target.closest(event.type === "submit" ? "form[data-deed]" : "button[data-deed]");
  if (!source) return;
  event.preventDefault();
  window.early.add(source);
};
for (const kind of ["click", "submit"]) document.addEventListener(kind, window.keepEarly);
document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("theme")?.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", document.documentElement.dataset.theme);
    document.dispatchEvent(new Event("theme-changed"));
  });
});
