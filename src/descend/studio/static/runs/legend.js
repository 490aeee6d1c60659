// Beside the curves: whose they are, and what they are worth at the cursor, or at their end.

import { colourOf, valueAt } from "./curve_chart.js";
import { stateOf } from "./shown.js";
import { short } from "../common/numbers.js";
import { theme } from "../common/theme.js";

export class Legend {
  constructor(root, { onRemove }) {
    this.root = root;
    this.onRemove = onRemove;
    this.items = [];
  }

  colour(mark) {
    return colourOf(mark, theme());
  }

  show(curves, runs, marks) {
    this.items = runs.map((run) => {
      const curve = curves.find((one) => one.run.number === run.number);
      return { curve, run, ...this.item(run, marks.get(run.number)) };
    });
    this.root.replaceChildren(...this.items.map(({ element }) => element));
    this.showAt(null);
  }

  item(run, mark) {
    const element = document.createElement("li");
    element.innerHTML = `<span class="mark" aria-hidden="true"></span><span class="name"></span>
      <output></output><button type="button" class="remove">✕</button>`;
    const [sign, name, output, remove] = element.children;
    sign.style.setProperty("--colour", this.colour(mark));
    name.textContent = run.name;
    name.title = run.name;
    remove.setAttribute("aria-label", `Take away the curve of ${run.name}`);
    remove.addEventListener("click", () => this.onRemove(run.number));
    return { element, output };
  }

  // At a place of the axis; null: at the end, with why it ended.
  showAt(x) {
    for (const { curve, run, output } of this.items) {
      if (!curve) output.textContent = "…";
      else if (curve.says) output.textContent = curve.says;
      else if (!curve.ys.length) output.textContent = "has none";
      else if (x !== null) output.textContent = short(valueAt(curve, x), 4);
      else output.textContent = `${short(curve.ys[curve.ys.length - 1], 4)} · ${stateOf(run)}`;
    }
  }
}
