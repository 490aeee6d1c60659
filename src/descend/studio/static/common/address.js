// The address: a token that opens the engine, which leaves the address bar at once and is never in a link; and behind it
// what is shown: under the name of a room what is set there, or a name.

const KEY = "descend studio token";

export function takeToken() {
  const token = partOf(location.hash, "token");
  if (token) {
    keepToken(token);
    history.replaceState(null, "", shown() ? `#${shown()}` : location.pathname);
  }
  return sessionStorage.getItem(KEY);
}

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

// The token of an address that somebody pasted, or of the token alone.
export function tokenIn(text) {
  return text.includes("#") ? partOf(text.slice(text.indexOf("#")), "token") : text.trim();
}

// Goes to the studio of an address, if it is another than this one, and takes along what is shown: each has its own port.
export function goElsewhere(text) {
  const url = URL.canParse(text) ? new URL(text) : location;
  if (url.origin === location.origin || url.protocol !== "http:") return false;
  url.pathname = location.pathname;
  location.assign(shown() ? `${url.href}&${shown()}` : url.href);
  return true;
}

export function sharedText(room, address = location.hash) {
  return partOf(address.slice(address.indexOf("#")), room);
}

export function linkTo(room, text) {
  return `${location.origin}${location.pathname}#${room}=${text}`;
}

// The name of an address that has one, such as #momentum.
export function nameIn(hash) {
  return parts(hash).find((part) => !part.includes("=")) || "";
}

// All but the token.
function shown() {
  return parts(location.hash).filter((part) => !part.startsWith("token=")).join("&");
}

function parts(hash) {
  return hash.replace(/^#/, "").split("&");
}

function partOf(hash, name) {
  return new URLSearchParams(hash.replace(/^#/, "")).get(name) || "";
}
