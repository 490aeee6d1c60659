// The room "Race on a function".

import { linkTo } from "../common/address.js";
import { openRoom } from "../common/open.js";
import { toText } from "../common/link_text.js";
import { RacePage } from "./race_page.js";

openRoom("race", (connection, welcome) => new RacePage(connection, welcome), {
  noToken: "A link holds a race, not the token of your studio.",
  // The race is kept in the address.
  onClose: (page) => history.replaceState(null, "", linkTo("race", toText(page.race))),
});
