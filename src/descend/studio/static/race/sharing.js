// A link to the race.

import { prepareLink } from "../common/link_dialog.js";
import { toText } from "../common/link_text.js";

export function prepareSharing(page) {
  prepareLink({
    room: "race",
    title: "A link to this race",
    says: "It holds the function, the balls and the start; not your token. “Save as HTML” makes a file that needs nothing.",
    text: () => toText(page.race),
    open: (text) => page.open(text),
  });
}
