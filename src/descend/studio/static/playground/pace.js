// How many steps the engine makes for a picture: as many as are wanted, and no more than leave time to draw. What is
// learned in a step does not depend on it.

import { clamp } from "../common/numbers.js";

// Of a frame of the screen, in seconds.
const BUDGET = 0.012;

export const SPEEDS = [
  ["step", "one step a picture"],
  ["epoch", "one epoch a picture"],
  ["fast", "as fast as it goes"],
];

export class Pace {
  constructor(most) {
    this.most = most;
    this.perStep = 0;
  }

  // Measured anew: another network takes another time.
  forget() {
    this.perStep = 0;
  }

  took(seconds, steps) {
    if (!steps || !seconds) return;
    const measured = seconds / steps;
    // The first is about compiling, and the least is about the steps alone.
    this.perStep = this.perStep ? Math.min(measured, this.perStep * 1.2) : measured;
  }

  steps(speed, perEpoch) {
    const wanted = { step: 1, epoch: perEpoch, fast: this.most }[speed];
    const fitting = this.perStep ? BUDGET / this.perStep : 1;
    return Math.round(clamp(Math.min(wanted, Math.max(1, fitting)), 1, this.most));
  }
}
