// Lines of many points between two axes, and the grid behind them.

import { clamp, short } from "../common/numbers.js";

// Where values lie in an area of a canvas, by an axis each way.
export function placeOn(area, across, up) {
  return {
    x: (value) => area.left + across.fraction(value) * (area.right - area.left),
    y: (value) => area.bottom - up.fraction(value) * (area.bottom - area.top),
  };
}

export function drawGrid(context, area, place, { across, up }, { line, muted }) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = muted;
  context.strokeStyle = line;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.beginPath();
  for (const value of up) {
    const y = Math.round(place.y(value)) + 0.5;
    context.moveTo(area.left, y);
    context.lineTo(area.right, y);
    context.fillText(short(value), area.left - 7, y);
  }
  context.stroke();
  context.textAlign = "center";
  context.textBaseline = "bottom";
  for (const value of across) context.fillText(short(value, 4), place.x(value), area.bottom + 18);
}

// All within the area, but for half the width of a line.
export function clipped(context, area, draw) {
  context.save();
  context.beginPath();
  context.rect(area.left, area.top - 2, area.right - area.left + 1, area.bottom - area.top + 4);
  context.clip();
  draw();
  context.restore();
}

// Of all points that fall on a column of pixels, the least and the greatest value are drawn: no peak is lost, and a line
// of a million points has no more than the canvas is wide. Where x goes back, another line begins.
export function drawLine(context, { count, x, y }, area, place, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1.8;
  context.lineJoin = "round";
  context.beginPath();
  const height = (value) => clamp(place.y(value), area.top - 50, area.bottom + 50);
  let [column, lowest, highest, pen, before] = [-1, 0, 0, "moveTo", -Infinity];
  const flush = () => {
    if (column < 0) return;
    context[pen](column, height(highest));
    // A point alone is seen, too.
    context.lineTo(column, height(lowest));
    pen = "lineTo";
  };
  for (let index = 0; index < count; index += 1) {
    const [at, value] = [x(index), y(index)];
    if (!Number.isFinite(value)) continue;
    const here = Math.round(place.x(at) * 2) / 2;
    if (here === column && at >= before) {
      if (value < lowest) lowest = value;
      if (value > highest) highest = value;
    } else {
      flush();
      if (at < before) pen = "moveTo";
      [column, lowest, highest] = [here, value, value];
    }
    before = at;
  }
  flush();
  context.stroke();
}
