// A card for each ball: its marker, its rule, its loss at the step, and a slider for each number of the rule.

import { stabilityLimit } from "../picture/limit.js";
import { letter, markerImage } from "../picture/markers.js";
import { short } from "../common/numbers.js";
import { createSlider } from "../common/slider.js";

export class Cards {
  // `rules` as the server tells them; handlers take the index of a ball.
  constructor(root, rules, { onRule, onSetting, onRemove }) {
    this.root = root;
    this.rules = rules;
    this.handlers = { onRule, onSetting, onRemove };
    this.cards = [];
  }

  build(balls) {
    this.cards = balls.map((ball, index) => this.card(ball, index, balls.length > 1));
    this.root.replaceChildren(...this.cards.map((card) => card.element));
  }

  card(ball, index, removable) {
    const rule = this.rules.find((one) => one.name === ball.rule);
    const element = document.createElement("section");
    element.className = "card panel";
    element.setAttribute("aria-label", `Ball ${letter(ball.mark)}`);
    element.innerHTML = `<header><select aria-label="Optimizer of ball ${letter(ball.mark)}"></select>
      <button type="button" class="remove" aria-label="Remove ball ${letter(ball.mark)}">✕</button></header>
      <p class="loss">loss <strong></strong></p>`;
    const [header, select, remove, loss] = ["header", "select", "button", "strong"].map((name) =>
      element.querySelector(name),
    );
    header.prepend(markerImage(ball.mark));
    select.append(...this.rules.map((one) => new Option(one.title, one.name, false, one.name === ball.rule)));
    select.title = rule.paper || "";
    select.addEventListener("change", () => this.handlers.onRule(index, select.value));
    remove.hidden = !removable;
    remove.addEventListener("click", () => this.handlers.onRemove(index));
    const sliders = {};
    for (const setting of rule.settings) {
      const change = (value) => this.handlers.onSetting(index, setting.name, value);
      sliders[setting.name] = createSlider(setting, ball.settings[setting.name], change);
      sliders[setting.name].element.style.setProperty("--thumb", `var(--ball-${ball.mark})`);
      element.append(sliders[setting.name].element);
    }
    return { element, loss, sliders };
  }

  // Where the balls are at a step: their losses, and the learning rate from which on each would leave from there.
  // A ball that left the picture is at its last point in it: where it went, no rate helps any more.
  show(trails, step, window) {
    this.cards.forEach(({ loss, sliders }, index) => {
      const trail = trails[index];
      if (!trail) return;
      const value = trail.at(step).loss;
      loss.textContent = trail.last < step || !Number.isFinite(value) ? "diverged" : short(value);
      if (sliders.learning_rate) sliders.learning_rate.setLimit(...stabilityLimit(trail, step, window));
    });
  }
}
