// The address: a token that opens the engine, which leaves the address bar at once and is never in a link; and a race.

const KEY = "descend studio token";

export function takeToken() {
  const token = partOf(location.hash, "token");
  if (token) {
    keepToken(token);
    const race = raceText();
    history.replaceState(null, "", race ? linkTo(race) : location.pathname);
  }
  return sessionStorage.getItem(KEY);
}

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

// The token of an address that somebody pasted, or of the token alone.
export function tokenIn(text) {
  const from = text.indexOf("#");
  return from < 0 ? text.trim() : partOf(text.slice(from), "token");
}

export function raceText() {
  return partOf(location.hash, "race");
}

export function linkTo(text) {
  return `${location.origin}${location.pathname}#race=${text}`;
}

function partOf(hash, name) {
  return new URLSearchParams(hash.replace(/^#/, "")).get(name) || "";
}
