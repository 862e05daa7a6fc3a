//! What goes into accounts: new ones and changes, checked and put in form. Nothing is written here.
//!
//! Invariant: a contact field counts as verified only when the tenant itself said it.

use super::profile::{Checker, NAME_MAX, NICKNAME_MAX};
use super::store::{MemberChange, MemberRow};
use crate::app::App;
use crate::db::types::{Json, json_text};
use crate::domain::member::{MemberStatus, Role};
use crate::kernel::{MemberId, Millis, Result, TenantId};
use crate::security::password::{Password, Queue};

/// Why a service account has no login name.
pub const NO_SIGN_IN: &str = "a service account never signs in: give it an API key";
/// How many conversations a new account accepts at once.
pub const MAX_ACCEPT_DEFAULT: i32 = 10;

/// A new account.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each is the column of its name; see `view`")]
pub struct NewMember {
    pub role: Role,
    pub login_name: Option<String>,
    pub password: Option<Password>,
    pub nickname: String,
    pub avatar: String,
    pub email: String,
    pub mobile: String,
    pub locale: String,
    pub external_id: Option<String>,
    pub parent_id: Option<MemberId>,
    pub tags: Vec<String>,
    pub skills: Vec<String>,
    pub max_accept: i32,
    pub expires_at: Option<Millis>,
    pub service_account: bool,
}

impl NewMember {
    /// An account of this role with nothing in it.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            login_name: None,
            password: None,
            nickname: String::new(),
            avatar: String::new(),
            email: String::new(),
            mobile: String::new(),
            locale: String::new(),
            external_id: None,
            parent_id: None,
            tags: Vec::new(),
            skills: Vec::new(),
            max_accept: MAX_ACCEPT_DEFAULT,
            expires_at: None,
            service_account: false,
        }
    }
}

/// What is to change; `None` leaves a field alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the column of its name; see `view`")]
pub struct Patch {
    pub role: Option<Role>,
    pub status: Option<MemberStatus>,
    pub login_name: Option<String>,
    pub nickname: Option<String>,
    pub avatar: Option<String>,
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub locale: Option<String>,
    pub external_id: Option<Option<String>>,
    pub parent_id: Option<Option<MemberId>>,
    pub tags: Option<Vec<String>>,
    pub skills: Option<Vec<String>>,
    pub max_accept: Option<i32>,
    pub expires_at: Option<Option<Millis>>,
}

/// Checks a new account and makes its row, with the password hashed; nothing is written yet. The queue is that of
/// whoever asks.
pub async fn prepare(app: &App, tenant: TenantId, new: NewMember, queue: Queue) -> Result<MemberRow> {
    let mut check = Checker::default();
    let login_name = new.login_name.map(|name| check.login_name("/login_name", &name));
    let external_id = new.external_id.map(|id| check.required_line("/external_id", &id, NAME_MAX));
    let mut nickname = check.line("/nickname", &new.nickname, NICKNAME_MAX);
    let avatar = check.avatar("/avatar", &new.avatar);
    let email = check.email("/email", &new.email);
    let mobile = check.mobile("/mobile", &new.mobile);
    let locale = check.locale("/locale", &new.locale);
    let tags = check.labels("/tags", &new.tags);
    let skills = check.labels("/skills", &new.skills);
    let max_accept = check.max_accept("/max_accept", new.max_accept);
    if new.role == Role::Bot && !new.service_account {
        check.wrong("/service_account", "required", "a bot is a service account");
    }
    if new.service_account {
        if !new.role.is_staff() {
            check.wrong("/role", "invalid", "a service account is one of the staff");
        }
        if login_name.is_some() {
            check.wrong("/login_name", "read_only", NO_SIGN_IN);
        }
        if nickname.is_empty() {
            check.wrong("/nickname", "required", "a service account has a name that people recognise it by");
        }
    } else if new.role.is_staff() && login_name.is_none() {
        check.wrong("/login_name", "required", "staff sign in with a name");
    }
    match (&login_name, &new.password) {
        (Some(_), None) => check.wrong("/password", "required", "a login name needs a password"),
        (None, Some(_)) => check.wrong("/login_name", "required", "a password needs a login name"),
        _ => {}
    }
    check.finish()?;
    if nickname.is_empty() {
        nickname = login_name.iter().flat_map(|name| name.chars()).take(NICKNAME_MAX).collect();
    }
    let password_hash = match &new.password {
        Some(password) => {
            password.check("/password", &[login_name.as_deref().unwrap_or_default(), &email])?;
            Some(app.auth.passwords().hash(password, queue).await?)
        }
        None => None,
    };
    let now = app.clock.now().0;
    // Whoever makes an account speaks for the tenant.
    let (email_verified, mobile_verified) = (!email.is_empty(), !mobile.is_empty());
    Ok(MemberRow {
        id: MemberId(app.ids.next()?),
        tenant_id: tenant,
        role: new.role,
        login_name,
        password_hash,
        nickname,
        avatar,
        email,
        mobile,
        external_id,
        parent_id: new.parent_id,
        tags: Json(tags),
        skills: Json(skills),
        max_accept,
        status: MemberStatus::Enabled,
        login_fail_count: 0,
        locked_until: None,
        last_login_at: None,
        last_login_ip: String::new(),
        last_seen: None,
        expires_at: new.expires_at.map(|end| end.0),
        merged_into: None,
        rev: 0,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        email_verified,
        mobile_verified,
        locale,
        service_account: new.service_account,
    })
}

/// Checks a change and puts its fields in the form in which they are stored.
pub fn change_of(app: &App, patch: Patch) -> Result<MemberChange> {
    let mut check = Checker::default();
    let change = MemberChange {
        login_name: patch.login_name.map(|name| Some(check.login_name("/login_name", &name))),
        nickname: patch.nickname.map(|text| check.required_line("/nickname", &text, NICKNAME_MAX)),
        avatar: patch.avatar.map(|text| check.avatar("/avatar", &text)),
        email: patch.email.map(|text| check.email("/email", &text)),
        mobile: patch.mobile.map(|text| check.mobile("/mobile", &text)),
        locale: patch.locale.map(|text| check.locale("/locale", &text)),
        external_id: patch
            .external_id
            .map(|id| id.map(|id| check.required_line("/external_id", &id, NAME_MAX))),
        tags: patch.tags.map(|tags| json_text(&check.labels("/tags", &tags))),
        skills: patch.skills.map(|skills| json_text(&check.labels("/skills", &skills))),
        max_accept: patch.max_accept.map(|count| check.max_accept("/max_accept", count)),
        email_verified: None,
        mobile_verified: None,
        updated_at: app.clock.now().0,
    };
    check.finish()?;
    Ok(change)
}

/// Contact fields that come from the tenant itself.
pub fn vouched(mut change: MemberChange) -> MemberChange {
    change.email_verified = change.email.as_ref().map(|text| !text.is_empty());
    change.mobile_verified = change.mobile.as_ref().map(|text| !text.is_empty());
    change
}

/// Contact fields that a member says about itself: a new value is not verified, and a customer does not replace one
/// that is.
pub fn claimed(mut change: MemberChange, present: &MemberRow) -> Result<MemberChange> {
    let mut check = Checker::default();
    let mut claim = |pointer: &str, new: Option<&String>, old: &str, verified: bool| {
        let changed = new.is_some_and(|new| new != old);
        if changed && verified && !present.role.is_staff() {
            check.wrong(pointer, "read_only", "the shop has verified it: only the shop changes it");
        }
        changed.then_some(false)
    };
    let email = claim("/email", change.email.as_ref(), &present.email, present.email_verified);
    let mobile = claim("/mobile", change.mobile.as_ref(), &present.mobile, present.mobile_verified);
    check.finish()?;
    (change.email_verified, change.mobile_verified) = (email, mobile);
    Ok(change)
}
