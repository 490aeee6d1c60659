// The canvases of a figure, of which each kind has some.

import { Chart } from "../picture/chart.js";
import { Picture } from "../picture/picture.js";
import { Curves } from "./curves.js";
import { LinePicture } from "./line_picture.js";
import { Points } from "./points.js";

const SHOWN = {
  plane: ["plane", "loss"],
  fit: ["plane", "points"],
  line: ["line"],
  chord: ["line"],
  learning: ["curves"],
};
const CANVASES = ["plane", "line", "curves", "loss", "rates", "points"];

export class Stage {
  constructor({ onStart, onStep }) {
    this.roots = Object.fromEntries(CANVASES.map((id) => [id, document.getElementById(id)]));
    const { plane, line, curves, loss, rates, points } = this.roots;
    this.shown = [];
    this.parts = {
      plane: new Picture(plane, { onStart }),
      line: new LinePicture(line, { onStart }),
      curves: new Curves(curves),
      loss: new Chart(loss, { onStep }),
      rates: new Curves(rates),
      points: new Points(points),
    };
  }

  // Another figure: what its kind needs is seen, and nothing is drawn on it yet.
  set(figure) {
    this.shown = [...SHOWN[figure.kind], ...(figure.rates ? ["rates"] : [])];
    for (const id of CANVASES) this.roots[id].hidden = !this.shown.includes(id);
    this.parts.line.set(figure);
    this.parts.points.set(figure.points || []);
    this.draw({ ...figure, trails: [], step: 0 });
  }

  showGround(values, { size, window }) {
    if (this.shown.includes("plane")) this.parts.plane.showSurface({ values, size, window });
    if (this.shown.includes("line")) this.parts.line.showCurve(values, window);
  }

  draw(scene) {
    for (const id of this.shown) this.parts[id].draw(id === "curves" || id === "rates" ? lines(id, scene) : scene);
  }
}

// What a chart of curves shows: losses above the least one, over epochs or seconds; or rates over steps.
function lines(id, { balls, trails, step, over, steps, epochs }) {
  const drawn = balls.map(({ mark }) => {
    const trail = trails[mark];
    if (!trail) return { mark, xs: [], ys: [] };
    if (id === "rates") return { mark, xs: trail.rates.map((_, at) => at), ys: trail.rates };
    const column = over === "seconds" ? 1 : 0;
    const ats = Array.from({ length: trail.last + 1 }, (_, at) => at);
    return { mark, xs: ats.map((at) => trail.rows[at * 4 + column]), ys: ats.map((at) => trail.at(at).loss - trail.floor) };
  });
  const last = id === "rates" ? steps : over === "epochs" ? epochs : 0;
  return { lines: drawn, step, last, unit: id === "rates" ? "rate over steps" : `loss above the least, over ${over}` };
}
