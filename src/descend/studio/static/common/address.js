// The address: a token that opens the engine, which leaves the address bar at once and is never in a link; and, under
// the name of a room, what is set there.

const KEY = "descend studio token";

export function takeToken() {
  const token = partOf(location.hash, "token");
  if (token) {
    keepToken(token);
    const rest = withoutToken();
    history.replaceState(null, "", rest ? `${location.pathname}#${rest}` : location.pathname);
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

// Goes to the studio of an address, if it is another than this one, and takes along what is set: each has its own port.
export function goElsewhere(text) {
  const url = URL.canParse(text) ? new URL(text) : location;
  if (url.origin === location.origin || url.protocol !== "http:") return false;
  const rest = withoutToken();
  location.assign(rest ? `${url.href}&${rest}` : url.href);
  return true;
}

export function sharedText(room, address = location.hash) {
  return partOf(address.slice(address.indexOf("#")), room);
}

export function linkTo(room, text) {
  return `${location.origin}${location.pathname}#${room}=${text}`;
}

function withoutToken() {
  return location.hash.replace(/^#/, "").split("&").filter((part) => !part.startsWith("token=")).join("&");
}

function partOf(hash, name) {
  return new URLSearchParams(hash.replace(/^#/, "")).get(name) || "";
}
