// What leaves the page: a link to the race, and one file that shows it without a studio.

import { prepareLink } from "../common/link_dialog.js";
import { toText } from "../common/link_text.js";
import { savedPage } from "./export.js";
import { snapshot } from "./snapshot.js";

export function prepareSharing(page) {
  prepareLink({
    room: "race",
    title: "A link to this race",
    says: "It holds the function, the balls and the start; not your token. “Save as HTML” makes a file that needs nothing.",
    text: () => toText(page.race),
    open: (text) => page.open(text),
  });
  document.getElementById("save").addEventListener("click", async () => {
    const html = await savedPage(snapshot(page));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([html], { type: "text/html" }));
    link.download = "race.html";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
