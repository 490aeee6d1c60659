// What is on the screen as plain data: enough for a saved page to show it and scrub, without an engine.

import { short } from "../common/numbers.js";
import { pack } from "../common/packing.js";

export function snapshot(page) {
  const { race, taken, view, playback, welcome, functions } = page;
  const known = welcome.functions.find(({ name }) => name === taken.function.name);
  const { values, size, window } = view.surface;
  return {
    title: known ? known.title : taken.function.formula,
    mathml: functions.mathml,
    surface: { values: pack(values), size, window },
    balls: race.balls.map((ball) => ({ ...ball, title: view.title(ball), says: saysSettings(ball, welcome.rules) })),
    trails: race.balls.map(({ mark }) => {
      const { rows, limit, says } = view.trails[mark];
      return { rows: pack(rows), limit, says };
    }),
    start: race.start,
    says: page.conditionsInWords(),
    steps: playback.steps,
    step: playback.step,
    minima: page.minima(),
    version: welcome.version,
  };
}

function saysSettings({ rule, settings }, rules) {
  const { settings: known } = rules.find(({ name }) => name === rule);
  return known.map(({ name, label }) => `${label} ${short(settings[name])}`).join(", ");
}
