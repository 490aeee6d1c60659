// Curves on a logarithmic axis, over steps, epochs or seconds, with a marker on each at the step that is shown.

import { clamp, short } from "../common/numbers.js";
import { onThemeChange, theme } from "../common/theme.js";
import { lossAxis, ticks } from "../picture/axes.js";
import { fit } from "../picture/layers.js";
import { drawMarker } from "../picture/markers.js";

const MARGIN = { left: 52, right: 18, top: 12, bottom: 36 };
const RADIUS = 7;

export class Curves {
  constructor(canvas) {
    this.canvas = canvas;
    this.shown = { lines: [], step: 0, last: 1, unit: "" };
    new ResizeObserver(() => this.draw(this.shown)).observe(canvas);
    onThemeChange(() => this.draw(this.shown));
  }

  // `lines` of xs and ys; `last`: where the axis ends, or 0 for where the last line does.
  draw(shown) {
    this.shown = shown;
    const { context, width, height } = fit(this.canvas);
    const colours = theme();
    const area = { left: MARGIN.left, top: MARGIN.top, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
    const end = shown.last || Math.max(1e-9, ...shown.lines.map(({ xs }) => xs.at(-1) ?? 0));
    const axis = lossAxis(...range(shown.lines));
    const place = ({ xs, ys }, at) => [
      area.left + (xs[at] / end) * (area.right - area.left),
      clamp(area.bottom - axis.fraction(ys[at]) * (area.bottom - area.top), area.top - 40, area.bottom + 40),
    ];
    drawGrid(context, area, axis, end, shown.unit, colours);
    context.save();
    context.beginPath();
    context.rect(area.left, area.top - 2, area.right - area.left + 1, area.bottom - area.top + 4);
    context.clip();
    for (const line of shown.lines) {
      context.strokeStyle = colours.balls[line.mark];
      context.lineWidth = 1.8;
      context.lineJoin = "round";
      context.beginPath();
      line.xs.forEach((_, at) => context.lineTo(...place(line, at)));
      context.stroke();
    }
    context.restore();
    for (const line of [...shown.lines].reverse()) {
      if (shown.step >= line.xs.length) continue;
      const [x, y] = place(line, shown.step);
      drawMarker(context, line.mark, x, clamp(y, area.top, area.bottom), RADIUS, colours);
    }
  }
}

function range(lines) {
  const all = lines.flatMap(({ ys }) => [...ys]).filter((value) => value > 0 && Number.isFinite(value));
  const first = Math.max(0, ...lines.map(({ ys }) => ys[0] ?? 0));
  return [Math.min(...all), Math.max(...all), first];
}

function drawGrid(context, area, axis, end, unit, { line, muted }) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = muted;
  context.strokeStyle = line;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.beginPath();
  for (const value of axis.ticks(5)) {
    const y = Math.round(area.bottom - axis.fraction(value) * (area.bottom - area.top)) + 0.5;
    context.moveTo(area.left, y);
    context.lineTo(area.right, y);
    context.fillText(short(value), area.left - 7, y);
  }
  context.stroke();
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const x of ticks(0, end, 5)) {
    context.fillText(short(x, 4), area.left + (x / end) * (area.right - area.left), area.bottom + 5);
  }
  context.fillText(unit, (area.left + area.right) / 2, area.bottom + 20);
}
