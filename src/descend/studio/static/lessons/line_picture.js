// A function of one number as a curve, with the balls on it and the ways that they came; or with a chord.

import { clamp, short } from "../common/numbers.js";
import { onThemeChange, theme } from "../common/theme.js";
import { ticks } from "../picture/axes.js";
import { fit, label } from "../picture/layers.js";
import { drawMarker } from "../picture/markers.js";
import { Plane } from "../picture/plane.js";

const RADIUS = 9;
const ARROWS = { ArrowLeft: -1, ArrowRight: 1 };
// Room above and below the curve, in parts of its height.
const ROOM = 0.12;

export class LinePicture {
  constructor(canvas, { onStart }) {
    this.canvas = canvas;
    this.curve = null;
    this.scene = null;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    onThemeChange(() => this.redraw());
    this.listen(onStart);
  }

  // Another figure; of a chord the ends are sliders, and there is no start to move.
  set({ kind }) {
    this.curve = null;
    this.moves = kind === "line";
    this.canvas.setAttribute("role", this.moves ? "application" : "img");
    this.canvas.tabIndex = this.moves ? 0 : -1;
    this.canvas.setAttribute("aria-describedby", this.moves ? "line-help seen" : "seen");
  }

  showCurve(values, [x0, x1]) {
    const finite = [...values].filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const room = ROOM * (high - low || 1);
    this.curve = { values, window: [x0, x1, low - room, high + room] };
    this.redraw();
  }

  redraw() {
    if (this.scene) this.draw(this.scene);
  }

  draw(scene) {
    this.scene = scene;
    const { context, width, height } = fit(this.canvas);
    if (!this.curve) return;
    const colours = theme();
    this.plane = new Plane(this.curve.window, width, height);
    drawAxes(context, this.plane, colours);
    drawCurve(context, this.plane, this.curve, colours);
    if (scene.kind === "chord") drawChord(context, this.plane, scene.trails[0], colours);
    else drawBalls(context, this.plane, scene, colours);
  }

  listen(onStart) {
    // Kept at once: of two keys between two frames of the screen, the second goes on from the first.
    const ask = (x) => {
      const [x0, x1] = this.plane.window;
      this.scene = { ...this.scene, start: [clamp(x, x0, x1), 0] };
      onStart(this.scene.start);
    };
    const drag = (event) => {
      const { left } = this.canvas.getBoundingClientRect();
      ask(this.plane.toPoint(event.clientX - left, 0)[0]);
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.moves || !this.plane) return;
      this.canvas.setPointerCapture(event.pointerId);
      drag(event);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (this.canvas.hasPointerCapture(event.pointerId)) drag(event);
    });
    this.canvas.addEventListener("keydown", (event) => {
      if (!(event.key in ARROWS) || !this.moves || !this.plane) return;
      event.preventDefault();
      const [x0, x1] = this.plane.window;
      ask(this.scene.start[0] + ARROWS[event.key] * (event.shiftKey ? 0.002 : 0.02) * (x1 - x0));
    });
  }
}

function drawAxes(context, plane, colours) {
  const { width, height, window: [x0, x1, y0, y1] } = plane;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "center";
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  for (const x of ticks(x0, x1, width / 70)) {
    const left = Math.round(plane.toPixel(x, 0)[0]) + 0.5;
    context.moveTo(left, 0);
    context.lineTo(left, height);
  }
  for (const y of ticks(y0, y1, height / 54)) {
    const top = Math.round(plane.toPixel(0, y)[1]) + 0.5;
    context.moveTo(0, top);
    context.lineTo(width, top);
  }
  context.stroke();
  for (const x of ticks(x0, x1, width / 70)) {
    const [left] = plane.toPixel(x, 0);
    if (left > 34 && left < width - 20) label(context, short(x, 6), left, height - 10, colours);
  }
  context.textAlign = "left";
  for (const y of ticks(y0, y1, height / 54)) {
    const [, top] = plane.toPixel(0, y);
    if (top > 12 && top < height - 22) label(context, short(y, 6), 7, top, colours);
  }
}

function drawCurve(context, plane, { values }, { contour }) {
  const [x0, x1] = plane.window;
  context.strokeStyle = contour;
  context.lineWidth = 2.2;
  context.lineJoin = "round";
  context.beginPath();
  let drawing = false;
  values.forEach((value, at) => {
    const [left, top] = plane.toPixel(x0 + ((x1 - x0) * at) / (values.length - 1), value);
    if (!Number.isFinite(value)) drawing = false;
    else if (drawing) context.lineTo(left, top);
    else {
      context.moveTo(left, top);
      drawing = true;
    }
  });
  context.stroke();
}

// The way of each ball over the curve, a dot at each step, and the ball where it is; outside, at the edge.
function drawBalls(context, plane, { balls, trails, step }, colours) {
  const { width, height } = plane;
  const edge = ([left, top]) => [clamp(left, -2 * width, 3 * width), clamp(top, -2 * height, 3 * height)];
  for (const { mark } of balls) {
    const trail = trails[mark];
    if (!trail || trail.last < 0) continue;
    const seen = Math.min(step, trail.last);
    const points = Array.from({ length: seen + 1 }, (_, at) => trail.at(at)).map(({ x, loss }) =>
      edge(plane.toPixel(x, loss)));
    context.strokeStyle = context.fillStyle = colours.balls[mark];
    context.lineWidth = 1.4;
    context.beginPath();
    points.forEach((point) => context.lineTo(...point));
    context.stroke();
    for (const [left, top] of points) {
      context.beginPath();
      context.arc(left, top, 3, 0, 2 * Math.PI);
      context.fill();
    }
    const [left, top] = points[seen];
    const inside = left >= 0 && left <= width && top >= 0 && top <= height;
    context.globalAlpha = inside ? 1 : 0.5;
    drawMarker(context, mark, clamp(left, RADIUS, width - RADIUS), clamp(top, RADIUS, height - RADIUS), RADIUS, colours);
    context.globalAlpha = 1;
  }
}

// Rows of x and the height: both ends, the point on the chord, and the one on the curve.
function drawChord(context, plane, trail, { balls, ink, halo }) {
  if (!trail) return;
  const [a, b, chord, curve] = [0, 2, 4, 6].map((at) => plane.toPixel(trail.rows[at], trail.rows[at + 1]));
  const stroke = (from, to, colour, width) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  };
  stroke(a, b, halo, 5);
  stroke(a, b, balls[1], 2.4);
  stroke(chord, curve, ink, 1.6);
  for (const [point, colour] of [[a, balls[1]], [b, balls[1]], [chord, balls[1]], [curve, balls[0]]]) {
    context.beginPath();
    context.arc(...point, 6, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
    context.strokeStyle = halo;
    context.lineWidth = 2;
    context.stroke();
  }
}
