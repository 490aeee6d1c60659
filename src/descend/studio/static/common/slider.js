// A slider of one number, even in the number or in its logarithm, with a mark where it becomes unstable.

import { clamp, plain, short } from "./numbers.js";

const NOTCHES = 1000;
const THUMB = 16;
let count = 0;

export function createSlider({ label, low, high, log }, value, onInput) {
  const toFraction = log
    ? (number) => Math.log(number / low) / Math.log(high / low)
    : (number) => (number - low) / (high - low);
  const toValue = log ? (fraction) => low * (high / low) ** fraction : (fraction) => low + fraction * (high - low);

  count += 1;
  const id = `slider-${count}`;
  const element = document.createElement("div");
  element.className = "slider";
  element.innerHTML = `<label for="${id}"></label><output for="${id}"></output>
    <span class="rail">
      <input type="range" id="${id}" min="0" max="${NOTCHES}" step="1"><span class="mark" hidden></span>
    </span>
    <span class="limit-text" id="${id}-limit" hidden></span>`;
  const [name, output, rail, input, mark, text] = ["label", "output", ".rail", "input", ".mark", ".limit-text"].map(
    (selector) => element.querySelector(selector),
  );
  name.textContent = label;
  input.value = Math.round(toFraction(value) * NOTCHES);
  show(value);
  input.addEventListener("input", () => {
    const chosen = Number(plain(toValue(input.value / NOTCHES)));
    show(chosen);
    onInput(chosen);
  });

  function show(number) {
    output.textContent = short(number);
    input.setAttribute("aria-valuetext", short(number));
    element.dataset.value = number;
  }

  // Beyond `limit` it is unstable; null takes the mark away. `says` stands below in any case.
  function setLimit(limit, says) {
    const seen = limit !== null && limit < high;
    const place = seen ? clamp(toFraction(Math.max(limit, log ? low : 0)), 0, 1) : 1;
    rail.style.setProperty("--limit", seen ? `calc(${THUMB / 2}px + ${place} * (100% - ${THUMB}px))` : "100%");
    mark.hidden = !seen;
    text.hidden = false;
    if (text.textContent !== says) text.textContent = says;
    text.classList.toggle("passed", limit !== null && Number(element.dataset.value) > limit);
    input.setAttribute("aria-describedby", text.id);
  }

  return { element, setLimit };
}
