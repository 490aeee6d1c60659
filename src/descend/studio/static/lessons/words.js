// What is seen in a figure, in words: where each ball is at a step, who left, and why.

import { short } from "../common/numbers.js";
import { commentary } from "../picture/commentary.js";

export function seen(scene) {
  const { kind, balls, trails, step, window } = scene;
  if (kind === "chord") return trails[0]?.says ?? "";
  const shown = balls.filter(({ mark }) => trails[mark]);
  if (!shown.length) return "";
  const where = shown.map((ball) => whereabouts(ball, trails[ball.mark], scene));
  const told = kind === "learning" ? [] : [gone(shown, trails, step, window)];
  return [`Step ${step}.`, ...where, ...told].filter(Boolean).join(" ");
}

function whereabouts({ title, settings }, trail, { kind, step, over }) {
  if (trail.last < step) return `${title} diverged${why(trail, settings)}.`;
  const { x, y, loss, curvature } = trail.at(step);
  if (kind === "line") return `${title}: x ${short(x)}, f ${short(loss)}, curvature ${short(curvature)}.`;
  if (kind === "fit") return `${title}: slope ${short(x)}, height ${short(y)}, cost ${short(loss)}.`;
  if (kind === "plane") return `${title}: x ${short(x)}, y ${short(y)}, loss ${short(loss)}.`;
  const grows = trail.at(0).loss < loss ? why(trail, settings) : "";
  const when = over === "seconds" ? `${short(y * 1000)} ms` : `epoch ${short(x)}`;
  return `${title}: loss ${short(loss)} at ${when}${grows}.`;
}

function why({ limit, ...trail }, { learning_rate: rate }) {
  const product = rate * trail.rows[3];
  return limit !== null && product > limit ? `: rate × curvature ${short(product)}, limit ${short(limit)}` : "";
}

// Only of those that left the picture; who leads is seen in the numbers.
function gone(balls, trails, step, window) {
  const all = balls.map(({ mark }) => trails[mark]);
  const left = all.map((trail) => trail.leaves(window)).map((at) => at !== null && at <= step);
  const [out, ways] = [balls.filter((_, at) => left[at]), all.filter((_, at) => left[at])];
  return out.length ? commentary(out, ways, step, window) : "";
}
