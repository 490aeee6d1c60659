// The learning rate from which on a ball would leave from where it is at a step.

import { short } from "../common/numbers.js";

// A step along an eigenvector of the Hessian is stable where rate × curvature is below the limit of the rule. A ball
// that left the picture is at its last point in it: where it went, no rate helps any more. Told is also what to say.
export function stabilityLimit(trail, step, window) {
  if (trail.limit === null) return [null, trail.says];
  const left = trail.leaves(window);
  const gone = left !== null && left <= step;
  const { curvature } = trail.at(gone ? left - 1 : step);
  if (!(curvature > 0)) return [null, "no limit here: it curves down"];
  const limit = trail.limit / curvature;
  if (!gone) return [limit, `stable here below ${short(limit)}`];
  return [limit, `stable below ${short(limit)} at step ${Math.max(0, left - 1)}`];
}
