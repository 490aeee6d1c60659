// The room "Lessons".

import { openRoom } from "../common/open.js";
import { LessonsPage } from "./lessons_page.js";

openRoom("lessons", (connection, welcome) => new LessonsPage(connection, welcome));
