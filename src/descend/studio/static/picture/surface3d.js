// The same surface in 3-D, by plotly.js out of Python's plotly, which is loaded when it is first asked for. Its height
// is the level of the contours, so that a valley is seen beside its walls.

import { levels } from "./contours.js";
import { between, theme } from "../common/theme.js";

const PLOTLY = "/plotly.js";
const OWN_STYLE = /getElementById\("([0-9a-f]{64})"\)/g;
// Drawing takes plotly a tenth of a second: while a race plays, not at each step.
const BETWEEN_DRAWINGS = 250;

export class Surface3D {
  constructor(onOpen) {
    this.root = document.getElementById("surface3d");
    this.flat = document.getElementById("picture");
    this.zoom = document.querySelector(".zoom");
    this.toggle = document.getElementById("surface3d-toggle");
    this.drawn = -Infinity;
    this.toggle.addEventListener("click", async () => {
      const open = this.root.hidden;
      if (open) await loadPlotly();
      this.root.hidden = !open;
      this.flat.hidden = open;
      this.zoom.hidden = open;
      this.toggle.setAttribute("aria-pressed", open);
      if (open) onOpen();
    });
  }

  draw(scene, surface) {
    if (this.root.hidden || !surface) return;
    clearTimeout(this.later);
    const wait = this.drawn + BETWEEN_DRAWINGS - performance.now();
    if (wait > 0) {
      this.later = setTimeout(() => this.draw(scene, surface), wait);
      return;
    }
    this.drawn = performance.now();
    const colours = theme();
    const shown = [ground(surface, colours), ...ways(scene, surface, colours)];
    globalThis.Plotly.react(this.root, shown, layout(colours), { displayModeBar: false, responsive: true });
  }
}

let loading = null;

function loadPlotly() {
  loading ||= (async () => {
    const source = await (await fetch(PLOTLY)).text();
    // It would put styles into the page, of its bar and its maps, which the page's policy forbids. It does not where it
    // finds elements of their names.
    for (const name of ["plotly.js-style-global", ...Array.from(source.matchAll(OWN_STYLE), ([, hash]) => hash)]) {
      const element = document.createElement("meta");
      element.id = name;
      element.className = "no-inline-styles";
      document.head.append(element);
    }
    await new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = PLOTLY;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
  })();
  return loading;
}

function ground({ values, size: [columns, rows], window: [x0, x1, y0, y1] }, { depths }) {
  const heights = levels(values);
  const colours = [0, 0.25, 0.5, 0.75, 1].map((level) => [level, `rgb(${between(depths, level)})`]);
  return {
    type: "surface",
    x: Array.from({ length: columns }, (_, column) => x0 + ((x1 - x0) * column) / (columns - 1)),
    y: Array.from({ length: rows }, (_, row) => y0 + ((y1 - y0) * row) / (rows - 1)),
    z: Array.from({ length: rows }, (_, row) => Array.from(heights.subarray(row * columns, (row + 1) * columns))),
    colorscale: colours,
    showscale: false,
    hoverinfo: "skip",
    contours: { z: { show: true, start: 0, end: 1, size: 1 / 14, color: "rgba(60,90,130,.45)" } },
  };
}

// The way of each ball to the step, a little above the ground, and the ball at its end.
function ways({ balls, trails, step }, surface, { balls: colours }) {
  const heights = levels(surface.values);
  return balls.flatMap((ball, index) => {
    if (!trails[index]) return [];
    const points = [];
    for (let at = 0; at <= Math.min(step, trails[index].last); at += 1) {
      const { x, y } = trails[index].at(at);
      const height = heightAt(heights, surface, x, y);
      if (height !== null) points.push([x, y, height + 0.012]);
    }
    const color = colours[ball.mark];
    const [x, y, z] = [0, 1, 2].map((axis) => points.map((point) => point[axis]));
    const sizes = points.map((_, at) => (at === points.length - 1 ? 8 : 0));
    return [{ type: "scatter3d", mode: "lines+markers", name: ball.title, x, y, z,
      line: { color, width: 5 }, marker: { color, size: sizes, line: { width: 0 } } }];
  });
}

function heightAt(heights, { size: [columns, rows], window: [x0, x1, y0, y1] }, x, y) {
  const column = Math.round(((x - x0) / (x1 - x0)) * (columns - 1));
  const row = Math.round(((y - y0) / (y1 - y0)) * (rows - 1));
  const inside = column >= 0 && column < columns && row >= 0 && row < rows;
  return inside && Number.isFinite(heights[row * columns + column]) ? heights[row * columns + column] : null;
}

function layout({ ink, line }) {
  const axis = { color: ink, gridcolor: line, zerolinecolor: line };
  return {
    margin: { l: 0, r: 0, t: 0, b: 0 },
    paper_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 11 },
    showlegend: false,
    uirevision: "kept",
    scene: {
      xaxis: { ...axis, title: { text: "x" } },
      yaxis: { ...axis, title: { text: "y" } },
      zaxis: { ...axis, title: { text: "loss (log)" }, showticklabels: false },
      camera: { eye: { x: 0.97, y: -1.88, z: 1.3 } },
      aspectratio: { x: 1.25, y: 1.25, z: 0.7 },
    },
  };
}
