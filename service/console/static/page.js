// What every part of the page shares: the data that came with it, words, colours, numbers and times.

export const data = JSON.parse(document.getElementById("data").textContent);
export const words = data.words;

/** A colour of the style sheet by the name of its custom property. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Charts write in the page's own font. */
export const font = getComputedStyle(document.body).fontFamily;

export const kindColour = (kind) => colour(`--k-${kind}`) || colour("--faint");
export const carrierColour = (carrier) => colour(`--c-${carrier}`) || colour("--faint");

const format = (digits) => new Intl.NumberFormat("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits });
const whole = format(0);
const tenth = format(1);

/** A number as the server writes it: thin spaces between thousands, a real minus. */
export function grouped(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  const text = (Math.abs(value) < 10 && !Number.isInteger(value) ? tenth : whole).format(value);
  return (/^-0(\.0)?$/.test(text) ? text.slice(1) : text).replaceAll(",", "\u2009").replace("-", "−");
}

const shortest = new Intl.NumberFormat("en-US", { maximumFractionDigits: 4 });

/** A number at the edge of a chart: as many decimals as tell it from its neighbours, which stand at round ones. */
export const onEdge = (value) => shortest.format(value).replaceAll(",", "\u2009").replace("-", "−");

/** Charts run on site time: an instant is shifted by the zone's offset and shown as if it were UTC. */
export const siteTime = (iso) => Date.parse(iso) + data.utc_offset_s * 1000;

const clockFormat = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(data.language === "zh" ? "zh-CN" : "en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" });
export const clock = (shifted) => clockFormat.format(shifted);
export const dayAndClock = (shifted) => `${dayFormat.format(shifted)} ${clockFormat.format(shifted)}`;

/** A time axis' label: the date at midnight, else the hour. */
export const tick = (shifted) => (shifted % 86400000 === 0 ? dayFormat.format(shifted) : clockFormat.format(shifted));

/** An element with text and children; text is never read as markup. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A small square in a colour, drawn as a picture because style attributes are not allowed here. */
export function swatch(fill, dashed = false) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("viewBox", "0 0 12 12");
  const shape = document.createElementNS(space, dashed ? "path" : "rect");
  const attributes = dashed
    ? { d: "M0 6h12", stroke: fill, "stroke-width": 2, "stroke-dasharray": "3.5 2" }
    : { width: 12, height: 12, rx: 3, fill };
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
  picture.append(shape);
  return picture;
}

/** The answer of the interface as data; null when it has nothing yet or cannot be reached. */
export async function ask(path) {
  try {
    const answer = await fetch(path, { headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** A chart in an element; it follows the element's width, and says in words when there is nothing to show. */
export function chartIn(id) {
  const place = document.getElementById(id);
  place.dataset.words = words.no_data;
  place.classList.add("waiting");
  const chart = echarts.init(place, null, { renderer: "canvas" });
  new ResizeObserver(() => chart.resize()).observe(place);
  return {
    chart,
    draw(option, how) {
      place.classList.remove("waiting");
      chart.setOption({ ...option, textStyle: { fontFamily: font } }, how);
    },
  };
}

/** What all tooltips have in common; their content is made of elements, so that no inline style is needed. */
export function tooltip(content, more = {}) {
  return {
    confine: true,
    backgroundColor: colour("--card"),
    borderColor: colour("--edge"),
    padding: [8, 11],
    transitionDuration: 0.15,
    formatter: content,
    ...more,
  };
}
