// The room "Your own loss".

import { openRoom } from "../common/open.js";
import { OwnPage } from "./own_page.js";

openRoom("own", (connection, welcome) => new OwnPage(connection, welcome));
