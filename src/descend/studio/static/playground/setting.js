// What is set on the page: the data, the network, the optimizer; as a message to the engine, and out of a link, where
// it is taken only where it makes sense. Of one's own table it has the names of columns, and no data.

import { toldBy, toldSettings, within } from "../common/link_text.js";

const FIRST_RULE = "adam";
const FIRST_RATE = 0.03;
export const BATCHES = [1, 4, 16, 32, 64, 128, 10000];
export const DROPOUTS = [0, 0.1, 0.2, 0.5];
export const BOUNDS = {
  count: { label: "Points", low: 50, high: 1000 },
  shift: { label: "Noise of the points", low: 0, high: 2 },
  test_share: { label: "Share that is tested on", low: 0.1, high: 0.9 },
  l1: { label: "L1 penalty", low: 0, high: 0.1 },
  l2: { label: "L2 penalty", low: 0, high: 0.1 },
  noise: { label: "Noise of the gradient", low: 0, high: 1 },
};
const MOST_SEED = 999999;

export function firstSetting(welcome) {
  const rule = welcome.rules.find(({ name }) => name === FIRST_RULE) || welcome.rules[0];
  const settings = Object.fromEntries(rule.settings.map(({ name, default: usual }) => [name, usual]));
  return {
    data: welcome.table ? { ...welcome.table.first } : toyData(welcome.toys[0].name),
    test_share: 0.3,
    network: { features: ["x", "y"], layers: [4, 2], activation: "tanh" },
    seed: 0,
    attempt: 0,
    optimizer: { rule: rule.name, settings: { ...settings, learning_rate: FIRST_RATE } },
    batch_size: 16,
    l1: 0,
    l2: 0,
    noise: 0,
    dropout: 0,
  };
}

export function toyData(toy) {
  return { toy, count: 400, noise: 0.2, seed: 0 };
}

// The setting of a link; null where it is no link, or is about columns that this studio's table has not.
export function fromText(text, welcome) {
  const told = toldBy(text);
  const data = told && toldData(Object(told.data), welcome);
  if (!data) return null;
  const first = firstSetting(welcome);
  const number = (name) => within(told[name], BOUNDS[name].low, BOUNDS[name].high, first[name]);
  return {
    data,
    test_share: number("test_share"),
    network: toldNetwork(Object(told.network), welcome, first.network),
    seed: seedOf(told.seed),
    attempt: 0,
    optimizer: toldOptimizer(Object(told.optimizer), welcome.rules) || first.optimizer,
    batch_size: BATCHES.includes(told.batch_size) ? told.batch_size : first.batch_size,
    l1: number("l1"),
    l2: number("l2"),
    noise: number("noise"),
    dropout: DROPOUTS.includes(told.dropout) ? told.dropout : 0,
  };
}

function toldData(told, { toys, table }) {
  if (toys.some(({ name }) => name === told.toy)) {
    const { count, shift } = BOUNDS;
    return {
      toy: told.toy,
      count: Math.round(within(told.count, count.low, count.high, 400)),
      noise: within(told.noise, shift.low, shift.high, 0),
      seed: seedOf(told.seed),
    };
  }
  const known = (name) => table?.columns.some((column) => column.name === name);
  const { x, y, target, kind } = told;
  if (![x, y, target].every(known)) return null;
  return { x, y, target, kind: ["classes", "number"].includes(kind) ? kind : null };
}

function toldNetwork(told, { features, activations, max_layers: layers, max_units: units }, first) {
  const chosen = features.filter((name) => Array.isArray(told.features) && told.features.includes(name));
  const isLayer = (one) => Number.isInteger(one) && one >= 1 && one <= units;
  const fits = Array.isArray(told.layers) && told.layers.length <= layers && told.layers.every(isLayer);
  return {
    features: chosen.length ? chosen : first.features,
    layers: fits ? told.layers : first.layers,
    activation: activations.includes(told.activation) ? told.activation : first.activation,
  };
}

function toldOptimizer({ rule: name, settings }, rules) {
  const rule = rules.find((one) => one.name === name);
  return rule ? { rule: name, settings: toldSettings(settings, rule) } : null;
}

function seedOf(told) {
  return Math.round(within(told, 0, MOST_SEED, 0));
}
