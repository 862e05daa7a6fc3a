//! What the message centre knows of a person: events about it, messages to it, its identities and addresses, and what it
//! did not want to be sent.
//!
//! A message that is on its way is waited for: who sends it tells its outcome first.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::person::{Person, add, forget_imports, forget_target};
use super::store::Counts;
use crate::db::AnyConnection;
use crate::db::schema::{
    message_attempt, message_binding, message_digest, message_digest_event, message_event, message_fallback,
    message_identity, message_opt_out, message_receipt, message_recipient, message_send, message_suppression,
    message_throttle, notification,
};
use crate::domain::audit::AuditTarget;
use crate::domain::centre::send::SendStatus;
use crate::kernel::{Result, TenantId};
use crate::on;

/// Events and messages that one transaction removes.
const ROWS: i64 = 100;

/// Takes all of it, a piece at a time. Repeat it until it counts nothing.
pub fn take(connection: &mut AnyConnection, person: &Person) -> Result<Counts> {
    let mut counts = Counts::new();
    take_digests(connection, person, &mut counts)?;
    take_events(connection, person, &mut counts)?;
    take_sends_to(connection, person, &mut counts)?;
    if counts.is_empty() {
        take_addresses(connection, person, &mut counts)?;
    }
    Ok(counts)
}

/// Whether messages are left, since they are on their way.
pub fn are_left(connection: &mut AnyConnection, person: &Person) -> Result<bool> {
    let tenant = person.tenant;
    let events: i64 = on!(connection, inner => message_event::table
        .filter(message_event::tenant_id.eq(tenant))
        .filter(message_event::customer_id.eq_any(&person.members))
        .count()
        .get_result(inner))?;
    let sends: i64 = on!(connection, inner => message_send::table
        .filter(message_send::tenant_id.eq(tenant))
        .filter(message_send::recipient_id.eq_any(&person.ids))
        .count()
        .get_result(inner))?;
    Ok(events + sends > 0)
}

fn take_digests(connection: &mut AnyConnection, person: &Person, counts: &mut Counts) -> Result<()> {
    let ids: Vec<i64> = on!(connection, inner => message_digest::table
        .filter(message_digest::tenant_id.eq(person.tenant))
        .filter(message_digest::customer_id.eq_any(&person.members))
        .select(message_digest::id)
        .limit(ROWS)
        .load(inner))?;
    on!(connection, inner => diesel::delete(message_digest_event::table
        .filter(message_digest_event::digest_id.eq_any(&ids)))
        .execute(inner))?;
    let gone = on!(connection, inner => diesel::delete(message_digest::table
        .filter(message_digest::id.eq_any(&ids)))
        .execute(inner))?;
    add(counts, "message_digest", gone);
    Ok(())
}

/// Events about the person, with every message that was made of them, to whomever: it may say what the event says.
fn take_events(connection: &mut AnyConnection, person: &Person, counts: &mut Counts) -> Result<()> {
    let sending = SendStatus::Sending.as_str();
    let events: Vec<i64> = on!(connection, inner => message_event::table
        .filter(message_event::tenant_id.eq(person.tenant))
        .filter(message_event::customer_id.eq_any(&person.members))
        .filter(not(exists(message_send::table
            .filter(message_send::event_id.eq(message_event::id))
            .filter(message_send::status.eq(sending)))))
        .select(message_event::id)
        .order(message_event::id.asc())
        .limit(ROWS)
        .load(inner))?;
    if events.is_empty() {
        return Ok(());
    }
    let sends: Vec<i64> = on!(connection, inner => message_send::table
        .filter(message_send::event_id.eq_any(&events))
        .select(message_send::id)
        .load(inner))?;
    take_sends(connection, person.tenant, &sends, counts)?;
    on!(connection, inner => diesel::delete(message_digest_event::table
        .filter(message_digest_event::event_id.eq_any(&events)))
        .execute(inner))?;
    let gone = on!(connection, inner => diesel::delete(message_event::table
        .filter(message_event::id.eq_any(&events)))
        .execute(inner))?;
    add(counts, "message_event", gone);
    forget_imports(connection, person.tenant, &events)?;
    Ok(())
}

/// Messages to the person that other events made.
fn take_sends_to(connection: &mut AnyConnection, person: &Person, counts: &mut Counts) -> Result<()> {
    let sends: Vec<i64> = on!(connection, inner => message_send::table
        .filter(message_send::tenant_id.eq(person.tenant))
        .filter(message_send::recipient_id.eq_any(&person.ids))
        .filter(message_send::status.ne(SendStatus::Sending.as_str()))
        .select(message_send::id)
        .order(message_send::id.asc())
        .limit(ROWS)
        .load(inner))?;
    take_sends(connection, person.tenant, &sends, counts)
}

fn take_sends(
    connection: &mut AnyConnection,
    tenant: TenantId,
    sends: &[i64],
    counts: &mut Counts,
) -> Result<()> {
    if sends.is_empty() {
        return Ok(());
    }
    let mut gone = |table: &str, count: usize| add(counts, table, count);
    gone(
        "message_attempt",
        on!(connection, inner => diesel::delete(message_attempt::table
        .filter(message_attempt::send_id.eq_any(sends)))
        .execute(inner))?,
    );
    gone(
        "message_receipt",
        on!(connection, inner => diesel::delete(message_receipt::table
        .filter(message_receipt::send_id.eq_any(sends)))
        .execute(inner))?,
    );
    gone(
        "message_fallback",
        on!(connection, inner => diesel::delete(message_fallback::table
        .filter(message_fallback::send_id.eq_any(sends)))
        .execute(inner))?,
    );
    gone(
        "notification",
        on!(connection, inner => diesel::delete(notification::table
        .filter(notification::send_id.eq_any(sends)))
        .execute(inner))?,
    );
    gone(
        "message_send",
        on!(connection, inner => diesel::delete(message_send::table
        .filter(message_send::id.eq_any(sends)))
        .execute(inner))?,
    );
    forget_imports(connection, tenant, sends)?;
    Ok(())
}

/// Identities, codes, opt-outs, counters, suppressions, and the recipients that stand for the person. What the audit log
/// tells of them goes with them.
fn take_addresses(connection: &mut AnyConnection, person: &Person, counts: &mut Counts) -> Result<()> {
    let (tenant, ids) = (person.tenant, &person.ids);
    let identities: Vec<i64> = on!(connection, inner => message_identity::table
        .filter(message_identity::tenant_id.eq(tenant))
        .filter(message_identity::person_id.eq_any(ids))
        .select(message_identity::id)
        .load(inner))?;
    forget_target(connection, tenant, AuditTarget::MessageIdentity, &identities)?;
    let gone = on!(connection, inner => diesel::delete(message_identity::table
        .filter(message_identity::id.eq_any(&identities)))
        .execute(inner))?;
    add(counts, "message_identity", gone);
    let gone = on!(connection, inner => diesel::delete(message_binding::table
        .filter(message_binding::tenant_id.eq(tenant))
        .filter(message_binding::person_id.eq_any(ids)))
        .execute(inner))?;
    add(counts, "message_binding", gone);
    let gone = on!(connection, inner => diesel::delete(message_opt_out::table
        .filter(message_opt_out::tenant_id.eq(tenant))
        .filter(message_opt_out::person_id.eq_any(ids)))
        .execute(inner))?;
    add(counts, "message_opt_out", gone);
    let gone = on!(connection, inner => diesel::delete(message_throttle::table
        .filter(message_throttle::tenant_id.eq(tenant))
        .filter(message_throttle::person_id.eq_any(ids)))
        .execute(inner))?;
    add(counts, "message_throttle", gone);
    let suppressions: Vec<i64> = on!(connection, inner => message_suppression::table
        .filter(message_suppression::tenant_id.eq(tenant))
        .filter(message_suppression::address.eq_any(&person.addresses))
        .select(message_suppression::id)
        .load(inner))?;
    forget_target(connection, tenant, AuditTarget::MessageSuppression, &suppressions)?;
    let gone = on!(connection, inner => diesel::delete(message_suppression::table
        .filter(message_suppression::id.eq_any(&suppressions)))
        .execute(inner))?;
    add(counts, "message_suppression", gone);
    forget_target(connection, tenant, AuditTarget::MessageRecipient, ids)?;
    let gone = on!(connection, inner => diesel::delete(message_recipient::table
        .filter(message_recipient::tenant_id.eq(tenant))
        .filter(message_recipient::id.eq_any(ids)))
        .execute(inner))?;
    add(counts, "message_recipient", gone);
    Ok(())
}
