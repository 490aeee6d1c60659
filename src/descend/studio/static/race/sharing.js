// What leaves the page: a link to the race, which holds no token, and one file that shows it without a studio.

import { linkTo, raceText } from "../common/address.js";
import { savedPage } from "./export.js";
import { toText } from "./race.js";
import { snapshot } from "./snapshot.js";

export function prepareSharing(page) {
  const [dialog, text, copy, given, follow, error, save] = [
    "link", "link-text", "link-copy", "link-given", "link-follow", "link-error", "save",
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
  save.addEventListener("click", async () => {
    const html = await savedPage(snapshot(page));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([html], { type: "text/html" }));
    link.download = "race.html";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
