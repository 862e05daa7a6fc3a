// The socket of a member's device by the rules for clients (`x-client-rules` in the AsyncAPI document; their names stand
// in brackets). What happens is reported to `events`; what must not be lost is in `State`. Begin reading at `frame`.
import { Connection } from "./connection.js";
import type { Bye, Entry, ErasedContent, ErrorReply, InboxRow, MessageSend, QueueNotice, Ready, ServerFrame } from "./frames.js";
import { jitter, type Session, SessionOver } from "./session.js";
import { type Item, type Log, State } from "./state.js";
import type { Storage } from "./storage.js";

export interface Events {
  /** The next entry of a conversation, in order, without holes. Store it by its seq before this returns: after a crash
   * in this moment it comes again. */
  entry?(entry: Entry): void;
  /** A message has new content, or none (`recalled_at`). */
  changed?(message: Entry): void;
  /** Drop for good what is kept of the entries of this conversation up to here: words, names, files. */
  erased?(conversation: string, through: number): void;
  row?(row: InboxRow): void;
  unread?(conversation: string, unread: number): void;
  /** Drop the local copy of this conversation, or (undefined) of all. */
  dropped?(conversation: string | undefined): void;
  sent?(item: Item): void;
  /** The server will never take this message. Writing it again makes a new one. */
  failed?(item: Item, code: string, detail: string): void;
  /** Live: what was missed has come. Staff: read the waiting conversations over REST; `queue` changes that list. */
  live?(): void;
  queue?(notice: QueueNotice): void;
  /** Typing and receipts, which are not repeated. */
  ephemeral?(frame: ServerFrame): void;
  /** The client does not connect again by itself, and why. */
  over?(reason: string): void;
}

export interface Options {
  /** `http://host` or `https://host`. */
  base: string;
  /** The device's own name, kept for good. Every tab is a device. */
  device: string;
  session: Session;
  /** Of this member and this device alone. */
  storage: Storage;
  events: Events;
}

/** A connection, and what ends with it. */
interface Link {
  connection: Connection;
  token: string;
  /** When the token is to be renewed. */
  renewAt: number;
  liveSince: number | undefined;
  /** Counts the lags; `lagging` until `sync` has nothing more. */
  lags: number;
  lagging: boolean;
  pulling: Set<string>;
  /** Logs whose pull was refused; they are pulled again after their next row. `rows` counts the rows that came. */
  refused: Set<string>;
  rows: number;
  sending: Set<string>;
}

export class Client {
  readonly state: State;
  private link: Link | undefined;
  private running = false;
  private attempt = 0;
  private me: string | undefined;
  private ticker: ReturnType<typeof setInterval> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly watched = new Set<string>();
  private watchesWaiting = false;
  /** Entries behind a hole, by conversation and seq. */
  private readonly aside = new Map<string, Map<number, Entry>>();
  /** Messages that the server refused for now. */
  private readonly notBefore = new Map<string, { at: number; tries: number }>();

  constructor(private readonly options: Options) {
    this.state = new State(options.storage);
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.ticker = setInterval(() => this.tick(), 250);
    this.connect();
  }

  /** Says Close; unacknowledged messages stay in storage. [closing] */
  stop(): void {
    this.running = false;
    clearInterval(this.ticker);
    clearTimeout(this.retry);
    this.link?.connection.end();
  }

  /** Writes a message; it is in storage when this returns. [outbox] */
  send(conversation: string, kind: MessageSend["kind"], content: MessageSend["content"]): string {
    const item = { conversation_id: conversation, client_msg_id: crypto.randomUUID(), kind, content };
    this.state.outbox.push(item);
    this.state.save();
    this.pump();
    return item.client_msg_id;
  }

  /** The user has seen everything up to here. [read] */
  read(conversation: string, seq: number): void {
    const log = this.state.logs[conversation];
    if (log === undefined || seq <= log.displayed) return;
    log.displayed = seq;
    this.state.save();
    this.reportRead(conversation, log);
  }

  /** Watches a conversation that one may read without being in it. [watches] */
  watch(conversation: string): void {
    this.watched.add(conversation);
    this.watchAgain([conversation]);
  }

  /** Staff: hear of conversations that begin or cease to wait. [watches] */
  watchWaiting(): void {
    this.watchesWaiting = true;
    this.watchAgain([]);
  }

  /** To be called on `online` and `visibilitychange`, and when the device woke up. [waking up] */
  wake(): void {
    if (this.link?.liveSince !== undefined) this.link.connection.probe();
  }

  // ---- Connections ----

  private connect(): void {
    if (!this.running || this.link !== undefined) return;
    const token = this.options.session.accessToken();
    if (token === undefined) return this.over("signed out");
    const connection = new Connection(this.options.base, {
      open: () => this.hello(link),
      frame: (frame) => this.frame(link, frame),
      end: (code, bye) => this.ended(link, code, bye),
    });
    const link: Link = {
      connection, token, renewAt: Infinity, liveSince: undefined, lags: 0, lagging: false,
      pulling: new Set(), refused: new Set(), rows: 0, sending: new Set(),
    };
    this.link = link;
  }

  private hello({ connection, token }: Link): void {
    const { cursor = null, epoch = null } = this.state;
    const conversations = cursor === null ? [] : this.state.positions();
    void connection.ask("hello", { token, device: this.options.device, cursor, epoch, conversations });
  }

  /** Connects again after a while, unless the server said never. [reconnect, closing] */
  private ended(link: Link, code: number, bye: Bye | undefined): void {
    this.link = undefined;
    this.aside.clear();
    if (!this.running) return;
    const why = bye?.code ?? code;
    if (bye?.reconnect === false || why >= 4500) return this.over(`closed with ${why}`);
    const expired = why === 4006;
    if (link.liveSince !== undefined && Date.now() - link.liveSince > 60_000) this.attempt = 0;
    const advised = bye !== undefined && !expired;
    const wait = advised ? bye.after_ms + Math.random() * bye.spread_ms : jitter(this.attempt++);
    const ready = expired ? this.newToken(link.token) : Promise.resolve();
    void ready.then(() => (this.retry = setTimeout(() => this.connect(), wait)));
  }

  private async newToken(old: string): Promise<string | undefined> {
    try {
      return await this.options.session.refresh(old, () => !this.running);
    } catch (cause) {
      if (cause instanceof SessionOver) this.over(cause.message);
      return undefined;
    }
  }

  private over(reason: string): void {
    this.stop();
    this.options.events.over?.(reason);
  }

  private tick(): void {
    this.link?.connection.check();
    const { link } = this;
    if (link?.liveSince === undefined) return;
    if (Date.now() >= link.renewAt) void this.renew(link);
    this.pump();
    Object.keys(this.state.logs).forEach((conversation) => this.fill(link, conversation));
  }

  /** Shows the server a fresh token on the same socket. [token] */
  private async renew(link: Link): Promise<void> {
    link.renewAt = Infinity;
    const token = await this.newToken(link.token);
    if (token === undefined) return;
    link.token = token;
    const answer = await link.connection.ask("auth", { token });
    if ("ok" in answer) this.renewWithin(link, Date.parse(answer.ok.token_expires_at) - Date.now());
  }

  private renewWithin(link: Link, lifetime: number): void {
    link.renewAt = Date.now() + lifetime * 0.7;
  }

  // ---- What the server says ----

  /** Types that are not known change nothing. [growth] */
  private frame(link: Link, frame: ServerFrame): void {
    const { state } = this;
    switch (frame.type) {
      case "ready":
        this.ready(link, frame.data);
        break;
      case "live":
        link.liveSince = Date.now();
        if (!link.lagging) state.cursor = frame.data.cursor; // [cursor]
        this.live(link);
        break;
      case "entry":
        this.entries(link, frame.data.conversation_id, [frame.data], frame.data.seq);
        break;
      case "entries":
        this.entries(link, frame.data.conversation_id, frame.data.entries, frame.data.head_seq);
        break;
      case "inbox":
        this.row(link, frame.data);
        break;
      case "lag":
        if (frame.data.all) this.watchAgain([...this.watched]);
        frame.data.conversations?.forEach((conversation) => this.fill(link, conversation, true));
        void this.sync(link, frame.data.cursor);
        break;
      case "reset":
        this.drop(frame.data.all ? undefined : (frame.data.conversation_id ?? ""));
        break;
      case "queue":
        this.options.events.queue?.(frame.data);
        break;
      case "typing":
      case "receipt":
        this.options.events.ephemeral?.(frame);
    }
    // Before `live`, and after a lag, not everything before this cursor has come. [cursor]
    if (frame.cursor !== undefined && link.liveSince !== undefined && !link.lagging) state.cursor = frame.cursor;
    state.save();
  }

  private ready(link: Link, ready: Ready): void {
    const limit = (name: string, otherwise: number) => ready.limits.find((one) => one.name === name)?.value ?? otherwise;
    link.connection.limits = { silence: limit("silence", 60_000), answer: limit("answer", 15_000) };
    // An API key without an end is not renewed. [token]
    const end = ready.token_expires_at === null ? Infinity : Date.parse(ready.token_expires_at);
    this.renewWithin(link, end - Date.parse(ready.now));
    this.me = ready.member.id;
    this.state.epoch = ready.epoch;
    ready.rows.forEach((row) => this.row(link, row));
  }

  private live(link: Link): void {
    for (const [conversation, log] of Object.entries(this.state.logs)) {
      this.reportRead(conversation, log);
      this.fill(link, conversation);
    }
    this.watchAgain([...this.watched]);
    this.pump();
    this.options.events.live?.();
  }

  /** Applies what is next, keeps aside what is not, and pulls what lies between. [order, identity] */
  private entries(link: Link, conversation: string, entries: Entry[], head: number): void {
    const log = this.state.log(conversation, (entries[0]?.seq ?? head + 1) - 1);
    log.head = Math.max(log.head, head);
    const aside = this.aside.get(conversation) ?? new Map<number, Entry>();
    this.aside.set(conversation, aside);
    entries.filter(({ seq }) => seq > log.have).forEach((entry) => aside.set(entry.seq, entry));
    for (let next = aside.get(log.have + 1); next !== undefined; next = aside.get(log.have + 1)) {
      this.options.events.entry?.(next);
      aside.delete(next.seq);
      log.have = next.seq;
      if (next.client_msg_id != null && next.sender?.id === this.me) this.settle(next.client_msg_id, conversation);
      const notice = next.kind === "edited" || next.kind === "recalled";
      if (notice && next.ref_seq != null) log.changed.push({ seq: next.ref_seq, by: next.seq });
      if (next.kind === "erased") this.erased(conversation, log, (next.content as ErasedContent).through_seq);
      if (this.state.count(log, next, this.me)) this.showUnread(conversation, log);
    }
    this.fill(link, conversation);
  }

  private row(link: Link, row: InboxRow): void {
    const conversation = row.conversation_id;
    if (row.conversation === null) {
      if (this.state.logs[conversation] !== undefined) this.drop(conversation);
      return;
    }
    if (this.state.takeRow(row)) {
      this.options.events.row?.(row);
      this.showUnread(conversation, this.state.log(conversation, row.seq));
    }
    link.rows += 1;
    link.refused.delete(conversation);
    this.fill(link, conversation);
    if (row.notes == null) return;
    link.refused.delete(row.notes.conversation_id);
    this.entries(link, row.notes.conversation_id, [], row.notes.seq);
  }

  /** Pulls what is missing and reads changed messages again, one pull of a conversation at a time. [tail, notices] */
  private fill(link: Link, conversation: string, anyway = false): void {
    const log = this.state.logs[conversation];
    if (log === undefined || link.liveSince === undefined) return;
    if (link.pulling.has(conversation) || link.refused.has(conversation)) return;
    const behind = anyway || log.head > log.have;
    const changed = behind ? undefined : log.changed[0];
    if (!behind && changed === undefined) return;
    link.pulling.add(conversation);
    const { rows } = link;
    const range = changed === undefined ? { after_seq: log.have, limit: 200 } : { after_seq: changed.seq - 1, limit: 1 };
    void link.connection.ask("pull", { conversation_id: conversation, ...range }).then((answer) => {
      if ("lost" in answer || this.state.logs[conversation] !== log) return link.pulling.delete(conversation);
      if ("refused" in answer && answer.refused.retryable) {
        return setTimeout(() => link.pulling.delete(conversation), (answer.refused.retry_after_ms ?? 0) + 1_000);
      }
      link.pulling.delete(conversation);
      if ("refused" in answer) {
        if (rows === link.rows) link.refused.add(conversation);
        return this.fill(link, conversation);
      }
      const { entries, head_seq } = answer.ok;
      if (changed !== undefined && !log.changed.includes(changed)) {
        // Erased meanwhile: the answer may have the words of before. [erasure]
      } else if (changed !== undefined) {
        log.changed = log.changed.filter((one) => one !== changed);
        entries.forEach((message) => this.changed(conversation, log, message, changed.by));
      } else if (entries.length === 0) log.head = log.have; // there is nothing
      else this.entries(link, conversation, entries, head_seq);
      this.state.save();
      return this.fill(link, conversation);
    });
  }

  /** [erasure] */
  private erased(conversation: string, log: Log, through: number): void {
    log.changed = log.changed.filter(({ seq }) => seq > through);
    this.options.events.erased?.(conversation, through);
  }

  private changed(conversation: string, log: Log, message: Entry, by: number): void {
    const recalled = message.recalled_at != null && this.state.uncount(log, message, by, this.me);
    if (recalled) this.showUnread(conversation, log);
    this.options.events.changed?.(message);
  }

  /** From the cursor of `lag` until there is no more; no other cursor is stored meanwhile. [cursor] */
  private async sync(link: Link, from: string): Promise<void> {
    const lag = ++link.lags;
    link.lagging = true;
    for (let cursor = from; link.lagging; ) {
      const answer = await link.connection.ask("sync", { cursor });
      if ("lost" in answer || lag !== link.lags) return; // a later lag begins before this one
      if ("refused" in answer) {
        if (answer.refused.code === "cursor_reset") this.drop(undefined);
        return link.connection.end();
      }
      answer.ok.rows.forEach((row) => this.row(link, row));
      cursor = answer.ok.cursor;
      link.lagging = answer.ok.more;
      this.state.cursor = cursor;
      this.state.save();
    }
  }

  /** [reset] */
  private drop(conversation: string | undefined): void {
    if (conversation === undefined) {
      Object.assign(this.state, { cursor: undefined, logs: {} });
      this.aside.clear();
    } else {
      delete this.state.logs[conversation];
      this.aside.delete(conversation);
      this.watched.delete(conversation);
    }
    this.state.save();
    this.options.events.dropped?.(conversation);
  }

  // ---- What the user does ----

  /** Sends the oldest message of each conversation until it is acknowledged; then the next. [outbox, no answer] */
  private pump(): void {
    const { link } = this;
    if (link?.liveSince === undefined) return;
    const busy = new Set<string>();
    for (const item of this.state.outbox) {
      const { client_msg_id: key, conversation_id: conversation } = item;
      const first = !busy.has(conversation);
      busy.add(conversation);
      if (!first || link.sending.has(key) || (this.notBefore.get(key)?.at ?? 0) > Date.now()) continue;
      link.sending.add(key);
      const displayed = this.state.logs[conversation]?.displayed;
      void link.connection.ask("message.send", { ...item, ...(displayed ? { read_seq: displayed } : {}) }).then((answer) => {
        link.sending.delete(key);
        if ("ok" in answer) this.settle(key, conversation);
        else if ("refused" in answer) this.refused(item, answer.refused);
        this.pump();
      });
    }
  }

  /** `ok` or the own entry has come, whichever is first. [identity] */
  private settle(key: string, conversation: string): void {
    const item = this.state.outbox.find((one) => one.client_msg_id === key && one.conversation_id === conversation);
    if (item === undefined) return;
    this.forget(item);
    this.options.events.sent?.(item);
  }

  private refused(item: Item, { code, detail, retryable, retry_after_ms }: ErrorReply): void {
    const key = item.client_msg_id;
    if (retryable) {
      const tries = (this.notBefore.get(key)?.tries ?? 0) + 1;
      this.notBefore.set(key, { at: Date.now() + (retry_after_ms ?? 0) + jitter(tries), tries });
      return;
    }
    this.forget(item);
    this.options.events.failed?.(item, code, detail);
  }

  private forget(item: Item): void {
    this.state.outbox = this.state.outbox.filter((one) => one !== item);
    this.notBefore.delete(item.client_msg_id);
    this.state.save();
  }

  private reportRead(conversation: string, log: Log): void {
    if (this.link?.liveSince === undefined || log.displayed <= log.readSeq) return;
    this.link.connection.tell("read", { conversation_id: conversation, seq: log.displayed, read_ver: log.readVer });
  }

  private showUnread(conversation: string, log: Log): void {
    this.options.events.unread?.(conversation, Math.min(100, log.unread + log.counted.length)); // 100 means "or more"
  }

  private watchAgain(conversations: string[]): void {
    const { link } = this;
    if (link?.liveSince === undefined || (conversations.length === 0 && !this.watchesWaiting)) return;
    void link.connection.ask("watch", { conversations, waiting: this.watchesWaiting }).then((answer) => {
      if (!("ok" in answer)) return;
      answer.ok.conversations.forEach((one) => this.entries(link, one.conversation_id, [], one.head_seq));
    });
  }
}
