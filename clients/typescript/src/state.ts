// What the client remembers: its position in each log, the cursor, and the messages that are not acknowledged. Stored as
// one piece, so that the parts always fit each other. [outbox, order, unread]
import type { Entry, InboxRow, MessageSend } from "./frames.js";
import type { Storage } from "./storage.js";

/** A conversation as far as this device has it. */
export interface Log {
  /** The last seq without a hole before it. */
  have: number;
  /** The highest seq that the server named. */
  head: number;
  /** Of the last row: its rev, its head, and the own read position with its version. */
  rev: number;
  rowSeq: number;
  readSeq: number;
  readVer: number;
  /** The row's number, and the seqs of messages that were counted since. */
  unread: number;
  counted: number[];
  /** What the user has seen. */
  displayed: number;
  /** Messages that a notice (with the seq `by`) says were changed, and that were not read again yet. */
  changed: { seq: number; by: number }[];
}

/** A message that was written and is not acknowledged. */
export type Item = Pick<MessageSend, "conversation_id" | "client_msg_id" | "kind" | "content">;

export class State {
  cursor: string | undefined;
  epoch: string | undefined;
  logs: Record<string, Log> = {};
  outbox: Item[] = [];

  constructor(private readonly storage: Storage) {
    const text = storage.get("state");
    if (text !== null) Object.assign(this, JSON.parse(text));
  }

  save(): void {
    const { cursor, epoch, logs, outbox } = this;
    this.storage.set("state", JSON.stringify({ cursor, epoch, logs, outbox }));
  }

  /** The log; one that is met for the first time starts at this seq. [new conversations] */
  log(conversation: string, start: number): Log {
    return (this.logs[conversation] ??= {
      have: start, head: start, rev: 0, rowSeq: start, readSeq: start, readVer: 0, unread: 0, counted: [],
      displayed: 0, changed: [],
    });
  }

  /** At most 100 positions for `hello`, those that changed last. */
  positions(): [string, number][] {
    const all = Object.entries(this.logs).sort(([, one], [, other]) => other.rev - one.rev);
    return all.slice(0, 100).map(([conversation, log]) => [conversation, log.have]);
  }

  /** The row with the last rev wins; true when this one did. */
  takeRow(row: InboxRow): boolean {
    const log = this.log(row.conversation_id, row.seq);
    log.head = Math.max(log.head, row.seq);
    if (row.rev < log.rev) return false;
    // A new version was marked as unread somewhere: what was seen before does not count any more.
    if (row.read_ver > log.readVer) log.displayed = Math.min(log.displayed, row.read_seq);
    Object.assign(log, { rev: row.rev, rowSeq: row.seq, readSeq: row.read_seq, readVer: row.read_ver });
    // Entries do not wait for rows: one that is already there may be newer than the row.
    const counted = log.counted.filter((seq) => seq > Math.max(row.seq, row.read_seq));
    Object.assign(log, { unread: row.unread, counted });
    return true;
  }

  /** Counts an applied entry; true when the number changed. [unread] */
  count(log: Log, entry: Entry, me: string | undefined): boolean {
    if (entry.seq <= log.rowSeq || entry.message_type !== "message") return false;
    if (entry.sender?.id === me || entry.recalled_at != null) return false;
    return log.counted.push(entry.seq) > 0;
  }

  /** This notice recalled a message; true when that was counted as unread. A row behind the notice knows it already. */
  uncount(log: Log, message: Entry, by: number, me: string | undefined): boolean {
    if (by <= log.rowSeq || message.sender?.id === me || message.message_type !== "message") return false;
    const inRow = message.seq <= log.rowSeq && message.seq > log.readSeq && log.unread > 0;
    const counted = log.counted.filter((seq) => seq !== message.seq);
    const changed = inRow || counted.length !== log.counted.length;
    Object.assign(log, { counted, unread: log.unread - (inRow ? 1 : 0) });
    return changed;
  }
}
