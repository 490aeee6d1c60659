// A room in a notebook: in a frame without an origin, whose messages go through the widget to its kernel.

import { Connection } from "../common/connection.js";
import { OwnPage } from "../own/own_page.js";
import { FunctionPanel } from "../race/function_panel.js";
import { RacePage } from "../race/race_page.js";

// What needs an address, a server or another file.
const ELSEWHERE = ["rooms", "link-open", "surface3d-toggle", "save", "reload"];

const { room, race } = JSON.parse(document.getElementById("race").textContent);
const panel = ({ functions }, onFunction) => new FunctionPanel(functions, { onFunction });
const newPage = {
  race: (connection, welcome) => new RacePage(connection, welcome, panel, race),
  own: (connection, welcome) => new OwnPage(connection, welcome, race),
}[room];

for (const id of ELSEWHERE) document.getElementById(id)?.setAttribute("hidden", "");

let page = null;
const socket = { send: (text) => parent.postMessage(text, "*") };
const connection = new Connection({
  token: "",
  room,
  socket,
  // A kernel does one thing after the other, and hears nothing meanwhile.
  patience: Infinity,
  onFrame: (header, body, kept) => {
    if (header.kind === "welcome") page = newPage(connection, header);
    else page?.receive(header, body, kept);
  },
});
addEventListener("message", ({ source, data }) => {
  if (source === parent && data instanceof ArrayBuffer) socket.onmessage({ data });
});
socket.onopen();
