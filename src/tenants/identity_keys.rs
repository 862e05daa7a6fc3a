//! Identity keys: secrets that a tenant shares with its own shop, which signs with them who its visitors are.

use diesel::prelude::*;

use crate::app::App;
use crate::db::AnyConnection;
use crate::db::error_kind::{DbErrorKind, error_kind};
use crate::db::schema::identity_key;
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditAction, AuditTarget, Audited};
use crate::domain::permission::{Operation, require};
use crate::kernel::secret::{Secret, random_key};
use crate::kernel::text::is_key;
use crate::kernel::{Code, Error, IdentityKeyId, Millis, Result, TenantId};

/// How many keys of a tenant may be live at once.
pub const LIVE_MAX: i64 = 10;

/// A row of `identity_key`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = identity_key, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are explained in the migration")]
pub struct IdentityKeyRow {
    pub id: IdentityKeyId,
    pub tenant_id: TenantId,
    pub kid: String,
    pub sealed_secret: String,
    pub created_at: i64,
    pub revoked_at: Option<i64>,
}

impl Audited for IdentityKeyRow {
    const TARGET: AuditTarget = AuditTarget::IdentityKey;

    fn audit_id(&self) -> i64 {
        self.id.0
    }

    fn audit_facts(&self) -> serde_json::Value {
        serde_json::json!({"kid": self.kid})
    }
}

impl IdentityKeyRow {
    /// When it was made.
    pub fn created(&self) -> Millis {
        Millis(self.created_at)
    }
}

/// Makes a key; its secret is never shown again. Errors: `forbidden`, `name_taken`, `limit_reached`.
pub async fn create(app: &App, actor: Actor, kid: Option<String>) -> Result<(IdentityKeyRow, Secret)> {
    require(&actor, Operation::ManageTenant)?;
    let kid = kid.unwrap_or_else(|| random_key(9));
    if !is_key(&kid) {
        return Err(Error::field("/kid", "invalid", "1 to 64 of A-Z a-z 0-9 . _ : -"));
    }
    let secret = Secret::new(random_key(32));
    let row = IdentityKeyRow {
        id: IdentityKeyId(app.ids.next()?),
        tenant_id: actor.tenant,
        kid,
        sealed_secret: app.auth.vault().seal(&secret)?,
        created_at: app.clock.now().0,
        revoked_at: None,
    };
    let (kept, audit) = (row.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        insert(connection, &kept)?;
        audit.note(connection, Act::created(&kept))
    };
    app.db.write(write).await?;
    Ok((row, secret))
}

fn insert(connection: &mut AnyConnection, row: &IdentityKeyRow) -> Result<()> {
    let live: i64 = identity_key::table
        .filter(identity_key::tenant_id.eq(row.tenant_id))
        .filter(identity_key::revoked_at.is_null())
        .count()
        .get_result(connection)?;
    if live >= LIVE_MAX {
        return Err(Error::new(
            Code::LimitReached,
            format!("at most {LIVE_MAX} live keys: delete one first"),
        ));
    }
    match diesel::insert_into(identity_key::table).values(row).execute(connection) {
        Ok(_) => Ok(()),
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => {
            Err(Error::new(Code::NameTaken, "the key id is in use").caused_by(cause))
        }
        Err(cause) => Err(cause.into()),
    }
}

/// The tenant's live keys, oldest first.
pub async fn list(app: &App, actor: Actor) -> Result<Vec<IdentityKeyRow>> {
    require(&actor, Operation::ManageTenant)?;
    app.db
        .read(move |connection| {
            Ok(identity_key::table
                .filter(identity_key::tenant_id.eq(actor.tenant))
                .filter(identity_key::revoked_at.is_null())
                .order(identity_key::id.asc())
                .select(IdentityKeyRow::as_select())
                .load(connection)?)
        })
        .await
}

/// Ends a key: tokens signed with it are refused from now on. Its row stays, so that its name is not used again.
pub async fn revoke(app: &App, actor: Actor, id: IdentityKeyId) -> Result<()> {
    require(&actor, Operation::ManageTenant)?;
    let (now, audit) = (app.clock.now(), app.auditor(&actor)?);
    app.db
        .write(move |connection| {
            let row: Option<IdentityKeyRow> = identity_key::table
                .filter(identity_key::tenant_id.eq(actor.tenant))
                .filter(identity_key::id.eq(id))
                .select(IdentityKeyRow::as_select())
                .first(connection)
                .optional()?;
            let changed = diesel::update(
                identity_key::table
                    .filter(identity_key::tenant_id.eq(actor.tenant))
                    .filter(identity_key::id.eq(id))
                    .filter(identity_key::revoked_at.is_null()),
            )
            .set(identity_key::revoked_at.eq(now.0))
            .execute(connection)?;
            match row.filter(|_| changed == 1) {
                Some(row) => audit.note(connection, Act::done(AuditAction::Revoke, &row)),
                None => Err(Error::not_found()),
            }
        })
        .await
}

/// The sealed secret of a live key.
pub fn sealed(connection: &mut AnyConnection, tenant: TenantId, kid: &str) -> Result<Option<String>> {
    Ok(identity_key::table
        .filter(identity_key::tenant_id.eq(tenant))
        .filter(identity_key::kid.eq(kid))
        .filter(identity_key::revoked_at.is_null())
        .select(identity_key::sealed_secret)
        .first(connection)
        .optional()?)
}
