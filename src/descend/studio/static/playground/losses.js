// The losses of what is learned from and of what is tested on, over the steps.

import { linear, lossAxis } from "../picture/axes.js";
import { fit } from "../picture/layers.js";
import { clipped, drawGrid, drawLine, placeOn } from "../picture/lines.js";
import { onThemeChange, theme } from "../common/theme.js";

const MARGIN = { left: 48, right: 16, top: 8, bottom: 20 };
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
    const up = lossAxis(...this.range(), this.points[0].losses[TRAIN]);
    const across = linear(0, Math.max(1, this.points.at(-1).step));
    const area = { left: MARGIN.left, top: MARGIN.top, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
    const place = placeOn(area, across, up);
    drawGrid(context, area, place, { across: across.ticks(5), up: up.ticks(5) }, colours);
    clipped(context, area, () => {
      drawLine(context, this.curve(TEST), area, place, colours.muted);
      drawLine(context, this.curve(TRAIN), area, place, colours.balls[0]);
    });
  }

  // Neither 0, which has no logarithm, nor what is no number says where an axis ends.
  range() {
    let [lowest, highest] = [Infinity, -Infinity];
    for (const { losses } of this.points) {
      for (const loss of losses) {
        if (loss === 0 || !Number.isFinite(loss)) continue;
        lowest = Math.min(lowest, loss);
        highest = Math.max(highest, loss);
      }
    }
    return [lowest, highest];
  }

  curve(which) {
    const { points } = this;
    return { count: points.length, x: (index) => points[index].step, y: (index) => points[index].losses[which] };
  }
}
