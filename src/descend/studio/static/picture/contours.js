// The surface from above: bands of equal colour between levels, and lines at the levels by marching squares. Levels are
// even in the logarithm of the height above the lowest point, so that a valley's floor shows as much as its walls.

import { clamp } from "../common/numbers.js";
import { between } from "../common/theme.js";

export const BANDS = 18;

// Heights between 0, the lowest, and 1; NaN where the function is no number.
export function levels(values) {
  const finite = Float32Array.from(values.filter(Number.isFinite)).sort();
  if (finite.length === 0) return new Float32Array(values.length).fill(NaN);
  const low = finite[0];
  const high = finite[finite.length - 1];
  const unit = scale(finite) || 1;
  const whole = Math.log1p((high - low) / unit) || 1;
  return Float32Array.from(values, (value) => (Number.isFinite(value) ? Math.log1p((value - low) / unit) / whole : NaN));
}

// Below this height the levels are even in the height itself. Were it `middle`² / (`top` - 2 `middle`), half of the
// picture would lie below half of the levels; a quarter of that gives a valley's floor more of them. Where the middle is
// high already, as on a saddle, they are even.
function scale(sorted) {
  const middle = sorted[sorted.length >> 1] - sorted[0];
  const top = sorted[sorted.length - 1] - sorted[0];
  return top > 2 * middle ? clamp(middle ** 2 / (top - 2 * middle) / 4, middle / 50, top) : top;
}

export function paintBands(context, heights, [columns, rows], { depths, nowhere }) {
  const { width, height } = context.canvas;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const palette = Array.from({ length: BANDS }, (_, band) => packed(between(depths, band / (BANDS - 1))));
  const missing = packed(nowhere);
  for (let top = 0; top < height; top += 1) {
    // Row 0 of the values is the lowest y, and the last of the canvas.
    const y = ((height - 1 - top) / (height - 1)) * (rows - 1);
    const row = Math.min(Math.floor(y), rows - 2);
    const up = y - row;
    for (let left = 0; left < width; left += 1) {
      const x = (left / (width - 1)) * (columns - 1);
      const column = Math.min(Math.floor(x), columns - 2);
      const right = x - column;
      const at = row * columns + column;
      const below = heights[at] * (1 - right) + heights[at + 1] * right;
      const above = heights[at + columns] * (1 - right) + heights[at + columns + 1] * right;
      const level = below * (1 - up) + above * up;
      pixels[top * width + left] = level >= 0 ? palette[Math.min(BANDS - 1, Math.floor(level * BANDS))] : missing;
    }
  }
  context.putImageData(image, 0, 0);
}

function packed([red, green, blue]) {
  return (255 << 24) | (blue << 16) | (green << 8) | red;
}

// All lines where the height is a multiple of 1 / BANDS, as one path over width × height.
export function contourLines(heights, [columns, rows], width, height) {
  const path = new Path2D();
  const [wide, high] = [width / (columns - 1), height / (rows - 1)];
  for (let row = 0; row < rows - 1; row += 1) {
    for (let column = 0; column < columns - 1; column += 1) {
      const at = row * columns + column;
      const corners = [heights[at], heights[at + 1], heights[at + columns + 1], heights[at + columns]];
      const [lowest, highest] = [Math.min(...corners), Math.max(...corners)];
      for (let band = Math.ceil(lowest * BANDS); band <= highest * BANDS; band += 1) {
        const cuts = crossings(corners, band / BANDS);
        for (let pair = 0; pair + 1 < cuts.length; pair += 2) {
          const [[x0, y0], [x1, y1]] = [cuts[pair], cuts[pair + 1]];
          path.moveTo((column + x0) * wide, height - (row + y0) * high);
          path.lineTo((column + x1) * wide, height - (row + y1) * high);
        }
      }
    }
  }
  return path;
}

const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]];

// Where a level cuts the four edges of a square, in turn around it: 0, 2 or, at a saddle, 4 points.
function crossings(corners, level) {
  const cuts = [];
  for (let edge = 0; edge < 4; edge += 1) {
    const [from, to] = [corners[edge], corners[(edge + 1) % 4]];
    if (from > level !== to > level) {
      const way = (level - from) / (to - from);
      const [[x0, y0], [x1, y1]] = [CORNERS[edge], CORNERS[(edge + 1) % 4]];
      cuts.push([x0 + way * (x1 - x0), y0 + way * (y1 - y0)]);
    }
  }
  return cuts;
}
