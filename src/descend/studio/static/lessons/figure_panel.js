// The figures of a lesson: which one is chosen, its sliders, what is asked of the engine and what came of it.

import { createSlider } from "../common/slider.js";
import { stabilityLimit } from "../picture/limit.js";
import { letter, markerImage } from "../picture/markers.js";
import { Trail } from "../picture/trail.js";
import { createTransport } from "../picture/transport.js";
import { Stage } from "./stage.js";
import { seen } from "./words.js";

// Balls that come within so many ms are drawn together.
const PATIENCE = 40;
// A screen reader is told no more often, in ms.
const BETWEEN_WORDS = 1000;
// The window of a figure that has none.
const EVERYWHERE = [-Infinity, Infinity, -Infinity, Infinity];

const byId = (id) => document.getElementById(id);

export class FigurePanel {
  constructor(ask, version) {
    this.ask = ask;
    this.version = version;
    this.figure = null;
    this.spoken = 0;
    this.stage = new Stage({ onStart: (start) => this.change({ start }), onStep: (step) => this.playback.goTo(step) });
    this.playback = createTransport(() => this.draw());
    byId("choice").addEventListener("change", () => this.choose(byId("choice").selectedIndex));
    byId("noise").addEventListener("click", () => this.change({ seed: this.setup.seed + 1 }));
    byId("reset").addEventListener("click", () => this.begin());
  }

  show(lesson, figures) {
    this.lesson = lesson;
    this.figures = figures;
    byId("choice").replaceChildren(...figures.map(({ name, title }) => new Option(title, name)));
    byId("choice").disabled = figures.length < 2;
    this.choose(0);
  }

  choose(index) {
    this.figure = { balls: [], minima: [], start: [0, 0], ...this.figures[index] };
    const { kind, balls, noisy } = this.figure;
    this.figure.balls = (kind === "chord" ? [] : balls).map((ball, mark) => (
      { ...ball, mark, name: ball.title, title: `${letter(mark)} ${ball.title}` }));
    byId("choice").selectedIndex = index;
    byId("noise").hidden = !noisy;
    byId("transport").hidden = kind === "chord";
    this.legend();
    this.stage.set(this.figure);
    this.ask({ kind: "ground", lesson: this.lesson, figure: this.figure.name }, { figure: this.figure });
    this.begin();
    this.playback.begin(this.figure.steps);
  }

  // All sliders as they are at first.
  begin() {
    const settings = Object.fromEntries(this.figure.sliders.map(({ name, default: usual }) => [name, usual]));
    this.setup = { settings, start: this.figure.start, seed: 0 };
    this.trails = this.trailsOf === this.figure ? this.trails : [];
    this.sliders = this.figure.sliders.map((slider) => {
      const onInput = (value) => this.change({ settings: { ...this.setup.settings, [slider.name]: value } });
      return { name: slider.name, ...createSlider(slider, settings[slider.name], onInput) };
    });
    byId("sliders").replaceChildren(...this.sliders.map(({ element }) => element));
    this.change({});
  }

  change(change) {
    this.setup = { ...this.setup, ...change };
    const message = { kind: "figure", lesson: this.lesson, figure: this.figure.name, ...this.setup };
    byId("frame").setAttribute("aria-busy", "true");
    this.ask(message, { figure: this.figure, setup: this.setup, asked: performance.now() });
    if (change.start) this.draw();
  }

  receive(header, body, kept) {
    if (header.kind === "error") byId("says").textContent = header.says;
    if (!kept || kept.figure !== this.figure) return;
    if (header.kind === "ground") this.stage.showGround(body, header);
    else if (header.kind === "ball") this.take(header, body, kept);
    else if (header.kind === "done") this.finish(kept, header);
    this.drawing ||= setTimeout(() => this.draw(), header.kind === "done" ? 0 : PATIENCE);
  }

  take(header, body, { setup, figure }) {
    byId("says").textContent = "";
    this.trailsOf = figure;
    this.taken = setup;
    this.trails[header.ball] = Object.assign(new Trail(body, header), { rates: header.rates, floor: header.floor });
  }

  finish({ setup, asked }, { seconds, given_up: givenUp }) {
    if (givenUp) return;
    if (setup === this.setup) byId("frame").setAttribute("aria-busy", "false");
    requestAnimationFrame(() => {
      const { duration } = performance.measure("figure", { start: asked, end: performance.now() });
      performance.clearMeasures("figure");
      const spent = `${Math.round(duration)} ms (engine ${Math.round(seconds * 1000)} ms)`;
      byId("status").textContent = `${spent} · descend ${this.version}`;
    });
  }

  legend() {
    byId("balls").replaceChildren(...this.figure.balls.map(({ mark, name }) => {
      const item = document.createElement("li");
      item.append(markerImage(mark), name);
      return item;
    }));
  }

  // Once a frame of the screen, however often it is told.
  draw() {
    clearTimeout(this.drawing);
    this.drawing = null;
    if (!this.figure || this.waiting) return;
    this.waiting = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    this.waiting = null;
    const { settings } = this.taken || this.setup;
    const rated = (ball) => ({ ...ball, settings: { learning_rate: settings[ball.rate] ?? NaN } });
    const scene = {
      ...this.figure, balls: this.figure.balls.map(rated), trails: this.trails, step: this.playback.step,
      start: this.setup.start,
    };
    this.stage.draw(scene);
    this.mark(scene);
    this.speak(() => seen(scene));
  }

  // The limit of each rate, of the first ball that has it.
  mark({ balls, trails, step, window }) {
    for (const { name, setLimit } of this.sliders) {
      const ball = balls.find(({ rate }) => rate === name);
      const trail = ball && trails[ball.mark];
      if (!trail) continue;
      const [limit, says] = stabilityLimit(trail, step, window || EVERYWHERE);
      setLimit(limit, balls.length > 1 ? `${letter(ball.mark)}: ${says}` : says);
    }
  }

  speak(words) {
    clearTimeout(this.later);
    const wait = this.spoken + BETWEEN_WORDS - performance.now();
    if (wait > 0) {
      this.later = setTimeout(() => this.speak(words), wait);
      return;
    }
    const said = words();
    if (byId("seen").textContent === said) return;
    byId("seen").textContent = said;
    this.spoken = performance.now();
  }
}
