//! Tenants and members put straight into the store, for tests of the journal that need no sign-in.

use std::sync::OnceLock;

use deskwire::db::AnyConnection;
use deskwire::db::schema::{auth_session, member, tenant, tenant_log};
use deskwire::domain::actor::{Actor, Origin};
use deskwire::domain::member::Role;
use deskwire::domain::operation::OperationSet;
use deskwire::kernel::id::first_id_at;
use deskwire::kernel::{Clock, MemberId, SessionId, TenantId};
use diesel::prelude::*;

use super::{TestApp, TestDatabase};

/// The password of every seeded member of the staff.
pub const PASSWORD: &str = "correct horse battery";

/// A tenant with its people.
#[derive(Debug, Clone, Copy)]
pub struct Seed {
    /// The tenant.
    pub tenant: TenantId,
    /// Runs the tenant.
    pub admin: Actor,
    /// Oversees.
    pub supervisor: Actor,
    /// Serves.
    pub agent: Actor,
    /// Serves too.
    pub second_agent: Actor,
    /// A visitor.
    pub visitor: Actor,
    /// Another visitor.
    pub second_visitor: Actor,
}

impl Seed {
    /// The tenant's public name.
    pub fn slug(&self) -> String {
        slug(self.tenant)
    }
}

fn slug(tenant: TenantId) -> String {
    format!("shop-{tenant}")
}

impl TestApp {
    /// A new tenant with one member of every role (two agents, two visitors).
    pub async fn seed(&self) -> Seed {
        let ids: Vec<i64> = (0..7).map(|_| self.ids.next().unwrap()).collect();
        let now = self.clock.now().0;
        let mut connection = self.database().connect();
        tokio::task::spawn_blocking(move || seed(&mut connection, &ids, now)).await.unwrap()
    }

    /// One more member of a seeded tenant.
    pub async fn seed_member(&self, tenant: TenantId, role: Role) -> Actor {
        let id = self.ids.next().unwrap();
        let now = self.clock.now().0;
        let mut connection = self.database().connect();
        tokio::task::spawn_blocking(move || add_member(&mut connection, tenant, id, role, None, now))
            .await
            .unwrap()
    }
}

impl TestDatabase {
    /// A tenant and its people in a database that no server of this process uses.
    pub fn seed(&self) -> Seed {
        let now = Clock::default().now().0;
        // Ids of no node that a process could lease at this time: an hour ago.
        let first = first_id_at(now - 3_600_000);
        seed(&mut self.connect(), &(0..7).map(|at| first + at).collect::<Vec<_>>(), now)
    }
}

/// A tenant made of these ids: the tenant's, then those of its members in the order of [`Seed`].
pub fn seed(connection: &mut AnyConnection, ids: &[i64], now: i64) -> Seed {
    let tenant = TenantId(ids[0]);
    diesel::insert_into(tenant::table)
        .values((
            tenant::id.eq(tenant.0),
            tenant::slug.eq(slug(tenant)),
            tenant::name.eq("Shop"),
            tenant::status.eq("active"),
            tenant::settings.eq("{}"),
            tenant::rev.eq(0),
            tenant::created_at.eq(now),
            tenant::updated_at.eq(now),
        ))
        .execute(connection)
        .unwrap();
    diesel::insert_into(tenant_log::table)
        .values((tenant_log::tenant_id.eq(tenant.0), tenant_log::rev.eq(0)))
        .execute(connection)
        .unwrap();
    let mut add = |at: usize, role, name| add_member(connection, tenant, ids[at], role, name, now);
    Seed {
        tenant,
        admin: add(1, Role::Admin, Some("admin")),
        supervisor: add(2, Role::Supervisor, Some("supervisor")),
        agent: add(3, Role::Agent, Some("agent")),
        second_agent: add(4, Role::Agent, Some("second-agent")),
        visitor: add(5, Role::Customer, None),
        second_visitor: add(6, Role::Customer, None),
    }
}

fn add_member(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: i64,
    role: Role,
    login_name: Option<&str>,
    now: i64,
) -> Actor {
    diesel::insert_into(member::table)
        .values((
            member::id.eq(id),
            member::tenant_id.eq(tenant.0),
            member::role.eq(role.as_str()),
            (
                member::login_name.eq(login_name),
                member::password_hash.eq(login_name.map(|_| password_hash())),
            ),
            (member::nickname.eq(format!("{role} {id}")), member::avatar.eq("")),
            (member::email.eq(""), member::mobile.eq("")),
            (member::tags.eq("[]"), member::skills.eq("[]")),
            member::max_accept.eq(1_000),
            member::status.eq("enabled"),
            member::login_fail_count.eq(0),
            member::last_login_ip.eq(""),
            member::rev.eq(0),
            (member::created_at.eq(now), member::updated_at.eq(now)),
        ))
        .execute(connection)
        .unwrap();
    diesel::insert_into(auth_session::table)
        .values((
            (auth_session::id.eq(id), auth_session::tenant_id.eq(tenant.0), auth_session::member_id.eq(id)),
            (auth_session::device.eq("seed"), auth_session::user_agent.eq(""), auth_session::ip.eq("")),
            (auth_session::generation.eq(1), auth_session::refresh_current.eq("[]")),
            (auth_session::created_at.eq(now), auth_session::last_used_at.eq(now)),
            (auth_session::expires_at.eq(i64::MAX), auth_session::rev.eq(0)),
        ))
        .execute(connection)
        .unwrap();
    Actor {
        tenant,
        member: MemberId(id),
        role,
        session: SessionId(id),
        origin: Origin::default(),
        operations: OperationSet::ALL,
    }
}

fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| bcrypt::hash(PASSWORD, 4).unwrap())
}
