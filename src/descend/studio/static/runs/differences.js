// The settings in which the chosen runs differ, as a table: a row for each run.

import { differences } from "./shown.js";

export function showDifferences(root, runs, colourOf) {
  const rows = differences(runs);
  if (rows.length) {
    root.replaceChildren(table(runs, rows, colourOf));
    return;
  }
  const said = document.createElement("p");
  said.className = "says";
  said.textContent = runs.length < 2 ? "Choose two runs or more." : "Nothing: they were given the same.";
  root.replaceChildren(said);
}

function table(runs, rows, colourOf) {
  const made = document.createElement("table");
  const head = made.createTHead().insertRow();
  head.append(heading("Run", "col"), ...rows.map(([name]) => heading(name.replaceAll("_", " "), "col")));
  const body = made.createTBody();
  runs.forEach((run, index) => {
    const row = body.insertRow();
    const name = heading(run.name, "row");
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.style.setProperty("--colour", colourOf(run));
    name.prepend(mark);
    row.append(name);
    for (const [, values] of rows) row.insertCell().textContent = values[index] === null ? "–" : String(values[index]);
  });
  return made;
}

function heading(text, scope) {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.append(text);
  return cell;
}
