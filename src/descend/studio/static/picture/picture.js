// The picture: the surface painted once on a canvas, and above it another for the balls, which is drawn at every step
// and takes the pointer and the keys that move the start.

import { drawBalls } from "./balls.js";
import { contourLines, levels, paintBands } from "./contours.js";
import { drawTicks } from "./ground.js";
import { fit } from "./layers.js";
import { Plane } from "./plane.js";
import { onThemeChange, theme } from "../common/theme.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Picture {
  // `onStart` is called with the point that a pointer or a key asks for; without it, the picture is only looked at.
  constructor(root, { onStart = null } = {}) {
    [this.ground, this.above] = root.querySelectorAll("canvas");
    this.scene = { balls: [], trails: [], step: 0, start: [0, 0], minima: [] };
    this.plane = new Plane([-1, 1, -1, 1], 1, 1);
    this.heights = null;
    this.colours = theme();
    new ResizeObserver(() => this.repaint()).observe(root);
    onThemeChange(() => this.repaint());
    if (onStart) this.listen(onStart);
  }

  showSurface({ values, size, window }) {
    this.heights = levels(values);
    this.size = size;
    this.plane.window = window;
    this.repaint();
  }

  repaint() {
    this.colours = theme();
    const { context, width, height } = fit(this.ground);
    this.plane = new Plane(this.plane.window, width, height);
    if (this.heights) {
      paintBands(context, this.heights, this.size, this.colours);
      context.globalAlpha = 0.4;
      context.strokeStyle = this.colours.contour;
      context.lineWidth = 0.8;
      context.stroke(contourLines(this.heights, this.size, width, height));
      context.globalAlpha = 1;
    }
    drawTicks(context, this.plane, this.colours);
    this.draw(this.scene);
  }

  draw(scene) {
    this.scene = scene;
    const { context } = fit(this.above);
    drawBalls(context, this.plane, scene, this.colours);
  }

  listen(onStart) {
    // Kept at once: of two keys between two frames of the screen, the second goes on from the first.
    const ask = (start) => {
      this.scene = { ...this.scene, start };
      onStart(start);
    };
    const drag = (event) => {
      const box = this.above.getBoundingClientRect();
      ask(this.plane.toPoint(event.clientX - box.left, event.clientY - box.top));
    };
    this.above.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.above.setPointerCapture(event.pointerId);
      drag(event);
    });
    this.above.addEventListener("pointermove", (event) => {
      if (this.above.hasPointerCapture(event.pointerId)) drag(event);
    });
    this.above.addEventListener("keydown", (event) => {
      if (!(event.key in ARROWS)) return;
      event.preventDefault();
      const [x0, x1, y0, y1] = this.plane.window;
      const part = event.shiftKey ? 0.002 : 0.02;
      const [right, up] = ARROWS[event.key];
      const [x, y] = this.scene.start;
      ask([x + right * part * (x1 - x0), y + up * part * (y1 - y0)]);
    });
  }
}
