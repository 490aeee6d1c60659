// The way of one ball: of each step x, y, the loss and the greatest curvature (λmax of the Hessian) there. A ball that
// left the numbers has fewer steps.

import { holds } from "./plane.js";

export const COLUMNS = 4;

export class Trail {
  constructor(rows, { limit, says }) {
    this.rows = rows;
    this.limit = limit;
    this.says = says;
    this.steps = rows.length / COLUMNS - 1;
    this.last = lastNumber(rows, this.steps);
  }

  // A step, or the last one that is made of numbers.
  at(step) {
    const from = Math.max(0, Math.min(step, this.last)) * COLUMNS;
    const [x, y, loss, curvature] = this.rows.subarray(from, from + COLUMNS);
    return { x, y, loss, curvature };
  }

  // The curvature at each step, where it is told later than the rest.
  curve(values) {
    values.forEach((value, step) => {
      this.rows[step * COLUMNS + 3] = value;
    });
  }

  // From which step on it was outside and did not come back, or null.
  leaves(window) {
    if (this.last < 0) return 0;
    let step = this.last;
    while (step >= 0 && !holds(window, this.rows[step * COLUMNS], this.rows[step * COLUMNS + 1])) step -= 1;
    if (step < this.last) return step + 1;
    return this.last < this.steps ? this.last + 1 : null;
  }
}

function lastNumber(rows, steps) {
  let step = steps;
  while (step >= 0 && !(Number.isFinite(rows[step * COLUMNS]) && Number.isFinite(rows[step * COLUMNS + 1]))) step -= 1;
  return step;
}
