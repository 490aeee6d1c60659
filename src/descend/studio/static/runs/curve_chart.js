// Curves of runs over steps or seconds, with a cursor whose place is told to whoever listens.

import { linear, logarithmic, lossAxis } from "../picture/axes.js";
import { fit } from "../picture/layers.js";
import { clipped, drawGrid, drawLine, placeOn } from "../picture/lines.js";
import { clamp } from "../common/numbers.js";
import { onThemeChange, theme } from "../common/theme.js";

const MARGIN = { left: 52, right: 14, top: 8, bottom: 20 };
const DASHES = [[], [6, 4], [2, 3], [9, 3, 2, 3]];

export class CurveChart {
  constructor(canvas, { onCursor }) {
    this.canvas = canvas;
    this.onCursor = onCursor;
    this.scene = { curves: [], across: "steps", up: "log" };
    this.cursor = null;
    this.colours = theme();
    new ResizeObserver(() => this.draw()).observe(canvas);
    onThemeChange(() => {
      this.colours = theme();
      this.draw();
    });
    canvas.addEventListener("pointermove", (event) => this.point(event.clientX - canvas.getBoundingClientRect().left));
    canvas.addEventListener("pointerleave", () => this.moveTo(null));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  // Curves: `{ mark, xs, ys }`, drawn from the last to the first.
  show(scene) {
    this.scene = scene;
    this.draw();
  }

  draw() {
    const { context, width, height } = fit(this.canvas);
    this.area = { left: MARGIN.left, top: MARGIN.top, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
    this.axes = axesOf(this.scene);
    const place = placeOn(this.area, this.axes.across, this.axes.up);
    const ticks = { across: this.axes.across.ticks(5), up: this.axes.up.ticks(5) };
    drawGrid(context, this.area, place, ticks, this.colours);
    clipped(context, this.area, () => {
      for (const { mark, xs, ys } of [...this.scene.curves].reverse()) {
        context.setLineDash(DASHES[Math.floor(mark / this.colours.balls.length) % DASHES.length]);
        const line = { count: xs.length, x: (index) => xs[index], y: (index) => ys[index] };
        drawLine(context, line, this.area, place, colourOf(mark, this.colours));
      }
      context.setLineDash([]);
    });
    if (this.cursor !== null) this.drawCursor(context);
  }

  drawCursor(context) {
    const x = this.area.left + this.cursor * (this.area.right - this.area.left);
    context.strokeStyle = this.colours.muted;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, this.area.top);
    context.lineTo(x, this.area.bottom);
    context.stroke();
  }

  point(x) {
    this.moveTo(clamp((x - this.area.left) / (this.area.right - this.area.left), 0, 1));
  }

  onKey(event) {
    const moves = { ArrowLeft: -0.01, ArrowRight: 0.01, Home: -1, End: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.moveTo(clamp((this.cursor ?? 1) + moves[event.key], 0, 1));
  }

  // `fraction` of the width; null takes the cursor away.
  moveTo(fraction) {
    this.cursor = fraction;
    this.draw();
    this.onCursor(fraction === null ? null : this.axes.across.value(fraction));
  }
}

export function colourOf(mark, { balls }) {
  return balls[mark % balls.length];
}

// The last value up to a place; of several lines one after the other, of the last one.
export function valueAt({ xs, ys }, x) {
  let found = NaN;
  for (let index = 0; index < xs.length; index += 1) if (xs[index] <= x) found = ys[index];
  return found;
}

function axesOf({ curves, across, up }) {
  let [begin, end, lowest, highest, first] = [0, 0, Infinity, -Infinity, -Infinity];
  for (const { xs, ys } of curves) {
    if (ys.length && Number.isFinite(ys[0])) first = Math.max(first, Math.abs(ys[0]));
    for (let index = 0; index < xs.length; index += 1) {
      if (xs[index] > end) end = xs[index];
      if (xs[index] < begin) begin = xs[index];
      const value = ys[index];
      if (!Number.isFinite(value) || (up === "log" && value === 0)) continue;
      if (value < lowest) lowest = value;
      if (value > highest) highest = value;
    }
  }
  return { across: acrossAxis(across, begin, end > begin ? end : begin + 1), up: upAxis(up, lowest, highest, first) };
}

function acrossAxis(across, begin, end) {
  if (across !== "steps-log") return { ...linear(begin, end), value: (fraction) => begin + fraction * (end - begin) };
  // Steps count from 0, which has no logarithm.
  const axis = logarithmic(1, Math.max(end, 2));
  return { ...axis, fraction: (x) => Math.max(0, axis.fraction(x)), value: (fraction) => Math.max(end, 2) ** fraction };
}

function upAxis(up, lowest, highest, first) {
  if (up === "log") return lossAxis(lowest, highest, Number.isFinite(first) && first > 0 ? first : highest);
  if (!(lowest <= highest)) return linear(0, 1);
  const room = (highest - lowest) * 0.04 || Math.abs(highest) * 0.1 || 1;
  return linear(lowest - room, highest + room);
}
