// Opens the engine and, once it answers, the page. Without a token that it takes, asks for the address that it printed.

import { keepToken, takeToken, tokenIn } from "./address.js";
import { Connection } from "./connection.js";
import { RacePage } from "./race_page.js";

let page = null;
// Why the engine lets nobody in, if it said so.
let refusal = "";

function open(token) {
  const connection = new Connection({
    token,
    onFrame: (header, body, kept) => {
      if (header.kind === "welcome") page = new RacePage(connection, header);
      else if (page) page.receive(header, body, kept);
      else refusal = header.says;
    },
    onClose: () => {
      if (page) page.say("The studio has ended. Start `descend studio` again and open the address that it prints.");
      else askForAddress(refusal || "No studio answers here: start `descend studio`.");
    },
  });
}

function askForAddress(says) {
  document.getElementById("door-says").textContent = says;
  document.getElementById("door").showModal();
}

document.getElementById("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = tokenIn(document.getElementById("door-address").value);
  if (!token) return;
  keepToken(token);
  document.getElementById("door").close();
  open(token);
});

const token = takeToken();
if (token) open(token);
else askForAddress("A link holds a race, not the token of your studio.");
