// What is set, what is asked of the engine for it, and what becomes of its frames. While it plays, the next frame is
// asked for when the last is drawn.

import { sharedText } from "../common/address.js";
import { prepareLink } from "../common/link_dialog.js";
import { toText } from "../common/link_text.js";
import { ConductPanel } from "./conduct_panel.js";
import { DataPanel } from "./data_panel.js";
import { Frame } from "./frame.js";
import { Pace } from "./pace.js";
import { PlaygroundView } from "./playground_view.js";
import { firstSetting, fromText } from "./setting.js";
import { prepareTraining } from "./transport.js";

// Between two looks at how the loss curves, in ms.
const BETWEEN_LOOKS = 1000;

export class PlaygroundPage {
  constructor(connection, welcome) {
    Object.assign(this, { connection, welcome, playing: false, shown: null, looked: null });
    this.pace = new Pace(welcome.max_steps);
    this.view = new PlaygroundView(welcome, {
      onFeature: (name) => this.toggleFeature(name),
      onLayers: (layers) => this.setNetwork({ layers }),
      onShown: (shown) => this.show(shown),
      onRate: (rate) => this.mend(rate),
    });
    this.data = new DataPanel(welcome, {
      onData: (data, isOther) => this.setData(data, isOther),
      onShare: (share) => this.set({ test_share: share }),
    });
    this.conduct = new ConductPanel(welcome, ({ activation, ...change }) =>
      activation ? this.setNetwork({ activation }) : this.set(change));
    this.training = prepareTraining({
      onPlay: () => this.play(!this.playing),
      onStep: () => this.once(1),
      onReset: () => this.reset(),
    });
    prepareLink({
      room: "playground",
      title: "A link to this setting",
      says: "It holds the data's name, the network and the optimizer; of a table of your own the names of its columns, "
        + "and no data; not your token.",
      text: () => toText(this.setting),
      open: (text) => this.open(text),
    });
    addEventListener("hashchange", () => this.open(sharedText("playground")));
    if (!this.open(sharedText("playground"))) this.take(firstSetting(welcome));
  }

  // The setting of a link; whether it has one.
  open(text) {
    const setting = fromText(text, this.welcome);
    if (setting) this.take(setting);
    return setting !== null;
  }

  take(setting) {
    this.setting = setting;
    this.shown = null;
    this.data.build(setting);
    this.conduct.build(setting);
    this.refresh();
  }

  set(change) {
    this.setting = { ...this.setting, ...change };
    this.refresh();
  }

  setData(data, isOther) {
    this.setting = { ...this.setting, data };
    if (isOther) this.data.build(this.setting);
    this.refresh();
  }

  setNetwork(change) {
    this.shown = null;
    this.set({ network: { ...this.setting.network, ...change } });
  }

  toggleFeature(name) {
    const { features } = this.setting.network;
    const chosen = this.welcome.features.filter((one) => (one === name) !== features.includes(one));
    // The last one stays: a network without inputs has nothing to go by.
    if (chosen.length) this.setNetwork({ features: chosen });
  }

  show(shown) {
    this.shown = shown;
    if (!this.playing) this.ask(0);
  }

  reset() {
    this.set({ attempt: this.setting.attempt + 1 });
  }

  mend(rate) {
    const { optimizer } = this.setting;
    this.conduct.buildRule({ ...optimizer, settings: { ...optimizer.settings, learning_rate: rate } });
    this.setting = { ...this.setting, optimizer: this.conduct.optimizer };
    this.reset();
  }

  play(isPlaying) {
    this.playing = isPlaying;
    this.training.show(isPlaying);
    if (isPlaying) this.ask(this.steps());
  }

  once(steps) {
    if (this.playing) this.play(false);
    else this.ask(steps);
  }

  // A change shows at once; while it plays, in the next frame.
  refresh() {
    this.pace.forget();
    if (!this.playing || !this.connection.busy) this.ask(0);
  }

  steps() {
    const perEpoch = this.points ? Math.max(1, this.points.learned / this.setting.batch_size) : 1;
    return this.pace.steps(this.training.speed, Math.round(perEpoch));
  }

  ask(steps) {
    this.view.setBusy(true);
    this.connection.ask({ kind: "advance", ...this.setting, steps, shown: this.shown }, { steps, at: performance.now() });
  }

  receive(header, body, kept) {
    if (header.kind === "sharpness") this.takeLimit(header);
    else if (header.kind === "points") this.takePoints(header, body);
    else if (header.kind === "state") this.takeState(new Frame(header, body), kept);
    else this.refuse(header);
  }

  takePoints(header, body) {
    this.points = { ...header, rows: body.slice() };
    this.looked = null;
    this.view.begin(this.points, this.setting.network);
    const [x, y] = header.axes;
    this.data.tell(header.says && `${header.says}. The network sees ${x} as x and ${y} as y, both standardised.`);
  }

  takeState(frame, kept) {
    const isCompiled = kept && !this.pace.perStep && kept.steps > 0;
    if (kept) this.pace.took(frame.seconds, kept.steps);
    if (!frame.last) this.view.say("the network's step is being compiled…", true);
    this.view.show(frame, isCompiled ? frame.seconds : null, () => this.drawn(frame, kept));
  }

  drawn(frame, kept) {
    if (kept && frame.last) this.measure(kept);
    if (!frame.last) return;
    this.view.setBusy(this.connection.lanes.advance.asked !== null);
    if (frame.halted && this.playing) this.play(false);
    else if (this.playing && !this.connection.lanes.advance.asked) this.ask(this.steps());
    this.look(frame);
  }

  // How the loss curves is asked for every now and then.
  look(frame) {
    const now = performance.now();
    const is = this.looked;
    if (frame.step === 0 && !frame.halted) return;
    const isSeen = is?.step === frame.step && is.halted === frame.halted;
    // A run that diverged shows no later frame, by which it could be asked about: it is, whatever is under way.
    const isSoon = !frame.halted && (this.connection.lanes.sharpness?.asked || now - is?.at < BETWEEN_LOOKS);
    if (isSeen || isSoon) return;
    this.looked = { step: frame.step, halted: frame.halted, at: now };
    this.connection.ask({ kind: "sharpness" });
  }

  takeLimit(header) {
    this.conduct.showLimit(header);
    this.view.tellLimit(header, this.setting.optimizer.settings.learning_rate);
  }

  refuse({ says, last, id }) {
    if (says) {
      this.play(false);
      this.data.fail(says);
    }
    this.view.setBusy(false);
    if (last && id !== null && this.playing) this.ask(this.steps());
  }

  // From a question to its drawing, for whoever listens.
  measure({ at }) {
    performance.measure("playground", { start: at, end: performance.now() });
    performance.clearMeasures("playground");
  }
}
