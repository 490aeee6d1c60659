// Races that can be played: the balls, a slider of the step, and a line that moves through the losses.

const SECONDS = 8;
const PLOT = { left: 64, right: 624 };
const SVG = "http://www.w3.org/2000/svg";

for (const figure of document.querySelectorAll("figure.race")) play(figure);

function play(figure) {
  const tracks = JSON.parse(figure.querySelector("script").textContent);
  const [surface, chart] = figure.querySelectorAll("svg");
  const last = Math.max(...tracks.map(({ losses }) => losses.length - 1));
  surface.querySelectorAll(".ball, .trail").forEach((one) => one.remove());
  const trails = tracks.map((_, i) => added(surface, "path", `trail ink${i}`));
  const balls = tracks.map((_, i) => added(surface, "circle", `ball back${i}`, { r: 7 }));
  const now = added(chart, "path", "now");
  const { bar, button, slider, told } = controls(last);
  surface.after(bar);
  let step = last;
  let frame = 0;

  function show(at) {
    step = at;
    tracks.forEach((track, i) => {
      const places = until(track.places, step);
      trails[i].setAttribute("d", places.length ? `M${places.map((place) => place.join(" ")).join("L")}` : "");
      const isThere = step < track.losses.length && track.places[2 * step] !== null;
      balls[i].style.display = isThere || places.length && step >= track.losses.length ? "" : "none";
      const [x, y] = places.at(-1) ?? [0, 0];
      balls[i].setAttribute("cx", x);
      balls[i].setAttribute("cy", y);
    });
    const x = PLOT.left + (PLOT.right - PLOT.left) * step / last;
    now.setAttribute("d", `M${x.toFixed(1)} 12V202`);
    slider.value = step;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    told.textContent = `step ${step}`;
  }

  function start() {
    const from = step >= last ? 0 : step;
    const begun = performance.now();
    button.textContent = "Pause";
    const tick = (time) => {
      const at = Math.min(last, from + Math.round(last * (time - begun) / 1000 / SECONDS));
      show(at);
      if (at < last) frame = requestAnimationFrame(tick);
      else stop();
    };
    frame = requestAnimationFrame(tick);
  }

  function stop() {
    cancelAnimationFrame(frame);
    frame = 0;
    button.textContent = "Play";
  }

  button.addEventListener("click", () => (frame ? stop() : start()));
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  show(last);
}

// The places up to a step, without those that are nowhere.
function until(places, step) {
  const found = [];
  for (let i = 0; i <= 2 * step && i < places.length; i += 2) {
    if (places[i] !== null && places[i + 1] !== null) found.push([places[i], places[i + 1]]);
  }
  return found;
}

function controls(last) {
  const bar = document.createElement("div");
  bar.className = "transport";
  bar.innerHTML = `<button type="button" class="md-button">Play</button>
    <input type="range" min="0" max="${last}" aria-label="Step"><output></output>`;
  const [button, slider, told] = bar.children;
  return { bar, button, slider, told };
}

function added(parent, name, kind, attributes = {}) {
  const one = document.createElementNS(SVG, name);
  one.setAttribute("class", kind);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  parent.append(one);
  return one;
}
