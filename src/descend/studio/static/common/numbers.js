// Numbers as people read them: few digits, a true minus, powers of ten raised.

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

export function short(value, digits = 3) {
  if (Number.isNaN(value)) return "no number";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    const power = [...String(Number(exponent))].map((sign) => RAISED[sign]).join("");
    const factor = String(Number(mantissa)).replace("-", "−");
    if (factor === "1") return `10${power}`;
    return `${factor}·10${power}`;
  }
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

// As a field for numbers holds it.
export function plain(value) {
  return String(Number(value.toPrecision(4)));
}

export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
