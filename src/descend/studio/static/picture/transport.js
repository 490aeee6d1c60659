// The buttons and keys of time: back, play, on, scrub, loop. Space plays and pauses, the arrows left and right step.

import { Playback } from "./playback.js";

// Where a key has a meaning of its own.
export const TAKES_SPACE = "input, select, textarea, button, a, summary, dialog";
export const TAKES_ARROWS = "input, select, textarea, canvas, dialog";

const icon = (shapes) => `<svg viewBox="0 0 20 20" aria-hidden="true">${shapes}</svg>`;
const MARKUP = `
  <button type="button" id="back" aria-label="One step back">${icon('<path d="M14 4v12L6 10zM4 4h2v12H4z"/>')}</button>
  <button type="button" id="play" class="primary" aria-label="Play">
    ${icon('<path class="on" d="M6 4v12l10-6z"/><path class="off" d="M6 4h3v12H6zM11 4h3v12h-3z"/>')}
  </button>
  <button type="button" id="forward" aria-label="One step on">${icon('<path d="M6 4v12l8-6zM14 4h2v12h-2z"/>')}</button>
  <input type="range" id="scrub" min="0" max="1" step="1" value="0" aria-label="Step">
  <output id="step" for="scrub"></output>
  <button type="button" id="loop" aria-pressed="false" aria-label="Loop">
    ${icon('<path d="M10 4a6 6 0 1 1-5.7 4.1l1.9.6A4 4 0 1 0 10 6v2.6L5.8 5 10 1.4z"/>')}
  </button>`;

export function createTransport(onStep) {
  const root = document.getElementById("transport");
  root.innerHTML = MARKUP;
  const [back, play, forward, scrub, step, loop] = ["back", "play", "forward", "scrub", "step", "loop"].map((id) =>
    root.querySelector(`#${id}`),
  );
  const playback = new Playback({ onChange: show });
  function show() {
    scrub.max = playback.steps;
    scrub.value = playback.step;
    step.textContent = `${playback.step} / ${playback.steps}`;
    play.classList.toggle("playing", playback.playing);
    play.setAttribute("aria-label", playback.playing ? "Pause" : "Play");
    loop.setAttribute("aria-pressed", playback.looping);
    onStep(playback.step);
  }
  back.addEventListener("click", () => playback.goTo(playback.step - 1));
  forward.addEventListener("click", () => playback.goTo(playback.step + 1));
  play.addEventListener("click", () => playback.toggle());
  loop.addEventListener("click", () => playback.toggleLoop());
  scrub.addEventListener("input", () => playback.goTo(Number(scrub.value)));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && !event.target.closest(TAKES_SPACE)) playback.toggle();
    else if (event.key === "ArrowLeft" && !event.target.closest(TAKES_ARROWS)) playback.goTo(playback.step - 1);
    else if (event.key === "ArrowRight" && !event.target.closest(TAKES_ARROWS)) playback.goTo(playback.step + 1);
    else return;
    event.preventDefault();
  });
  return playback;
}
