// Made from the AsyncAPI document by `UPDATE_DOCUMENTS=1 cargo test documents`; not written by hand.

export type Auth = {
  /** The access token. */
  token: string;
};

export type AuthReply = {
  /** Send the next one before this. */
  token_expires_at: Millis;
};

export type Bye = {
  /** Not before so many milliseconds. */
  after_ms: number;
  /** The close code that follows. */
  code: number;
  /** Why. */
  reason: string;
  /** Whether to connect again. */
  reconnect: boolean;
  /** Plus a random part of so many milliseconds. */
  spread_ms: number;
};

export type Card = {
  /** The present avatar's URL; may be empty. */
  avatar: string;
  /** The member. */
  id: MemberId;
  /** The present name. */
  nickname: string;
};

export type CloseReason = ("resolved" | "customer_left" | "inactive" | "spam" | "merged" | "customer_deleted" | (string & {}));

export type ConversationId = string;

export type ConversationKind = ("support" | "backstage" | (string & {}));

export type ConversationStatus = ("open" | "pending" | "closed" | (string & {}));

export type CustomerView = {
  agent: (Card | null);
  close_reason: (CloseReason | null);
  closed_at: (Millis | null);
  /** When it was made. */
  created_at: Millis;
  /** The conversation. */
  id: ConversationId;
  /** Always support. */
  kind: ConversationKind;
  /** When the last entry was written. */
  last_at: Millis;
  /** Messages in the log. */
  msg_count: number;
  /** The head of the log. */
  seq: number;
  status: (ConversationStatus | null);
  /** What it is about; may be empty. */
  subject: string;
};

export type Entries = {
  /** Which log. */
  conversation_id: ConversationId;
  /** The same objects as in `entry`. */
  entries: Entry[];
  /** The log's head when they were read; when it is higher than the last entry's seq, pull the rest. */
  head_seq: number;
};

export type Entry = {
  /** The sender's own key for this message. */
  client_msg_id?: (string | null);
  /** By kind: text, card, custom; notices carry what changed; `{}` after a recall. */
  content: Record<string, unknown>;
  /** The conversation. */
  conversation_id: ConversationId;
  /** When it was committed. Order never depends on it. */
  created_at: Millis;
  edited_at?: (Millis | null);
  /** What it is; the list may grow. */
  kind: EntryKind;
  /** Message or notice. */
  message_type: MessageType;
  /** Messages in the log up to and including this entry. */
  msg_count: number;
  recalled_at?: (Millis | null);
  /** Message: the entry that it answers. Notice: the entry that it is about. */
  ref_seq?: (number | null);
  /** The tenant's rev under which it was committed. */
  rev: number;
  sender: (Sender | null);
  /** The position in the conversation's log: dense, from 1. */
  seq: number;
};

export type EntryKind = ("text" | "card" | "custom" | "opened" | "joined" | "left" | "assigned" | "released" | "closed" | "reopened" | "edited" | "recalled" | "subject_changed" | "customer_changed" | "merged" | "priority_changed" | "tags_changed" | "remark" | (string & {}));

export type ErrorReply = {
  /** The key of the message that was not sent. */
  client_msg_id?: (string | null);
  /** For programs: one of the table of codes. */
  code: string;
  /** The present state that the client needs to go on. */
  context?: Record<string, unknown>;
  /** For people. */
  detail: string;
  /** Which fields are wrong; pointers start at `data`. */
  errors?: FieldError[];
  /** When to repeat. */
  retry_after_ms?: (number | null);
  /** Whether the very same frame may succeed later. */
  retryable: boolean;
};

export type FieldError = {
  /** `required`, `unknown`, `invalid`, `too_long`, `too_short`, `out_of_range`. */
  code: string;
  /** One sentence for people. */
  detail: string;
  /** JSON pointer (RFC 6901) to the field, such as `/content/text`. */
  pointer: string;
};

export type FrameId = (string | number);

export type Hello = {
  /** At most 100 conversations with the last seq that the client has: what follows is sent before `live`. */
  conversations?: Record<string, unknown>[][];
  /** The last cursor that the client stored; absent on the first visit. */
  cursor?: (string | null);
  /** The device's own name, kept for good: 1 to 64 of `A-Z a-z 0-9 . _ : -`. A second socket of the same member and device replaces the first. */
  device: string;
  /** `ready.epoch` of the last visit. When the store was restored since, the client is told to `reset`. */
  epoch?: (string | null);
  /** The access token. */
  token: string;
};

export type InboxRow = {
  /** In the conversation, and the conversation is not closed. */
  active: boolean;
  conversation: (View | null);
  /** The conversation. */
  conversation_id: ConversationId;
  last_entry: (Entry | null);
  /** Messages in the log. */
  msg_count: number;
  notes?: (Notes | null);
  /** How far both sides have come. */
  peers: Peers;
  /** How far the member has read. */
  read_seq: number;
  /** The version of the read position: rises with every mark_unread and every joining. */
  read_ver: number;
  /** The tenant's rev of the last change that this row shows. */
  rev: number;
  /** The head of the log; of a conversation that the member has left, the last entry that it may have. */
  seq: number;
  /** Messages by others after `read_seq` that were not recalled; 100 means 100 or more. 0 after leaving. */
  unread: number;
};

export type Lag = {
  /** Frames of any conversation may have been dropped. */
  all: boolean;
  /** The conversations that frames were dropped of, when they are few. */
  conversations?: ConversationId[];
  /** `sync` from here until `more` is false; no cursor may be stored before. */
  cursor: string;
};

export type Limit = {
  /** What is limited. */
  name: string;
  /** In which unit. */
  unit: string;
  /** How much. */
  value: number;
};

export type Live = {
  /** Store this, unless a `lag` came. */
  cursor: string;
};

export type MarkUnread = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** The last entry that counts as read. */
  seq: number;
};

export type MemberId = string;

export type MemberPosition = {
  /** The member. */
  member_id: MemberId;
  /** The last entry. */
  seq: number;
};

export type MessageEdit = {
  base_edited_at?: (Millis | null);
  /** By kind. */
  content: Record<string, unknown>;
  /** The conversation. */
  conversation_id: ConversationId;
  /** `text`, `card` or `custom`. */
  kind: EntryKind;
  /** The message. */
  seq: number;
};

export type MessageRecall = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** The message. */
  seq: number;
};

export type MessageReply = {
  /** The key that was sent. */
  client_msg_id?: (string | null);
  /** The conversation. */
  conversation_id: ConversationId;
  created_at: (Millis | null);
  /** This is the answer of an earlier frame with the same client_msg_id. */
  duplicate: boolean;
  /** The rev under which the command was committed; 0 when nothing had to be done. */
  rev: number;
  /** The message; null when there is none to name. */
  seq: (number | null);
};

export type MessageSend = {
  /** The client's own key of the message: 1 to 64 of `A-Z a-z 0-9 . _ : -`. Once per conversation and sender. */
  client_msg_id: string;
  /** By kind. */
  content: Record<string, unknown>;
  /** The conversation; the id of its backstage log sends a note. */
  conversation_id: ConversationId;
  /** `text`, `card` or `custom`. */
  kind: EntryKind;
  /** The last seq that this device has displayed. */
  read_seq?: (number | null);
  /** The seq of the entry that it answers. */
  reply_to_seq?: (number | null);
};

export type MessageType = ("message" | "notice" | (string & {}));

export type Millis = string;

export type Myself = {
  /** The member. */
  id: MemberId;
  /** Its role. */
  role: Role;
};

export type Notes = {
  /** The backstage log; its id works on all message routes. */
  conversation_id: ConversationId;
  /** The head of its log. */
  seq: number;
  /** Notes by others that the member has not read; 100 means 100 or more. */
  unread: number;
};

export type OkReply = (AuthReply | MessageReply | PullReply | ReadReply | SyncReply | WatchReply);

export type Peers = {
  /** The last entry that reached a device of the customer. */
  customer_delivered_seq: number;
  /** The last entry that the customer has read. */
  customer_read_seq: number;
  /** The furthest entry that reached a device of the staff. */
  staff_delivered_seq: number;
  /** The furthest that anybody of the staff has read. */
  staff_read_seq: number;
};

export type Ping = {
  /** From the client: how far entries have reached this device; stored at most every five seconds. */
  delivered?: Record<string, unknown>[][];
  /** Echoed in the `pong`; at most 64 bytes. */
  nonce?: string;
};

export type Priority = ("low" | "normal" | "high" | "urgent" | (string & {}));

export type Pull = {
  /** Entries after this seq; 0 means from the first. */
  after_seq: number;
  /** The conversation. */
  conversation_id: ConversationId;
  /** 1 to 200; the default is 100. */
  limit?: (number | null);
};

export type PullReply = {
  /** Which log. */
  conversation_id: ConversationId;
  /** In order of seq. Fewer than asked for when they are large. */
  entries: Entry[];
  /** The log's head when they were read. */
  head_seq: number;
};

export type QueueNotice = {
  conversation?: (StaffView | null);
  /** The conversation. */
  conversation_id: ConversationId;
  /** Whether it waits now. */
  waiting: boolean;
};

export type Read = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** The version of the read position that the client knows; an older version than the present one is ignored. */
  read_ver?: (number | null);
  /** The last entry read; beyond the head means the head. */
  seq: number;
};

export type ReadReply = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** The last entry read. */
  read_seq: number;
  /** The version of the position; rises with every `mark_unread`. */
  read_ver: number;
};

export type Ready = {
  /** The tenant's head when the rows were read. Store the one of `live`, not this one. */
  cursor: string;
  /** The store's history; store it with the cursor. */
  epoch: string;
  /** Every limit by name and unit. */
  limits: Limit[];
  /** The member on this socket. */
  member: Myself;
  /** There are more rows: with a cursor a `lag` frame follows and `sync` from it brings them; without one `GET /inbox` does. */
  more: boolean;
  /** The server's clock. */
  now: Millis;
  /** How often the server pings, plus or minus a fifth. */
  ping_interval_ms: number;
  /** Inbox rows: those that changed since the cursor, or the newest page. A conversation that the client meets here for the first time starts at the row's `seq`, not at 1. */
  rows: InboxRow[];
  /** This socket, for support requests. */
  session_id: string;
  /** Send `auth` with a fresh token before this. */
  token_expires_at: Millis;
  /** Unread messages in all conversations together. */
  unread_total: number;
};

export type Receipt = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** How far the log has reached the visitor. */
  customer_delivered_seq?: (number | null);
  /** How far the visitor has read. */
  customer_read_seq?: (number | null);
  delivered?: (MemberPosition | null);
  /** How far the log has reached any of the staff. */
  staff_delivered_seq?: (number | null);
  /** How far any of the staff has read. */
  staff_read_seq?: (number | null);
};

export type Reset = {
  /** Of everything, the cursor included. */
  all: boolean;
  conversation_id?: (ConversationId | null);
  /** Why. */
  reason: ResetReason;
};

export type ResetReason = ("removed" | "unwatched" | "cursor_reset" | (string & {}));

export type Role = ("customer" | "agent" | "supervisor" | "admin" | (string & {}));

export type Sender = {
  /** The avatar's URL on that day; may be empty. */
  avatar: string;
  /** The member. */
  id: MemberId;
  /** The name on that day. */
  nickname: string;
  /** The role on that day. */
  role: Role;
};

export type StaffView = {
  agent: (Card | null);
  assigned_at: (Millis | null);
  backstage_id: (ConversationId | null);
  close_reason: (CloseReason | null);
  closed_at: (Millis | null);
  /** When it was made. */
  created_at: Millis;
  customer: (Card | null);
  /** The customer's account was deleted. */
  customer_deleted: boolean;
  /** The conversation. */
  id: ConversationId;
  /** Support, or the backstage conversation behind one. */
  kind: ConversationKind;
  /** When the last entry was written. */
  last_at: Millis;
  merged_into_id: (ConversationId | null);
  /** Messages in the log. */
  msg_count: number;
  parent_id: (ConversationId | null);
  /** How urgent it is. */
  priority: Priority;
  /** The head of the log. */
  seq: number;
  status: (ConversationStatus | null);
  /** What it is about; may be empty. */
  subject: string;
  /** Free labels. */
  tags: string[];
  /** When it last changed in anything. */
  updated_at: Millis;
  /** Moves with every change that is no message. */
  version: number;
  waiting_since: (Millis | null);
};

export type Sync = {
  /** The cursor of `lag`, or the one that the client stored, or that of the last `sync` reply. */
  cursor: string;
  /** 1 to 200; the default is 200. */
  limit?: (number | null);
};

export type SyncReply = {
  /** Store this. */
  cursor: string;
  /** `sync` again from `cursor`. */
  more: boolean;
  /** In order of rev. */
  rows: InboxRow[];
};

export type Typing = {
  /** The conversation; only participants may type. */
  conversation_id: ConversationId;
  /** True while the member types; ends by itself after six seconds. */
  on: boolean;
};

export type TypingNotice = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** The member. */
  member_id: MemberId;
  /** True while it types. */
  on: boolean;
  /** Forget it after so many milliseconds without another notice. */
  ttl_ms: number;
};

export type View = (StaffView | CustomerView);

export type Watch = {
  /** At most 200 in all. A conversation brings its notes with it when one may read them. */
  conversations?: ConversationId[];
  /** Staff: the conversations that wait. */
  waiting?: boolean;
};

export type WatchReply = {
  /** The conversations of the request with the heads of their logs: entries above arrive by themselves. */
  conversations: Watched[];
  /** Whether waiting conversations are watched. */
  waiting: boolean;
};

export type Watched = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** The head of its log. */
  head_seq: number;
};

/** What a client sends, by `type`. */
export interface ClientFrames {
  "hello": Hello;
  "auth": Auth;
  "message.send": MessageSend;
  "message.edit": MessageEdit;
  "message.recall": MessageRecall;
  "read": Read;
  "mark_unread": MarkUnread;
  "pull": Pull;
  "sync": Sync;
  "watch": Watch;
  "unwatch": Watch;
  "typing": Typing;
  "ping": Ping;
  "pong": Ping;
}

/** What answers it. */
export interface Replies {
  "hello": Ready;
  "auth": AuthReply;
  "message.send": MessageReply;
  "message.edit": MessageReply;
  "message.recall": MessageReply;
  "read": ReadReply;
  "mark_unread": ReadReply;
  "pull": PullReply;
  "sync": SyncReply;
  "watch": WatchReply;
  "unwatch": WatchReply;
  "ping": Ping;
}

/** What the server sends. More types may come. */
export type ServerFrame =
  | { type: "ready"; reply_to?: FrameId; cursor?: string; data: Ready }
  | { type: "entry"; reply_to?: FrameId; cursor?: string; data: Entry }
  | { type: "entries"; reply_to?: FrameId; cursor?: string; data: Entries }
  | { type: "live"; reply_to?: FrameId; cursor?: string; data: Live }
  | { type: "inbox"; reply_to?: FrameId; cursor?: string; data: InboxRow }
  | { type: "receipt"; reply_to?: FrameId; cursor?: string; data: Receipt }
  | { type: "typing"; reply_to?: FrameId; cursor?: string; data: TypingNotice }
  | { type: "queue"; reply_to?: FrameId; cursor?: string; data: QueueNotice }
  | { type: "lag"; reply_to?: FrameId; cursor?: string; data: Lag }
  | { type: "reset"; reply_to?: FrameId; cursor?: string; data: Reset }
  | { type: "ok"; reply_to?: FrameId; cursor?: string; data: OkReply }
  | { type: "error"; reply_to?: FrameId; cursor?: string; data: ErrorReply }
  | { type: "ping"; reply_to?: FrameId; cursor?: string; data: Ping }
  | { type: "pong"; reply_to?: FrameId; cursor?: string; data: Ping }
  | { type: "bye"; reply_to?: FrameId; cursor?: string; data: Bye };
