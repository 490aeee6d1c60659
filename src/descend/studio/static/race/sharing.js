// A link to the race, which holds no token.

import { linkTo, raceText } from "../common/address.js";
import { toText } from "./race.js";

export function prepareSharing(page) {
  const [dialog, text, copy, given, follow, error] = [
    "link", "link-text", "link-copy", "link-given", "link-follow", "link-error",
  ].map((id) => document.getElementById(id));
  document.getElementById("link-open").addEventListener("click", () => {
    text.value = linkTo(toText(page.race));
    copy.textContent = "Copy";
    given.value = error.textContent = "";
    dialog.showModal();
    text.select();
  });
  copy.addEventListener("click", async () => {
    text.select();
    await navigator.clipboard.writeText(text.value);
    copy.textContent = "Copied";
  });
  follow.addEventListener("click", () => {
    if (page.open(raceText(given.value))) dialog.close();
    else error.textContent = "This is no link to a race: one has #race=… at its end.";
  });
}
