// A saved page: the picture, the losses and the time of a race that was run, out of the data in the page.

import { Chart } from "../picture/chart.js";
import { commentary } from "../picture/commentary.js";
import { markerImage } from "../picture/markers.js";
import { setMath } from "../common/math.js";
import { short } from "../common/numbers.js";
import { unpack } from "../common/packing.js";
import { Picture } from "../picture/picture.js";
import { Trail } from "../picture/trail.js";
import { createTransport } from "../picture/transport.js";

const saved = JSON.parse(document.getElementById("race").textContent);
const { values, size, window: shown } = saved.surface;
const trails = saved.trails.map(({ rows, ...told }) => new Trail(unpack(rows), told));
const losses = saved.balls.map(list);

document.getElementById("title").textContent = saved.title;
document.getElementById("conditions").textContent = saved.says;
document.getElementById("version").textContent = saved.version;
setMath(document.getElementById("written"), saved.mathml);

const picture = new Picture(document.getElementById("picture"));
picture.showSurface({ values: unpack(values), size, window: shown });
const chart = new Chart(document.getElementById("loss"), { onStep: (step) => playback.goTo(step) });
const playback = createTransport(draw);
playback.setSteps(saved.steps);
playback.goTo(saved.step);

function draw() {
  const scene = { ...saved, trails, step: playback.step };
  picture.draw(scene);
  chart.draw(scene);
  trails.forEach((trail, index) => {
    losses[index].textContent = trail.last < scene.step ? "diverged" : short(trail.at(scene.step).loss);
  });
  const words = commentary(saved.balls, trails, scene.step, shown);
  const line = document.getElementById("commentary");
  if (line.textContent !== words) line.textContent = words;
}

function list(ball) {
  const item = document.createElement("li");
  item.className = "card panel";
  item.innerHTML = `<header><span class="name"></span></header>
    <p class="loss">loss <strong></strong></p><p class="loss"></p>`;
  item.querySelector("header").prepend(markerImage(ball.mark));
  item.querySelector(".name").textContent = ball.title;
  item.lastElementChild.textContent = ball.says;
  document.getElementById("cards").append(item);
  return item.querySelector("strong");
}
