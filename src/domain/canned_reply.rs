//! Canned replies: texts that the staff have ready, with what they may name. No I/O.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::centre::template::{Fault, render_text};
use crate::db::schema::canned_reply;
use crate::kernel::{CannedReplyId, MemberId, TenantId};
use crate::text_enum;

/// Most canned replies of the tenant, of a group, or of a member.
pub const CANNED_REPLIES_MAX: i64 = 500;
/// Longest shortcut, in characters.
pub const SHORTCUT_MAX: usize = 32;
/// Longest title, in characters.
pub const TITLE_MAX: usize = 100;
/// Longest text before it is rendered, in characters.
pub const CANNED_TEXT_MAX: usize = 4_000;

text_enum! {
    /// Whose a canned reply is.
    CannedReplyScope {
        /// Everybody's of the staff.
        Tenant = "tenant",
        /// A group's.
        Group = "group",
        /// One member's.
        Member = "member",
    }
}

/// A row of `canned_reply`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = canned_reply, treat_none_as_default_value = false)]
pub struct CannedReplyRow {
    /// The canned reply.
    pub id: CannedReplyId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of whom in the tenant.
    pub scope: CannedReplyScope,
    /// The group or the member; 0: of the whole tenant.
    pub scope_id: i64,
    /// What is typed for it: one word in lower case.
    pub shortcut: String,
    /// What it is called.
    pub title: String,
    /// A template for what it says.
    pub text: String,
    /// How often it was rendered for a conversation.
    pub use_count: i64,
    /// Who made it.
    pub created_by: MemberId,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it was last changed, unix milliseconds.
    pub updated_at: i64,
}

/// What a text may name of a conversation. What is not known is not there: a text that names it is not rendered.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The customer's nickname, and the merchant's own id for it.
    pub customer: Option<(String, Option<String>)>,
    /// The nickname of who answers.
    pub agent: String,
    /// The merchant's name.
    pub tenant: String,
    /// The conversation's id.
    pub conversation: String,
    /// What it is about.
    pub subject: Option<String>,
}

impl Names {
    /// Everything, with samples: what a text names that is not here is a mistake.
    fn samples() -> Self {
        let sample = || "sample".to_owned();
        Self {
            customer: Some((sample(), Some(sample()))),
            agent: sample(),
            tenant: sample(),
            conversation: "1".to_owned(),
            subject: Some(sample()),
        }
    }

    fn values(&self) -> Value {
        let mut values = json!({
            "agent": {"nickname": self.agent},
            "tenant": {"name": self.tenant},
            "conversation": {"id": self.conversation},
        });
        if let Some(subject) = self.subject.as_ref().filter(|subject| !subject.is_empty()) {
            values["conversation"]["subject"] = json!(subject);
        }
        if let Some((nickname, external_id)) = &self.customer {
            values["customer"] = json!({"nickname": nickname});
            if let Some(id) = external_id {
                values["customer"]["external_id"] = json!(id);
            }
        }
        values
    }
}

/// What a text says with these names. Errors: a text that is no template, names what is not known, or takes too much work.
pub fn rendered(text: &str, names: &Names) -> Result<String, Fault> {
    render_text(text, "/text", &names.values())
}

/// What is wrong with a text, whatever the conversation; `None` when it can be used.
pub fn fault(text: &str) -> Option<Fault> {
    rendered(text, &Names::samples()).err()
}

/// A shortcut as it is kept; `None` when it cannot be one: 1 to 32 characters in lower case without spaces and `/`.
pub fn shortcut(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let is_odd = |one: char| one.is_whitespace() || one.is_control() || one == '/';
    let fits = !text.is_empty() && text.chars().count() <= SHORTCUT_MAX && !text.contains(is_odd);
    fits.then_some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn texts_name_what_is_known() {
        let names = Names {
            customer: Some(("Eva".to_owned(), None)),
            agent: "Max".to_owned(),
            tenant: "Tea House".to_owned(),
            conversation: "7".to_owned(),
            subject: None,
        };
        let text =
            "Hello {{ customer.nickname }}, {{ agent.nickname }} of {{ tenant.name }}: {{ conversation.id }}";
        assert_eq!(rendered(text, &names).unwrap(), "Hello Eva, Max of Tea House: 7");
        for text in ["{{ customer.external_id }}", "{{ conversation.subject }}"] {
            assert_eq!(fault(text), None, "{text}");
            assert_eq!(rendered(text, &names).unwrap_err().pointer, "/text", "{text}");
        }
        assert!(rendered("{{ customer.nickname }}", &Names::default()).is_err(), "nobody to name");
        let subject = "{{ conversation.subject | default(\"your question\") }}";
        assert_eq!(rendered(subject, &names).unwrap(), "your question");
    }

    #[test]
    fn texts_that_never_say_anything_are_refused() {
        for text in [
            "{{ customer.name }}",
            "{{ order }}",
            "{{ customer.nickname",
            "{% for x in range(100000000) %}x{% endfor %}",
        ] {
            assert!(fault(text).is_some(), "{text}");
        }
        assert_eq!(fault("Have a nice day!"), None);
    }

    #[test]
    fn shortcuts_are_one_word() {
        assert_eq!(shortcut(" Hi-1 ").as_deref(), Some("hi-1"));
        assert_eq!(shortcut("退款").as_deref(), Some("退款"));
        let long = "x".repeat(SHORTCUT_MAX + 1);
        for text in ["", " ", "a b", "a/b", "a\tb", long.as_str()] {
            assert_eq!(shortcut(text), None, "{text:?}");
        }
    }
}
