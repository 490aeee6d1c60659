// Colours of the style sheet for what is drawn on a canvas, as they are now: light or dark.

export const BALLS = 8;
// Classes of points: the colours of the balls, and two more.
const CLASSES = 10;

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    ink: colour("--ink"),
    muted: colour("--muted"),
    line: colour("--line"),
    halo: colour("--halo"),
    contour: colour("--contour"),
    nowhere: rgb(colour("--nowhere")),
    depths: [0, 1, 2].map((index) => rgb(colour(`--depth-${index}`))),
    balls: Array.from({ length: BALLS }, (_, index) => colour(`--ball-${index}`)),
    onBall: colour("--on-ball"),
    ground: rgb(colour("--panel")),
    classes: Array.from({ length: CLASSES }, (_, index) => colour(`--ball-${index}`)),
  };
}

export function onThemeChange(handler) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", handler);
}

export function rgb(hex) {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((digit) => digit + digit).join("") : hex.slice(1);
  return [0, 2, 4].map((from) => parseInt(digits.slice(from, from + 2), 16));
}

// A colour on the way through some of them, `fraction` from 0 to 1.
export function between(colours, fraction) {
  const place = Math.min(Math.max(fraction, 0), 1) * (colours.length - 1);
  const index = Math.min(Math.floor(place), colours.length - 2);
  const [from, to] = [colours[index], colours[index + 1]];
  return from.map((part, channel) => Math.round(part + (to[channel] - part) * (place - index)));
}
