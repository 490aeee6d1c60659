// Runs in a list, the curves of those that are chosen, and one that is opened.

import { CurveChart } from "./curve_chart.js";
import { Details } from "./details.js";
import { showDifferences } from "./differences.js";
import { Findings } from "./findings.js";
import { curveOf, Forks } from "./forks.js";
import { Legend } from "./legend.js";
import { Listing } from "./listing.js";
import { RunList } from "./run_list.js";
import { ReportView } from "./report_view.js";
import { shownRuns } from "./shown.js";

const MAX_CHOSEN = 60;
const SERIES = ["loss", "validation_loss"];

const byId = (id) => document.getElementById(id);

export class RunsPage {
  constructor(connection, welcome) {
    this.connection = connection;
    this.welcome = welcome;
    // By the number of a run, in the order in which they were chosen: the mark of its curve.
    this.marks = new Map();
    this.opened = null;
    this.listing = new Listing(connection, { onRuns: () => this.showRuns(), onCurves: () => this.showCurves() });
    this.list = new RunList(byId("list"), {
      isChosen: ({ number }) => (this.marks.has(number) ? this.legend.colour(this.marks.get(number)) : null),
      onChoose: (run) => this.choose(run),
      onOpen: (run) => this.open(run),
      onOrder: () => this.showRuns(),
    });
    this.chart = new CurveChart(byId("curves"), { onCursor: (x) => this.legend.showAt(x) });
    this.legend = new Legend(byId("legend"), { onRemove: (number) => this.choose({ number }) });
    this.report = new ReportView();
    this.details = new Details(byId("details"), {
      onReport: (run, page) => connection.ask({ kind: "report", run: run.number, page }, run),
      onFork: (run, start) => this.fork(run, start),
      onLook: (run, what) => this.findings.look(run, what),
    });
    this.findings = new Findings(connection, byId("findings"));
    this.forks = new Forks(connection, byId("forks"), {
      onChange: () => this.showForks(),
      onDrop: (fork) => {
        this.marks.delete(fork.number);
        this.showCurves();
      },
    });
    byId("filter").addEventListener("input", () => this.showRuns());
    byId("choose-none").addEventListener("click", () => this.chooseNone());
    for (const id of ["series", "across", "up"]) byId(id).addEventListener("change", () => this.showCurves());
    this.showSeries([]);
    this.listing.look();
  }

  close() {
    this.listing.close();
  }

  receive(header, body, kept) {
    if (header.kind === "list") this.listing.takeList(header);
    else if (header.kind === "curve") this.listing.takeCurve(header, body, kept);
    else if (header.kind === "done") this.listing.takeDone();
    else if (header.kind === "report") this.report.open(kept.name, header.path);
    else if (header.kind === "fork") this.forks.take(header, body, kept);
    else if (header.kind === "error") this.refuse(header.says, kept);
    else if (kept?.look) kept.look.take(header, body);
  }

  refuse(says, kept) {
    if (kept?.look) kept.look.refuse(says);
    else if (kept?.fork) this.forks.refuse(says, kept);
    else this.say(says);
  }

  fork(run, start) {
    if (!this.marks.has(run.number)) this.choose(run);
    this.say(`Beginning the training of ${run.name} once more…`);
    this.forks.begin(run, start);
  }

  showForks() {
    for (const fork of this.forks.forks.values()) {
      if (!this.marks.has(fork.number) && !fork.seen) this.choose(fork);
      fork.seen = true;
    }
    this.say("");
    this.showCurves();
  }

  showRuns() {
    const { runs } = this.listing;
    for (const number of this.marks.keys()) if (number > 0 && !runs.has(number)) this.marks.delete(number);
    if (!this.marks.size && this.opened === null) this.openNewest();
    const shown = shownRuns([...runs.values()], byId("filter").value, this.list.order);
    this.list.show(shown);
    const all = runs.size === 1 ? "1 run" : `${runs.size.toLocaleString("en")} runs`;
    byId("count").textContent = shown.length === runs.size ? all : `${shown.length.toLocaleString("en")} of ${all}`;
    byId("nothing").hidden = runs.size > 0;
    byId("nothing").textContent = this.nothing();
    if (this.opened !== null) this.details.show(runs.get(this.opened) ?? null);
    this.showCurves();
  }

  nothing() {
    const { folders } = this.welcome;
    if (!folders.length) return "No folder is opened: give one on the command line, as in descend studio runs";
    return `There is no run in ${folders.join(", ")} yet. One that begins there appears here by itself, as of: descend fit TABLE --target COLUMN`;
  }

  openNewest() {
    const newest = [...this.listing.runs.values()].sort((one, other) => other.date - one.date)[0];
    if (newest) {
      this.marks.set(newest.number, 0);
      this.opened = newest.number;
    }
  }

  choose({ number }) {
    if (this.marks.has(number)) this.marks.delete(number);
    else if (this.marks.size < MAX_CHOSEN) this.marks.set(number, freeMark([...this.marks.values()]));
    else this.say(`${MAX_CHOSEN} curves are chosen already: choose fewer first`);
    this.list.draw();
    this.showCurves();
  }

  chooseNone() {
    this.marks.clear();
    this.list.draw();
    this.showCurves();
  }

  open(run) {
    if (!this.marks.has(run.number)) this.choose(run);
    this.opened = run.number;
    this.details.show(run);
  }

  chosen() {
    return [...this.marks.keys()].map((number) => this.listing.runs.get(number) ?? this.forks.forks.get(-number));
  }

  showCurves() {
    const [runs, series, across] = [this.chosen(), byId("series").value, byId("across").value];
    const stored = runs.filter(({ number }) => number > 0);
    if (stored.length) this.listing.want(stored, series);
    const found = runs.map((run) => ({
      run,
      curve: run.parts ? curveOf(run, series) : this.listing.curves.get(run.number),
    }));
    this.showSeries(found.flatMap(({ curve }) => curve?.names ?? []));
    const curves = found
      .filter(({ curve }) => curve && curve.series === series)
      .map(({ run, curve }) => ({ run, mark: this.marks.get(run.number), ...over(across, run, curve) }));
    this.chart.show({ curves, across, up: byId("up").value });
    this.legend.show(curves, runs, this.marks);
    showDifferences(byId("differences"), runs, (run) => this.legend.colour(this.marks.get(run.number)));
  }

  // The names that any chosen run has something under; losses first.
  showSeries(names) {
    const select = byId("series");
    const all = [...new Set([...SERIES, ...names])];
    if (all.length === select.options.length && all.every((name, index) => select.options[index].value === name)) return;
    const before = select.value || SERIES[0];
    select.replaceChildren(...all.map((name) => new Option(name.replaceAll("_", " "), name, false, name === before)));
  }

  say(text) {
    byId("status").textContent = text;
  }
}

// Steps as they were made; or seconds, of which each step is given as many.
function over(across, run, { xs, ys, says }) {
  const last = xs.reduce((most, x) => Math.max(most, x), 0) + 1;
  if (across !== "seconds") return { xs, ys, says };
  return { xs: xs.map((x) => ((x + 1) / last) * (run.seconds ?? 0)), ys, says };
}

function freeMark(taken) {
  let mark = 0;
  while (taken.includes(mark)) mark += 1;
  return mark;
}
