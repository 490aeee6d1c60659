// Time: a step that plays, is stepped, scrubbed and looped. The whole of a race takes so many seconds.

import { clamp } from "../common/numbers.js";

const SECONDS = 6;
// Where a loop ends it rests a moment, to be looked at.
const REST = 0.9;

export class Playback {
  constructor({ onChange }) {
    this.onChange = onChange;
    this.steps = 1;
    this.exact = 0;
    this.playing = false;
    this.looping = false;
  }

  get step() {
    return Math.min(this.steps, Math.floor(this.exact));
  }

  // A new race runs by itself, but for those who asked for less motion: they see where it ends.
  begin(steps) {
    this.steps = steps;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.exact = still ? steps : 0;
    this.onChange();
    if (!still && !this.playing) this.toggle();
  }

  setSteps(steps) {
    this.exact = Math.min(this.exact, steps);
    this.steps = steps;
    this.onChange();
  }

  goTo(step) {
    this.playing = false;
    this.exact = clamp(step, 0, this.steps);
    this.onChange();
  }

  toggle() {
    if (this.playing) {
      this.goTo(this.step);
      return;
    }
    if (this.step >= this.steps) this.exact = 0;
    this.playing = true;
    this.onChange();
    this.before = performance.now();
    requestAnimationFrame((now) => this.tick(now));
  }

  toggleLoop() {
    this.looping = !this.looping;
    this.onChange();
  }

  tick(now) {
    if (!this.playing) return;
    this.exact += (Math.max(0, now - this.before) / 1000) * (this.steps / SECONDS);
    this.before = now;
    const end = this.steps * (this.looping ? 1 + REST / SECONDS : 1);
    if (this.exact >= end) {
      this.exact = this.looping ? 0 : this.steps;
      this.playing = this.looping;
    }
    this.onChange();
    requestAnimationFrame((next) => this.tick(next));
  }
}
