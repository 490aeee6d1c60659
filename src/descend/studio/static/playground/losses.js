// The losses of what is learned from and of what is tested on, over the steps.

import { lossAxis } from "../picture/axes.js";
import { areaOf, clipTo, drawCurve, drawGrid, placeIn } from "../picture/curve.js";
import { fit } from "../picture/layers.js";
import { onThemeChange, theme } from "../common/theme.js";

// Beyond, every second point is left out: a curve has fewer pixels.
const MOST = 20000;
const TRAIN = 0;
const TEST = 1;

export class Losses {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    onThemeChange(() => this.draw());
  }

  clear() {
    this.points = [];
  }

  add({ step, train, test }) {
    if (this.points.length && step <= this.points.at(-1).step) this.points.pop();
    this.points.push({ step, losses: [train.loss, test.loss].map((loss) => loss ?? NaN) });
    if (this.points.length > MOST) this.points = this.points.filter((_, index) => index % 2 === 0);
  }

  draw() {
    const { context, width, height } = fit(this.canvas);
    if (!this.points.length) return;
    const colours = theme();
    const all = this.points.flatMap(({ losses }) => losses).filter((loss) => Number.isFinite(loss) && loss !== 0);
    const [lowest, highest] = all.reduce(([low, high], loss) => [Math.min(low, loss), Math.max(high, loss)], [Infinity, -Infinity]);
    const axis = lossAxis(lowest, highest, this.points[0].losses[TRAIN]);
    const area = areaOf(width, height);
    const steps = Math.max(1, this.points.at(-1).step);
    const place = placeIn(area, axis, steps);
    drawGrid(context, area, axis, place, steps, colours);
    context.save();
    clipTo(context, area);
    drawCurve(context, this.curve(TEST), area, place, colours.muted);
    drawCurve(context, this.curve(TRAIN), area, place, colours.balls[0]);
    context.restore();
  }

  curve(which) {
    const { points } = this;
    return { count: points.length, step: (index) => points[index].step, loss: (index) => points[index].losses[which] };
  }
}
