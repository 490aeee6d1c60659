// Balls on the surface at a step: the way behind each, faintly the way before it, where all start, and known minima.

import { drawMarker } from "./markers.js";
import { clamp } from "../common/numbers.js";
import { COLUMNS } from "./trail.js";

const RADIUS = 9;
// A way is drawn to so many widths of the picture beyond it: canvases lose pixels as large as a loss that runs away.
const BEYOND = 10;

export function drawBalls(context, plane, { balls, trails, step, start, minima }, colours) {
  for (const point of minima) drawMinimum(context, plane.toPixel(...point), colours);
  balls.forEach((ball, index) => {
    if (!trails[index]) return;
    const colour = colours.balls[ball.mark];
    stroke(context, way(plane, trails[index], step, trails[index].last), colour, 1.2, 0.3);
    const behind = way(plane, trails[index], 0, step);
    stroke(context, behind, colours.halo, 4.2, 0.55);
    stroke(context, behind, colour, 2.1, 1);
  });
  drawStart(context, plane.toPixel(...start), colours);
  // The first ball of the list lies on top.
  for (let index = balls.length - 1; index >= 0; index -= 1) {
    if (trails[index]) drawBall(context, plane, balls[index].mark, trails[index].at(step), colours);
  }
}

function way(plane, { rows, last }, from, to) {
  const path = new Path2D();
  for (let step = Math.min(from, last); step <= Math.min(to, last); step += 1) {
    const [left, top] = plane.toPixel(rows[step * COLUMNS], rows[step * COLUMNS + 1]);
    path.lineTo(
      clamp(left, -BEYOND * plane.width, BEYOND * plane.width),
      clamp(top, -BEYOND * plane.height, BEYOND * plane.height),
    );
  }
  return path;
}

function stroke(context, path, colour, width, alpha) {
  context.globalAlpha = alpha;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.stroke(path);
  context.globalAlpha = 1;
}

// A ball outside waits at the edge, half seen.
function drawBall(context, plane, mark, point, colours) {
  const [left, top] = plane.toPixel(point.x, point.y);
  const inside = left >= 0 && left <= plane.width && top >= 0 && top <= plane.height;
  context.globalAlpha = inside ? 1 : 0.5;
  const [x, y] = [clamp(left, RADIUS, plane.width - RADIUS), clamp(top, RADIUS, plane.height - RADIUS)];
  drawMarker(context, mark, x, y, RADIUS, colours);
  context.globalAlpha = 1;
}

function drawStart(context, [x, y], { ink, halo }) {
  for (const [colour, width] of [[halo, 5], [ink, 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, RADIUS + 5, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * (RADIUS + 5), y + dy * (RADIUS + 5));
      context.lineTo(x + dx * (RADIUS + 11), y + dy * (RADIUS + 11));
    }
    context.stroke();
  }
}

function drawMinimum(context, [x, y], { ink, halo }) {
  for (const [colour, width] of [[halo, 4.5], [ink, 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const sign of [1, -1]) {
      context.moveTo(x - 5, y - 5 * sign);
      context.lineTo(x + 5, y + 5 * sign);
    }
    context.stroke();
  }
}
