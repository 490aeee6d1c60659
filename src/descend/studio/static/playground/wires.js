// Lines between the units of a network: as thick as the weight is large, in one colour above 0 and another below.

const SVG = "http://www.w3.org/2000/svg";
const THINNEST = 0.4;
const THICKEST = 7;

export class Wires {
  // `onPoint` is told which weight a pointer is at.
  constructor(onPoint) {
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("class", "wires");
    this.svg.setAttribute("aria-hidden", "true");
    this.onPoint = onPoint;
    this.wires = [];
  }

  build(sizes) {
    this.wires = sizes.slice(1).flatMap((size, layer) =>
      Array.from({ length: sizes[layer] * size }, (_, index) =>
        this.wire({ layer, from: Math.floor(index / size), to: index % size })));
    // What takes the pointer is wider than what is seen.
    this.svg.replaceChildren(...this.wires.map(({ line }) => line), ...this.wires.map(({ reach }) => reach));
  }

  wire(ends) {
    const [line, reach] = ["line", "reach"].map((name) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", name);
      return path;
    });
    reach.addEventListener("pointerenter", () => this.onPoint(ends));
    return { ...ends, line, reach };
  }

  // From the right of a unit to the left of one of the next layer.
  place(units, root) {
    const box = root.getBoundingClientRect();
    const boxes = units.map((layer) => layer.map((unit) => unit.firstChild.getBoundingClientRect()));
    this.svg.setAttribute("width", root.scrollWidth);
    this.svg.setAttribute("height", root.scrollHeight);
    for (const { layer, from, to, line, reach } of this.wires) {
      const [start, end] = [boxes[layer][from], boxes[layer + 1][to]];
      const [x0, x1] = [start.right - box.left + root.scrollLeft, end.left - box.left + root.scrollLeft];
      const [y0, y1] = [start, end].map((one) => one.top + one.height / 2 - box.top);
      const middle = (x0 + x1) / 2;
      const path = `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`;
      line.setAttribute("d", path);
      reach.setAttribute("d", path);
    }
  }

  show(frame, { classes: [above, below] }) {
    for (const { layer, from, to, line } of this.wires) {
      const weight = frame.weight(layer, from, to);
      const width = Math.min(THICKEST, THINNEST + 2 * Math.abs(weight));
      line.setAttribute("stroke", weight < 0 ? below : above);
      line.setAttribute("stroke-width", Number.isFinite(width) ? width.toFixed(1) : THINNEST);
    }
  }
}
