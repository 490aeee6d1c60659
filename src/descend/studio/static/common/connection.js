// The websocket to the engine. Of each kind of question one is under way at a time; of those asked meanwhile, only the
// latest is sent on: when the one before is answered or, where that takes long because something is compiled, after a
// while, whereupon the engine gives that one up. So balls follow a pointer as fast as they are answered.

import { decode } from "./frames.js";

const PATIENCE = 120;

const newLane = () => ({ asked: null, next: null, timer: null });

export class Connection {
  // `patience`: ms that a question waits for the answer to the one before, where the engine can give that one up.
  constructor({ token, room, onFrame, onClose, socket = studioSocket(), patience = PATIENCE }) {
    this.lanes = {};
    this.count = 0;
    this.onFrame = onFrame;
    this.patience = patience;
    this.socket = socket;
    this.socket.onopen = () => this.socket.send(JSON.stringify({ kind: "hello", token, room }));
    this.socket.onmessage = (event) => this.receive(event.data);
    this.socket.onclose = onClose;
  }

  // `kept` comes back with each frame of the answer: what the asker wants to know again by then.
  ask(message, kept) {
    const lane = (this.lanes[message.kind] ??= newLane());
    lane.next = { message, kept };
    if (!lane.asked) this.send(lane);
    else if (this.patience < Infinity) lane.timer ??= setTimeout(() => this.send(lane), this.wait(lane));
  }

  wait({ asked }) {
    return Math.max(0, asked.at + this.patience - performance.now());
  }

  send(lane) {
    const { message, kept } = lane.next;
    clearTimeout(lane.timer);
    this.count += 1;
    Object.assign(lane, { asked: { id: this.count, kept, at: performance.now() }, next: null, timer: null });
    this.socket.send(JSON.stringify({ ...message, id: this.count }));
  }

  receive(data) {
    const { header, body } = decode(data);
    const lane = Object.values(this.lanes).find(({ asked }) => asked && asked.id === header.id);
    const kept = lane ? lane.asked.kept : null;
    if (lane && header.last) {
      lane.asked = null;
      if (lane.next) this.send(lane);
    }
    this.onFrame(header, body, kept);
  }

  get busy() {
    return Object.values(this.lanes).some(({ asked }) => asked);
  }
}

function studioSocket() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws`);
  socket.binaryType = "arraybuffer";
  return socket;
}
