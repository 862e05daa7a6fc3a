//! Why the server closes a socket, and what the client does then: below 4500 connect again with full jitter, from
//! 4500 on stop and tell the user.

/// A row of the table of close codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode {
    /// The WebSocket close code.
    pub code: u16,
    /// Its name; `bye.reason` may be more exact.
    pub name: &'static str,
    /// Whether the client should connect again by itself.
    pub reconnect: bool,
    /// What the client does.
    pub advice: &'static str,
    /// When it is used.
    pub meaning: &'static str,
}

macro_rules! close_codes {
    ($($constant:ident $code:literal $name:literal $reconnect:literal $advice:literal $meaning:literal;)+) => {
        $(
            #[doc = $meaning]
            pub const $constant: CloseCode = CloseCode {
                code: $code,
                name: $name,
                reconnect: $reconnect,
                advice: $advice,
                meaning: $meaning,
            };
        )+

        /// Every code, in order.
        pub const CLOSE_CODES: &[CloseCode] = &[$($constant,)+];
    };
}

close_codes! {
    TOO_LARGE 1009 "frame_too_large" true "Connect again; do not send that frame again." "A frame was larger than the limit.";
    DRAINING 4000 "draining" true "Wait after_ms + random(spread_ms), connect again." "The server is shutting down.";
    NO_PONG 4001 "no_pong" true "Connect again." "Nothing came within ten seconds after a ping.";
    TOO_SLOW 4002 "too_slow" true "Connect again." "Nothing could be written for ten seconds.";
    INTERNAL 4003 "internal" true "Connect again with full jitter." "The server failed, or could not answer a hello within twenty seconds.";
    RATE_LIMITED 4004 "rate_limited" true "Connect again later; send less." "Frames kept coming over the limit for more than ten seconds, or a thousand of them at once; control frames count.";
    HELLO_TIMEOUT 4005 "hello_timeout" true "Connect again; send hello at once." "No hello came within five seconds.";
    TOKEN_EXPIRED 4006 "token_expired" true "Refresh the access token, then connect again." "The access token expired, or the member's role or what its API key allows changed.";
    ADDRESS_LIMIT 4007 "address_limit" true "Wait after_ms + random(spread_ms), connect again." "The client's address has too many sockets.";
    PROTOCOL_ERROR 4500 "protocol_error" false "Repair the client." "The frames break the protocol: binary messages, bad framing, or, before hello was accepted, anything that is no frame or a hello of the wrong form. After hello a frame of the wrong form gets an error and the socket lives on.";
    AUTH_FAILED 4501 "auth_failed" false "Sign in again." "The token is malformed, forged, or its session is over; or the API key is wrong, revoked, or at its end.";
    FORBIDDEN 4502 "forbidden" false "Tell the user." "The account is disabled or deleted, the customer is banned, the tenant is suspended, or the API key does not allow what a socket tells, or not from there.";
    CONNECTION_LIMIT 4504 "connection_limit" false "Close another device first." "The member has too many sockets.";
    KICKED 4505 "kicked" false "Sign in again." "The session was revoked, or the visitor was recognised as another member.";
    REPLACED 4506 "replaced" false "Do nothing: the newer socket goes on." "The same device of the same member connected again.";
}

#[cfg(test)]
mod tests {
    use super::CLOSE_CODES;

    #[test]
    fn codes_rise_and_say_by_their_number_whether_to_reconnect() {
        assert!(CLOSE_CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(CLOSE_CODES.iter().all(|row| row.reconnect == (row.code < 4500)));
    }
}
