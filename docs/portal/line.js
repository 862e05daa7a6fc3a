// One member's socket, by the rules for clients (/docs/socket#rules): messages wait in an outbox with their keys,
// entries are applied in order, a cut line is resumed from the last cursor. It leaves out what a page that is shown for
// a while does not need: it stores nothing (what it holds is gone with the page), watches no conversation beside the
// waiting ones, and asks nothing again because an answer is late.
import { newKey } from "./session.js";

const ADDRESS = "/api/v1/ws";
/** From this close code on a client does not connect again by itself. */
const FINAL = 4500;
/** So long before its end a token is renewed, in milliseconds. */
const EARLY = 60_000;
/** Frames that are sent again when the server could not answer them just then. */
const AGAIN = new Set(["message.send", "pull", "sync"]);

export class Line {
  /** `token(holds)` gives an access token that holds so many milliseconds yet; `tell(what, value)` is told `frame`, `state`, `note` and `change`. */
  constructor({ device, token, tell }) {
    Object.assign(this, { device, token, tell });
    this.automatic = true;
    this.state = "offline";
    this.forget();
    this.outbox = [];
    this.tries = 0;
  }

  /** Drops the local copy of everything. */
  forget() {
    this.cursor = undefined;
    this.epoch = undefined;
    this.rows = new Map();
    this.logs = new Map();
  }

  /** Connects, and from the last cursor on if there is one. */
  async connect() {
    clearTimeout(this.waiting);
    if (this.socket || this.state === "connecting") return;
    this.become("connecting");
    const token = await this.token();
    // Dropped while the token was fetched.
    if (this.state !== "connecting") return;
    if (!token) {
      this.become("stopped", "no access token");
      return;
    }
    const url = new URL(ADDRESS, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, "deskwire.v1");
    this.socket = socket;
    this.lagging = false;
    this.pulling = new Set();
    this.requests = new Map();
    socket.addEventListener("open", () => {
      if (this.socket !== socket) return;
      this.heard();
      this.frame("hello", {
        token,
        device: this.device,
        ...(this.cursor && { cursor: this.cursor, epoch: this.epoch }),
        conversations: [...this.logs].slice(0, 100).map(([id, log]) => [id, log.position]),
      });
    });
    socket.addEventListener("message", ({ data }) => {
      if (this.socket === socket) this.received(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (this.socket === socket) this.lost(code, reason);
    });
  }

  /** Ends the connection as if it were cut: nothing more is read from it, and what was not answered is unknown. */
  drop() {
    const socket = this.socket;
    if (!socket && this.state !== "connecting") return;
    this.lost(1006, "dropped by hand");
    socket?.close();
  }

  /** Says a text; it stays in the outbox until it is acknowledged. */
  say(conversation_id, text) {
    const message = { conversation_id, client_msg_id: newKey(), kind: "text", content: { text } };
    this.outbox.push(message);
    if (this.state === "live") this.frame("message.send", message);
    this.tell("change");
  }

  /** Sends any frame as it was written. */
  raw(frame) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.tell("frame", { out: true, frame });
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  frame(type, data) {
    const id = newKey();
    this.requests?.set(id, { type, data });
    return this.raw({ type, id, data });
  }

  become(state, why) {
    this.state = state;
    this.tell("state", { state, why });
  }

  /** Any frame shows that the server is there; too long without one means that the line is dead. */
  heard() {
    clearTimeout(this.silent);
    this.silent = setTimeout(() => {
      this.tell("note", "nothing came for too long: connecting again");
      this.drop();
    }, this.silence ?? 30_000);
  }

  lost(code, reason) {
    [this.silent, this.renewing, this.settling].forEach(clearTimeout);
    this.socket = undefined;
    const advice = this.advice;
    this.advice = undefined;
    const final = code >= FINAL || advice?.reconnect === false;
    this.become(final ? "stopped" : "offline", `${code} ${reason}`.trim());
    this.tell("change");
    if (final || !this.automatic) return;
    const wait = advice
      ? advice.after_ms + Math.random() * advice.spread_ms
      : Math.random() * Math.min(30_000, 500 * 2 ** this.tries);
    this.tries += 1;
    this.tell("note", `connecting again in ${Math.round(wait)} ms`);
    this.waiting = setTimeout(() => this.connect(), wait);
  }

  received(frame) {
    this.heard();
    this.tell("frame", { out: false, frame });
    const { type, data = {}, cursor } = frame;
    const known = this[`on_${type}`];
    // Types that are not known are left alone: the protocol may grow.
    if (known) known.call(this, data, frame);
    if (cursor && !this.lagging) this.cursor = cursor;
    this.tell("change");
  }

  on_ready(data) {
    this.epoch = data.epoch;
    this.member = data.member;
    const limit = (data.limits ?? []).find((one) => one.name === "silence");
    if (limit) this.silence = limit.value;
    data.rows.forEach((row) => this.on_inbox(row));
    this.renew(data.token_expires_at);
  }

  /** Sends the next token before this one ends. */
  renew(expires_at) {
    const left = Math.max(1_000, Date.parse(expires_at) - Date.now() - EARLY);
    this.renewing = setTimeout(async () => {
      const token = await this.token(2 * EARLY);
      if (token && this.state === "live") this.frame("auth", { token });
    }, Math.min(left, 2 ** 31 - 1));
  }

  on_live(data) {
    if (!this.lagging) this.cursor = data.cursor;
    this.become("live");
    this.settling = setTimeout(() => {
      this.tries = 0;
    }, 60_000);
    // In the old order, with the same keys: each arrives once.
    this.outbox.forEach((message) => this.frame("message.send", message));
  }

  on_inbox(row) {
    const before = this.rows.get(row.conversation_id);
    if (before && before.rev > row.rev) return;
    this.rows.set(row.conversation_id, row);
    if (!row.conversation) {
      this.logs.delete(row.conversation_id);
      return;
    }
    const log = this.logs.get(row.conversation_id);
    if (!log) {
      // Met for the first time: it starts at the row; what lies before is read because somebody looks at it here.
      this.logs.set(row.conversation_id, { position: row.seq, entries: new Map() });
      this.pull(row.conversation_id, Math.max(0, row.seq - 50));
    } else if (row.seq > log.position) {
      this.pull(row.conversation_id, log.position);
    }
  }

  on_entry(entry) {
    this.apply(entry);
  }

  on_entries(data) {
    data.entries.forEach((entry) => this.apply(entry));
    const log = this.logs.get(data.conversation_id);
    if (log && data.head_seq > log.position) this.pull(data.conversation_id, log.position);
  }

  apply(entry) {
    const id = entry.conversation_id;
    let log = this.logs.get(id);
    if (!log) this.logs.set(id, (log = { position: entry.seq - 1, entries: new Map() }));
    log.entries.set(entry.seq, entry);
    const changed = entry.ref_seq && ["edited", "recalled"].includes(entry.kind);
    if (changed && log.entries.has(entry.ref_seq)) this.frame("pull", { conversation_id: id, after_seq: entry.ref_seq - 1, limit: 1 });
    while (log.entries.has(log.position + 1)) log.position += 1;
    if (entry.seq > log.position) this.pull(id, log.position);
    if (entry.client_msg_id && entry.sender?.id === this.member?.id) this.acknowledged(id, entry.client_msg_id);
  }

  pull(conversation_id, after_seq) {
    const name = `${conversation_id} ${after_seq}`;
    if (this.pulling.has(name)) return;
    this.pulling.add(name);
    this.frame("pull", { conversation_id, after_seq });
  }

  acknowledged(conversation_id, key) {
    this.outbox = this.outbox.filter((one) => one.client_msg_id !== key || one.conversation_id !== conversation_id);
  }

  on_ok(data, { reply_to }) {
    const request = this.requests.get(reply_to);
    this.requests.delete(reply_to);
    if (request?.type === "message.send") this.acknowledged(request.data.conversation_id, request.data.client_msg_id);
    if (request?.type === "pull") {
      this.pulling.delete(`${data.conversation_id} ${request.data.after_seq}`);
      this.on_entries(data);
    }
    if (request?.type === "sync") {
      data.rows.forEach((row) => this.on_inbox(row));
      this.lagging = data.more;
      this.cursor = data.cursor;
      if (data.more) this.frame("sync", { cursor: data.cursor });
    }
    if (request?.type === "auth") this.renew(data.token_expires_at);
  }

  on_error(data, { reply_to }) {
    const request = this.requests.get(reply_to);
    this.requests.delete(reply_to);
    if (request?.type === "pull") this.pulling.delete(`${request.data.conversation_id} ${request.data.after_seq}`);
    if (data.retryable && AGAIN.has(request?.type)) {
      const { socket } = this;
      setTimeout(() => {
        // Another connection has sent or asked it already.
        const waits = request.type !== "message.send" || this.outbox.includes(request.data);
        if (waits && this.socket === socket && this.state === "live") this.frame(request.type, request.data);
      }, data.retry_after_ms ?? 1_000);
    } else if (request?.type === "message.send") {
      this.acknowledged(request.data.conversation_id, request.data.client_msg_id);
      this.tell("note", `not sent: ${data.code}: ${data.detail}`);
    }
  }

  on_lag(data) {
    this.lagging = true;
    this.frame("sync", { cursor: data.cursor });
  }

  on_reset(data) {
    if (data.all) this.forget();
    else {
      this.logs.delete(data.conversation_id);
      this.rows.delete(data.conversation_id);
    }
  }

  on_ping(data) {
    const delivered = [...this.logs].slice(0, 100).map(([id, log]) => [id, log.position]);
    this.raw({ type: "pong", data: { nonce: data.nonce, delivered } });
  }

  on_bye(data) {
    this.advice = data;
  }
}
