//! Storing acts in the audit log, in the transaction that does them. Acts of commands are stored with their batch
//! (`store::flush`).

use std::net::IpAddr;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{audit_event, member};
use crate::domain::actor::{Actor, Principal};
use crate::domain::audit::{Act, AuditEventRow, Doer};
use crate::kernel::{AuditEventId, Clock, IdGenerator, Result, TenantId};

/// Stores what one actor does in one transaction. Made before it, since a transaction may run several times.
#[derive(Debug, Clone)]
pub struct Auditor {
    doer: Doer,
    id: AuditEventId,
    now: i64,
}

impl Auditor {
    /// For one act of this actor in the present request. Errors: `busy`.
    pub fn new(actor: &Actor, ids: &IdGenerator, clock: &Clock) -> Result<Self> {
        Ok(Self { doer: Doer::of(actor), id: AuditEventId(ids.next()?), now: clock.now().0 })
    }

    /// For one act of the operator, by the command line. Errors: `busy`.
    pub fn operator(tenant: TenantId, ids: &IdGenerator, clock: &Clock) -> Result<Self> {
        let doer = Doer::in_request(&Principal::Operator(tenant), String::new());
        Ok(Self { doer, id: AuditEventId(ids.next()?), now: clock.now().0 })
    }

    /// For one act of somebody who is no member of this tenant, in the present request, from this address. Errors: `busy`.
    pub fn stranger(
        tenant: TenantId,
        address: Option<IpAddr>,
        ids: &IdGenerator,
        clock: &Clock,
    ) -> Result<Self> {
        let doer = Doer::stranger(tenant, address);
        Ok(Self { doer, id: AuditEventId(ids.next()?), now: clock.now().0 })
    }

    /// Stores the act, if there is one.
    pub fn note(&self, connection: &mut AnyConnection, act: impl Into<Option<Act>>) -> Result<()> {
        let Some(act) = act.into() else { return Ok(()) };
        let name = self.name(connection)?;
        insert(connection, &self.doer.event(self.id, &name, self.now, act))
    }

    /// Stores many acts of one request. Errors: `busy`.
    pub fn note_each(
        &self,
        connection: &mut AnyConnection,
        ids: &IdGenerator,
        acts: impl IntoIterator<Item = Act>,
    ) -> Result<()> {
        let name = self.name(connection)?;
        for act in acts {
            insert(connection, &self.doer.event(AuditEventId(ids.next()?), &name, self.now, act))?;
        }
        Ok(())
    }

    fn name(&self, connection: &mut AnyConnection) -> Result<String> {
        let Some(member) = self.doer.member else { return Ok(String::new()) };
        let found: Option<String> = member::table
            .filter(member::tenant_id.eq(self.doer.tenant))
            .filter(member::id.eq(member))
            .select(member::nickname)
            .first(connection)
            .optional()?;
        Ok(found.unwrap_or_default())
    }
}

/// Stores an event.
pub fn insert(connection: &mut AnyConnection, event: &AuditEventRow) -> Result<()> {
    diesel::insert_into(audit_event::table).values(event).execute(connection)?;
    Ok(())
}

/// Removes the oldest events of a tenant below this one, at most `limit`; gives how many.
pub fn remove_before(
    connection: &mut AnyConnection,
    tenant: TenantId,
    before: AuditEventId,
    limit: i64,
) -> Result<usize> {
    let old = || audit_event::table.filter(audit_event::tenant_id.eq(tenant));
    let ids: Vec<AuditEventId> = old()
        .filter(audit_event::id.lt(before))
        .select(audit_event::id)
        .order(audit_event::id.asc())
        .limit(limit)
        .load(connection)?;
    let Some(last) = ids.last() else { return Ok(0) };
    Ok(diesel::delete(old().filter(audit_event::id.le(last))).execute(connection)?)
}
