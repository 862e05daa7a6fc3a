// Made from the AsyncAPI document by `UPDATE_DOCUMENTS=1 cargo test documents`; not written by hand.

export type AboutMember = {
  /** The avatar's URL of that moment; may be empty. */
  avatar?: string;
  /** The member. Absent on `released` when nobody had served the conversation, and on `agent_idle` when a whole group serves it. */
  member_id?: MemberId;
  /** The name of that moment. */
  nickname?: string;
  /** The role of that moment. */
  role?: Role;
};

export type AssignmentEnd = ("release" | "reassign" | "close" | "agent_gone" | "docked" | "group_empty" | "agent_absent" | "group_transfer" | "timed_out" | (string & {}));

export type AttachmentContent = {
  /** The attachment: its content is read through `/attachments/{id}/url`. */
  attachment_id: AttachmentId;
  /** Of voice and video: how long it plays, in milliseconds, as the sender says. */
  duration_ms?: number;
  /** Whether there is a small picture of it. */
  has_thumbnail: boolean;
  /** Of a picture: as it is shown, in pixels. */
  height?: number;
  /** The type, as the content says. */
  media_type: string;
  /** The name of the file, without a path. */
  name: string;
  /** Bytes. */
  size: number;
  /** Of a picture: as it is shown, in pixels. */
  width?: number;
};

export type AttachmentId = string;

export type AttachmentReference = {
  /** The attachment. */
  attachment_id: AttachmentId;
  /** Of voice and video: how long it plays, in milliseconds, as the sender says. */
  duration_ms?: (number | null);
};

export type AttributeChange = {
  /** The attribute. */
  attribute_id: AttributeId;
  /** The value before; null for none. */
  from: (AttributeValue | null);
  /** Its key. */
  key: string;
  /** The value now; null for none. */
  to: (AttributeValue | null);
};

export type AttributeId = string;

export type AttributeValue = (string | number | boolean);

export type AttributeValues = Record<string, AttributeValue>;

export type AttributesChangedContent = {
  /** What changed, in the order of the keys. */
  changes: AttributeChange[];
};

export type Auth = {
  /** A fresh access token, from `POST /api/v1/auth/refresh`. */
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

export type CardButton = {
  /** 1 to 80 characters. */
  label: string;
  /** `https` only, a public host, at most 2,000 characters. Exactly one of `url` and `value`. */
  url?: string;
  /** At most 500 characters. */
  value?: string;
};

export type CardButtonInput = {
  /** 1 to 80 characters. */
  label: string;
  /** `https` only, a public host, at most 2,000 characters. Exactly one of `url` and `value`. */
  url?: (string | null);
  /** At most 500 characters. */
  value?: (string | null);
};

export type CardContent = {
  /** At most 10. Staff only. */
  buttons?: CardButton[];
  /** `https` only, a public host, at most 2,000 characters. Staff only. */
  image_url?: string;
  /** At most 2,000 characters. */
  text?: string;
  /** 1 to 200 characters. */
  title: string;
  /** `https` only, a public host, at most 2,000 characters. */
  url?: string;
};

export type CardContentInput = {
  /** At most 10. Staff only. */
  buttons?: CardButtonInput[];
  /** `https` only, a public host, at most 2,000 characters. Staff only. */
  image_url?: (string | null);
  /** At most 2,000 characters. */
  text?: (string | null);
  /** 1 to 200 characters. */
  title: string;
  /** `https` only, a public host, at most 2,000 characters. */
  url?: (string | null);
};

export type CloseReason = ("resolved" | "customer_left" | "inactive" | "spam" | "merged" | "customer_deleted" | "timed_out" | (string & {}));

export type ClosedContent = {
  /** Why the conversation ended. */
  reason: CloseReason;
};

export type Conversation = {
  /** Who serves it. */
  agent: (Card | null);
  /** Since when the present agent serves it. */
  assigned_at?: (string | null);
  /** Its custom attributes, by their keys; those without a value are left out. A customer sees those that are visible to it. */
  attributes: AttributeValues;
  /** Support only: the conversation of its notes, once there is one. */
  backstage_id?: (string | null);
  /** Direct rooms only: the two. */
  between?: (Card[] | null);
  /** While it is open: the bot that answers, before it waits for the staff. */
  bot: (Card | null);
  /** Why it was closed.  - `resolved`: The matter is settled. - `customer_left`: The visitor ended it. - `inactive`: The visitor no longer answered. - `spam`: Unwanted. - `merged`: The visitor was recognised and had another open conversation. - `customer_deleted`: The customer's account was deleted. - `timed_out`: The visitor did not answer for as long as the tenant waits: the service closed it. */
  close_reason: ("resolved" | "customer_left" | "inactive" | "spam" | "merged" | "customer_deleted" | "timed_out" | (string & {}) | null);
  /** When it was closed. */
  closed_at: (string | null);
  /** When it was made. */
  created_at: Millis;
  /** Whose conversation it is; null where there is no customer. */
  customer?: (Card | null);
  /** The customer's account was deleted. */
  customer_deleted?: boolean;
  /** Whether this whole group serves it, instead of one agent. */
  docked?: boolean;
  /** The group whose matter it is, or whose room; null for none. A closed conversation may name one that was deleted since. */
  group_id?: (string | null);
  /** The conversation. */
  id: ConversationId;
  /** Support, the backstage conversation behind one, or a room of the staff. */
  kind: ConversationKind;
  /** When the last entry was written. */
  last_at: Millis;
  /** Closed as merged: the conversation in which the customer goes on. */
  merged_into_id?: (string | null);
  /** Messages in the log. */
  msg_count: number;
  /** Backstage only: the conversation that it stands behind. */
  parent_id?: (string | null);
  /** How urgent it is. */
  priority?: Priority;
  /** The head of the log. */
  seq: number;
  /** Where it stands; null for backstage conversations and rooms.  - `open`: It waits, or a bot answers: nobody of the staff serves it. - `pending`: An agent serves it, or a whole group. - `closed`: It is over. */
  status: ("open" | "pending" | "closed" | (string & {}) | null);
  /** What it is about, or the name of the room; may be empty. */
  subject: string;
  /** Free labels. */
  tags?: string[];
  /** When it last changed in anything. */
  updated_at?: Millis;
  /** Moves with every change that is no message. In quotes it is the conversation's `ETag`. */
  version?: number;
  /** While it is open: since when it waits. */
  waiting_since?: (string | null);
};

export type ConversationId = string;

export type ConversationKind = ("support" | "backstage" | "group" | "direct" | (string & {}));

export type CustomContent = {
  /** Any JSON, nested at most 32 deep with the body around it; the whole content is at most 16,384 bytes. Numbers that JSON clients would round (beyond 64 bits, more than 17 digits) are refused. */
  data: unknown;
  /** The tenant's own name for this shape: a key of 1 to 64 of `A-Z a-z 0-9 . _ : -`. */
  type: string;
};

export type CustomContentInput = {
  /** Any JSON, nested at most 32 deep with the body around it; the whole content is at most 16,384 bytes. Numbers that JSON clients would round (beyond 64 bits, more than 17 digits) are refused. */
  data: unknown;
  /** The tenant's own name for this shape: a key of 1 to 64 of `A-Z a-z 0-9 . _ : -`. */
  type: string;
};

export type CustomerChangedContent = {
  /** Whose conversation it is now. */
  customer: AboutMember;
};

export type EmptyContent = {
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
  client_msg_id?: string;
  /** By kind: text, card, custom, attachment; notices carry what changed; `{}` after a recall or an erasure. */
  content: Record<string, unknown>;
  /** The conversation. */
  conversation_id: ConversationId;
  /** When it was committed. Order never depends on it. */
  created_at: Millis;
  /** When its content was last changed. */
  edited_at?: Millis;
  /** When it was erased: its content, its key and the names in it are gone for good. */
  erased_at?: Millis;
  /** What it is; the list may grow. */
  kind: EntryKind;
  /** Message or notice. */
  message_type: MessageType;
  /** Messages in the log up to and including this entry. */
  msg_count: number;
  /** When its content was removed. */
  recalled_at?: Millis;
  /** Message: the entry that it answers. Notice: the entry that it is about. */
  ref_seq?: number;
  /** The tenant's rev under which it was committed. */
  rev: number;
  /** Who wrote it; null for the system. */
  sender: (Sender | null);
  /** The position in the conversation's log: dense, from 1. */
  seq: number;
};

export type EntryKind = ("text" | "card" | "custom" | "image" | "file" | "voice" | "video" | "opened" | "joined" | "left" | "assigned" | "docked" | "bot_assigned" | "handed_off" | "released" | "closed" | "reopened" | "edited" | "recalled" | "subject_changed" | "customer_changed" | "merged" | "customer_idle" | "imported" | "erased" | "priority_changed" | "tags_changed" | "attributes_changed" | "group_changed" | "skills_changed" | "offered" | "declined" | "offer_missed" | "offer_withdrawn" | "agent_idle" | "rated" | "sla_warned" | "sla_breached" | "remark" | (string & {}));

export type ErasedContent = {
  /** Up to which entry: a client drops what it keeps of these entries, or reads them again. */
  through_seq: number;
};

export type ErrorReply = {
  /** The key of the message that was not sent. */
  client_msg_id?: string;
  /** What went wrong, for programs; the table of codes says what it means. */
  code: ("malformed_json" | "invalid_parameter" | "unauthenticated" | "token_invalid" | "token_expired" | "session_revoked" | "api_key_invalid" | "api_key_expired" | "invalid_credentials" | "forbidden" | "not_a_member" | "not_assignee" | "account_locked" | "account_disabled" | "banned" | "tenant_suspended" | "address_not_allowed" | "origin_refused" | "not_found" | "method_not_allowed" | "request_timeout" | "idempotency_conflict" | "invalid_transition" | "already_assigned" | "not_in_control" | "agent_full" | "offer_ended" | "queue_full" | "queue_closed" | "agent_absent" | "transfer_loop" | "offer_pending" | "group_empty" | "open_conversation_exists" | "conversation_closed" | "reopen_expired" | "rating_ended" | "not_answered" | "attachments_off" | "attachment_not_ready" | "attachment_infected" | "export_unfinished" | "export_not_ready" | "export_ended" | "upload_mismatch" | "window_expired" | "message_recalled" | "stale_edit" | "name_taken" | "in_use" | "limit_reached" | "last_admin" | "last_manager" | "cursor_reset" | "version_mismatch" | "payload_too_large" | "quota_exceeded" | "file_type_refused" | "unsupported_media_type" | "range_not_satisfiable" | "validation_failed" | "rate_limited" | "tenant_busy" | "unsupported" | "not_ready" | "provider_failed" | "internal" | "busy" | "storage_unavailable" | "scanner_unavailable" | "draining" | "unready" | (string & {}));
  /** The present state that the client needs to go on. */
  context?: Record<string, unknown>;
  /** For people. */
  detail: string;
  /** Which fields are wrong; pointers start at `data`. */
  errors?: FieldError[];
  /** When to repeat. */
  retry_after_ms?: number;
  /** Whether the very same frame may succeed later. */
  retryable: boolean;
};

export type FieldError = {
  /** For programs: what is wrong. */
  code: ("required" | "unknown" | "invalid" | "too_short" | "too_long" | "out_of_range" | "too_common" | "read_only" | "unchanged" | "expired" | "used" | "customer_or_staff" | (string & {}));
  /** One sentence for people. */
  detail: string;
  /** JSON pointer (RFC 6901) to the field, such as `/content/text`. */
  pointer: string;
};

export type FrameId = (string | number);

export type GroupChangedContent = {
  /** The group before; null for none. */
  from: (string | null);
  /** The group now; null for none. */
  to: (string | null);
};

export type GroupId = string;

export type GroupNotice = {
  /** The group. */
  group_id: GroupId;
  /** As what one is in it now; null when one is not.  - `manager`: Adds and removes members. - `member`: Serves with the others. */
  member_type: ("manager" | "member" | (string & {}) | null);
  /** The rev of the change. */
  rev: number;
};

export type HandOffReason = ("requested" | "silent" | "bot_gone" | "staff_answered" | (string & {}));

export type HandedOffContent = {
  /** The bot. */
  bot: AboutMember;
  /** Why. */
  reason: HandOffReason;
};

export type Hello = {
  /** At most 100 conversations with the last seq that the client has: what follows is sent before `live`. */
  conversations?: LogPosition[];
  /** The last cursor that the client stored; absent on the first visit. */
  cursor?: (string | null);
  /** The device's own name, kept for good: 1 to 64 of `A-Z a-z 0-9 . _ : -`. A second socket of the same member and device replaces the first. */
  device: string;
  /** `ready.epoch` of the last visit. When the store was restored since, the client is told to `reset`. */
  epoch?: (string | null);
  /** The access token, from `POST /api/v1/auth/login`, `/auth/refresh` or `/visitors`; or an API key. */
  token: string;
};

export type ImportedContent = {
  /** What the other system wrote. */
  text: string;
};

export type InboxRow = {
  /** In the conversation, and the conversation is not closed. */
  active: boolean;
  /** The conversation as the member sees it; null once the member is no longer in it: drop the local copy. */
  conversation: (Conversation | null);
  /** The conversation. */
  conversation_id: ConversationId;
  /** The entry at `seq`; null once the member is no longer in the conversation. */
  last_entry: (Entry | null);
  /** Messages in the log. */
  msg_count: number;
  /** The notes behind the conversation; absent for customers and while there are none. */
  notes?: Notes;
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

export type LogPosition = [string, number];

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

export type MergedContent = {
  /** The conversation that was closed as merged; its log comes before this one. */
  conversation_id: ConversationId;
};

export type MessageContent = (TextContentInput | CardContentInput | CustomContentInput | AttachmentReference);

export type MessageEdit = {
  /** `edited_at` of the message that these words are to replace; null: it was never edited. When the message was edited since, the answer is `stale_edit`. Absent: the last edit wins. */
  base_edited_at?: (string | null);
  /** By kind. */
  content: MessageContent;
  /** The conversation. */
  conversation_id: ConversationId;
  /** What kind of message it is. */
  kind: MessageKind;
  /** The message. */
  seq: number;
};

export type MessageKind = ("text" | "card" | "custom" | "image" | "file" | "voice" | "video");

export type MessageRecall = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** The message. */
  seq: number;
};

export type MessageReply = {
  /** The key that was sent. */
  client_msg_id?: string;
  /** The conversation. */
  conversation_id: ConversationId;
  /** When the message was committed. */
  created_at: (string | null);
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
  content: MessageContent;
  /** The conversation; the id of its backstage log sends a note. */
  conversation_id: ConversationId;
  /** What kind of message it is. */
  kind: MessageKind;
  /** The last seq that this device has displayed. */
  read_seq?: (number | null);
  /** The seq of the entry that it answers. */
  reply_to_seq?: (number | null);
  /** Bots must give it with messages to a customer, others need not: the `version` of the conversation on which the answer is based. */
  version?: (number | null);
};

export type MessageStream = {
  /** The key of the message that it will be: 1 to 64 of `A-Z a-z 0-9 . _ : -`. */
  client_msg_id: string;
  /** The conversation. */
  conversation_id: ConversationId;
  /** Which state of the words this is, from 1; it rises. */
  n: number;
  /** All words so far, at most 16,384 bytes. */
  text: string;
  /** The `version` of the conversation on which the answer is based. */
  version: number;
};

export type MessageStreamNotice = {
  /** The key of the message that it will be. */
  client_msg_id: string;
  /** The conversation. */
  conversation_id: ConversationId;
  /** The bot. */
  member_id: MemberId;
  /** Which state of the words this is: of two, the one with the higher number is newer. */
  n: number;
  /** All words so far. */
  text: string;
  /** Forget it after so many milliseconds without another notice. */
  ttl_ms: number;
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

export type Notification = {
  /** The text; may be empty. */
  body: string;
  /** When it was made. */
  created_at: Millis;
  /** Whatever the template gives the client beside it; null: nothing. */
  data: unknown;
  /** The notification. */
  id: NotificationId;
  /** Where it leads: an address of the web, or a path of the client's own that begins with `/`; null: nowhere. */
  link: (string | null);
  /** When it was read; null: it is unread. */
  read_at: (string | null);
  /** The rev of the last change: of one notification the highest wins. */
  rev: number;
  /** One line. */
  title: string;
};

export type NotificationId = string;

export type OfferId = string;

export type OfferNotice = {
  /** What is offered. */
  conversation_id: ConversationId;
  /** Until when it can be accepted. */
  expires_at: Millis;
  /** Who serves it and would hand it over; absent: it waits, and routing offers it. */
  from_agent_id?: MemberId;
  /** The offer. */
  id: OfferId;
  /** Of a transfer: why; may be empty. */
  note?: string;
  /** Since when. */
  offered_at: Millis;
  /** Of a transfer: why, in one word. */
  reason?: TransferReason;
  /** The rev of the change. */
  rev: number;
  /** What became of it: while it is `offered`, accept or decline it over REST. */
  state: OfferState;
};

export type OfferState = ("offered" | "accepted" | "declined" | "missed" | "withdrawn" | (string & {}));

export type OkReply = (AuthReply | MessageReply | PresenceNotice | PullReply | ReadReply | SyncReply | WatchReply);

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
  delivered?: LogPosition[];
  /** Echoed in the `pong`; at most 64 bytes. */
  nonce?: string;
};

export type PingInput = {
  /** From the client: how far entries have reached this device; stored at most every five seconds. */
  delivered?: LogPosition[];
  /** Echoed in the `pong`; at most 64 bytes. */
  nonce?: string;
};

export type PresenceNotice = {
  /** Whether it has a live socket, or had one less than `presence_grace_seconds` ago. */
  connected: boolean;
  /** How many conversations it serves. */
  current_accept: number;
  /** What it is for others: `status` while it is connected, else `offline`. */
  effective_status: PresenceStatus;
  /** When its last socket was known to live; while it is connected, when it came. Null when it never was connected. */
  last_seen: (string | null);
  /** Who. */
  member_id: MemberId;
  /** Why; may be empty. */
  reason: string;
  /** The rev of the change. */
  rev: number;
  /** Since when it says so; null when it never said anything. */
  since: (string | null);
  /** What it says that it is. */
  status: PresenceStatus;
};

export type PresenceStatus = ("online" | "busy" | "away" | "offline" | (string & {}));

export type PresenceStatusInput = ("online" | "busy" | "away" | "offline");

export type Priority = ("low" | "normal" | "high" | "urgent" | (string & {}));

export type PriorityChangedContent = {
  /** The urgency before. */
  from: Priority;
  /** The urgency now. */
  to: Priority;
};

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
  /** The staff's view of it, while it waits. */
  conversation?: Conversation;
  /** The conversation. */
  conversation_id: ConversationId;
  /** Whether it waits now. */
  waiting: boolean;
};

export type QueuePlaceNotice = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** How long it will still wait, in seconds; null when that cannot be said. */
  estimated_wait_seconds: (number | null);
  /** Its place among those of its group, or of no group: 1 is served next. */
  position: number;
  /** Since when it waits. */
  waiting_since: Millis;
};

export type RatedContent = {
  /** Whether it was rated before, and the customer thinks otherwise now. */
  changed: boolean;
  /** The entry with which the conversation ended: which of its ends is rated. */
  close_seq: number;
  /** Why, when that was said. */
  comment?: string;
  /** From 1 to 5. */
  score: number;
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
  /** Send `auth` with a fresh token before this. Of an API key: when it ends, or null. */
  token_expires_at: (string | null);
  /** Unread messages in all conversations together. */
  unread_total: number;
};

export type Receipt = {
  /** The conversation. */
  conversation_id: ConversationId;
  /** How far the log has reached the visitor. */
  customer_delivered_seq?: number;
  /** How far the visitor has read. */
  customer_read_seq?: number;
  /** One member's delivered position. */
  delivered?: MemberPosition;
  /** How far the log has reached any of the staff. */
  staff_delivered_seq?: number;
  /** How far any of the staff has read. */
  staff_read_seq?: number;
};

export type RemarkContent = {
  /** The kind of the notice that this explains: `assigned`, `docked`, `handed_off`, `released`, `closed` or `offered`. */
  about: EntryKind;
  /** What the staff said; may be empty when a reason stands by itself. */
  note: string;
  /** Of `released`: how the assignment ended, when nobody released it. */
  reason?: AssignmentEnd;
  /** Of a transfer: why, in one word, when that was said. */
  transfer_reason?: TransferReason;
};

export type Reset = {
  /** Of everything, the cursor included. */
  all: boolean;
  /** Of this conversation. */
  conversation_id?: ConversationId;
  /** Why. */
  reason: ResetReason;
};

export type ResetReason = ("removed" | "unwatched" | "cursor_reset" | (string & {}));

export type Role = ("customer" | "bot" | "agent" | "supervisor" | "admin" | (string & {}));

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

export type SetPresence = {
  /** Why, for the staff; at most 200 characters. Absent: no reason. */
  reason?: string;
  /** What one is. */
  status: PresenceStatusInput;
};

export type SkillsChangedContent = {
  /** All skills that the agent should have. */
  preferred_skills: string[];
  /** All skills that the agent must have. */
  required_skills: string[];
};

export type SlaContent = {
  /** When its target is, or was, missed. */
  due_at: Millis;
  /** What the clock measures. */
  metric: SlaMetric;
  /** The policy that sets its target. */
  policy_id: SlaPolicyId;
  /** What the policy is called. */
  policy_name: string;
  /** Since when it runs. */
  started_at: Millis;
  /** The entry of the conversation's log with which it began. */
  started_seq: number;
};

export type SlaMetric = ("first_response" | "next_response" | "resolution" | (string & {}));

export type SlaPolicyId = string;

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
  /** Notifications of this time, made or read, in order of rev: the newest 100. */
  notifications: Notification[];
  /** In order of rev. */
  rows: InboxRow[];
};

export type TagsChangedContent = {
  /** All labels that the conversation has now. */
  tags: string[];
};

export type TextContent = {
  /** 1 to 16,384 bytes of UTF-8, not only white space. */
  text: string;
};

export type TextContentInput = {
  /** 1 to 16,384 bytes of UTF-8, not only white space. */
  text: string;
};

export type TransferReason = ("wrong_department" | "escalation" | "language" | "shift_end" | "customer_request" | "other" | (string & {}));

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

export type Watch = {
  /** At most 200 in all. A conversation brings its notes with it when one may read them. */
  conversations?: ConversationId[];
  /** Staff: the conversations that wait, as far as one sees them. */
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
  "message.stream": MessageStream;
  "read": Read;
  "mark_unread": MarkUnread;
  "pull": Pull;
  "sync": Sync;
  "watch": Watch;
  "unwatch": Watch;
  "presence": SetPresence;
  "typing": Typing;
  "ping": PingInput;
  "pong": PingInput;
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
  "presence": PresenceNotice;
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
  | { type: "message_stream"; reply_to?: FrameId; cursor?: string; data: MessageStreamNotice }
  | { type: "presence"; reply_to?: FrameId; cursor?: string; data: PresenceNotice }
  | { type: "offer"; reply_to?: FrameId; cursor?: string; data: OfferNotice }
  | { type: "notification"; reply_to?: FrameId; cursor?: string; data: Notification }
  | { type: "queue_place"; reply_to?: FrameId; cursor?: string; data: QueuePlaceNotice }
  | { type: "queue"; reply_to?: FrameId; cursor?: string; data: QueueNotice }
  | { type: "group"; reply_to?: FrameId; cursor?: string; data: GroupNotice }
  | { type: "lag"; reply_to?: FrameId; cursor?: string; data: Lag }
  | { type: "reset"; reply_to?: FrameId; cursor?: string; data: Reset }
  | { type: "ok"; reply_to?: FrameId; cursor?: string; data: OkReply }
  | { type: "error"; reply_to?: FrameId; cursor?: string; data: ErrorReply }
  | { type: "ping"; reply_to?: FrameId; cursor?: string; data: Ping }
  | { type: "pong"; reply_to?: FrameId; cursor?: string; data: Ping }
  | { type: "bye"; reply_to?: FrameId; cursor?: string; data: Bye };
