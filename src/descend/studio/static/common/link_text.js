// Settings as text in a link, and back. What a link says is taken only where it makes sense.

import { clamp } from "./numbers.js";

export function toText(setting) {
  const bytes = new TextEncoder().encode(JSON.stringify(setting));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// An object, of which nothing is known; null where the text is none.
export function toldBy(text) {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
    return Object(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}

export function within(told, low, high, otherwise) {
  return Number.isFinite(told) ? clamp(told, low, high) : otherwise;
}

// The numbers of a rule's settings, by default those of its sliders.
export function toldSettings(told, rule) {
  return Object.fromEntries(rule.settings.map(({ name, low, high, default: usual }) =>
    [name, within(Object(told)[name], low, high, usual)]));
}
