//! Errors as values. Owns the one table of error codes (name, HTTP status, whether repeating can help, meaning)
//! and the error type that services return. Does not own how an error looks on the wire (`http::problem`,
//! `gateway`).

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use serde::Serialize;

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! codes {
    ($($variant:ident $name:literal $status:literal $retryable:literal $meaning:literal;)+) => {
        /// What went wrong, for programs. The table below is the only source of codes, statuses and meanings;
        /// the OpenAPI and AsyncAPI documents list it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each variant's meaning is its row of the table")]
        pub enum Code { $($variant,)+ }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The code as clients see it.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)+ }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)+ }
            }

            /// Whether the very same request may succeed later.
            pub const fn retryable(self) -> bool {
                match self { $(Code::$variant => $retryable,)+ }
            }

            /// One sentence for people.
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)+ }
            }
        }
    };
}

codes! {
    MalformedJson "malformed_json" 400 false "The body or frame is not valid JSON in UTF-8.";
    InvalidParameter "invalid_parameter" 400 false "A path or query parameter, or a header, has a wrong form.";
    Unauthenticated "unauthenticated" 401 false "No access token was given.";
    TokenInvalid "token_invalid" 401 false "The token is malformed, forged, or signed with an unknown key.";
    TokenExpired "token_expired" 401 false "The token has expired: refresh it.";
    SessionRevoked "session_revoked" 401 false "The session was signed out, revoked, or its refresh token was used twice.";
    ApiKeyInvalid "api_key_invalid" 401 false "There is no such API key, or it was revoked.";
    ApiKeyExpired "api_key_expired" 401 false "The API key has ended: make another one.";
    InvalidCredentials "invalid_credentials" 401 false "Tenant, name and password do not fit together.";
    Forbidden "forbidden" 403 false "You may see this but may not do that.";
    NotAMember "not_a_member" 403 false "Only members of the conversation may do this: claim it while it waits, or have a member or a supervisor add you.";
    NotAssignee "not_assignee" 403 false "Only the agent who serves the conversation may write in it; context.agent_id says who. Notes are open to all who are in it.";
    AccountLocked "account_locked" 403 false "Too many failed sign-ins; the lock ends by itself.";
    AccountDisabled "account_disabled" 403 false "The account is disabled, expired or deleted.";
    Banned "banned" 403 false "The tenant lets this customer in no more: it is banned by its account, its e-mail address, its device, or the address or network that it comes from.";
    TenantSuspended "tenant_suspended" 403 false "The tenant is suspended.";
    AddressNotAllowed "address_not_allowed" 403 false "The API key may not be used from this address.";
    OriginRefused "origin_refused" 403 false "This Origin is not on the allow-list.";
    NotFound "not_found" 404 false "There is nothing here that you may see.";
    MethodNotAllowed "method_not_allowed" 405 false "The path exists, with other methods: see Allow.";
    RequestTimeout "request_timeout" 408 true "The body took too long to arrive; the connection ends. Send the request again.";
    IdempotencyConflict "idempotency_conflict" 409 false "This client_msg_id or Idempotency-Key was used for another body.";
    InvalidTransition "invalid_transition" 409 false "The present state does not allow this.";
    AlreadyAssigned "already_assigned" 409 false "Another agent holds the conversation; context.agent_id says who.";
    NotInControl "not_in_control" 409 false "The bot does not answer this customer now, or the conversation has changed since the version on which the answer is based; context.version and context.status say where it stands.";
    AgentFull "agent_full" 409 false "The agent serves as many conversations as it accepts; context.current_accept and context.max_accept say how many.";
    OfferEnded "offer_ended" 409 false "The offer was answered, ran out or was withdrawn; context.status says where the conversation stands.";
    QueueFull "queue_full" 409 true "So many conversations wait that no more are taken in; context.waiting and context.limit say how many. Try again later.";
    QueueClosed "queue_closed" 409 true "The tenant takes in no conversations at the moment. Try again later.";
    AgentAbsent "agent_absent" 409 false "The agent is not there: context.effective_status says what it is. Supervisors may transfer all the same, but not offer.";
    TransferLoop "transfer_loop" 409 false "The conversation goes in circles: it was transferred too often within an hour, or would go straight back without a message between. Supervisors may assign it or take it over.";
    OfferPending "offer_pending" 409 false "The conversation is offered to another agent; context.agent_id and context.expires_at say to whom and until when. Withdraw that offer first.";
    GroupEmpty "group_empty" 409 false "Nobody in the group could serve the conversation: it has no member with a usable account, or, for a transfer, none but the one who serves it now.";
    OpenConversationExists "open_conversation_exists" 409 false "The customer has another open conversation; context.conversation_id says which.";
    ConversationClosed "conversation_closed" 409 false "The conversation is closed; context.open_conversation_id names the open one, if there is one that you may see.";
    ReopenExpired "reopen_expired" 409 false "The customer may reopen this conversation no longer: open a new one; context.closed_at says when it ended.";
    RatingEnded "rating_ended" 409 false "The time in which this conversation could be rated, or its rating changed, is over, or the link is about an earlier end of it.";
    NotAnswered "not_answered" 409 false "Nobody of the staff wrote in this conversation since it was opened or reopened, so that there is nothing to rate.";
    AttachmentsOff "attachments_off" 409 false "This service keeps no files: its operator has not said where.";
    AttachmentNotReady "attachment_not_ready" 409 false "The content of the attachment has not come yet: upload it first.";
    AttachmentInfected "attachment_infected" 422 false "The scanner found something harmful in the content, which was not kept.";
    ExportUnfinished "export_unfinished" 409 false "An export of this tenant is under way; context.export_id says which. Wait for it, or cancel it.";
    ExportNotReady "export_not_ready" 409 false "The export is not done yet: read it until its state is done.";
    ExportEnded "export_ended" 409 false "The export has no file any more, or never had one: ask for another export.";
    UploadMismatch "upload_mismatch" 422 false "The content is not what was announced: its size or its SHA-256 differs, or it is not the content that came before.";
    WindowExpired "window_expired" 409 false "The time in which this message could be edited or recalled is over.";
    MessageRecalled "message_recalled" 409 false "The message was recalled or erased and cannot be edited.";
    StaleEdit "stale_edit" 409 false "The message was edited after the version that this edit is based on; context.edited_at says when.";
    NameTaken "name_taken" 409 false "The slug, login name, external id, key id or name of a group is in use.";
    InUse "in_use" 409 false "Something else needs this: remove that first.";
    LimitReached "limit_reached" 409 false "A limit on how many there may be is reached.";
    LastAdmin "last_admin" 409 false "The tenant would be left without an administrator, or without one whose account has no end: make another one first.";
    LastManager "last_manager" 409 false "The group would be left without a manager: an administrator must take this one out, or appoint another first.";
    CursorReset "cursor_reset" 410 false "The cursor belongs to another member or another history, or lies beyond the head: start without a cursor.";
    VersionMismatch "version_mismatch" 412 false "The conversation is not at a version that If-Match names; context says where it stands.";
    PayloadTooLarge "payload_too_large" 413 false "The body or frame is larger than the limit.";
    QuotaExceeded "quota_exceeded" 413 false "The tenant keeps as many bytes of files as it may; context.bytes and context.quota say how many.";
    FileTypeRefused "file_type_refused" 415 false "Files of this type are not taken. The content decides, not the name.";
    UnsupportedMediaType "unsupported_media_type" 415 false "Send Content-Type: application/json, without Content-Encoding.";
    RangeNotSatisfiable "range_not_satisfiable" 416 false "The content has no such part: see Content-Range.";
    ValidationFailed "validation_failed" 422 false "The JSON is well formed but a field is missing, unknown or wrong; errors says which.";
    RateLimited "rate_limited" 429 true "Too many requests from this address or member; wait for Retry-After.";
    TenantBusy "tenant_busy" 429 true "This tenant's share of the write queue is full; wait for Retry-After.";
    Unsupported "unsupported" 400 false "This frame type is not known.";
    NotReady "not_ready" 400 true "The socket is not live yet: send hello first and wait for ready.";
    ProviderFailed "provider_failed" 502 true "The provider did not do what it was asked, and nothing changed; context.outcome says of which kind that was.";
    Internal "internal" 500 true "The server failed; the request id leads to the log.";
    Busy "busy" 503 true "The write queue or the database is busy; repeat with the same client_msg_id.";
    StorageUnavailable "storage_unavailable" 503 true "The database cannot be reached or cannot write (full disk, read-only).";
    ScannerUnavailable "scanner_unavailable" 503 true "The content could not be scanned; upload it again later.";
    Draining "draining" 503 true "The server is shutting down: connect again.";
    Unready "unready" 503 true "A part of the server is being restarted: try again.";
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Every [`FieldError::code`]; the list may grow.
pub const FIELD_CODES: &[&str] = &[
    "required",
    "unknown",
    "invalid",
    "too_short",
    "too_long",
    "out_of_range",
    "too_common",
    "read_only",
    "unchanged",
    "expired",
    "used",
    "customer_or_staff",
];

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field, such as `/content/text`.
    pub pointer: String,
    /// For programs: what is wrong.
    #[schema(schema_with = field_codes)]
    pub code: Cow<'static, str>,
    /// One sentence for people.
    pub detail: String,
}

fn known_words(words: impl Iterator<Item = &'static str>) -> utoipa::openapi::schema::Object {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

fn field_codes() -> utoipa::openapi::schema::Object {
    let mut schema = known_words(FIELD_CODES.iter().copied());
    schema.description = Some("For programs: what is wrong.".to_owned());
    schema
}

/// The schema of a field that holds a [`Code`].
pub fn codes_schema() -> utoipa::openapi::schema::Object {
    let mut schema = known_words(Code::ALL.iter().map(|code| code.name()));
    schema.description =
        Some("What went wrong, for programs; the table of codes says what it means.".to_owned());
    schema
}

/// An error on its way to a client or a log.
#[derive(Debug)]
pub struct Error {
    /// What went wrong, for programs.
    pub code: Code,
    /// What went wrong, for people; shown to clients as [`Error::public_detail`] says.
    pub detail: Cow<'static, str>,
    /// Which fields are wrong.
    pub fields: Vec<FieldError>,
    /// The present state that the client needs to go on, such as the holder of a conversation.
    pub context: serde_json::Map<String, serde_json::Value>,
    /// When to repeat, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The cause, for the log only.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Where it was made, for the log only.
    pub at: &'static Location<'static>,
}

impl Error {
    /// An error with its code and a sentence.
    #[track_caller]
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            context: serde_json::Map::new(),
            retry_after_ms: None,
            source: None,
            at: Location::caller(),
        }
    }

    /// A failure of ours; the text goes to the log only.
    #[track_caller]
    pub fn internal(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Internal, detail)
    }

    /// There is nothing here that the caller may see.
    #[track_caller]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, Code::NotFound.meaning())
    }

    /// One wrong field.
    #[track_caller]
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        let field = FieldError { pointer: pointer.into(), code: code.into(), detail: detail.into() };
        let mut error = Self::new(Code::ValidationFailed, field.detail.clone());
        error.fields.push(field);
        error
    }

    /// What clients are told. A failure of ours and the store's own words stay inside: they would name hosts, ports,
    /// files and statements.
    pub fn public_detail(&self) -> &str {
        match self.code {
            Code::Internal | Code::StorageUnavailable => self.code.meaning(),
            _ => &self.detail,
        }
    }

    /// Adds a member to `context`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.context.insert(name.to_owned(), value);
        }
        self
    }

    /// Says when to repeat.
    #[must_use]
    pub fn retry_after(mut self, milliseconds: u64) -> Self {
        self.retry_after_ms = Some(milliseconds);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} (at {})", self.code, self.detail, self.at)?;
        match &self.source {
            Some(source) => write!(out, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::HashSet;

    #[test]
    fn what_the_store_says_stays_inside() {
        let error =
            super::Error::new(Code::StorageUnavailable, "cannot open postgres://db.internal:5432/shop");
        assert_eq!(error.public_detail(), Code::StorageUnavailable.meaning());
        assert!(error.to_string().contains("db.internal"), "the log has it");
    }

    #[test]
    fn every_code_has_its_own_name_and_an_error_status() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.status() >= 400));
    }
}
