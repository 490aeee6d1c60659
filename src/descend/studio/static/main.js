// Opens the engine and, once it answers, the page. Without a token that it takes, asks for the address that it printed.

import { goElsewhere, keepToken, linkTo, takeToken, tokenIn } from "./address.js";
import { Connection } from "./connection.js";
import { toText } from "./race.js";
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
      if (page) history.replaceState(null, "", linkTo(toText(page.race)));
      askForAddress(refusal || "No studio answers here any more: start descend studio again. This race is kept.");
    },
  });
}

function askForAddress(says) {
  document.getElementById("door-says").textContent = says;
  document.getElementById("door").showModal();
}

document.getElementById("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const address = document.getElementById("door-address").value.trim();
  const token = tokenIn(address);
  if (!token || goElsewhere(address)) return;
  keepToken(token);
  location.reload();
});

const token = takeToken();
if (token) open(token);
else askForAddress("A link holds a race, not the token of your studio.");
