//! What is said on the socket: the types of every frame, the close codes and the limits. The AsyncAPI document is
//! generated from these same types and tables. No I/O. [`table`] says how to add a frame.
//!
//! Every frame is one JSON object in one text message. From the client: `{"type", "id"?, "data"}`; `id` (a string of
//! at most 64 bytes, or a number) is echoed as `reply_to` of the `ok` or `error` that answers. From the server:
//! `{"type", "reply_to"?, "cursor"?, "data"}`; `cursor` stands on durable frames (`entry`, `entries`, `inbox`,
//! `reset`) and means: everything up to it has been delivered.

pub mod client;
pub mod close;
pub mod limits;
pub mod server;
pub mod table;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use close::CloseCode;
pub use table::{CLIENT_FRAMES, SERVER_FRAMES};

/// The sub-protocol's name.
pub const SUB_PROTOCOL: &str = "deskwire.v1";

/// The client's own name for a frame; echoed as `reply_to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FrameId {
    /// At most 64 bytes.
    Text(String),
    /// Any whole number that JSON can hold.
    #[schema(value_type = i64)]
    Number(serde_json::Number),
}

impl FrameId {
    /// Whether it is short enough to be echoed.
    pub fn is_fair(&self) -> bool {
        match self {
            Self::Text(text) => text.len() <= crate::kernel::text::KEY_MAX,
            Self::Number(number) => number.is_i64() || number.is_u64(),
        }
    }
}
