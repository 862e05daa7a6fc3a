//! What is done with message recipients.

use jiff::tz::TimeZone;

use super::store;
use crate::app::App;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::centre::account::NAME_MAX;
use crate::domain::centre::recipient::{RecipientRow, RecipientStatus, TIME_ZONE_MAX, e164};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Error, MemberId, MessageRecipientId, Result};
use crate::members::profile::Checker;

/// What a merchant says of a recipient; `None` stays, or takes its default in a new one.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// What it is called.
    pub name: Option<String>,
    /// The member that it is; `Some(None)`: none.
    pub member_id: Option<Option<MemberId>>,
    /// Its phone; empty: none of its own.
    pub phone: Option<String>,
    /// Its e-mail address; empty: none of its own.
    pub email: Option<String>,
    /// Which language it reads; empty: as its member.
    pub locale: Option<String>,
    /// The time zone of its quiet hours.
    pub time_zone: Option<String>,
    /// Its quiet hours, `HH:MM` each; `Some(None)`: none.
    pub quiet_hours: Option<Option<(String, String)>>,
    /// Whether it is sent anything.
    pub status: Option<RecipientStatus>,
}

/// The recipients of the tenant in the order of their ids; only that of this member when one is given. Errors:
/// `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    member: Option<MemberId>,
    page: PageQuery,
) -> Result<Page<RecipientRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, after) = (page.limit()?, page.after::<MessageRecipientId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, member, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// One recipient. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: MessageRecipientId) -> Result<RecipientRow> {
    require(&actor, Operation::ReadMessageCentre)?;
    let found = app.db.read(move |connection| store::find(connection, actor.tenant, id)).await?;
    found.ok_or_else(Error::not_found)
}

/// Makes a recipient. Errors: `forbidden`, `limit_reached`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, given: Given) -> Result<RecipientRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let empty = RecipientRow {
        id: MessageRecipientId(app.ids.next()?),
        tenant_id: actor.tenant,
        member_id: None,
        name: String::new(),
        phone: String::new(),
        email: String::new(),
        time_zone: "UTC".to_owned(),
        quiet_from: None,
        quiet_until: None,
        status: RecipientStatus::Active,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        locale: String::new(),
    };
    let row = filled(empty, &checked(given)?, now);
    let (kept, audit) = (row.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        store::insert(connection, &kept)?;
        audit.note(connection, Act::created(&kept))
    };
    app.db.write(write).await?;
    Ok(row)
}

/// Changes a recipient. Errors: `forbidden`, `not_found`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: MessageRecipientId, given: Given) -> Result<RecipientRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let (given, now) = (checked(given)?, app.clock.now().0);
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let before = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        let row = filled(before.clone(), &given, now);
        store::update(connection, &row)?;
        audit.note(connection, Act::updated(&before, &row))?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Deletes a recipient: rules that name it pass it over. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: MessageRecipientId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        store::delete(connection, actor.tenant, id, now)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}

/// What was given, checked: the times in minutes of the day.
struct Checked {
    given: Given,
    quiet_hours: Option<Option<(i64, i64)>>,
}

fn checked(given: Given) -> Result<Checked> {
    let mut check = Checker::default();
    let name = given.name.as_ref().map(|name| check.required_line("/name", name, NAME_MAX));
    let email = given.email.as_ref().map(|email| check.email("/email", email));
    let phone = given.phone.as_ref().map(|phone| match (phone.trim().is_empty(), e164(phone)) {
        (true, _) => String::new(),
        (false, Some(phone)) => phone,
        (false, None) => {
            check.wrong("/phone", "invalid", "expected a number with its country, such as +8613800138000");
            String::new()
        }
    });
    let locale = given.locale.as_ref().map(|locale| check.locale("/locale", locale));
    if let Some(zone) = &given.time_zone
        && (zone.chars().count() > TIME_ZONE_MAX || TimeZone::get(zone).is_err())
    {
        check.wrong("/time_zone", "invalid", "expected a name of the IANA, such as Asia/Shanghai");
    }
    let quiet_hours = given.quiet_hours.as_ref().map(|hours| {
        hours.as_ref().map(|(from, until)| {
            let from = minutes(&mut check, "/quiet_hours/from", from);
            let until = minutes(&mut check, "/quiet_hours/until", until);
            if from == until {
                check.wrong(
                    "/quiet_hours/until",
                    "invalid",
                    "quiet hours end at another time than they begin",
                );
            }
            (from, until)
        })
    });
    check.finish()?;
    Ok(Checked { given: Given { name, email, phone, locale, ..given }, quiet_hours })
}

/// `HH:MM` in minutes of the day.
fn minutes(check: &mut Checker, pointer: &str, text: &str) -> i64 {
    let two = |part: &str| part.parse::<i64>().ok().filter(|_| part.len() == 2);
    let parts = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
    match parts.filter(|(hour, minute)| (0..24).contains(hour) && (0..60).contains(minute)) {
        Some((hour, minute)) => hour * 60 + minute,
        None => {
            check.wrong(pointer, "invalid", "expected a time of the day, such as 22:00");
            -1
        }
    }
}

fn filled(row: RecipientRow, checked: &Checked, now: i64) -> RecipientRow {
    let given = checked.given.clone();
    let quiet = checked.quiet_hours.unwrap_or(row.quiet_from.zip(row.quiet_until));
    RecipientRow {
        name: given.name.unwrap_or(row.name),
        member_id: given.member_id.unwrap_or(row.member_id),
        phone: given.phone.unwrap_or(row.phone),
        email: given.email.unwrap_or(row.email),
        locale: given.locale.unwrap_or(row.locale),
        time_zone: given.time_zone.unwrap_or(row.time_zone),
        quiet_from: quiet.map(|(from, _)| from),
        quiet_until: quiet.map(|(_, until)| until),
        status: given.status.unwrap_or(row.status),
        updated_at: now,
        ..row
    }
}
