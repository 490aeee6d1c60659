// Round numbers along the edges of a plane.

import { ticks } from "./axes.js";
import { label } from "./layers.js";
import { short } from "../common/numbers.js";

export function drawTicks(context, plane, colours) {
  const { width, height, window } = plane;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "center";
  const [x0, x1, y0, y1] = window;
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
