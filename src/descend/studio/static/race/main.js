// The room "Race on a function".

import { linkTo } from "../common/address.js";
import { openRoom } from "../common/open.js";
import { toText } from "../common/link_text.js";
import { FunctionPanel } from "./function_panel.js";
import { RacePage } from "./race_page.js";
import { prepareSharing } from "./sharing.js";

function newPage(connection, welcome) {
  const newPanel = ({ functions }, onFunction) => new FunctionPanel(functions, { onFunction });
  const page = new RacePage(connection, welcome, newPanel);
  prepareSharing(page);
  return page;
}

openRoom("race", newPage, {
  noToken: "A link holds a race, not the token of your studio.",
  // The race is kept in the address.
  onClose: (page) => history.replaceState(null, "", linkTo("race", toText(page.race))),
});
