// Adds a pointer that reads values off the charts. The page is complete without it.
"use strict";
document.documentElement.classList.add("js");
const SVG = "http://www.w3.org/2000/svg";

const clock = (seconds) => {
  const tenths = Math.round(seconds * 10);
  const [h, m, s] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, Math.floor(tenths / 10) % 60];
  const two = (n) => String(n).padStart(2, "0");
  return (h ? h + ":" + two(m) : m) + ":" + two(s) + (tenths % 10 ? "." + (tenths % 10) : "");
};
const written = (value, isValence) => {
  if (value === null) return "–";
  if (!isValence) return Math.round(100 * value) + " %";
  const text = Math.abs(value).toFixed(2);
  return (text === "0.00" ? "" : value > 0 ? "+" : "−") + text;
};

for (const source of document.querySelectorAll("script[data-for]")) {
  const svg = document.getElementById(source.dataset.for);
  const data = JSON.parse(source.textContent);
  const output = svg.parentElement.querySelector("output");
  const figures = [...svg.querySelectorAll("[data-strip]")];
  const usual = figures.map((f) => f.textContent);
  const head = svg.querySelector(".head");
  const usualHead = head.textContent;
  const last = Math.max(0, data.people.length - 1);
  const x = (bin) => data.left + ((bin * data.bin) / data.length) * (data.right - data.left);

  const shape = (name, className) => {
    const node = document.createElementNS(SVG, name);
    node.setAttribute("class", className);
    node.setAttribute("visibility", "hidden");
    svg.append(node);
    return node;
  };
  const chosen = shape("rect", "chosen");
  const cursor = shape("line", "cursor");
  chosen.setAttribute("y", data.top);
  chosen.setAttribute("height", data.bottom - data.top);
  cursor.setAttribute("y1", data.top);
  cursor.setAttribute("y2", data.bottom);

  // The bins from `anchor` to `bin` are chosen; both are null where nothing is.
  let bin = null;
  let anchor = null;

  const mean = (values, from, to) => {
    const there = values.slice(from, to + 1).filter((v) => v !== null);
    return there.length ? there.reduce((sum, v) => sum + v, 0) / there.length : null;
  };
  const show = () => {
    const some = bin !== null;
    const stretch = some && anchor !== null && anchor !== bin;
    cursor.setAttribute("visibility", some && !stretch ? "visible" : "hidden");
    chosen.setAttribute("visibility", stretch ? "visible" : "hidden");
    if (!some) {
      figures.forEach((f, i) => (f.textContent = usual[i]));
      head.textContent = usualHead;
      output.textContent = "";
      return;
    }
    const [from, to] = stretch ? [Math.min(anchor, bin), Math.max(anchor, bin)] : [bin, bin];
    const values = data.values.map((v) => mean(v, from, to));
    figures.forEach((f) => {
      const i = Number(f.dataset.strip);
      f.textContent = written(values[i], data.valence[i]);
    });
    const when = stretch ? clock(from * data.bin) + "–" + clock((to + 1) * data.bin) : clock(bin * data.bin);
    head.textContent = when;
    const middle = x(bin + 0.5);
    cursor.setAttribute("x1", middle);
    cursor.setAttribute("x2", middle);
    chosen.setAttribute("x", x(from));
    chosen.setAttribute("width", x(to + 1) - x(from));
    const people = stretch ? "mean of the stretch" : data.people[bin] + (data.people[bin] === 1 ? " person" : " people");
    const parts = data.names.map((name, i) => name + " " + written(values[i], data.valence[i]));
    output.textContent = when + ": " + people + "; " + parts.join(", ");
  };

  const binAt = (event) => {
    const box = svg.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const share = (place - data.left) / (data.right - data.left);
    return Math.min(last, Math.max(0, Math.floor((share * data.length) / data.bin)));
  };
  let dragging = false;
  let kept = false;
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;
    dragging = true;
    kept = false;
    anchor = bin = binAt(event);
    svg.setPointerCapture(event.pointerId);
    show();
  });
  svg.addEventListener("pointermove", (event) => {
    if (kept && !dragging) return;
    bin = binAt(event);
    if (!dragging) anchor = null;
    show();
  });
  svg.addEventListener("pointerup", () => {
    dragging = false;
    // A stretch stays until the next click; a click alone clears it.
    kept = anchor !== null && anchor !== bin;
    if (!kept) anchor = null;
    show();
  });
  svg.addEventListener("pointerleave", () => {
    if (kept || dragging) return;
    bin = anchor = null;
    show();
  });
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") {
      bin = anchor = null;
      kept = false;
    } else if (step !== undefined) {
      event.preventDefault();
      if (!event.shiftKey) anchor = null;
      else if (anchor === null) anchor = bin ?? 0;
      bin = Math.min(last, Math.max(0, (bin ?? (step > 0 ? -1 : 1)) + step));
      kept = event.shiftKey;
    } else return;
    show();
  });
  svg.addEventListener("blur", () => {
    if (!kept) {
      bin = anchor = null;
      show();
    }
  });
}
