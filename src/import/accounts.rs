//! Accounts: `member`, `users`, `customer_service`, and when those of `agent_status` were seen.

use super::ledger::KEY_MAX;
use super::person::{Person, store};
use super::report::Outcome;
use super::row::{Refusal, Row};
use super::state::Import;
use super::store::seen;
use super::tables::{AGENT_STATUS, CUSTOMER_SERVICE, MEMBER, USERS};
use crate::domain::member::{MemberStatus, Role};
use crate::kernel::{MemberId, Result};
use crate::members::profile::{Checker, MAX_ACCEPT_MAX};
use crate::members::store as members;

/// Under which table of the ledger the uuid of a `member` stands.
pub const MEMBER_UUID: &str = "member.uuid";
/// Under which table of the ledger the customers among `users` stand.
pub const CUSTOMERS: &str = "users.customer";

/// What a row says, or why it says nothing that can be kept.
type Read = Result<std::result::Result<Person, Refusal>>;

/// Imports `member`.
pub async fn member(import: &mut Import, row: &Row) -> Result<Outcome> {
    let person = match read_member(import, row)? {
        Ok(person) => person,
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    let uuid = row.some("uuid").filter(|uuid| uuid.chars().count() <= KEY_MAX);
    let uuid = uuid.map(|uuid| (MEMBER_UUID, uuid.to_owned()));
    store(import, MEMBER.name, &row.id.to_string(), uuid.into_iter().collect(), person).await
}

fn read_member(import: &Import, row: &Row) -> Read {
    let mut person = Person::new(import, Role::Agent)?;
    if let Err(why) = login_name(&mut person, row.text("name")) {
        return Ok(Err(why));
    }
    person.row.status = match row.text("status") {
        "0" | "" => MemberStatus::Enabled,
        "1" => MemberStatus::Disabled,
        other => return Ok(Err(format!("status is neither 0 nor 1: {other:?}"))),
    };
    person.password(row.text("password"), "");
    let avatar = ("avator", row.text("avator"));
    person.contact(row.text("nickname"), avatar, row.text("email"), ("tel", row.text("tel")));
    Ok(times(import, &mut person, row, ("created_at", "updated_at")).map(|()| person))
}

/// Imports `users`.
pub async fn user(import: &mut Import, row: &Row) -> Result<Outcome> {
    let person = match read_user(import, row)? {
        Ok(person) => person,
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    let key = row.id.to_string();
    let customer = (person.row.role == Role::Customer).then(|| (CUSTOMERS, key.clone()));
    store(import, USERS.name, &key, customer.into_iter().collect(), person).await
}

fn read_user(import: &Import, row: &Row) -> Read {
    let role = match row.text("role") {
        "customer" => Role::Customer,
        "agent" => Role::Agent,
        "admin" => Role::Admin,
        other => return Ok(Err(format!("role is neither customer, agent nor admin: {other:?}"))),
    };
    let mut person = Person::new(import, role)?;
    if let Err(why) = login_name(&mut person, row.text("username")) {
        return Ok(Err(why));
    }
    person.row.external_id = (role == Role::Customer).then(|| row.id.to_string());
    person.password(row.text("password_hash"), "");
    person.contact(row.text("username"), ("", ""), row.text("email"), ("", ""));
    Ok(times(import, &mut person, row, ("created_at", "created_at")).map(|()| person))
}

/// Imports `customer_service`. `None`: its parent did not come in yet.
pub async fn customer_service(import: &mut Import, row: &Row, last: bool) -> Result<Option<Outcome>> {
    let mut person = match read_customer_service(import, row)? {
        Ok(person) => person,
        Err(why) => return Ok(Some(Outcome::Refused(why))),
    };
    let key = row.id.to_string();
    if let Some(pid) = row.number("pid").filter(|pid| *pid != 0) {
        match import.ledger.one(CUSTOMER_SERVICE.name, &pid.to_string()).await? {
            Some(parent) => below(import, &mut person, MemberId(parent)).await?,
            None if !last && import.ledger.one(CUSTOMER_SERVICE.name, &key).await?.is_none() => {
                return Ok(None);
            }
            None => person.changes.push(format!("pid is left out: the account {pid} did not come in")),
        }
    }
    store(import, CUSTOMER_SERVICE.name, &key, Vec::new(), person).await.map(Some)
}

/// Puts an account below its parent, when that may be.
async fn below(import: &Import, person: &mut Person, parent: MemberId) -> Result<()> {
    // Of a dry run the parent is not there.
    let tenant = import.tenant;
    let found = import.app.db.read(move |connection| members::find(connection, tenant, parent)).await?;
    match found {
        Some(found) if found.role < person.row.role => {
            person.changes.push("pid is left out: the role is above the parent's".to_owned());
        }
        Some(_) => person.row.parent_id = Some(parent),
        None if import.dry_run => {}
        None => person.changes.push("pid is left out: the parent is deleted".to_owned()),
    }
    Ok(())
}

fn read_customer_service(import: &Import, row: &Row) -> Read {
    let role = match row.text("role_type") {
        "1" => Role::Agent,
        "2" => Role::Supervisor,
        "3" => Role::Admin,
        other => return Ok(Err(format!("role_type is neither 1, 2 nor 3: {other:?}"))),
    };
    let mut person = Person::new(import, role)?;
    if let Err(why) = login_name(&mut person, row.text("username")) {
        return Ok(Err(why));
    }
    person.row.status = match row.text("status") {
        "1" | "" => MemberStatus::Enabled,
        "0" => MemberStatus::Disabled,
        other => return Ok(Err(format!("status is neither 0 nor 1: {other:?}"))),
    };
    person.password(row.text("password"), row.text("salt"));
    let avatar = ("avatar", row.text("avatar"));
    person.contact(row.text("nickname"), avatar, row.text("email"), ("mobile", row.text("mobile")));
    person.row.skills = person.labels("skill_groups", row.list("skill_groups"));
    person.row.tags = person.labels("tags", row.list("tags"));
    if let Some(most) = row.number("max_accept") {
        let kept = most.clamp(0, i64::from(MAX_ACCEPT_MAX));
        if kept != most {
            person.changes.push(format!("max_accept {most} is {kept} now"));
        }
        person.row.max_accept = i32::try_from(kept).unwrap_or(MAX_ACCEPT_MAX);
    }
    person.row.last_login_ip =
        person.kept("last_login_ip", |check| check.line("", row.text("last_login_ip"), 45));
    let read = |column: &str| row.moment(column, &import.zone);
    let moments = (|| {
        let now = import.app.clock.now().0;
        person.row.locked_until = read("lock_time")?.filter(|until| *until > now);
        person.row.last_login_at = read("last_login_time")?;
        person.row.last_seen = person.row.last_login_at;
        person.row.expires_at = read("expire_time")?;
        person.row.deleted_at = read("deleted_at")?;
        Ok(())
    })();
    if person.row.deleted_at.is_some() {
        person.row.login_name = None;
    }
    let all = moments.and_then(|()| times(import, &mut person, row, ("created_at", "updated_at")));
    Ok(all.map(|()| person))
}

/// Imports `agent_status`.
pub async fn agent_status(import: &mut Import, row: &Row) -> Result<Outcome> {
    let Some(id) = import.ledger.one(USERS.name, &row.id.to_string()).await? else {
        return Ok(Outcome::Refused(format!("the user {} did not come in", row.id)));
    };
    let at = match row.moment("last_seen", &import.zone) {
        Ok(Some(at)) => at,
        Ok(None) => return Ok(Outcome::Refused("last_seen is empty".to_owned())),
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    let key = row.id.to_string();
    if import.ledger.one(AGENT_STATUS.name, &key).await?.is_some() {
        return Ok(Outcome::Present);
    }
    if !import.dry_run {
        let tenant = import.tenant;
        import.app.db.write(move |connection| seen(connection, tenant, MemberId(id), at)).await?;
    }
    import.ledger.reserve(AGENT_STATUS.name, &key).await?;
    Ok(Outcome::Imported(Vec::new()))
}

fn login_name(person: &mut Person, name: &str) -> std::result::Result<(), Refusal> {
    let mut check = Checker::default();
    let name = check.login_name("", name);
    check.finish().map_err(|error| format!("the login name {name:?} cannot be one: {}", error.detail))?;
    person.row.login_name = Some(name);
    Ok(())
}

fn times(
    import: &Import,
    person: &mut Person,
    row: &Row,
    (created, updated): (&str, &str),
) -> std::result::Result<(), Refusal> {
    if let Some(at) = row.moment(created, &import.zone)? {
        person.row.created_at = at;
    }
    person.row.updated_at = row.moment(updated, &import.zone)?.unwrap_or(person.row.created_at);
    Ok(())
}
