// The room "Playground".

import { linkTo } from "../common/address.js";
import { openRoom } from "../common/open.js";
import { toText } from "../common/link_text.js";
import { PlaygroundPage } from "./playground_page.js";

openRoom("playground", (connection, welcome) => new PlaygroundPage(connection, welcome), {
  noToken: "A link holds a setting, not the token of your studio.",
  // The setting is kept in the address.
  onClose: (page) => history.replaceState(null, "", linkTo("playground", toText(page.setting))),
});
