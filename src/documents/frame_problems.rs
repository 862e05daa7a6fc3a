//! Which problems an `error` that answers a frame may name. Owns the one table; a test holds every `error` of the whole
//! suite against it (`tests/api/harness/documented.rs`).
//!
//! To add a client frame: give it a line in [`own`], the one of the operation that does the same if there is one.

use super::problems;
use crate::gateway::protocol::table::{Allowed, ClientFrame, Effect};
use crate::kernel::Code;
use crate::kernel::Code::{
    AccountDisabled, AddressNotAllowed, ApiKeyExpired, ApiKeyInvalid, Banned, Busy, CursorReset, Draining,
    Forbidden, Internal, InvalidParameter, LimitReached, NotAMember, NotFound, NotInControl, NotReady,
    RateLimited, SessionRevoked, StorageUnavailable, TenantBusy, TenantSuspended, TokenExpired, TokenInvalid,
    Unsupported, ValidationFailed,
};

/// The codes that this frame is refused with beside the shared ones; `None` for a frame without a line.
pub fn own(frame: &str) -> Option<&'static [Code]> {
    match frame {
        "hello" => Some(&[
            InvalidParameter,
            Forbidden,
            ApiKeyInvalid,
            ApiKeyExpired,
            AddressNotAllowed,
            TokenInvalid,
            TokenExpired,
            SessionRevoked,
            AccountDisabled,
            Banned,
            TenantSuspended,
            LimitReached,
            Unsupported,
            Busy,
            StorageUnavailable,
        ]),
        "auth" => Some(&[
            Forbidden,
            TokenInvalid,
            TokenExpired,
            SessionRevoked,
            AccountDisabled,
            Banned,
            TenantSuspended,
        ]),
        "message.send" => problems::own("send_message"),
        "message.edit" => problems::own("edit_message"),
        "message.recall" => problems::own("recall_message"),
        "read" => problems::own("read_conversation"),
        "mark_unread" => problems::own("mark_conversation_unread"),
        "presence" => problems::own("set_presence"),
        "pull" => problems::own("list_entries"),
        "sync" => Some(&[InvalidParameter, CursorReset]),
        "watch" => Some(&[Forbidden, NotFound, LimitReached]),
        "typing" => Some(&[NotAMember, NotFound]),
        "message.stream" => Some(&[Forbidden, LimitReached, NotAMember, NotFound, NotInControl]),
        "unwatch" | "ping" | "pong" => Some(&[]),
        _ => None,
    }
}

/// Every code that a frame may be refused with, in the order of the table of codes.
pub fn codes(frame: &ClientFrame) -> Vec<Code> {
    let mut all = vec![ValidationFailed, RateLimited, Internal];
    all.extend(own(frame.name).unwrap_or_default());
    match frame.allowed {
        Allowed::Always | Allowed::AwaitingHello => {}
        Allowed::Live => all.extend([NotReady, Draining]),
        Allowed::Draining => all.push(NotReady),
    }
    match frame.effect {
        Effect::Control => {}
        Effect::Read => all.extend([Busy, StorageUnavailable, Draining]),
        Effect::Write | Effect::Collected => {
            all.extend([Busy, StorageUnavailable, Draining, TenantBusy]);
            all.extend([AccountDisabled, Banned, TenantSuspended, SessionRevoked]);
        }
    }
    Code::ALL.iter().copied().filter(|code| all.contains(code)).collect()
}
