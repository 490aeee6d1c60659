// What is found out about a run on demand: the doctor's diagnoses, each with its replay; its landscape; its spectrum.

import { CurveChart } from "./curve_chart.js";
import { drawLandscape } from "./landscape.js";

const SECONDS = 60;

export class Findings {
  constructor(connection, root) {
    this.connection = connection;
    this.root = root;
  }

  look(run, what) {
    this.run = run;
    this.said = line("says", `${what === "examine" ? `Examining, for ${SECONDS} seconds at the most` : "Looking"}…`);
    this.bar = document.createElement("progress");
    this.bar.setAttribute("aria-label", "How far it is");
    this.said.setAttribute("role", "status");
    this.root.replaceChildren(title(`${TITLES[what]} of ${run.name}`), this.said, this.bar);
    this.root.hidden = false;
    const begun = performance.now();
    clearInterval(this.timer);
    // Of what has a limit, how much of it is over.
    if (what === "examine") {
      this.bar.max = SECONDS;
      this.timer = setInterval(() => {
        this.bar.value = Math.min(SECONDS, (performance.now() - begun) / 1000);
      }, 200);
    }
    const seconds = what === "examine" ? { seconds: SECONDS } : {};
    this.connection.ask({ kind: what, run: run.number, ...seconds }, { look: this });
  }

  refuse(says) {
    this.over();
    this.said.textContent = says;
    this.said.className = "error";
  }

  over() {
    clearInterval(this.timer);
    this.bar.remove();
  }

  take(header, body) {
    if (header.kind === "replay") this.replayed(header, body);
    if (header.kind === "replay" || header.kind === "replayed") return;
    this.over();
    if (header.kind === "examine") this.showDiagnoses(header.diagnoses);
    if (header.kind === "landscape") this.showLandscape(header, body);
    if (header.kind === "spectrum") this.showSpectrum(header, body);
  }

  showDiagnoses(diagnoses) {
    const proved = diagnoses.filter(({ verdict }) => verdict === "proved").length;
    this.said.textContent = proved ? `${proved} proved` : "No fault was proved.";
    this.root.append(...diagnoses.map((one, index) => this.diagnosis(one, index)));
  }

  diagnosis({ verdict, sentence, symptoms, replay, change, line: written }, index) {
    const element = document.createElement("section");
    element.className = "diagnosis";
    const head = document.createElement("h3");
    head.textContent = `${verdict}: ${sentence}`;
    element.append(head, line("says", symptoms), ...(replay ? [line("says", replay)] : []));
    if (written) element.append(line("says", `Write: ${written}`));
    if (change) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Replay" });
      const canvas = document.createElement("canvas");
      canvas.className = "curves small";
      canvas.hidden = true;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `The loss as it was, and ${change}`);
      const words = line("says", "");
      button.addEventListener("click", () => this.replay(index, change, canvas, words));
      element.append(button, canvas, words);
    }
    return element;
  }

  replay(index, change, canvas, words) {
    canvas.hidden = false;
    const chart = new CurveChart(canvas, { onCursor: () => {} });
    const curves = [0, 1].map((mark) => ({ mark, xs: [], ys: [] }));
    this.shown = { chart, curves, words, change };
    this.connection.ask({ kind: "replay", run: this.run.number, diagnosis: index }, { look: this });
  }

  replayed({ which }, body) {
    const { chart, curves, words, change } = this.shown;
    for (let row = 0; row < body.length / 2; row += 1) {
      curves[which].xs.push(body[2 * row]);
      curves[which].ys.push(body[2 * row + 1]);
    }
    chart.show({ curves, across: "steps", up: "log" });
    const last = ({ ys }) => (ys.length ? ys[ys.length - 1].toPrecision(4) : "–");
    words.textContent = `Loss as it was (blue) ${last(curves[0])}, ${change} (orange) ${last(curves[1])}`;
  }

  showLandscape({ size, caption }, body) {
    const canvas = document.createElement("canvas");
    canvas.className = "landscape";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "The loss on a plane through the run, as bands of equal height");
    this.said.textContent = caption;
    this.root.append(canvas);
    drawLandscape(canvas, body, size);
  }

  showSpectrum({ caption }, body) {
    const canvas = document.createElement("canvas");
    canvas.className = "curves small";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "The density of eigenvalues over the curvature");
    this.said.textContent = caption;
    this.root.append(canvas);
    const count = body.length / 2;
    const column = (which) => Array.from({ length: count }, (_, row) => body[2 * row + which]);
    const chart = new CurveChart(canvas, { onCursor: () => {} });
    chart.show({ curves: [{ mark: 0, xs: column(0), ys: column(1) }], across: "values", up: "log" });
  }
}

const TITLES = { examine: "Doctor", landscape: "Landscape", spectrum: "Spectrum" };

function title(text) {
  return Object.assign(document.createElement("h2"), { textContent: text });
}

function line(className, text) {
  return Object.assign(document.createElement("p"), { className, textContent: text });
}
