// One run: what came of it, and what can be done with it.

import { date, scoreOf, time, whole } from "./shown.js";

const TITLES = { report: "Report", doctor: "Doctor’s page" };

export class Details {
  constructor(root, { onReport }) {
    this.root = root;
    this.onReport = onReport;
    root.innerHTML = `<div class="heading"><h2></h2><div class="buttons"></div></div>
      <p class="error fault"></p><dl></dl><ul class="verdict"></ul>`;
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
    this.buttons.replaceChildren(...run.pages.map((page) => this.button(run, page)));
    this.facts.replaceChildren(...factsOf(run).flatMap(([name, value]) => [term(name), definition(value)]));
    this.verdict.replaceChildren(...run.verdict.map(sentence));
  }

  button(run, page) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = TITLES[page];
    button.addEventListener("click", () => this.onReport(run, page));
    return button;
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

function term(text) {
  return Object.assign(document.createElement("dt"), { textContent: text });
}

function definition(text) {
  return Object.assign(document.createElement("dd"), { textContent: text });
}

function sentence(text) {
  return Object.assign(document.createElement("li"), { textContent: text });
}
