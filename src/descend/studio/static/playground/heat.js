// Maps of the plane in colours: cells of numbers, row by row from the lowest y on, painted on a canvas of as many pixels.

import { between, rgb } from "../common/theme.js";

const SHADES = 128;
// How strong a colour becomes: points of the same colour must be seen on it.
const STRENGTH = 0.62;

// Colours as the bytes of pixels, from one through another to a third.
function shades(...colours) {
  return Uint32Array.from({ length: SHADES }, (_, index) => {
    const [red, green, blue] = between(colours, index / (SHADES - 1));
    return (255 << 24) | (blue << 16) | (green << 8) | red;
  });
}

function weakened(colour, ground) {
  return between([ground, colour], STRENGTH);
}

export function palettes({ ground, classes, nowhere }) {
  const colours = classes.map(rgb);
  const [high, low] = colours;
  return {
    // Of numbers below and above the middle.
    signed: shades(weakened(low, ground), ground, weakened(high, ground)),
    // Of each class, by how sure it is.
    classes: colours.map((colour) => shades(ground, weakened(colour, ground))),
    missing: shades(nowhere, nowhere)[0],
  };
}

const shadeOf = (palette, fraction) => palette[Math.round(Math.min(Math.max(fraction, 0), 1) * (SHADES - 1))];

// `colourOf` gives the pixel of a number.
export function paint(canvas, values, size, colourOf) {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0; row < size; row += 1) {
    const top = (size - 1 - row) * size;
    for (let column = 0; column < size; column += 1) pixels[top + column] = colourOf(values[row * size + column]);
  }
  context.putImageData(image, 0, 0);
}

// The likeliest of `count` classes and, after the point, its probability.
export function byClass({ classes, missing }, count) {
  return (value) => {
    if (Number.isNaN(value)) return missing;
    const winner = Math.floor(value);
    return shadeOf(classes[winner], (value - winner - 1 / count) / (1 - 1 / count));
  };
}

export function byProbability({ classes, missing }, which) {
  return (value) => (Number.isNaN(value) ? missing : shadeOf(classes[which], value));
}

// A share of the way from the least target to the greatest.
export function byShare({ signed, missing }) {
  return (value) => (Number.isNaN(value) ? missing : shadeOf(signed, value));
}

// What a unit gives, about 0: the strongest colours at its greatest, or at 1 where it stays below.
export function bySign({ signed, missing }, values) {
  const reach = values.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 1);
  return (value) => (Number.isNaN(value) ? missing : shadeOf(signed, 0.5 + value / (2 * reach)));
}
