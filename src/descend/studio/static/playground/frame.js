// A frame of the engine, taken apart: the picture, the map of each unit, and weights and biases, layer by layer.

export class Frame {
  constructor(header, body) {
    Object.assign(this, header);
    const { picture, map, sizes } = header;
    this.values = body.subarray(0, picture * picture);
    this.cells = map * map;
    this.maps = body.subarray(picture * picture);
    let at = this.cells * sizes.reduce((sum, size) => sum + size, 0);
    this.firsts = sizes.map((_, layer) => sizes.slice(0, layer).reduce((sum, size) => sum + size, 0));
    this.weights = sizes.slice(1).map((size, layer) => {
      const count = sizes[layer] * size;
      const weights = this.maps.subarray(at, at + count);
      const biases = this.maps.subarray(at + count, at + count + size);
      at += count + size;
      return { weights, biases };
    });
  }

  mapOf(layer, unit) {
    const from = (this.firsts[layer] + unit) * this.cells;
    return this.maps.subarray(from, from + this.cells);
  }

  // From a unit of a layer to one of the next.
  weight(layer, from, to) {
    return this.weights[layer].weights[from * this.sizes[layer + 1] + to];
  }

  // Of a unit of a layer that is no input.
  bias(layer, unit) {
    return this.weights[layer - 1].biases[unit];
  }
}
