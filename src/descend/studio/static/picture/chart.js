// Losses over steps on a logarithmic axis, a line for each ball, with a cursor at the step that is shown. Pressed or
// dragged, it scrubs.

import { linear, lossAxis } from "./axes.js";
import { fit } from "./layers.js";
import { clipped, drawGrid, drawLine, placeOn } from "./lines.js";
import { drawMarker } from "./markers.js";
import { clamp } from "../common/numbers.js";
import { onThemeChange, theme } from "../common/theme.js";
import { COLUMNS } from "./trail.js";

const MARGIN = { left: 48, right: 16, top: 8, bottom: 20 };
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
      const fraction = (event.clientX - left - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
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
    const area = { left: MARGIN.left, top: MARGIN.top, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
    const [across, up] = [linear(0, scene.steps), lossAxis(...range(scene.trails))];
    const place = placeOn(area, across, up);
    drawGrid(context, area, place, { across: across.ticks(5), up: up.ticks(5) }, this.colours);
    clipped(context, area, () => {
      scene.balls.forEach((ball, index) => {
        const trail = scene.trails[index];
        if (trail) drawLine(context, lossesOf(trail), area, place, this.colours.balls[ball.mark]);
      });
    });
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

function lossesOf({ rows, last }) {
  return { count: last + 1, x: (step) => step, y: (step) => rows[step * COLUMNS + LOSS] };
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
