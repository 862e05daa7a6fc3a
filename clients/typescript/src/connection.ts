// One connection: its frames, their answers, and its end. Names of rules for clients stand in brackets.
import type { Bye, ClientFrames, ErrorReply, Replies, ServerFrame } from "./frames.js";

/** `lost`: no answer came, so nobody knows whether it was done. */
export type Outcome<K extends keyof Replies> = { ok: Replies[K] } | { refused: ErrorReply } | { lost: true };

export interface Handlers {
  open(): void;
  frame(frame: ServerFrame): void;
  /** Comes once, whoever ended the connection. `bye` is the server's advice, if it gave one. */
  end(code: number, bye: Bye | undefined): void;
}

export class Connection {
  /** Milliseconds without any frame, and without an answer, after which the connection counts as lost. */
  limits = { silence: 30_000, answer: 30_000 };
  private readonly socket: WebSocket;
  private readonly pending = new Map<string, { since: number; done: (outcome: Outcome<never>) => void }>();
  private heard = Date.now();
  private ids = 0;
  private ended = false;

  constructor(base: string, private readonly handlers: Handlers) {
    this.socket = new WebSocket(`${base.replace(/^http/, "ws")}/api/v1/ws`, "deskwire.v1");
    this.socket.onopen = () => this.ended || handlers.open();
    this.socket.onmessage = ({ data }) => this.ended || this.take(JSON.parse(String(data)) as ServerFrame);
    this.socket.onerror = () => undefined; // `close` follows
    this.socket.onclose = ({ code }) => this.end(code);
  }

  /** Ends it and says Close; what has no answer has an unknown outcome. [no answer, closing] */
  end(code = 1006, bye?: Bye): void {
    if (this.ended) return;
    this.ended = true;
    this.pending.forEach(({ done }) => done({ lost: true }));
    this.socket.close(1000);
    this.handlers.end(code, bye);
  }

  /** To be called a few times a second. [silence, no answer] */
  check(): void {
    const now = Date.now();
    const unanswered = [...this.pending.values()].some(({ since }) => now - since > this.limits.answer);
    if (unanswered || now - this.heard > this.limits.silence) this.end();
  }

  /** Sends a frame that nobody answers. */
  tell<K extends keyof ClientFrames>(type: K, data: ClientFrames[K], id?: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, id, data }));
  }

  ask<K extends keyof Replies>(type: K, data: ClientFrames[K]): Promise<Outcome<K>> {
    const id = `${++this.ids}`;
    return new Promise((done) => {
      if (this.ended) return done({ lost: true });
      this.pending.set(id, { since: Date.now(), done });
      this.tell(type, data, id);
    });
  }

  /** Asks whether the server is still there. [waking up] */
  probe(): void {
    const nonce = crypto.randomUUID();
    const timer = setTimeout(() => this.end(), 3_000);
    this.pending.set(nonce, { since: Infinity, done: () => clearTimeout(timer) });
    this.tell("ping", { nonce });
  }

  private take(frame: ServerFrame): void {
    this.heard = Date.now();
    if (frame.type === "ping") return this.tell("pong", { nonce: frame.data.nonce ?? "" }); // [waking up]
    if (frame.type === "pong") return this.answered(frame.data.nonce ?? "", { lost: true });
    if (frame.type === "bye") return this.end(frame.data.code, frame.data);
    if (frame.type === "error") return this.answered(String(frame.reply_to), { refused: frame.data });
    if (frame.type === "ok") return this.answered(String(frame.reply_to), { ok: frame.data as never });
    if (frame.type === "ready") this.pending.clear(); // the only thing that was asked before is hello
    this.handlers.frame(frame);
  }

  private answered(id: string, outcome: Outcome<never>): void {
    const asked = this.pending.get(id);
    this.pending.delete(id);
    asked?.done(outcome);
  }
}
