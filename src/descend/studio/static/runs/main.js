// The room "Runs".

import { openRoom } from "../common/open.js";
import { RunsPage } from "./runs_page.js";

openRoom("runs", (connection, welcome) => new RunsPage(connection, welcome), {
  onClose: (page) => page.close(),
});
