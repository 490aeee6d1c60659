// Opens a room of the studio: its engine, and its page once the engine answers. Without a token that it takes, the
// address that it printed is asked for.

import { goElsewhere, keepToken, takeToken, tokenIn } from "./address.js";
import { Connection } from "./connection.js";
import { showRooms } from "./rooms.js";

const DOOR = `
  <form id="door-form">
    <h2 id="door-title">Which studio?</h2>
    <p id="door-says"></p>
    <label for="door-address">Address that <code>descend studio</code> printed</label>
    <input id="door-address" type="text" autocomplete="off" spellcheck="false">
    <p class="buttons"><button class="primary">Open</button></p>
  </form>`;

// `newPage(connection, welcome)` makes the page, which takes frames by `receive(header, body, kept)`. `onClose(page)` is
// told when the engine is gone.
export function openRoom(room, newPage, { noToken = "A token opens the studio.", onClose = () => {} } = {}) {
  const token = takeToken();
  if (token) connect(room, token, newPage, onClose);
  else askForAddress(noToken);
}

function connect(room, token, newPage, onClose) {
  let page = null;
  // Why the engine lets nobody in, if it said so.
  let refusal = "";
  const connection = new Connection({
    token,
    room,
    onFrame: (header, body, kept) => {
      if (header.kind === "welcome") {
        showRooms(header.rooms, room);
        page = newPage(connection, header);
      } else if (page) page.receive(header, body, kept);
      else refusal = header.says;
    },
    onClose: () => {
      if (page) onClose(page);
      askForAddress(refusal || "No studio answers here any more: start descend studio again.");
    },
  });
}

function askForAddress(says) {
  const door = document.getElementById("door") || makeDoor();
  door.querySelector("#door-says").textContent = says;
  door.showModal();
}

function makeDoor() {
  const door = document.createElement("dialog");
  door.id = "door";
  door.setAttribute("aria-labelledby", "door-title");
  door.innerHTML = DOOR;
  document.body.append(door);
  door.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const address = door.querySelector("#door-address").value.trim();
    const token = tokenIn(address);
    if (!token || goElsewhere(address)) return;
    keepToken(token);
    location.reload();
  });
  return door;
}
