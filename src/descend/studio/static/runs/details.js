// One run: what came of it, and what can be done with it.

import { date, scoreOf, time, whole } from "./shown.js";

const TITLES = { report: "Report", doctor: "Doctor’s page" };

export class Details {
  // `onReport(run, page)`, `onFork(run, start)`, `onLook(run, what)`.
  constructor(root, handlers) {
    this.root = root;
    this.handlers = handlers;
    root.innerHTML = `<h2></h2><p class="error fault"></p><dl></dl><ul class="verdict"></ul>
      <div class="buttons"></div>`;
    const find = (selector) => root.querySelector(selector);
    [this.title, this.buttons, this.fault] = [find("h2"), find(".buttons"), find(".fault")];
    [this.facts, this.verdict] = [find("dl"), find(".verdict")];
  }

  // A run, or null for one that is not there any more.
  show(run) {
    this.root.hidden = false;
    if (!run) {
      this.fault.textContent = "This run is not there any more: its folder was removed.";
      this.buttons.replaceChildren();
      return;
    }
    const written = JSON.stringify(run);
    if (this.written === written) return;
    this.written = written;
    this.title.textContent = run.name;
    this.fault.textContent = run.fault;
    this.buttons.replaceChildren(...this.actions(run));
    this.facts.replaceChildren(...factsOf(run).flatMap(([name, value]) => [term(name), definition(value)]));
    this.verdict.replaceChildren(...run.verdict.map(sentence));
  }

  actions(run) {
    const { onReport, onFork, onLook } = this.handlers;
    return [
      ...run.pages.map((page) => button(TITLES[page], () => onReport(run, page))),
      button("Fork at the beginning", () => onFork(run, "beginning")),
      ...(run.status === "finished" ? [] : [button("Fork at its checkpoint", () => onFork(run, "checkpoint"))]),
      button("Examine", () => onLook(run, "examine")),
      button("Landscape", () => onLook(run, "landscape")),
      button("Spectrum", () => onLook(run, "spectrum")),
    ];
  }
}

function factsOf(run) {
  const ended = run.status === "finished" || run.reason ? `${run.reason || run.status}: ${run.evidence}` : run.status;
  return [
    ["state", run.status === "running" ? "running" : ended.replace(/: $/, "")],
    ["data", [run.on, run.kind].filter(Boolean).join(", ")],
    ["model", run.model],
    ["score", scoreOf(run)],
    ["steps", [whole(run.steps), time(run.seconds)].filter(Boolean).join(" in ")],
    ["begun", date(run.date)],
  ].filter(([, value]) => value);
}

function button(text, onClick) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", onClick);
  return made;
}

function term(text) {
  return Object.assign(document.createElement("dt"), { textContent: text });
}

function definition(text) {
  return Object.assign(document.createElement("dd"), { textContent: text });
}

function sentence(text) {
  return Object.assign(document.createElement("li"), { textContent: text });
}
