//! Ground that every module stands on: ids, time, errors, secrets, text rules, supervised tasks. Knows no module, no table
//! and no web framework.

pub mod clock;
pub mod descriptors;
pub mod error;
pub mod id;
pub mod json;
pub mod looks;
pub mod network;
pub mod outbound;
pub mod secret;
pub mod tasks;
pub mod text;
pub mod ticks;
pub mod trace;
pub mod url;

pub use clock::{Clock, Millis};
pub use error::{Code, Error, FieldError, Result};
pub use id::{
    ApiKeyId, AssignmentId, AttachmentId, AttributeId, AuditEventId, BanId, BusinessHoursId, CannedReplyId,
    ChannelAccountId, ConversationId, ErasureId, ExportId, GroupId, IdGenerator, IdentityKeyId, MemberId,
    MessageBindingId, MessageDigestId, MessageEventId, MessageIdentityId, MessageReceiptId,
    MessageRecipientId, MessageRuleId, MessageSendId, MessageTemplateId, NotificationId, OfferId, OptOutId,
    PersonId, PresenceChangeId, RatingId, SavedFilterId, SessionId, SlaPolicyId, StoredFileId, SuppressionId,
    TenantId, TransferId,
};
