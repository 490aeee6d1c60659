// Axes: from values to a fraction of the way, and round values for ticks. Losses stand on a logarithmic axis; where
// some are not positive, on one that is linear about 0 and logarithmic beyond.

import { clamp } from "../common/numbers.js";

// About `count` round values between two: 1, 2 or 5 times a power of ten apart.
export function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  const round = (value) => Number(value.toPrecision(12));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => round((first + index) * step));
}

function powers(low, high, count) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / count));
  const found = [];
  for (let power = first; power <= last; power += every) found.push(10 ** power);
  return found;
}

export function linear(low, high) {
  return {
    fraction: (value) => (value - low) / (high - low),
    ticks: (count) => ticks(low, high, count),
  };
}

export function logarithmic(low, high) {
  const [bottom, top] = [Math.log(low), Math.log(high)];
  return {
    fraction: (value) => (value > 0 ? (Math.log(value) - bottom) / (top - bottom) : -0.05),
    ticks: (count) => powers(low, high, count),
  };
}

function signed(low, high) {
  const scale = Math.max(Math.abs(low), Math.abs(high)) / 1e3;
  const bend = (value) => Math.asinh(value / scale);
  const [bottom, top] = [bend(low), bend(high)];
  const outer = (bound) => powers(scale, Math.abs(bound), 3).map((value) => Math.sign(bound) * value);
  const all = [...outer(Math.min(0, low)), 0, ...outer(Math.max(0, high))];
  return {
    fraction: (value) => (bend(value) - bottom) / (top - bottom),
    ticks: () => all.filter((value) => value >= low && value <= high),
  };
}

// The axis of some losses. One that ran away would press all others flat: so it ends a thousand times above where the
// balls began, and fifteen powers of ten below that.
export function lossAxis(lowest, highest, first) {
  if (!(lowest <= highest)) return logarithmic(0.1, 10);
  if (lowest < 0) {
    const reach = 100 * Math.max(Math.abs(first), 1e-6);
    const [low, high] = [clamp(lowest, -reach, 0), clamp(highest, 0, reach)];
    return low < high ? signed(low, high) : signed(-1, 1);
  }
  const high = Math.max(Math.min(highest, 1e3 * first), 1e-12);
  const low = Math.max(lowest, high * 1e-15, 1e-30);
  return low < high / 2 ? logarithmic(low / 1.3, high * 1.3) : logarithmic(high / 4, high * 2);
}
