//! Making an account of what a row says: its fields checked as those of any account, what cannot be kept left out and told, and
//! names that are taken set apart.

use super::ledger::is_known;
use super::report::Outcome;
use super::state::Import;
use super::store as ledger;
use crate::db::AnyConnection;
use crate::db::types::Json;
use crate::domain::member::{MemberStatus, Role};
use crate::kernel::{MemberId, Result};
use crate::members::input::MAX_ACCEPT_DEFAULT;
use crate::members::profile::{Checker, LABELS_MAX, NAME_MAX, NICKNAME_MAX};
use crate::members::store::{self, MemberRow};
use crate::security::foreign_password::ForeignHash;

/// An account that is to be made.
#[derive(Debug, Clone)]
pub struct Person {
    /// As it will be stored, but for names that are taken.
    pub row: MemberRow,
    /// What was left out or changed.
    pub changes: Vec<String>,
}

impl Person {
    /// An account of this role with nothing in it.
    pub fn new(import: &Import, role: Role) -> Result<Self> {
        let now = import.app.clock.now().0;
        let row = MemberRow {
            service_account: false,
            id: MemberId(import.app.ids.next()?),
            tenant_id: import.tenant,
            role,
            login_name: None,
            password_hash: None,
            nickname: String::new(),
            avatar: String::new(),
            email: String::new(),
            mobile: String::new(),
            external_id: None,
            parent_id: None,
            tags: Json(Vec::new()),
            skills: Json(Vec::new()),
            max_accept: MAX_ACCEPT_DEFAULT,
            status: MemberStatus::Enabled,
            login_fail_count: 0,
            locked_until: None,
            last_login_at: None,
            last_login_ip: String::new(),
            last_seen: None,
            expires_at: None,
            merged_into: None,
            rev: 0,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            email_verified: false,
            mobile_verified: false,
            locale: String::new(),
        };
        Ok(Self { row, changes: Vec::new() })
    }

    /// A field in its form; nothing, and a line in the report, when it is no such field.
    pub fn kept<T: Default>(&mut self, column: &str, check: impl FnOnce(&mut Checker) -> T) -> T {
        let mut checker = Checker::default();
        let value = check(&mut checker);
        match checker.finish() {
            Ok(()) => value,
            Err(error) => {
                self.changes.push(format!("{column} is left out: {}", error.detail));
                T::default()
            }
        }
    }

    /// Its contact fields and names; the columns are named for the report.
    pub fn contact(&mut self, nickname: &str, avatar: (&str, &str), email: &str, mobile: (&str, &str)) {
        self.row.nickname = self.kept("nickname", |check| check.line("", nickname, NICKNAME_MAX));
        self.row.avatar = self.kept(avatar.0, |check| check.avatar("", avatar.1));
        self.row.email = self.kept("email", |check| check.email("", email));
        self.row.mobile = self.kept(mobile.0, |check| check.mobile("", mobile.1));
        // It comes from the merchant itself.
        (self.row.email_verified, self.row.mobile_verified) =
            (!self.row.email.is_empty(), !self.row.mobile.is_empty());
        if self.row.nickname.is_empty() {
            let name = self.row.login_name.iter().chain(&self.row.external_id).next();
            let name = name.map(|name| name.chars().take(NICKNAME_MAX).collect());
            self.row.nickname = name.unwrap_or_default();
        }
    }

    /// Labels: each is kept by itself, and at most as many as an account may have.
    pub fn labels(&mut self, column: &str, given: Vec<String>) -> Json<Vec<String>> {
        let mut kept: Vec<String> = Vec::new();
        for label in given {
            let label = self.kept(column, |check| check.labels("", &[label])).pop();
            kept.extend(label.filter(|label| !kept.contains(label)));
        }
        if kept.len() > LABELS_MAX {
            self.changes.push(format!("{column}: only the first {LABELS_MAX} are kept"));
            kept.truncate(LABELS_MAX);
        }
        Json(kept)
    }

    /// The password hash: bcrypt as it is, MD5 in its marked form. Of any other form nothing is kept.
    pub fn password(&mut self, hash: &str, salt: &str) {
        let hash = hash.trim();
        let is_bcrypt = hash.starts_with("$2") && hash.parse::<bcrypt::HashParts>().is_ok();
        self.row.password_hash = match is_bcrypt {
            true => Some(hash.to_owned()),
            false => ForeignHash::new(hash, salt).map(|hash| hash.stored()),
        };
        if self.row.password_hash.is_none() {
            self.changes.push("the password is neither bcrypt nor MD5: set a new one".to_owned());
        }
    }
}

/// Stores an account under its key, and under others by which rows name it, unless it is there.
pub async fn store(
    import: &mut Import,
    table: &'static str,
    key: &str,
    others: Vec<(&'static str, String)>,
    person: Person,
) -> Result<Outcome> {
    if import.ledger.one(table, key).await?.is_some() {
        return Ok(Outcome::Present);
    }
    let keys: Vec<(&'static str, String)> = [(table, key.to_owned())].into_iter().chain(others).collect();
    let id = person.row.id;
    if import.dry_run {
        let source = import.ledger.source().to_owned();
        let read = move |connection: &mut _| free(connection, person.clone(), &source);
        let person = import.app.db.read(read).await?;
        keys.iter().for_each(|(table, key)| import.ledger.plan(table, key, id.0));
        return Ok(Outcome::Imported(person.changes));
    }
    let (source, tenant, now) = (import.ledger.source().to_owned(), import.tenant, import.app.clock.now().0);
    let write = move |connection: &mut AnyConnection| {
        for (table, key) in &keys {
            ledger::keep(connection, tenant, (&source, table), key, id.0, now)?;
        }
        let person = free(connection, person.clone(), &source)?;
        store::insert(connection, &person.row)?;
        Ok(person.changes)
    };
    match import.app.db.write(write).await {
        Ok(changes) => Ok(Outcome::Imported(changes)),
        Err(_) if import.ledger.one(table, key).await?.is_some() => Ok(Outcome::Present),
        // Somebody took the name in this moment, or another row has the same second key.
        Err(error) if is_known(&error) => {
            Ok(Outcome::Refused("another row or account has the same name or uuid".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// The account with names that nobody has.
fn free(connection: &mut AnyConnection, mut person: Person, source: &str) -> Result<Person> {
    let row = &mut person.row;
    let id = row.id;
    let apart = |name: &str| {
        let behind = format!(".{source}.{id}");
        let room = NAME_MAX.saturating_sub(behind.chars().count());
        format!("{}{behind}", name.chars().take(room).collect::<String>().trim_end())
    };
    if let Some(name) = row.login_name.clone()
        && store::find_by_login_name(connection, row.tenant_id, &name)?.is_some()
    {
        let other = apart(&name);
        person.changes.push(format!("the login name {name:?} is taken: it is {other:?} now"));
        row.login_name = Some(other);
    }
    if let Some(external_id) = row.external_id.clone()
        && store::find_by_external_id(connection, row.tenant_id, &external_id)?.is_some()
    {
        let other = apart(&external_id);
        person.changes.push(format!("the external id {external_id:?} is taken: it is {other:?} now"));
        row.external_id = Some(other);
    }
    Ok(person)
}
