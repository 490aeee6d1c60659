// Which runs are shown and in which order, and how their facts are written.

import { short } from "../common/numbers.js";

// Columns of the list: what a run is ordered by, and what stands there.
export const COLUMNS = [
  { name: "name", title: "Run", of: (run) => run.name.toLowerCase(), text: (run) => run.name },
  { name: "state", title: "State", of: stateOf, text: stateOf },
  { name: "on", title: "Data", of: (run) => run.on.toLowerCase(), text: (run) => run.on || run.kind },
  { name: "score", title: "Score", of: (run) => run.score, text: scoreOf, number: true },
  { name: "steps", title: "Steps", of: (run) => run.steps, text: (run) => whole(run.steps), number: true },
  { name: "seconds", title: "Time", of: (run) => run.seconds, text: (run) => time(run.seconds), number: true },
  { name: "date", title: "Begun", of: (run) => run.date, text: (run) => date(run.date), number: true },
];

// Why a run ended, if it did by itself.
export function stateOf(run) {
  if (run.fault) return "damaged";
  return run.status === "finished" && run.reason ? run.reason : run.status;
}

export function scoreOf(run) {
  return run.score === null ? "" : `${short(run.score, 4)} ${run.metric}`;
}

export function whole(value) {
  return value === null ? "" : value.toLocaleString("en");
}

export function time(seconds) {
  if (seconds === null) return "";
  if (seconds < 100) return `${short(seconds)} s`;
  return seconds < 6000 ? `${short(seconds / 60)} min` : `${short(seconds / 3600)} h`;
}

export function date(seconds) {
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

// All that a filter finds a run by.
export function wordsOf(run) {
  const settings = Object.entries(run.settings).map(([name, value]) => `${name}=${value}`);
  const told = [run.name, run.on, run.kind, run.model, run.status, run.reason, run.metric, run.fault, ...settings];
  return told.join(" ").toLowerCase();
}

// The runs that have all words of a filter, in the order of a column; those without a value are last either way.
export function shownRuns(runs, filter, { column, down }) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const { of } = COLUMNS.find(({ name }) => name === column);
  const sign = down ? -1 : 1;
  const keyed = runs.filter((run) => words.every((word) => run.words.includes(word))).map((run) => [of(run), run]);
  keyed.sort(([one, first], [other, second]) => {
    if (one === other) return first.number - second.number;
    if (one === null || other === null) return one === null ? 1 : -1;
    return one < other ? -sign : sign;
  });
  return keyed.map(([, run]) => run);
}

// Names and values of the settings that are not the same in all runs: [name, [value of each run]].
export function differences(runs) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.settings)))];
  const rows = names.map((name) => [name, runs.map((run) => run.settings[name] ?? null)]);
  return rows.filter(([, values]) => values.some((value) => value !== values[0]));
}
