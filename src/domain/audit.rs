//! The audit log: what administrators, supervisors and programs did to accounts, settings and rules, as it is kept. No I/O.
//!
//! Owns what an act tells: before and after, only what changed, and nothing that is secret. What happens in conversations
//! is told by their own logs. Invariants: an act is stored in the transaction that did it, so that neither is without the
//! other; nobody changes or deletes what is stored, but the time after which it is forgotten.

use std::net::IpAddr;

use diesel::prelude::*;
use serde_json::{Map, Value};

use super::actor::{Actor, Principal};
use crate::db::schema::audit_event;
use crate::kernel::{ApiKeyId, AuditEventId, MemberId, TenantId, trace};
use crate::text_enum;

/// Longest text of a field that is kept whole, in characters; of longer ones the beginning is kept.
const TEXT_MAX: usize = 1_000;

text_enum! {
    /// What was done.
    AuditAction {
        /// It was made.
        Create = "create",
        /// It was changed.
        Update = "update",
        /// It was deleted, or somebody was taken out.
        Delete = "delete",
        /// It was revoked, for ever.
        Revoke = "revoke",
        /// A password was set by somebody else than its owner.
        SetPassword = "set_password",
        /// The locks of failed sign-ins were taken away.
        Unlock = "unlock",
        /// Its secret was replaced.
        RotateSecret = "rotate_secret",
        /// A draft was published.
        Publish = "publish",
        /// Its content was handed out.
        Download = "download",
        /// It was called back before it went out.
        Cancel = "cancel",
        /// It is sent again.
        Retry = "retry",
        /// Somebody said what became of it.
        Resolve = "resolve",
        /// It was applied again to what happened before.
        Replay = "replay",
        /// It was sent once, to try it.
        TestSend = "test_send",
        /// Another system's data came in.
        Import = "import",
    }
}

text_enum! {
    /// What something was done to.
    AuditTarget {
        /// The tenant's name, settings or state.
        Tenant = "tenant",
        /// A key with which the tenant signs who its visitors are.
        IdentityKey = "identity_key",
        /// An account.
        Member = "member",
        /// A key of a service account.
        ApiKey = "api_key",
        /// A group of the staff.
        Group = "group",
        /// A member of a group; the facts name the group.
        GroupMember = "group_member",
        /// Business hours.
        BusinessHours = "business_hours",
        /// Whom the tenant does not let in.
        Ban = "ban",
        /// An SLA policy.
        SlaPolicy = "sla_policy",
        /// A custom attribute of conversations or customers.
        Attribute = "attribute",
        /// A filter of conversations that the staff share. One that is shared no more counts as deleted.
        SavedFilter = "saved_filter",
        /// A text that the staff have ready, of the tenant or of a group.
        CannedReply = "canned_reply",
        /// Where messages of the message centre go.
        ChannelAccount = "channel_account",
        /// A template of the message centre.
        MessageTemplate = "message_template",
        /// A rule of the message centre.
        MessageRule = "message_rule",
        /// A message recipient.
        MessageRecipient = "message_recipient",
        /// What a person does not want to be told.
        MessageOptOut = "message_opt_out",
        /// An address to which nothing is sent.
        MessageSuppression = "message_suppression",
        /// A message of the message centre.
        MessageSend = "message_send",
        /// Who a person is to a channel account.
        MessageIdentity = "message_identity",
        /// The erasure of a person's data.
        Erasure = "erasure",
        /// An export of the tenant's or of a person's data.
        Export = "export",
    }
}

/// A row of `audit_event`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_event, treat_none_as_default_value = false)]
pub struct AuditEventRow {
    /// The event.
    pub id: AuditEventId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who did it; `None`: the operator, or somebody who is no member, as who makes a tenant.
    pub actor_id: Option<MemberId>,
    /// Its name at that time.
    pub actor_name: String,
    /// With which key, if a program did it.
    pub api_key_id: Option<ApiKeyId>,
    /// What was done.
    pub action: AuditAction,
    /// What it was done to.
    pub target_type: AuditTarget,
    /// Which one.
    pub target_id: i64,
    /// A JSON object: what changed, as it was.
    pub facts_before: String,
    /// A JSON object: what changed, as it is.
    pub facts_after: String,
    /// From which address; empty when that is not known.
    pub ip: String,
    /// In which request; empty when in none.
    pub request_id: String,
    /// When, unix milliseconds.
    pub created_at: i64,
}

/// Something that acts are done to.
pub trait Audited {
    /// What it is.
    const TARGET: AuditTarget;

    /// Which one it is.
    fn audit_id(&self) -> i64;

    /// What the audit log tells of it: an object. Of secrets only whether they are set.
    fn audit_facts(&self) -> Value;
}

/// One act.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// What was done.
    pub action: AuditAction,
    /// What it was done to.
    pub target: AuditTarget,
    /// Which one.
    pub id: i64,
    /// What changed, as it was.
    pub before: Map<String, Value>,
    /// What changed, as it is.
    pub after: Map<String, Value>,
}

impl Act {
    /// It was made.
    pub fn created<T: Audited>(row: &T) -> Self {
        Self { after: facts(row), ..Self::done(AuditAction::Create, row) }
    }

    /// It was changed; `None` when nothing differs that the audit log tells.
    pub fn updated<T: Audited>(before: &T, after: &T) -> Option<Self> {
        let (mut was, mut is) = (facts(before), facts(after));
        was.retain(|name, value| is.get(name) != Some(value));
        is.retain(|name, _| was.contains_key(name));
        let act = Self::done(AuditAction::Update, after);
        (!was.is_empty()).then_some(Self { before: was, after: is, ..act })
    }

    /// This was done to it, with what changed of it.
    pub fn with_change<T: Audited>(action: AuditAction, before: &T, after: &T) -> Self {
        let changed = Self::updated(before, after).unwrap_or_else(|| Self::done(action, after));
        Self { action, ..changed }
    }

    /// It was deleted.
    pub fn deleted<T: Audited>(row: &T) -> Self {
        Self { before: facts(row), ..Self::done(AuditAction::Delete, row) }
    }

    /// Something was done to it that changes nothing which is told.
    pub fn done<T: Audited>(action: AuditAction, row: &T) -> Self {
        Self { action, target: T::TARGET, id: row.audit_id(), before: Map::new(), after: Map::new() }
    }
}

fn facts<T: Audited>(row: &T) -> Map<String, Value> {
    let Value::Object(mut facts) = row.audit_facts() else { return Map::new() };
    facts.values_mut().for_each(cut);
    facts
}

/// Cuts what is long. A JSON value that is, becomes the beginning of its text.
fn cut(value: &mut Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        _ => return,
    };
    if text.chars().count() > TEXT_MAX {
        let beginning: String = text.chars().take(TEXT_MAX).collect();
        *value = Value::String(beginning + "…");
    }
}

/// Who does something, from where and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doer {
    /// In which tenant.
    pub tenant: TenantId,
    /// Who; `None`: the operator.
    pub member: Option<MemberId>,
    /// With which key.
    pub api_key: Option<ApiKeyId>,
    address: Option<IpAddr>,
    request_id: String,
}

impl Doer {
    /// The one on whose behalf the present request is done.
    pub fn of(actor: &Actor) -> Self {
        let request_id = trace::request_id().map(|id| id.to_string()).unwrap_or_default();
        Self::in_request(&Principal::Member(*actor), request_id)
    }

    /// Somebody who is no member of this tenant, in the present request, from this address.
    pub fn stranger(tenant: TenantId, address: Option<IpAddr>) -> Self {
        let request_id = trace::request_id().map(|id| id.to_string()).unwrap_or_default();
        Self { address, ..Self::in_request(&Principal::Operator(tenant), request_id) }
    }

    /// The one on whose behalf something is done in this request; empty: in none.
    pub fn in_request(principal: &Principal, request_id: String) -> Self {
        let actor = match principal {
            Principal::Member(actor) => Some(actor),
            Principal::System(_) | Principal::Operator(_) => None,
        };
        Self {
            tenant: principal.tenant(),
            member: principal.member(),
            api_key: actor.and_then(Actor::api_key),
            address: actor.and_then(|actor| actor.origin.address),
            request_id,
        }
    }

    /// What is stored of an act of this one, who is called so, at this time (unix milliseconds).
    pub fn event(&self, id: AuditEventId, name: &str, now: i64, act: Act) -> AuditEventRow {
        AuditEventRow {
            id,
            tenant_id: self.tenant,
            actor_id: self.member,
            actor_name: name.to_owned(),
            api_key_id: self.api_key,
            action: act.action,
            target_type: act.target,
            target_id: act.id,
            facts_before: Value::Object(act.before).to_string(),
            facts_after: Value::Object(act.after).to_string(),
            ip: self.address.map(|address| address.to_canonical().to_string()).unwrap_or_default(),
            request_id: self.request_id.clone(),
            created_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    struct Thing(Value);

    impl Audited for Thing {
        const TARGET: AuditTarget = AuditTarget::Ban;

        fn audit_id(&self) -> i64 {
            7
        }

        fn audit_facts(&self) -> Value {
            self.0.clone()
        }
    }

    #[test]
    fn only_what_changed_is_told() {
        let before = Thing(json!({"name": "a", "end": null, "tags": [1]}));
        let after = Thing(json!({"name": "a", "end": 5, "tags": [1, 2]}));
        let act = Act::updated(&before, &after).unwrap();
        assert_eq!(json!(act.before), json!({"end": null, "tags": [1]}));
        assert_eq!(json!(act.after), json!({"end": 5, "tags": [1, 2]}));
        assert_eq!((act.action, act.target, act.id), (AuditAction::Update, AuditTarget::Ban, 7));
        assert_eq!(Act::updated(&before, &before), None);
        assert_eq!(json!(Act::created(&after).after), after.0);
        assert_eq!(json!(Act::deleted(&before).before), before.0);
    }

    #[test]
    fn what_is_long_is_cut() {
        let long = "好".repeat(TEXT_MAX + 1);
        let act = Act::created(&Thing(json!({"text": long, "list": [long], "fits": "x".repeat(TEXT_MAX)})));
        for name in ["text", "list"] {
            let text = act.after[name].as_str().unwrap();
            assert_eq!((text.chars().count(), text.ends_with('…')), (TEXT_MAX + 1, true), "{name}");
        }
        assert_eq!(act.after["fits"].as_str().unwrap().len(), TEXT_MAX);
    }
}
