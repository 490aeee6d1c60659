// The network as it is drawn: a column of units for each layer, each unit the map of what it gives over the plane, and
// lines between them as thick as their weights.

import { byProbability, byShare, bySign, paint, palettes } from "./heat.js";
import { short } from "../common/numbers.js";
import { onThemeChange, theme } from "../common/theme.js";
import { Wires } from "./wires.js";

export class NetworkDiagram {
  // Handlers: `onFeature(name)`, `onUnits(layer, units)`, `onShown({ layer, unit })`, `onSays(text)`.
  constructor(root, { features, max_units: most }, handlers) {
    Object.assign(this, { root, features, most, handlers, shown: null });
    this.wires = new Wires((end) => this.sayWeight(end));
    new ResizeObserver(() => this.place()).observe(root);
    onThemeChange(() => {
      this.palettes = palettes(theme());
      if (this.frame) this.show(this.frame, this.points);
    });
    this.palettes = palettes(theme());
  }

  build({ features, layers }, outputs) {
    Object.assign(this, { chosen: features, frame: null });
    const inputs = this.column("inputs", this.features.map((name) => this.input(name)));
    const hidden = layers.map((units, index) => this.hidden(index + 1, units));
    const ends = this.column("out", outputs.map((name, index) => this.output(name, index)));
    this.root.replaceChildren(this.wires.svg, inputs, ...hidden, ends);
    const inUse = [...inputs.querySelectorAll(".unit")].filter((_, at) => features.includes(this.features[at]));
    this.units = [inUse, ...[...hidden, ends].map((column) => [...column.querySelectorAll(".unit")])];
    this.wires.build(this.units.map(({ length }) => length));
    this.place();
  }

  place() {
    if (this.units) this.wires.place(this.units, this.root);
  }

  column(title, units) {
    const column = document.createElement("div");
    column.className = "layer";
    const head = document.createElement("p");
    head.className = "layer-head";
    head.textContent = title;
    column.append(head, ...units);
    return column;
  }

  input(name) {
    const unit = this.unit(`Input ${name}`, name);
    unit.setAttribute("aria-pressed", this.chosen.includes(name));
    unit.addEventListener("click", () => this.handlers.onFeature(name));
    return unit;
  }

  hidden(layer, units) {
    const names = Array.from({ length: units }, (_, index) => this.hiddenUnit(layer, index));
    const column = this.column("", names);
    const less = this.change("−", `One unit less in hidden layer ${layer}`, units > 1, layer, units - 1);
    const more = this.change("+", `One unit more in hidden layer ${layer}`, units < this.most, layer, units + 1);
    column.firstChild.append(less, more);
    return column;
  }

  change(sign, says, isEnabled, layer, units) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: sign, disabled: !isEnabled });
    button.setAttribute("aria-label", says);
    button.addEventListener("click", () => this.handlers.onUnits(layer, units, says));
    return button;
  }

  hiddenUnit(layer, index) {
    const unit = this.unit(`Unit ${index + 1} of hidden layer ${layer}`);
    unit.setAttribute("aria-pressed", this.shown?.layer === layer && this.shown.unit === index);
    unit.addEventListener("click", () => {
      const isShown = this.shown?.layer === layer && this.shown.unit === index;
      this.mark(isShown ? null : { layer, unit: index });
      this.handlers.onShown(this.shown);
    });
    unit.addEventListener("focus", () => this.sayUnit(layer, index));
    unit.addEventListener("pointerenter", () => this.sayUnit(layer, index));
    return unit;
  }

  output(name, index) {
    const unit = this.unit(`Output ${name}`, name, "div");
    unit.setAttribute("role", "img");
    unit.tabIndex = -1;
    unit.dataset.output = index;
    return unit;
  }

  unit(says, text = "", tag = "button") {
    const unit = document.createElement(tag);
    if (tag === "button") unit.type = "button";
    unit.className = "unit";
    unit.setAttribute("aria-label", says);
    unit.title = says;
    unit.append(document.createElement("canvas"));
    if (text) {
      const name = document.createElement("span");
      name.textContent = text;
      unit.append(name);
    }
    return unit;
  }

  // Which unit is shown big, if any.
  mark(shown) {
    this.shown = shown;
    this.units?.slice(1, -1).forEach((units, layer) => units.forEach((unit, index) => {
      unit.setAttribute("aria-pressed", shown?.layer === layer + 1 && shown.unit === index);
    }));
  }

  show(frame, points) {
    // A frame of the network before.
    if (frame.sizes.join() !== this.units.map(({ length }) => length).join()) return;
    Object.assign(this, { frame, points });
    this.units.forEach((units, layer) => units.forEach((unit, index) => {
      const values = frame.mapOf(layer, index);
      paint(unit.firstChild, values, frame.map, this.colourOf(layer, index, values));
    }));
    this.wires.show(frame, theme());
  }

  colourOf(layer, index, values) {
    if (layer < this.units.length - 1) return bySign(this.palettes, values);
    return this.points.classes.length ? byProbability(this.palettes, index) : byShare(this.palettes);
  }

  sayUnit(layer, index) {
    if (!this.frame) return;
    const from = this.units[layer - 1].map((unit, at) =>
      `${nameOf(unit)} ${short(this.frame.weight(layer - 1, at, index))}`);
    const bias = short(this.frame.bias(layer, index));
    this.handlers.onSays(`${nameOf(this.units[layer][index])}: bias ${bias}; weights: ${from.join(", ")}`);
  }

  sayWeight({ layer, from, to }) {
    if (!this.frame) return;
    const [start, end] = [this.units[layer][from], this.units[layer + 1][to]].map(nameOf);
    this.handlers.onSays(`weight from ${start} to ${end}: ${short(this.frame.weight(layer, from, to))}`);
  }
}

function nameOf(unit) {
  const says = unit.getAttribute("aria-label");
  return says[0].toLowerCase() + says.slice(1);
}
