// Trainings that were forked from runs: each goes on while it plays, and to pause is not to ask.

import { whole } from "./shown.js";
import { createSlider } from "../common/slider.js";

const RATES = { label: "learning rate from here on", low: 1e-6, high: 10, log: true };

export class Forks {
  // `onChange()`: something of a fork is another; `onDrop(fork)`: it was taken away.
  constructor(connection, root, { onChange, onDrop }) {
    this.connection = connection;
    this.root = root;
    this.handlers = { onChange, onDrop };
    this.forks = new Map();
  }

  begin(run, start) {
    this.connection.ask({ kind: "fork", run: run.number, start }, { run });
  }

  // An answer to `fork`, `rate` or `go`.
  take(header, body, { run }) {
    const fork = this.forks.get(header.fork) ?? this.added(header, run);
    append(fork.parts, header, body);
    Object.assign(fork, { step: header.step, steps: header.steps, reason: header.reason, seconds: header.seconds });
    fork.evidence = header.evidence;
    fork.version += 1;
    fork.busy = false;
    if (fork.reason) fork.plays = false;
    this.show(fork);
    this.handlers.onChange();
    if (fork.wanted !== null) this.changeRate(fork);
    else if (fork.plays) this.go(fork);
  }

  // What could not be done with a fork is said beside it.
  refuse(says, { fork }) {
    Object.assign(fork, { busy: false, plays: false, says });
    this.show(fork);
  }

  added({ fork: number, step, learning_rate }, run) {
    // A number below 0 is no run's.
    const fork = { number: -number, fork: number, run, begun: step, parts: new Map(), version: 0, wanted: null };
    fork.name = `fork ${number} of ${run.name}, step ${whole(step)}`;
    fork.settings = { ...run.settings, learning_rate: learning_rate && Number(learning_rate.toPrecision(3)) };
    fork.rate = learning_rate;
    this.forks.set(number, fork);
    this.root.append(this.card(fork));
    fork.play.focus();
    return fork;
  }

  card(fork) {
    const element = document.createElement("section");
    element.className = "fork panel";
    element.setAttribute("aria-label", fork.name);
    element.innerHTML = `<div class="heading"><h3></h3><div class="buttons">
      <button type="button" class="play primary">Go on</button>
      <button type="button" class="drop">Take away</button></div></div><p class="says" role="status"></p>`;
    element.querySelector("h3").textContent = fork.name;
    if (fork.rate !== null) {
      const slider = createSlider(RATES, Math.max(fork.rate, RATES.low), (rate) => {
        fork.wanted = rate;
        if (!fork.busy) this.changeRate(fork);
      });
      element.append(slider.element);
    }
    [fork.element, fork.play] = [element, element.querySelector(".play")];
    fork.play.addEventListener("click", () => this.toggle(fork));
    element.querySelector(".drop").addEventListener("click", () => this.drop(fork));
    return element;
  }

  toggle(fork) {
    fork.plays = !fork.plays;
    if (fork.plays) this.go(fork);
    this.show(fork);
    this.handlers.onChange();
  }

  go(fork) {
    if (fork.busy) return;
    fork.busy = true;
    this.connection.ask({ kind: "go", fork: fork.fork, since: fork.step }, { run: fork.run, fork });
  }

  changeRate(fork) {
    fork.busy = true;
    fork.settings.learning_rate = fork.wanted;
    this.connection.ask({ kind: "rate", fork: fork.fork, learning_rate: fork.wanted }, { run: fork.run, fork });
    fork.wanted = null;
  }

  drop(fork) {
    fork.plays = false;
    this.forks.delete(fork.fork);
    fork.element.remove();
    this.connection.ask({ kind: "drop", fork: fork.fork }, null);
    this.handlers.onDrop(fork);
  }

  show(fork) {
    fork.play.textContent = fork.plays ? "Pause" : "Go on";
    fork.play.disabled = Boolean(fork.reason);
    const of = fork.steps === null ? "" : ` of ${whole(fork.steps)}`;
    const state = fork.reason ? `${fork.reason}: ${fork.evidence}` : fork.plays ? "goes on" : "paused";
    const said = fork.says || `step ${whole(fork.step)}${of} · ${state}`;
    const line = fork.element.querySelector(".says");
    if (line.textContent !== said) line.textContent = said;
    [fork.says, fork.status] = ["", fork.reason ? "finished" : fork.plays ? "running" : "paused"];
  }
}

// Rows of a step and a value, of each series in turn, behind those that there are.
function append(parts, header, body) {
  let from = 0;
  for (const [name, rows] of header.parts) {
    const before = parts.get(name) ?? [];
    for (let row = from; row < from + rows; row += 1) {
      const step = body[2 * row];
      if (!before.length || step > before[before.length - 1][0]) before.push([step, body[2 * row + 1]]);
    }
    parts.set(name, before);
    from += rows;
  }
}

// A series of a fork as the chart draws it.
export function curveOf(fork, series) {
  const rows = fork.parts.get(series) ?? [];
  return { series, names: [...fork.parts.keys()], says: "", xs: rows.map(([step]) => step), ys: rows.map(([, y]) => y) };
}
