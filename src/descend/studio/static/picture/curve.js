// Curves of losses over steps: where they are drawn, the grid behind them, and lines of however many steps.

import { ticks } from "./axes.js";
import { clamp, short } from "../common/numbers.js";

const MARGIN = { left: 48, right: 16, top: 8, bottom: 20 };

export function areaOf(width, height) {
  return { left: MARGIN.left, top: MARGIN.top, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
}

// From steps and losses to pixels.
export function placeIn(area, axis, steps) {
  return {
    x: (step) => area.left + (step / steps) * (area.right - area.left),
    y: (loss) => area.bottom - axis.fraction(loss) * (area.bottom - area.top),
  };
}

export function clipTo(context, area) {
  context.beginPath();
  context.rect(area.left, area.top - 2, area.right - area.left + 1, area.bottom - area.top + 4);
  context.clip();
}

export function drawGrid(context, area, axis, place, steps, { line, muted }) {
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

// `curve`: how many points it has, and the step and the loss of each. Of all that fall on a column of pixels, the least
// and the greatest loss are drawn: no peak is lost, and a line of a million steps has no more points than the canvas is
// wide.
export function drawCurve(context, { count, step, loss }, area, place, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1.8;
  context.lineJoin = "round";
  context.beginPath();
  const y = (value) => clamp(place.y(value), area.top - 50, area.bottom + 50);
  let [column, lowest, highest] = [-1, 0, 0];
  const flush = () => {
    if (column < 0) return;
    context.lineTo(column, y(highest));
    if (lowest !== highest) context.lineTo(column, y(lowest));
  };
  for (let index = 0; index < count; index += 1) {
    const value = loss(index);
    if (!Number.isFinite(value)) continue;
    const x = Math.round(place.x(step(index)) * 2) / 2;
    if (x === column) {
      if (value < lowest) lowest = value;
      if (value > highest) highest = value;
    } else {
      flush();
      [column, lowest, highest] = [x, value, value];
    }
  }
  flush();
  context.stroke();
}
