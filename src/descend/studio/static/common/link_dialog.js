// The dialog behind "Link": a link to what is set, which holds no token, and a field for one that was given.

import { linkTo, sharedText } from "./address.js";

const MARKUP = `
  <form method="dialog">
    <h2 id="link-title"></h2>
    <p><span id="link-says"></span> Whoever gets it opens it below, in a running <code>descend studio</code>.</p>
    <div class="row">
      <input id="link-text" type="text" readonly aria-label="Link">
      <button type="button" id="link-copy" class="primary">Copy</button>
    </div>
    <label for="link-given">Open a link that you were given</label>
    <div class="row">
      <input id="link-given" type="text" autocomplete="off" spellcheck="false" aria-describedby="link-error">
      <button type="button" id="link-follow">Open</button>
    </div>
    <p id="link-error" class="error" role="alert"></p>
    <p class="buttons"><button>Close</button></p>
  </form>`;

// `text()`: what is set, as text; `open(text)`: whether that was something to open.
export function prepareLink({ room, title, says, text, open }) {
  const dialog = document.createElement("dialog");
  dialog.id = "link";
  dialog.setAttribute("aria-labelledby", "link-title");
  dialog.innerHTML = MARKUP;
  document.body.append(dialog);
  const [link, copy, given, follow, error] = ["text", "copy", "given", "follow", "error"].map((name) =>
    dialog.querySelector(`#link-${name}`),
  );
  dialog.querySelector("#link-title").textContent = title;
  dialog.querySelector("#link-says").textContent = says;
  document.getElementById("link-open").addEventListener("click", () => {
    link.value = linkTo(room, text());
    copy.textContent = "Copy";
    given.value = error.textContent = "";
    dialog.showModal();
    link.select();
  });
  copy.addEventListener("click", async () => {
    link.select();
    await navigator.clipboard.writeText(link.value);
    copy.textContent = "Copied";
  });
  follow.addEventListener("click", () => {
    if (open(sharedText(room, given.value))) dialog.close();
    else error.textContent = `This is no link to a ${room}: one has #${room}=… at its end.`;
  });
}
