// The function: picked from the gallery or typed, written as mathematics, and what is wrong with it in place.

import { setMath } from "../common/math.js";

// A formula is sent when the typing rests.
const REST = 300;
const OWN = "";

export class FunctionPanel {
  constructor(functions, { onFunction }) {
    [this.gallery, this.formula, this.error, this.written, this.says] = [
      "gallery", "formula", "formula-error", "written", "says",
    ].map((id) => document.getElementById(id));
    this.functions = functions;
    const options = functions.map((one) => new Option(one.title, one.name));
    this.gallery.append(...options, new Option("Your own formula", OWN));
    this.gallery.addEventListener("change", () => this.picked(onFunction));
    this.formula.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.typed(onFunction), REST);
    });
    this.formula.addEventListener("change", () => this.typed(onFunction));
  }

  picked(onFunction) {
    if (this.gallery.value === OWN) this.formula.focus();
    else onFunction({ name: this.gallery.value });
  }

  typed(onFunction) {
    clearTimeout(this.timer);
    const formula = this.formula.value.trim();
    if (formula === this.sent) return;
    this.sent = formula;
    if (formula) onFunction({ formula });
    else this.fail("A formula of x and y belongs here, such as x**2 + 3*y**2.");
  }

  // The function that is shown from now on; of a typed one the text stays as it is.
  show({ name, formula }) {
    const known = this.functions.find((one) => one.name === name);
    this.gallery.value = known ? known.name : OWN;
    const text = known ? known.formula : formula;
    if (this.formula.value.trim() !== text) this.formula.value = text;
    this.sent = text;
    this.says.textContent = known ? known.says : "";
    this.fail("");
  }

  write(mathml) {
    this.mathml = mathml;
    setMath(this.written, mathml);
  }

  fail(says) {
    this.error.textContent = says;
    this.formula.setAttribute("aria-invalid", says !== "");
  }
}
