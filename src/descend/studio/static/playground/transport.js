// The buttons and keys of a training: play and pause, one step, begin again; and how fast.

import { SPEEDS } from "./pace.js";
import { TAKES_ARROWS, TAKES_SPACE } from "../picture/transport.js";

const icon = (shapes) => `<svg viewBox="0 0 20 20" aria-hidden="true">${shapes}</svg>`;
const ICONS = {
  reset: icon('<path d="M10 4a6 6 0 1 1-5.7 4.1l1.9.6A4 4 0 1 0 10 6v2.6L5.8 5 10 1.4z"/>'),
  play: icon('<path class="on" d="M6 4v12l10-6z"/><path class="off" d="M6 4h3v12H6zM11 4h3v12h-3z"/>'),
  forward: icon('<path d="M6 4v12l8-6zM14 4h2v12h-2z"/>'),
};

export function prepareTraining({ onPlay, onStep, onReset }) {
  const buttons = Object.fromEntries(Object.keys(ICONS).map((id) => [id, document.getElementById(id)]));
  const speed = document.getElementById("speed");
  for (const [id, button] of Object.entries(buttons)) button.innerHTML = ICONS[id];
  speed.append(...SPEEDS.map(([value, text]) => new Option(text, value, false, value === "epoch")));
  buttons.play.addEventListener("click", onPlay);
  buttons.forward.addEventListener("click", onStep);
  buttons.reset.addEventListener("click", onReset);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && !event.target.closest(TAKES_SPACE)) onPlay();
    else if (event.key === "ArrowRight" && !event.target.closest(TAKES_ARROWS)) onStep();
    else return;
    event.preventDefault();
  });
  return {
    get speed() {
      return speed.value;
    },
    show(isPlaying) {
      buttons.play.classList.toggle("playing", isPlaying);
      buttons.play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    },
  };
}
