// All that shows a race: picture, losses, cards, words and, where it is asked for, the surface in 3-D. However often it
// is told to draw, it does so once a frame of the screen.

import { Cards } from "./cards.js";
import { Chart } from "../picture/chart.js";
import { commentary } from "../picture/commentary.js";
import { letter } from "../picture/markers.js";
import { short } from "../common/numbers.js";
import { Picture } from "../picture/picture.js";
import { freeMark } from "./race.js";
import { Surface3D } from "../picture/surface3d.js";

// A screen reader is told no more often, in ms.
const BETWEEN_WORDS = 1000;

export class RaceView {
  constructor(rules, { onStart, onStep, onRule, onSetting, onRemove }) {
    this.rules = rules;
    this.trails = [];
    this.surface = null;
    this.scene = null;
    this.waiting = [];
    this.spoken = 0;
    this.picture = new Picture(document.getElementById("picture"), { onStart });
    this.chart = new Chart(document.getElementById("loss"), { onStep });
    this.cards = new Cards(document.getElementById("cards"), rules, { onRule, onSetting, onRemove });
    this.surface3d = new Surface3D(() => this.draw(this.scene));
  }

  build(balls) {
    this.cards.build(balls);
    document.getElementById("add").disabled = freeMark(balls) < 0;
    this.trails = this.trails.map((trail, mark) => (balls.some((ball) => ball.mark === mark) ? trail : null));
  }

  clear() {
    this.trails = [];
  }

  showSurface(surface) {
    this.surface = surface;
    this.picture.showSurface(surface);
  }

  // Trails are kept by the mark of their ball, which it keeps while others come and go.
  showTrail(mark, trail) {
    this.trails[mark] = trail;
  }

  setBusy(busy) {
    document.getElementById("picture").setAttribute("aria-busy", busy);
  }

  afterDrawing(handler) {
    this.waiting.push(handler);
  }

  draw(race) {
    if (!this.drawing) requestAnimationFrame(() => this.drawNow());
    this.drawing = true;
    this.scene = race && { ...race, balls: race.balls.map((ball) => ({ ...ball, title: this.title(ball) })) };
  }

  title({ mark, rule }) {
    return `${letter(mark)} ${this.rules.find(({ name }) => name === rule).title}`;
  }

  drawNow() {
    this.drawing = false;
    const scene = { ...this.scene, trails: this.scene.balls.map(({ mark }) => this.trails[mark]) };
    this.picture.draw(scene);
    this.chart.draw(scene);
    this.cards.show(scene.trails, scene.step, this.picture.plane.window);
    this.surface3d.draw(scene, this.surface);
    this.speak(scene);
    this.waiting.splice(0).forEach((handler) => handler());
  }

  speak(scene) {
    const [x, y] = scene.start.map((value) => short(value));
    document.getElementById("start-text").textContent = `Start at x ${x}, y ${y}.`;
    const line = document.getElementById("commentary");
    const words = commentary(scene.balls, scene.trails, scene.step, this.picture.plane.window);
    if (line.textContent === words) return;
    clearTimeout(this.later);
    const wait = this.spoken + BETWEEN_WORDS - performance.now();
    if (wait > 0) {
      this.later = setTimeout(() => this.speak(scene), wait);
      return;
    }
    line.textContent = words;
    this.spoken = performance.now();
  }
}
