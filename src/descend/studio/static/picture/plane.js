// A window of the plane on a canvas: [x0, x1, y0, y1] over so many pixels, y upwards.

export class Plane {
  constructor(window, width, height) {
    this.window = window;
    this.width = width;
    this.height = height;
  }

  toPixel(x, y) {
    const [x0, x1, y0, y1] = this.window;
    return [((x - x0) / (x1 - x0)) * this.width, ((y1 - y) / (y1 - y0)) * this.height];
  }

  toPoint(left, top) {
    const [x0, x1, y0, y1] = this.window;
    return [x0 + (left / this.width) * (x1 - x0), y1 - (top / this.height) * (y1 - y0)];
  }
}

export function holds([x0, x1, y0, y1], x, y) {
  return x >= x0 && x <= x1 && y >= y0 && y <= y1;
}

// The window drawn in or out about a point that stays where it is.
export function zoomed([x0, x1, y0, y1], factor, [x, y]) {
  return [x + (x0 - x) * factor, x + (x1 - x) * factor, y + (y0 - y) * factor, y + (y1 - y) * factor];
}
