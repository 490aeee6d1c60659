// What is happening, in words: who leads at a step, and who is gone by then and why.

import { short } from "./numbers.js";

// `balls` have a title; the loss that counts is that of the step.
export function commentary(balls, trails, step, window) {
  const running = [];
  const gone = [];
  balls.forEach((ball, index) => {
    const trail = trails[index];
    if (!trail) return;
    const left = trail.leaves(window);
    if (left !== null && left <= step) gone.push(departure(ball, trail, left));
    if (trail.last >= step && Number.isFinite(trail.at(step).loss)) running.push({ ball, loss: trail.at(step).loss });
  });
  return [leader(running, step), ...gone].filter(Boolean).join(" ");
}

function leader(running, step) {
  if (step === 0 || running.length === 0) return "";
  if (running.length === 1) return `${running[0].ball.title} runs alone.`;
  const [first, second] = running.sort((one, other) => one.loss - other.loss);
  return first.loss === second.loss ? "" : `${first.ball.title} leads.`;
}

// Of a rule that has a limit, the product that passed it is said, as it was where the ball was last seen.
function departure({ title, settings }, trail, left) {
  const said = `${title} left the picture at step ${left}`;
  const { curvature } = trail.at(left - 1);
  const product = settings.learning_rate * curvature;
  if (!(trail.limit !== null && product > trail.limit)) return `${said}.`;
  return `${said}: rate × curvature ${short(product, 2)}, limit ${short(trail.limit, 2)}.`;
}
