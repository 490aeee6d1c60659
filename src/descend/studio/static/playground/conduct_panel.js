// How it is learned: the rule with its sliders, the batch, penalties and noise, the activation and the seed.

import { choice, whole } from "./fields.js";
import { BATCHES, BOUNDS, DROPOUTS } from "./setting.js";
import { short } from "../common/numbers.js";
import { createSlider } from "../common/slider.js";

export class ConductPanel {
  // `onChange` takes what of the setting is to be another.
  constructor({ rules, activations }, onChange) {
    Object.assign(this, { rules, activations, onChange });
    [this.rule, this.ofRule, this.fields, this.sliders] = ["rule", "rule-sliders", "conduct-fields", "conduct-sliders"].map(
      (id) => document.getElementById(id),
    );
    this.rule.append(...rules.map(({ name, title }) => new Option(title, name)));
    this.rule.addEventListener("change", () => this.another(this.rule.value));
  }

  build(setting) {
    this.buildRule(setting.optimizer);
    const { network, batch_size: batch, dropout, seed } = setting;
    const batches = BATCHES.map((size) => [size, size === BATCHES.at(-1) ? "all" : size]);
    const shares = DROPOUTS.map((share) => [share, share ? `${100 * share} %` : "none"]);
    const activations = this.activations.map((name) => [name, name]);
    this.fields.replaceChildren(
      choice("Activation", activations, network.activation, (value) => this.onChange({ activation: value })),
      choice("Batch", batches, batch, (value) => this.onChange({ batch_size: Number(value) })),
      choice("Dropout", shares, dropout, (value) => this.onChange({ dropout: Number(value) })),
      whole("Seed", 0, 999999, seed, (value) => this.onChange({ seed: value })),
    );
    const sliders = ["l1", "l2", "noise"].map((name) =>
      createSlider(BOUNDS[name], setting[name], (value) => this.onChange({ [name]: value })));
    this.sliders.replaceChildren(...sliders.map(({ element }) => element));
  }

  buildRule({ rule: name, settings }) {
    const rule = this.rules.find((one) => one.name === name);
    Object.assign(this.rule, { value: name, title: rule.paper });
    this.optimizer = { rule: name, settings };
    const sliders = rule.settings.map((setting) =>
      [setting.name, createSlider(setting, settings[setting.name], (value) => this.set(setting.name, value))]);
    this.ofRule.replaceChildren(...sliders.map(([, { element }]) => element));
    this.rate = sliders.find(([setting]) => setting === "learning_rate")?.[1];
  }

  set(name, value) {
    this.optimizer = { ...this.optimizer, settings: { ...this.optimizer.settings, [name]: value } };
    this.onChange({ optimizer: this.optimizer });
  }

  // Another rule: what it shares with the one before is kept, but for rates, which mean other things.
  another(name) {
    const { settings } = this.rules.find((one) => one.name === name);
    const kept = (setting) => (setting.name === "learning_rate" ? setting.default
      : this.optimizer.settings[setting.name] ?? setting.default);
    const optimizer = { rule: name, settings: Object.fromEntries(settings.map((one) => [one.name, kept(one)])) };
    this.buildRule(optimizer);
    this.onChange({ optimizer });
  }

  // Where the rate becomes unstable, as far as theory tells.
  showLimit({ limit, sharpness, step, says }) {
    if (!this.rate || says === undefined) return;
    if (limit !== null) this.rate.setLimit(limit, `stable below ${short(limit)} at step ${step}, where the sharpness is ${short(sharpness)}`);
    else if (sharpness === null) this.rate.setLimit(null, says);
    else this.rate.setLimit(null, sharpness > 0 ? says : "no limit here: the loss curves down");
  }
}
