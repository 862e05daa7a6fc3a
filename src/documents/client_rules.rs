//! What a client does so that the promises hold on its side of the socket too, and which test holds each rule. Part of
//! the AsyncAPI document, also as `x-client-rules`.

/// A rule for clients.
#[derive(Debug, Clone, Copy)]
pub struct ClientRule {
    /// Its name.
    pub name: &'static str,
    /// What a client does.
    pub rule: &'static str,
    /// What holds it: `conform: …` is a scenario of `deskwire conform`, `client: …` a test of `clients/typescript`
    /// against a real server.
    pub held_by: &'static [&'static str],
}

/// The rules, in the order in which a client meets them.
pub const CLIENT_RULES: &[ClientRule] = &[
    ClientRule {
        name: "outbox",
        rule: "Store a message with its client_msg_id locally before it is sent for the first time, and remove it only \
         when its `ok` (or its own `entry`) has come. After a lost connection send what is left in the old order with \
         the same client_msg_id: it arrives once. An error with retryable = false ends the try; a new try by the \
         user gets a new client_msg_id.",
        held_by: &[
            "conform: no answer",
            "conform: cut after send",
            "conform: refusals",
            "conform: killed",
            "conform: bye",
            "client: a connection that is cut",
        ],
    },
    ClientRule {
        name: "order",
        rule: "Keep for every conversation the last seq without a hole before it. An entry with a seq up to it is known \
         already; the next one is applied and stored together with the position; a later one is kept aside while \
         `pull` brings what lies between.",
        held_by: &[
            "conform: hole",
            "conform: two conversations",
            "conform: resume",
            "client: a server that is killed",
        ],
    },
    ClientRule {
        name: "tail",
        rule: "An inbox row (or a pull, watch or entries head) with a higher seq than the own position means that entries \
         are missing at the end: pull them. A lost last message is found by any later row.",
        held_by: &["conform: lost tail", "conform: lag"],
    },
    ClientRule {
        name: "identity",
        rule: "(conversation_id, seq) is an entry's identity. The own message may come as `entry` before its `ok`: match \
         both to the outbox by client_msg_id and show it once.",
        held_by: &["conform: duplicates", "conform: entries before rows"],
    },
    ClientRule {
        name: "cursor",
        rule: "Store a cursor from `live`, from `sync` replies and from durable frames, and never between `lag` and the \
         `sync` reply with more = false. A cursor from `ready` is only good to begin a `sync` with. An entry may come before the `inbox` row that \
         tells what the same change did to the conversation: its cursor stays before that row, so it may be stored as \
         it is. A cursor belongs \
         to one member: with another member's token (also after a visitor was recognised as a known customer) it is \
         answered with `cursor_reset`, and the client starts without a cursor.",
        held_by: &["conform: lag", "conform: resume", "conform: entries before rows", "conform: killed"],
    },
    ClientRule {
        name: "new conversations",
        rule: "A conversation that a client meets for the first time starts at the seq of its row in `ready`, or of its \
         `inbox` row, which comes before its first entry; older entries are read with `pull` or over REST when \
         somebody wants to see them.",
        held_by: &["conform: new conversation", "conform: removed"],
    },
    ClientRule {
        name: "watches",
        rule: "Watches end with the socket, and with `reset` of reason `unwatched`; after a `lag` with `all` watch again. \
         `queue`, `presence`, `typing`, `message_stream` and `receipt` frames are not durable: after connecting read the waiting \
         conversations and the presence of colleagues over REST, and let `queue` and `presence` frames change them.",
        held_by: &["conform: watches"],
    },
    ClientRule {
        name: "unread",
        rule: "Show the row's `unread`, and count on by yourself: later messages of others in that conversation add one \
         (compare `msg_count`), a recalled unread one takes one away. The next row replaces the number.",
        held_by: &["conform: unread"],
    },
    ClientRule {
        name: "read",
        rule: "Send `read` with what was displayed, not with what was received, and give the same seq as `read_seq` when \
         sending: an answer never marks unseen messages read. `read_ver` is that of the last row.",
        held_by: &["conform: read"],
    },
    ClientRule {
        name: "notices",
        rule: "Edits and recalls are entries of their own with `ref_seq`; fetch the changed message by `pull` with \
         after_seq = ref_seq - 1 and limit 1. A recalled message has no content any more: drop the local copy of \
         its words. A `pull` that is refused without a `reset` met a moment in which the conversation was not one's own: \
         keep what is there, and pull again what is missing or changed after the next `inbox` row of it.",
        held_by: &["conform: notices", "conform: refused pull"],
    },
    ClientRule {
        name: "erasure",
        rule: "On an entry of the kind `erased` drop what is kept of the entries up to its `through_seq`: words, names of \
         customers, attachments and drafts, for good. An answer that was on its way meanwhile brings none of it back. Whoever \
         wants to see those entries reads them again: they keep their places and have `erased_at`.",
        held_by: &["conform: erasure", "conform: erasure meets pull"],
    },
    ClientRule {
        name: "reset",
        rule: "On `reset` drop the local copy of the conversation, or of everything when `all` is set, the cursor \
         included.",
        held_by: &["conform: removed", "conform: cursor refused"],
    },
    ClientRule {
        name: "reconnect",
        rule: "After `bye` wait after_ms plus a random part of spread_ms. Without one, wait a random part of \
         min(30 s, 0.5 s · 2^n) at the n-th try, and start again with n = 0 after a minute of quiet. Close codes of \
         4500 and above: do not connect again by yourself.",
        held_by: &[
            "conform: bye",
            "conform: closed for good",
            "conform: cut before ready",
            "conform: cut again and again",
            "conform: refused upgrade",
        ],
    },
    ClientRule {
        name: "silence",
        rule: "Connect again when no frame has come for `silence` milliseconds (`ready.limits`): the server pings more \
         often than that. Before `ready`, when nothing has come for 30 seconds.",
        held_by: &["conform: silence", "conform: silent hello"],
    },
    ClientRule {
        name: "no answer",
        rule: "A command whose `ok` or `error` has not come within `answer` milliseconds (`ready.limits`), or before the \
         connection ended, has an unknown outcome. Send it again, on this connection or the next, with the same \
         client_msg_id: it is done once, and the answer tells the first outcome. While the server shuts down, \
         `pull` and `sync` still work; what writes gets `draining` and is sent again elsewhere.",
        held_by: &[
            "conform: cut after send",
            "conform: no answer",
            "conform: slow answer",
            "conform: draining",
            "conform: refusals",
        ],
    },
    ClientRule {
        name: "closing",
        rule: "A client that says Close gets its code back and then the end of the connection. Everything that the server \
         closes, it closes with `bye` and a code of the table; without either the connection was lost: reconnect.",
        held_by: &["conform: cut again and again", "conform: close without bye"],
    },
    ClientRule {
        name: "token",
        rule: "Send `auth` with a fresh access token before `token_expires_at`; the socket stays. It is null for an API key \
         without an end; an API key is not renewed.",
        held_by: &["conform: token", "client: a token that ends"],
    },
    ClientRule {
        name: "refresh",
        rule: "Store a new refresh token before the old one is forgotten, and send the old one again when the answer was \
         lost. Tabs and processes that share a session share its newest refresh token: take a lock, read the stored \
         token, refresh, store, release. Two that refresh at once stay signed in, as long as the second one uses its \
         token within 60 seconds after the first; a token used later than that ends the session.",
        held_by: &["conform: refresh", "client: tabs that share a session"],
    },
    ClientRule {
        name: "waking up",
        rule: "When the device wakes up or changes its network, send `ping` with a new nonce and connect again when its \
         `pong` does not come within three seconds. Answer every `ping` of the server.",
        held_by: &["conform: waking up", "conform: silence"],
    },
    ClientRule {
        name: "growth",
        rule: "Ignore fields, frame types, entry kinds and other enum values that you do not know. The server refuses \
         unknown fields in what you send.",
        held_by: &["conform: growth"],
    },
];
