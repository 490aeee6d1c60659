// Losses over steps on a logarithmic axis, a line for each ball, with a cursor at the step that is shown. Pressed or
// dragged, it scrubs.

import { lossAxis, ticks } from "./axes.js";
import { fit } from "./layers.js";
import { drawMarker } from "./markers.js";
import { clamp, short } from "../common/numbers.js";
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
    const axis = lossAxis(...range(scene.trails));
    const area = { left: MARGIN.left, top: MARGIN.top, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
    const place = {
      x: (step) => area.left + (step / scene.steps) * (area.right - area.left),
      y: (loss) => area.bottom - axis.fraction(loss) * (area.bottom - area.top),
    };
    drawGrid(context, area, axis, place, scene.steps, this.colours);
    context.save();
    context.beginPath();
    context.rect(area.left, area.top - 2, area.right - area.left + 1, area.bottom - area.top + 4);
    context.clip();
    scene.balls.forEach((ball, index) => {
      if (scene.trails[index]) drawLine(context, scene.trails[index], area, place, this.colours.balls[ball.mark]);
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

function drawGrid(context, area, axis, place, steps, { line, muted }) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = muted;
  context.strokeStyle = line;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.beginPath();
  for (const loss of axis.ticks(5)) {
    const y = Math.round(place.y(loss)) + 0.5;
    context.moveTo(area.left, y);
    context.lineTo(area.right, y);
    context.fillText(short(loss), area.left - 7, y);
  }
  context.stroke();
  context.textAlign = "center";
  context.textBaseline = "bottom";
  for (const step of ticks(0, steps, 5)) context.fillText(short(step, 4), place.x(step), area.bottom + 18);
}

// Of all steps that fall on a column of pixels, the least and the greatest loss are drawn: no peak is lost, and a line
// of a million steps has no more points than the canvas is wide.
function drawLine(context, { rows, last }, area, place, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1.8;
  context.lineJoin = "round";
  context.beginPath();
  const y = (loss) => clamp(place.y(loss), area.top - 50, area.bottom + 50);
  let [column, lowest, highest] = [-1, 0, 0];
  const flush = () => {
    if (column < 0) return;
    context.lineTo(column, y(highest));
    if (lowest !== highest) context.lineTo(column, y(lowest));
  };
  for (let step = 0; step <= last; step += 1) {
    const loss = rows[step * COLUMNS + LOSS];
    if (!Number.isFinite(loss)) continue;
    const x = Math.round(place.x(step) * 2) / 2;
    if (x === column) {
      if (loss < lowest) lowest = loss;
      if (loss > highest) highest = loss;
    } else {
      flush();
      [column, lowest, highest] = [x, loss, loss];
    }
  }
  flush();
  context.stroke();
}
