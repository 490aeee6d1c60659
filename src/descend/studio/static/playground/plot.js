// The big picture: what the network says over the plane, or what one unit gives, and the points above it.

import { byClass, byShare, bySign, paint, palettes } from "./heat.js";
import { onThemeChange, theme } from "../common/theme.js";
import { drawTicks } from "../picture/ground.js";
import { fit, label } from "../picture/layers.js";
import { Plane } from "../picture/plane.js";

// Of that many points on, they are drawn small.
const MANY = 600;

export class Plot {
  // `onPoint` is told where in the window a pointer is, as shares of its width and height; null when it leaves.
  constructor(root, { onPoint }) {
    [this.ground, this.above] = root.querySelectorAll("canvas");
    this.cells = document.createElement("canvas");
    new ResizeObserver(() => this.repaint()).observe(root);
    onThemeChange(() => this.repaint());
    this.above.addEventListener("pointermove", ({ offsetX, offsetY }) => {
      onPoint([offsetX / this.above.clientWidth, 1 - offsetY / this.above.clientHeight]);
    });
    this.above.addEventListener("pointerleave", () => onPoint(null));
  }

  setPoints(points) {
    this.points = points;
    this.frame = null;
    this.repaint();
  }

  show(frame) {
    this.frame = frame;
    this.paintGround();
  }

  repaint() {
    this.colours = theme();
    this.palettes = palettes(this.colours);
    if (!this.points) return;
    this.drawPoints();
    if (this.frame) this.paintGround();
  }

  paintGround() {
    const { context, width, height } = fit(this.ground);
    const { values, picture, shown } = this.frame;
    const { classes } = this.points;
    const outcome = classes.length ? byClass(this.palettes, classes.length) : byShare(this.palettes);
    paint(this.cells, values, picture, shown ? bySign(this.palettes, values) : outcome);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.cells, 0, 0, width, height);
  }

  drawPoints() {
    const { context, width, height } = fit(this.above);
    const { rows, classes, window, axes } = this.points;
    const [x0, x1, y0, y1] = window;
    drawTicks(context, new Plane(window, width, height), this.colours);
    const { classes: colours, halo } = this.colours;
    const count = rows.length / 4;
    const radius = count > MANY ? 2.2 : 3.6;
    context.lineWidth = count > MANY ? 0.8 : 1.4;
    for (let at = 0; at < rows.length; at += 4) {
      const [x, y, value, isTest] = rows.subarray(at, at + 4);
      const colour = classes.length ? colours[value] : colours[value < 0.5 ? 1 : 0];
      context.beginPath();
      context.arc(x * width, (1 - y) * height, isTest ? radius * 0.8 : radius, 0, 2 * Math.PI);
      context.globalAlpha = classes.length ? 1 : 0.25 + 1.5 * Math.abs(value - 0.5);
      context.fillStyle = isTest ? halo : colour;
      context.fill();
      context.globalAlpha = 1;
      context.strokeStyle = isTest ? colour : halo;
      context.stroke();
    }
    context.font = "600 12px system-ui, sans-serif";
    context.textBaseline = "alphabetic";
    context.textAlign = "right";
    label(context, axes[0], width - 8, height - 22, this.colours);
    context.textAlign = "left";
    label(context, axes[1], 7, 16, this.colours);
  }
}
