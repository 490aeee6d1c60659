// The websocket to the engine. Of each kind of question one is under way at a time; of those asked meanwhile, only the
// latest is sent on. So balls follow a pointer as fast as they are answered, and nothing queues.

import { decode } from "./frames.js";

// What ends the answer to a question; balls come before it.
const LAST = ["done", "surface", "error"];

export class Connection {
  constructor({ token, onFrame, onClose }) {
    this.lanes = { race: { asked: null, next: null }, surface: { asked: null, next: null } };
    this.count = 0;
    this.onFrame = onFrame;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/ws`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.socket.send(JSON.stringify({ kind: "hello", token }));
    this.socket.onmessage = (event) => this.receive(event.data);
    this.socket.onclose = onClose;
  }

  // `kept` comes back with each frame of the answer: what the asker wants to know again by then.
  ask(message, kept) {
    const lane = this.lanes[message.kind];
    if (lane.asked) lane.next = { message, kept };
    else this.send(lane, message, kept);
  }

  send(lane, message, kept) {
    this.count += 1;
    lane.asked = { id: this.count, kept };
    lane.next = null;
    this.socket.send(JSON.stringify({ ...message, id: this.count }));
  }

  receive(data) {
    const { header, body } = decode(data);
    const lane = Object.values(this.lanes).find(({ asked }) => asked && asked.id === header.id);
    const kept = lane ? lane.asked.kept : null;
    if (lane && LAST.includes(header.kind)) {
      lane.asked = null;
      if (lane.next) this.send(lane, lane.next.message, lane.next.kept);
    }
    this.onFrame(header, body, kept);
  }

  get busy() {
    return Object.values(this.lanes).some(({ asked }) => asked);
  }
}
