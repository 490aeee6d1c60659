// What is happening, in words: who leads at a step, and who is gone by then and why.

import { short } from "../common/numbers.js";

// `balls` have a title; the loss that counts is that of the step, of those that are in the picture.
export function commentary(balls, trails, step, window) {
  const running = [];
  const gone = [];
  balls.forEach((ball, index) => {
    const trail = trails[index];
    if (!trail) return;
    const left = trail.leaves(window);
    if (left !== null && left <= step) gone.push(departure(ball, trail, left));
    else running.push({ title: ball.title, loss: trail.at(step).loss });
  });
  return [leaders(running, step), ...gone].filter(Boolean).join(" ");
}

function leaders(running, step) {
  if (step === 0 || running.length === 0) return "";
  if (running.length === 1) return `${running[0].title} runs alone.`;
  const best = Math.min(...running.map(({ loss }) => loss));
  const first = running.filter(({ loss }) => loss === best).map(({ title }) => title);
  return first.length === 1 ? `${first[0]} leads.` : `${first.slice(0, -1).join(", ")} and ${first.at(-1)} lead.`;
}

// Of a rule that has a limit, the product that passed it is said, as it was where the ball was last seen.
function departure({ title, settings }, trail, left) {
  const said = `${title} left the picture at step ${left}`;
  const { curvature } = trail.at(left - 1);
  const product = settings.learning_rate * curvature;
  if (!(trail.limit !== null && product > trail.limit)) return `${said}.`;
  return `${said}: rate × curvature ${short(product, 2)}, limit ${short(trail.limit, 2)}.`;
}
