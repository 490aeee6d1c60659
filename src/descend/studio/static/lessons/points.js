// Points, and the line through them that the ball at this step stands for: its x is the slope, its y the height.

import { onThemeChange, theme } from "../common/theme.js";
import { fit } from "../picture/layers.js";
import { Plane } from "../picture/plane.js";

const ROOM = 0.05;

export class Points {
  constructor(canvas) {
    this.canvas = canvas;
    this.points = [];
    this.scene = null;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    onThemeChange(() => this.redraw());
  }

  set(points) {
    this.points = points;
  }

  redraw() {
    if (this.scene) this.draw(this.scene);
  }

  draw(scene) {
    this.scene = scene;
    const { context, width, height } = fit(this.canvas);
    if (!this.points.length) return;
    const colours = theme();
    const plane = new Plane(windowOf(this.points), width, height);
    context.fillStyle = colours.muted;
    context.globalAlpha = 0.55;
    for (const point of this.points) {
      context.beginPath();
      context.arc(...plane.toPixel(...point), 2, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    const trail = scene.trails[0];
    if (!trail || trail.last < 0) return;
    const { x: slope, y: level } = trail.at(scene.step);
    const [x0, x1] = plane.window;
    context.strokeStyle = colours.balls[0];
    context.lineWidth = 2.6;
    context.beginPath();
    for (const x of [x0, x1]) context.lineTo(...plane.toPixel(x, slope * x + level));
    context.stroke();
  }
}

function windowOf(points) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const wide = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return [low - ROOM * (high - low), high + ROOM * (high - low)];
  };
  return [...wide(xs), ...wide(ys)];
}
