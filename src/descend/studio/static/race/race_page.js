// A race and its answers: what is asked of the engine when something is changed, and what becomes of what comes back.

import { sharedText } from "../common/address.js";
import { Conditions } from "./conditions.js";
import { firstRace, freeMark, fromText, newBall, onFunction, OWN_WINDOW, raceMessage, surfaceMessage } from "./race.js";
import { RaceView } from "./race_view.js";
import { prepareSaving } from "./saving.js";
import { short } from "../common/numbers.js";
import { Trail } from "../picture/trail.js";
import { createTransport } from "../picture/transport.js";
import { prepareZoom } from "../picture/zoom.js";

// Balls that come within so many ms are drawn together; where something is compiled, each as it is ready.
const PATIENCE = 40;

export class RacePage {
  // `newPanel(welcome, onFunction)` makes the panel of the function: `show`, `write` and `fail`. `text`: the race that it
  // begins with, as in a link.
  constructor(connection, welcome, newPanel, text = sharedText("race")) {
    this.connection = connection;
    this.welcome = welcome;
    this.playback = createTransport(() => this.draw());
    this.view = new RaceView(welcome.rules, {
      onStart: (start) => this.change({ start }),
      onStep: (step) => this.playback.goTo(step),
      onRule: (index, name) => this.changeRule(index, name),
      onSetting: (index, name, value) => this.changeSetting(index, name, value),
      onRemove: (index) => this.changeBalls(this.race.balls.filter((_, other) => other !== index)),
    });
    this.functions = newPanel(welcome, (asked) => this.tryFunction(asked));
    this.conditions = new Conditions({ onChange: (change) => this.change(change) });
    document.getElementById("add").addEventListener("click", () => this.addBall());
    prepareZoom({
      now: () => this.race.window,
      whole: () => this.wholeWindow(),
      onWindow: (window) => this.look(window),
    });
    prepareSaving(this);
    addEventListener("hashchange", () => this.open(sharedText("race")));
    if (!this.open(text)) this.show(firstRace(welcome));
  }

  // The race of a link; whether it has one.
  open(text) {
    const race = fromText(text, this.welcome);
    if (race) this.show(race);
    return race !== null;
  }

  show(race) {
    this.race = race;
    this.view.build(race.balls);
    this.ask({ surface: true, race: true });
  }

  ask({ surface = false, race = false }) {
    const kept = { race: this.race, asked: performance.now() };
    if (surface) this.connection.ask(surfaceMessage(this.race), kept);
    if (race) this.connection.ask(raceMessage(this.race), kept);
    this.view.setBusy(true);
  }

  // Another function is taken once the engine gives anything for it: see `receive`.
  tryFunction(asked) {
    const known = this.welcome.functions.find(({ name }) => name === asked.name);
    this.race = { ...this.race, ...(known ? onFunction(known) : { function: asked }) };
    this.ask({ surface: true, race: true });
  }

  change(change) {
    this.race = { ...this.race, ...change };
    this.ask({ race: true });
    // The start follows the pointer at once; all else moves when the balls do.
    if (change.start) this.draw();
  }

  look(window) {
    this.race = { ...this.race, window };
    this.ask({ surface: true });
  }

  wholeWindow() {
    const known = this.welcome.functions.find(({ name }) => name === this.race.function.name);
    return known ? known.window : OWN_WINDOW;
  }

  changeSetting(index, name, value) {
    const ball = this.race.balls[index];
    const balls = this.race.balls.with(index, { ...ball, settings: { ...ball.settings, [name]: value } });
    this.change({ balls });
  }

  changeRule(index, name) {
    const rule = this.welcome.rules.find((one) => one.name === name);
    this.changeBalls(this.race.balls.with(index, newBall(rule, this.race.balls[index].mark)));
  }

  addBall() {
    const raced = this.race.balls.map(({ rule }) => rule);
    const rule = this.welcome.rules.find(({ name }) => !raced.includes(name)) || this.welcome.rules[0];
    this.changeBalls([...this.race.balls, newBall(rule, freeMark(this.race.balls))]);
  }

  changeBalls(balls) {
    this.view.build(balls);
    this.change({ balls });
  }

  receive(header, body, kept) {
    this.view.afterDrawing(() => this.view.setBusy(this.connection.busy));
    if (header.kind === "error") this.refuse(header.says, kept);
    else if (kept && kept.race.function === this.race.function) this.take(header, body, kept);
  }

  take(header, body, kept) {
    if (this.taken?.function !== kept.race.function) {
      this.functions.show(kept.race.function);
      this.view.clear();
      this.playback.begin(kept.race.steps);
    }
    this.taken = kept.race;
    if (header.kind === "surface") {
      this.functions.write(header.mathml);
      this.view.showSurface({ values: body, size: header.size, window: header.window });
      this.draw();
    } else if (header.kind === "ball") {
      this.view.showTrail(kept.race.balls[header.ball].mark, new Trail(body, header));
      if (this.playback.steps !== header.steps) this.playback.setSteps(header.steps);
      this.drawing ||= setTimeout(() => this.draw(), PATIENCE);
    } else {
      this.view.afterDrawing(() => this.measure(kept, header.seconds));
      this.draw();
    }
  }

  // What is wrong with a function is said beside it; then the race goes on with the one before.
  refuse(says, kept) {
    const asked = kept?.race.function;
    if (asked && asked !== this.taken?.function) {
      this.functions.fail(says);
      const { function: before, window, start, noise } = this.taken || firstRace(this.welcome);
      if (asked === this.race.function) this.race = { ...this.race, function: before, window, start, noise };
      if (!this.taken) this.ask({ surface: true, race: true });
    } else {
      this.say(says);
    }
    this.draw();
  }

  // From the change to the moved balls, for whoever listens: a performance observer, the status line.
  measure({ asked, race }, seconds) {
    const { duration } = performance.measure("race", { start: asked, end: performance.now() });
    performance.clearMeasures("race");
    const balls = race.balls.length === 1 ? "1 ball" : `${race.balls.length} balls`;
    const spent = `${Math.round(duration)} ms (engine ${Math.round(seconds * 1000)} ms)`;
    this.say(`${balls} × ${race.steps} steps, ${spent} · descend ${this.welcome.version}`);
  }

  say(text) {
    document.getElementById("status").textContent = text;
  }

  draw() {
    if (!this.race?.window) return;
    clearTimeout(this.drawing);
    this.drawing = null;
    this.conditions.show(this.race);
    this.view.draw({ ...this.race, step: this.playback.step, minima: this.minima() });
  }

  conditionsInWords() {
    const { steps, start: [x, y], noise, seed } = this.race;
    const noisy = noise ? `, gradients with noise ${short(noise)}, seed ${seed}` : "";
    return `${steps} steps from x ${short(x)}, y ${short(y)}${noisy}`;
  }

  minima() {
    const known = this.welcome.functions.find(({ name }) => name === this.taken?.function.name);
    return known ? known.minima : [];
  }
}
