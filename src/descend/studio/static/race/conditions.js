// What holds for all balls: the start in numbers, how many steps, the noise of the gradient and its seed.

import { clamp, plain } from "../common/numbers.js";
import { MOST_NOISE, STEPS } from "./race.js";
import { createSlider } from "../common/slider.js";

const NOISE = { label: "Noise of the gradient", low: 0, high: MOST_NOISE, log: false };

export class Conditions {
  constructor({ onChange }) {
    this.onChange = onChange;
    const [x, y, steps, seed] = ["start-x", "start-y", "steps", "seed"].map((id) => document.getElementById(id));
    this.fields = { x, y, steps, seed };
    this.root = document.getElementById("noise");
    const changeStart = () => this.change({ start: [Number(x.value), Number(y.value)] });
    x.addEventListener("change", changeStart);
    y.addEventListener("change", changeStart);
    steps.addEventListener("change", () => this.change({ steps: whole(steps, ...STEPS) }));
    seed.addEventListener("change", () => this.change({ seed: whole(seed, 0, 999999) }));
  }

  change(change) {
    this.race = null;
    this.onChange(change);
  }

  // A field that somebody writes in is left alone until it is done.
  show(race) {
    if (race === this.race) return;
    const { start: [x, y], steps, seed, noise } = race;
    for (const [name, text] of Object.entries({ x: plain(x), y: plain(y), steps: String(steps), seed: String(seed) })) {
      if (this.fields[name] !== document.activeElement || !this.race) this.fields[name].value = text;
    }
    // A room whose noise is that of batches has no slider for it.
    if (noise !== this.noise && this.root) this.buildNoise(noise);
    this.race = race;
  }

  buildNoise(noise) {
    this.noise = noise;
    const slider = createSlider(NOISE, noise, (value) => {
      this.noise = value;
      this.onChange({ noise: value });
    });
    this.root.replaceChildren(slider.element);
  }
}

function whole(field, low, high) {
  return Math.round(clamp(Number(field.value) || low, low, high));
}
