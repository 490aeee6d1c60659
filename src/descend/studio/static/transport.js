// The buttons and keys of time: back, play, on, scrub, loop. Space plays and pauses, the arrows left and right step.

import { Playback } from "./playback.js";

// Where a key has a meaning of its own.
const TAKES_SPACE = "input, select, textarea, button, a, dialog";
const TAKES_ARROWS = "input, select, textarea, canvas, dialog";

export function createTransport(onStep) {
  const [back, play, forward, scrub, step, loop] = ["back", "play", "forward", "scrub", "step", "loop"].map((id) =>
    document.getElementById(id),
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
