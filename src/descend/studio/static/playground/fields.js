// Fields of a form, made by the dozen: a choice, a seed.

let count = 0;

// `options`: pairs of a value and what it is called.
export function choice(label, options, chosen, onChoice) {
  const select = document.createElement("select");
  select.append(...options.map(([value, text]) => new Option(text, value, false, String(value) === String(chosen))));
  select.addEventListener("change", () => onChoice(select.value));
  return field(label, select);
}

export function whole(label, low, high, value, onChange) {
  const input = document.createElement("input");
  Object.assign(input, { type: "number", min: low, max: high, step: 1, value });
  input.addEventListener("change", () => {
    input.value = Math.round(Math.min(high, Math.max(low, Number(input.value) || low)));
    onChange(Number(input.value));
  });
  return field(label, input);
}

function field(label, control) {
  count += 1;
  const [element, name] = ["div", "label"].map((tag) => document.createElement(tag));
  element.className = "field";
  control.id = name.htmlFor = `field-${count}`;
  name.textContent = label;
  element.append(name, control);
  return element;
}
