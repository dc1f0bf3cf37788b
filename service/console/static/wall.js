// The wall: scenes that follow one another; a key stops and starts them, nobody has to press anything.

const EVERY_MS = 20_000;
const scenes = [...document.querySelectorAll("[data-scene]")];
let [shown, paused] = [0, false];

function next() {
  if (paused || document.hidden) return;
  shown = (shown + 1) % scenes.length;
  scenes.forEach((scene, i) => { scene.hidden = i !== shown; });
}

setInterval(next, Number(new URLSearchParams(location.search).get("every_s")) * 1000 || EVERY_MS);
document.addEventListener("keydown", (event) => { if (event.key === " ") { paused = !paused; event.preventDefault(); } });
document.getElementById("full").addEventListener("click", () => document.documentElement.requestFullscreen());
