// A list of many runs: only the rows that are seen are on the page, so that ten thousand scroll as ten do.

import { clamp } from "../common/numbers.js";
import { COLUMNS } from "./shown.js";

// Rows beyond the edge, which are there before they are scrolled to.
const BEYOND = 6;

export class RunList {
  // `isChosen(run)`, and what is done with a run: `onChoose(run)`, `onOpen(run)`, `onOrder(order)`.
  constructor(root, handlers) {
    this.root = root;
    this.handlers = handlers;
    this.runs = [];
    this.order = { column: "date", down: true };
    this.active = 0;
    this.rows = [];
    this.header = this.makeHeader();
    this.scroller = element("div", "scroller", { role: "rowgroup" });
    this.space = element("div", "space", { role: "presentation" });
    this.scroller.append(this.space);
    root.replaceChildren(this.header, this.scroller);
    this.scroller.addEventListener("scroll", () => this.draw());
    this.scroller.addEventListener("keydown", (event) => this.onKey(event));
    this.scroller.addEventListener("click", (event) => this.onClick(event));
    new ResizeObserver(() => this.draw()).observe(this.scroller);
  }

  makeHeader() {
    const row = element("div", "row head", { role: "row", "aria-rowindex": 1 });
    row.append(element("span", "choose", { role: "columnheader", "aria-label": "Chosen" }));
    this.sorters = COLUMNS.map(({ name, title, number }) => {
      const cell = element("span", `${name}${number ? " number" : ""}`, { role: "columnheader" });
      const button = element("button", "", { type: "button" });
      button.addEventListener("click", () => this.orderBy(name));
      button.dataset.title = title;
      cell.append(button);
      row.append(cell);
      return cell;
    });
    const group = element("div", "", { role: "rowgroup" });
    group.append(row);
    this.showOrder();
    return group;
  }

  orderBy(column) {
    // Names from a to z first, numbers from the highest.
    const down = Boolean(COLUMNS.find(({ name }) => name === column).number);
    this.order = { column, down: this.order.column === column ? !this.order.down : down };
    this.showOrder();
    this.handlers.onOrder(this.order);
  }

  showOrder() {
    this.sorters.forEach((cell, index) => {
      const sorted = COLUMNS[index].name === this.order.column;
      const button = cell.firstChild;
      button.textContent = `${button.dataset.title}${sorted ? (this.order.down ? " ↓" : " ↑") : ""}`;
      if (sorted) cell.setAttribute("aria-sort", this.order.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
  }

  show(runs) {
    const active = this.runs[this.active];
    this.runs = runs;
    this.active = clamp(active ? runs.findIndex(({ number }) => number === active.number) : 0, 0, runs.length);
    this.root.setAttribute("aria-rowcount", runs.length + 1);
    this.draw();
  }

  // Puts the rows that are seen where they belong; each row element is used again for another run.
  draw() {
    const height = this.rowHeight();
    this.space.style.height = `${this.runs.length * height}px`;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - BEYOND);
    const count = Math.ceil(this.scroller.clientHeight / height) + 2 * BEYOND;
    const last = Math.min(this.runs.length, first + count);
    const had = this.scroller.contains(document.activeElement);
    while (this.rows.length < last - first) this.rows.push(this.makeRow());
    for (const spare of this.rows.splice(last - first)) spare.element.remove();
    for (let index = first; index < last; index += 1) this.fill(this.rows[index % this.rows.length], index, height);
    if (had) this.rows.find(({ index }) => index === this.active)?.element.focus({ preventScroll: true });
  }

  rowHeight() {
    return parseFloat(getComputedStyle(this.root).getPropertyValue("--row")) || 34;
  }

  makeRow() {
    const row = element("div", "row", { role: "row" });
    const choose = element("span", "choose", { role: "gridcell" });
    const mark = element("span", "mark", { "aria-hidden": "true" });
    choose.append(mark);
    row.append(choose);
    const cells = COLUMNS.map(({ name, number }) => {
      const cell = element("span", `${name}${number ? " number" : ""}`, { role: "gridcell" });
      row.append(cell);
      return cell;
    });
    this.space.append(row);
    return { element: row, mark, cells, index: -1 };
  }

  fill(row, index, height) {
    const run = this.runs[index];
    const chosen = this.handlers.isChosen(run);
    row.index = index;
    row.element.style.transform = `translateY(${index * height}px)`;
    row.element.tabIndex = index === this.active ? 0 : -1;
    row.element.setAttribute("aria-rowindex", index + 2);
    row.element.setAttribute("aria-selected", chosen !== null);
    row.element.dataset.status = run.fault ? "damaged" : run.status;
    row.mark.style.setProperty("--colour", chosen === null ? "transparent" : chosen);
    COLUMNS.forEach(({ text }, at) => {
      const written = text(run);
      if (row.cells[at].textContent !== written) [row.cells[at].textContent, row.cells[at].title] = [written, written];
    });
  }

  onClick(event) {
    const row = this.rows.find((one) => one.element.contains(event.target));
    if (!row) return;
    this.activate(row.index);
    const run = this.runs[row.index];
    if (event.target.closest(".choose")) this.handlers.onChoose(run);
    else this.handlers.onOpen(run);
  }

  onKey(event) {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowHeight()) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const run = this.runs[this.active];
    if (event.key in moves) this.activate(this.active + moves[event.key]);
    else if (event.key === " " && run) this.handlers.onChoose(run);
    else if (event.key === "Enter" && run) this.handlers.onOpen(run);
    else return;
    event.preventDefault();
  }

  activate(index) {
    this.active = clamp(index, 0, Math.max(0, this.runs.length - 1));
    const [height, seen] = [this.rowHeight(), this.scroller.clientHeight];
    const top = this.active * height;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + height > this.scroller.scrollTop + seen) this.scroller.scrollTop = top + height - seen;
    this.draw();
    this.rows.find((row) => row.index === this.active)?.element.focus({ preventScroll: true });
  }
}

function element(kind, className, attributes) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
