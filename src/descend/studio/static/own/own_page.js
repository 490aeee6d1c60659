// A race on the loss of a file. Two parameters are raced on as a formula is. More are seen on a plane, which is laid
// through the ways of the first race, and stays where it is until it is laid anew.

import { linkTo } from "../common/address.js";
import { toText } from "../common/link_text.js";
import { short } from "../common/numbers.js";
import { letter } from "../picture/markers.js";
import { raceMessage } from "../race/race.js";
import { RacePage } from "../race/race_page.js";
import { FilePanel } from "./file_panel.js";

export class OwnPage extends RacePage {
  constructor(connection, welcome, text) {
    super(connection, welcome, (told) => new FilePanel(told, () => this.reload()), text);
    document.getElementById("lay").hidden = welcome.own.is_plane;
    welcome.own.axes.forEach((name, axis) => {
      document.getElementById(`start-${"xy"[axis]}-label`).textContent = `Start, ${name}`;
    });
    document.getElementById("lay").addEventListener("click", () => this.lay());
    // Whoever comes back from an editor is told that there is something new.
    addEventListener("focus", () => this.connection.ask({ kind: "file" }, { race: this.race }));
  }

  // Without a plane there is neither a window nor a surface.
  ask(asked) {
    if (this.laid) super.ask(asked);
    else this.lay();
  }

  lay() {
    this.connection.ask({ ...raceMessage(this.race), lay: true }, { race: this.race, asked: performance.now() });
    this.view.setBusy(true);
  }

  wholeWindow() {
    return this.laid.window;
  }

  take(header, body, kept) {
    if (header.kind === "plane") this.takePlane(header);
    else if (header.kind === "progress") this.tellProgress(header, kept.race);
    else if (header.kind === "sharpness") this.takeSharpness(header, body, kept.race);
    else if (header.kind === "file") this.tellFile(header.changed);
    else if (header.kind === "reloaded") this.openAnew();
    // Nothing is new, but what waits for a drawing: whether an answer is still to come.
    else if (header.kind === "curved") this.draw();
    else this.takeRace(header, body, kept);
  }

  takePlane({ window, start }) {
    this.laid = { window, start };
    this.ended = [];
    this.race = { ...this.race, window, start };
    super.ask({ surface: true });
  }

  takeRace(header, body, kept) {
    super.take(header, body, kept);
    if (header.kind === "ball") this.ended[kept.race.balls[header.ball].mark] = header.ended;
    if (header.kind !== "done") return;
    this.functions.fail("");
    this.tellPlane(header, kept.race.balls);
    if (!this.welcome.own.is_plane) this.connection.ask({ kind: "sharpness" }, kept);
  }

  takeSharpness({ ball }, values, { balls }) {
    this.view.trails[balls[ball].mark]?.curve(values);
    this.draw();
  }

  tellFile(changed) {
    this.functions.tellChanged(changed);
    this.draw();
  }

  tellProgress({ ball, step }, { balls, steps }) {
    this.say(`Ball ${letter(balls[ball].mark)}: step ${step} of ${steps}`);
  }

  tellPlane({ share, every }, balls) {
    this.share = `${short(100 * share)} %`;
    const { is_plane: isPlane, size } = this.welcome.own;
    const stopped = balls.map(({ mark }) => (this.ended[mark] ? `Of ball ${letter(mark)}, ${this.ended[mark]}.` : ""));
    const said = [isPlane ? "" : saysPlane(this.share, size, every), ...stopped].filter(Boolean).join(" ");
    document.getElementById("plane").hidden = !said;
    document.getElementById("plane-says").textContent = said;
  }

  conditionsInWords() {
    const words = super.conditionsInWords();
    return this.welcome.own.is_plane ? words : `${words}, on a plane that holds ${this.share} of the ways`;
  }

  refuse(says) {
    this.functions.fail(says);
    this.draw();
  }

  reload() {
    this.connection.ask({ kind: "reload" }, { race: this.race });
  }

  // The balls stay, and so does a start that somebody has moved; a plane is laid through the new loss.
  openAnew() {
    const { is_plane: isPlane } = this.welcome.own;
    const moved = isPlane && this.race.start.some((value, axis) => value !== this.laid.start[axis]);
    const race = { ...this.race, window: null, start: moved ? this.race.start : null };
    history.replaceState(null, "", linkTo("race", toText(race)));
    location.reload();
  }
}

function saysPlane(share, size, every) {
  const kept = every > 1 ? ` Of ${every} steps one point is kept; between them ways are drawn straight.` : "";
  return (
    `The plane holds ${share} of the ways’ squared distances from where the lowest ball ended as it was laid. Ways are ` +
    `projected on it: balls run through all ${size.toLocaleString("en")} parameters, at other losses than the surface ` +
    `under them has.${kept}`
  );
}
