// Losses over steps on a logarithmic axis, a line for each ball, with a cursor at the step that is shown. Pressed or
// dragged, it scrubs.

import { lossAxis } from "./axes.js";
import { areaOf, clipTo, drawCurve, drawGrid, placeIn } from "./curve.js";
import { fit } from "./layers.js";
import { drawMarker } from "./markers.js";
import { clamp } from "../common/numbers.js";
import { onThemeChange, theme } from "../common/theme.js";
import { COLUMNS } from "./trail.js";

const LOSS = 2;
const RADIUS = 7;

export class Chart {
  constructor(canvas, { onStep }) {
    this.canvas = canvas;
    this.scene = { balls: [], trails: [], step: 0, steps: 1 };
    this.colours = theme();
    new ResizeObserver(() => this.draw(this.scene)).observe(canvas);
    onThemeChange(() => {
      this.colours = theme();
      this.draw(this.scene);
    });
    const scrub = (event) => {
      const { left, width } = canvas.getBoundingClientRect();
      const area = areaOf(width, 0);
      const fraction = (event.clientX - left - area.left) / (area.right - area.left);
      onStep(Math.round(clamp(fraction, 0, 1) * this.scene.steps));
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      scrub(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) scrub(event);
    });
  }

  draw(scene) {
    this.scene = scene;
    const { context, width, height } = fit(this.canvas);
    const axis = lossAxis(...range(scene.trails));
    const area = areaOf(width, height);
    const place = placeIn(area, axis, scene.steps);
    drawGrid(context, area, axis, place, scene.steps, this.colours);
    context.save();
    clipTo(context, area);
    scene.balls.forEach((ball, index) => {
      const trail = scene.trails[index];
      if (trail) drawCurve(context, lossesOf(trail), area, place, this.colours.balls[ball.mark]);
    });
    context.restore();
    const cursor = place.x(scene.step);
    context.strokeStyle = this.colours.muted;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(cursor, area.top);
    context.lineTo(cursor, area.bottom);
    context.stroke();
    for (let index = scene.balls.length - 1; index >= 0; index -= 1) {
      const trail = scene.trails[index];
      if (!trail || trail.last < scene.step) continue;
      const y = clamp(place.y(trail.at(scene.step).loss), area.top + RADIUS, area.bottom - RADIUS);
      drawMarker(context, scene.balls[index].mark, cursor, y, RADIUS, this.colours);
    }
  }
}

function range(trails) {
  let [lowest, highest, first] = [Infinity, -Infinity, NaN];
  for (const trail of trails) {
    if (!trail) continue;
    first = trail.rows[LOSS];
    for (let at = LOSS; at <= trail.last * COLUMNS + LOSS; at += COLUMNS) {
      const loss = trail.rows[at];
      // Neither 0, which has no logarithm, nor what is no number says where an axis ends.
      if (loss === 0 || !Number.isFinite(loss)) continue;
      lowest = Math.min(lowest, loss);
      highest = Math.max(highest, loss);
    }
  }
  return [lowest, highest, first];
}

function lossesOf({ rows, last }) {
  return { count: last + 1, step: (index) => index, loss: (index) => rows[index * COLUMNS + LOSS] };
}
