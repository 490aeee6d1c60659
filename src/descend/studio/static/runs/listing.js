// The runs that there are, asked for again and again, and the curves of those that are chosen.

import { wordsOf } from "./shown.js";

// Milliseconds between an answer and the next question; where to look takes long, it is done more rarely.
const BETWEEN = 1000;
const SHARE = 10;

export class Listing {
  constructor(connection, { onRuns, onCurves }) {
    this.connection = connection;
    this.handlers = { onRuns, onCurves };
    this.runs = new Map();
    this.version = 0;
    // By run: `{ version, series, names, xs, ys, says }`.
    this.curves = new Map();
    this.asked = null;
  }

  look() {
    this.connection.ask({ kind: "list", since: this.version }, null);
  }

  close() {
    clearTimeout(this.timer);
    this.closed = true;
  }

  takeList(header) {
    if (header.since === 0) this.runs.clear();
    for (const run of header.runs) this.runs.set(run.number, { ...run, words: wordsOf(run) });
    for (const number of header.gone) this.runs.delete(number);
    this.version = header.version;
    if (!this.closed) this.timer = setTimeout(() => this.look(), BETWEEN + SHARE * 1000 * header.seconds);
    if (header.runs.length || header.gone.length || header.since === 0) this.handlers.onRuns();
  }

  // Asks for the curves that are not there yet, or not as they are by now.
  want(runs, series) {
    this.wanted = { runs, series };
    const missing = runs.filter(({ number, version }) => {
      const curve = this.curves.get(number);
      return !curve || curve.version !== version || curve.series !== series;
    });
    if (!missing.length || this.asked) return;
    this.asked = new Map(missing.map(({ number, version }) => [number, version]));
    this.connection.ask({ kind: "curves", runs: [...this.asked.keys()], series }, this.asked);
  }

  takeCurve({ run, series, names, says }, body, asked) {
    const count = body.length / 2;
    const xs = Float32Array.from({ length: count }, (_, index) => body[2 * index]);
    const ys = Float32Array.from({ length: count }, (_, index) => body[2 * index + 1]);
    this.curves.set(run, { version: asked.get(run), series, names, says, xs, ys });
  }

  takeDone() {
    this.asked = null;
    this.want(this.wanted.runs, this.wanted.series);
    this.handlers.onCurves();
  }
}
