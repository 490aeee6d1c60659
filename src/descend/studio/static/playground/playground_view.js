// All that shows a training: the picture, the network, the losses, and words. It is drawn once a frame of the screen.

import { Losses } from "./losses.js";
import { NetworkDiagram } from "./network_diagram.js";
import { Plot } from "./plot.js";
import { short } from "../common/numbers.js";

const at = (id) => document.getElementById(id);
// Of the limit, where a diverged run is to begin again.
const SAFE = 0.5;
// The status line is told no more often, in ms: a screen reader reads it.
const BETWEEN_WORDS = 1000;

export class PlaygroundView {
  constructor(welcome, { onFeature, onLayers, onShown, onRate }) {
    Object.assign(this, { welcome, onLayers, waiting: [], told: 0 });
    this.plot = new Plot(at("picture"), { onPoint: (place) => this.tellPoint(place) });
    this.losses = new Losses(at("loss"));
    this.network = new NetworkDiagram(at("network"), welcome, {
      onFeature,
      onShown,
      onUnits: (layer, units, says) => this.changeUnits(layer, units, says),
      onSays: (text) => {
        at("network-says").textContent = text;
      },
    });
    at("layer-less").addEventListener("click", () => onLayers(this.layers.slice(0, -1)));
    at("layer-more").addEventListener("click", () => onLayers([...this.layers, this.layers.at(-1) ?? 4]));
    at("diverged-mend").addEventListener("click", () => onRate(this.safeRate));
  }

  // The button that was pressed is made anew, and keeps the focus.
  changeUnits(layer, units, says) {
    this.focused = says;
    this.onLayers(this.layers.with(layer - 1, units));
  }

  begin(points, { features, layers }) {
    Object.assign(this, { points, layers });
    this.losses.clear();
    this.plot.setPoints(points);
    this.network.shown = null;
    this.network.build({ features, layers }, points.classes.length ? points.classes : [points.target]);
    this.network.root.querySelector(`[aria-label="${this.focused}"]`)?.focus();
    this.focused = null;
    at("layer-count").textContent = layers.length === 1 ? "1 hidden layer" : `${layers.length} hidden layers`;
    at("layer-less").disabled = layers.length === 0;
    at("layer-more").disabled = layers.length === this.welcome.max_layers;
    this.buildLegend(points);
  }

  buildLegend({ classes, span, learned, tested }) {
    const names = classes.length ? classes : [`up to ${short(span[1])}`, `from ${short(span[0])}`];
    const entries = names.map((name, index) => legendEntry(`class-${index}`, name));
    entries.push(legendEntry("full", `${learned} learned from`), legendEntry("hollow", `${tested} tested on`));
    at("legend").replaceChildren(...entries);
  }

  setBusy(busy) {
    at("picture").setAttribute("aria-busy", busy);
  }

  // `compiled`: seconds that a first step took, with all that had to be compiled for it; or null.
  show(frame, compiled, onDrawn) {
    this.waiting.push(onDrawn);
    this.losses.add(frame);
    if (compiled > 0.2) this.say(`the network's step was compiled in ${short(compiled, 2)} s`, true);
    if (!this.frame) requestAnimationFrame(() => this.draw());
    this.frame = frame;
  }

  draw() {
    const { frame } = this;
    this.frame = null;
    this.last = frame;
    this.plot.show(frame);
    this.network.show(frame, this.points);
    this.losses.draw();
    at("step").textContent = `step ${frame.step}, epoch ${frame.epoch.toFixed(1)}`;
    at("score").textContent = this.scores(frame);
    at("diverged").hidden = !frame.halted;
    this.tellPoint(this.place);
    if (frame.halted) {
      at("diverged-says").textContent = `Diverged: after step ${frame.step} the next is no finite number.`;
      at("diverged-mend").hidden = true;
    }
    this.say(`descend ${this.welcome.version}`);
    this.waiting.splice(0).forEach((handler) => handler());
  }

  scores({ train, test, shown }) {
    const what = this.points.classes.length ? "right" : "R²";
    const score = (value) => (what === "right" ? `${(100 * value).toFixed(1)} % right` : `R² ${short(value)}`);
    const told = ({ loss, score: value }) => (loss === null ? "no number" : `${short(loss)} (${score(value ?? NaN)})`);
    const unit = shown ? ` Shown: unit ${shown[1] + 1} of hidden layer ${shown[0]}.` : "";
    return `Loss ${told(train)}; on the test points ${told(test)}.${unit}`;
  }

  // Why a run diverged, where theory tells, and what to do. What was asked before it did is of another step.
  tellLimit({ limit, sharpness, step }, rate) {
    if (!this.last?.halted || step !== 0 || typeof limit !== "number") return;
    const product = short(rate * sharpness);
    const why = rate > limit ? `The rate ${short(rate)} is above` : `The rate ${short(rate)} is below`;
    at("diverged-says").textContent = `Diverged: after step ${this.last.step} the next is no finite number. ${why} the `
      + `limit of ${short(limit)} that it had at the start, where rate × sharpness was ${product}.`;
    this.safeRate = Number((SAFE * Math.min(limit, rate)).toPrecision(2));
    at("diverged-mend").textContent = `Begin again at rate ${short(this.safeRate)}`;
    at("diverged-mend").hidden = false;
  }

  // What the network says where the pointer is.
  tellPoint(place) {
    this.place = place;
    const line = at("here");
    line.hidden = !place || !this.last;
    if (line.hidden) return;
    const { picture, values, shown } = this.last;
    const { window: [x0, x1, y0, y1], axes, classes, span, target } = this.points;
    const cell = (share) => Math.min(picture - 1, Math.max(0, Math.floor(share * picture)));
    const value = values[cell(place[1]) * picture + cell(place[0])];
    const where = `${axes[0]} ${short(x0 + place[0] * (x1 - x0))}, ${axes[1]} ${short(y0 + place[1] * (y1 - y0))}`;
    const sure = `${classes[Math.floor(value)]}, ${(100 * (value % 1)).toFixed(0)} %`;
    const number = span ? `${target} ${short(span[0] + value * (span[1] - span[0]))}` : "";
    line.textContent = `${where}: ${shown ? short(value) : classes.length ? sure : number}`;
  }

  say(text, atOnce = false) {
    const now = performance.now();
    if (!atOnce && now - this.told < 5 * BETWEEN_WORDS) return;
    this.told = now;
    if (at("status").textContent !== text) at("status").textContent = text;
  }
}

function legendEntry(kind, text) {
  const [item, swatch] = ["li", "i"].map((tag) => document.createElement(tag));
  swatch.className = `swatch ${kind}`;
  item.append(swatch, text);
  return item;
}
