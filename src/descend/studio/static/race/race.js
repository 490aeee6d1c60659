// What is raced: a function, a window, a start, and balls with their rules and settings; as messages to the engine, and
// as text in a link. What a link says is taken only where it makes sense.

import { toldBy, toldSettings, within } from "../common/link_text.js";
import { BALLS } from "../common/theme.js";

export const STEPS = [10, 1000];
export const MOST_NOISE = 5;
// Of a formula of one's own.
export const OWN_WINDOW = [-3, 3, -3, 3];
const SURFACE = [240, 180];
const FIRST_FUNCTION = "himmelblau";

export function firstRace({ functions, rules, first: names }) {
  const chosen = names.map((name) => rules.find((rule) => rule.name === name)).filter(Boolean);
  const balls = chosen.map((rule, mark) => newBall(rule, mark));
  const first = functions.find(({ name }) => name === FIRST_FUNCTION) || functions[0];
  return { ...onFunction(first), steps: 300, seed: 0, balls };
}

export function onFunction({ name, window, start, noise }) {
  return { function: { name }, window, start, noise };
}

export function newBall(rule, mark) {
  const settings = Object.fromEntries(rule.settings.map((setting) => [setting.name, setting.default]));
  return { mark, rule: rule.name, settings };
}

// The first mark that no ball has, or -1.
export function freeMark(balls) {
  const marks = Array.from({ length: BALLS }, (_, mark) => mark);
  return marks.findIndex((mark) => !balls.some((ball) => ball.mark === mark));
}

export function raceMessage({ function: raced, balls, start, steps, noise, seed }) {
  const sent = balls.map(({ rule, settings }) => ({ rule, settings }));
  return { kind: "race", function: raced, balls: sent, start, steps, noise, seed };
}

export function surfaceMessage({ function: raced, window }) {
  return { kind: "surface", function: raced, window, size: SURFACE };
}

// The race of a link, with what the first race has where the link says nothing that can be; null where it is no link.
export function fromText(text, welcome) {
  const told = toldBy(text);
  if (!told) return null;
  const first = firstRace(welcome);
  const raced = toldFunction(Object(told.function), welcome);
  const known = welcome.functions.find(({ name }) => name === raced?.name);
  const base = known ? onFunction(known) : { window: OWN_WINDOW };
  const window = numbers(told.window, 4) || base.window || first.window;
  return {
    function: raced || first.function,
    window: window?.[0] < window?.[1] && window[2] < window[3] ? window : first.window,
    start: numbers(told.start, 2) || base.start || first.start,
    steps: Math.round(within(told.steps, ...STEPS, first.steps)),
    noise: within(told.noise, 0, MOST_NOISE, base.noise || 0),
    seed: Math.round(within(told.seed, 0, 999999, 0)),
    balls: toldBalls(told.balls, welcome.rules) || first.balls,
  };
}

function toldFunction({ name, formula }, { functions }) {
  if (typeof formula === "string" && formula) return { formula };
  return functions.some((one) => one.name === name) ? { name } : null;
}

function toldBalls(told, rules) {
  if (!Array.isArray(told)) return null;
  const balls = [];
  for (const one of told.slice(0, BALLS).map(Object)) {
    const rule = rules.find(({ name }) => name === one.rule);
    if (!rule) continue;
    balls.push({ mark: freeMark(balls), rule: rule.name, settings: toldSettings(one.settings, rule) });
  }
  return balls.length ? balls : null;
}

function numbers(told, count) {
  return Array.isArray(told) && told.length === count && told.every(Number.isFinite) ? told : null;
}
