// One file that shows the race without a studio.

import { savedPage } from "./export.js";
import { snapshot } from "./snapshot.js";

export function prepareSaving(page) {
  document.getElementById("save").addEventListener("click", async () => {
    const html = await savedPage(snapshot(page));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([html], { type: "text/html" }));
    link.download = "race.html";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
