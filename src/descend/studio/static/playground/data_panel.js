// What is learned: a toy set and how it is drawn, or three columns of one's own table.

import { choice, whole } from "./fields.js";
import { BOUNDS, toyData } from "./setting.js";
import { createSlider } from "../common/slider.js";

const OWN = "";
const KINDS = [["", "as it looks"], ["classes", "as classes"], ["number", "as a number"]];

export class DataPanel {
  constructor({ toys, table }, { onData, onShare }) {
    Object.assign(this, { toys, table, onData, onShare });
    [this.fields, this.says, this.error] = ["fields", "says", "error"].map((name) =>
      document.getElementById(`data-${name}`),
    );
  }

  build({ data, test_share: share }) {
    this.data = data;
    const sets = this.toys.map(({ name, title }) => [name, title]);
    const all = this.table ? [[OWN, this.table.name], ...sets] : sets;
    const pick = (name) => this.onData(name === OWN ? { ...this.table.first } : toyData(name), true);
    const slider = createSlider(BOUNDS.test_share, share, (value) => this.onShare(value));
    this.fields.replaceChildren(choice("Data", all, data.toy ?? OWN, pick), ...this.own(data), slider.element);
  }

  own(data) {
    return data.toy ? this.ofToy(data) : this.ofTable(data);
  }

  ofToy({ count, noise, seed }) {
    return [
      whole("Seed of the points", 0, 999999, seed, (value) => this.change({ seed: value })),
      createSlider(BOUNDS.count, count, (value) => this.change({ count: Math.round(value) })).element,
      createSlider(BOUNDS.shift, noise, (value) => this.change({ noise: value })).element,
    ];
  }

  ofTable({ x, y, target, kind }) {
    const named = (is) => this.table.columns.filter((one) => one[is]).map(({ name }) => [name, name]);
    const axes = named("is_axis");
    return [
      choice("Across", axes, x, (value) => this.change({ x: value })),
      choice("Up", axes, y, (value) => this.change({ y: value })),
      choice("Target", named("is_target"), target, (value) => this.change({ target: value })),
      choice("Target taken", KINDS, kind ?? "", (value) => this.change({ kind: value || null })),
    ];
  }

  change(change) {
    this.data = { ...this.data, ...change };
    this.onData(this.data, false);
  }

  tell(says) {
    this.says.textContent = says;
    this.error.textContent = "";
  }

  fail(says) {
    this.error.textContent = says;
  }
}
