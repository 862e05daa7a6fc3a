//! The custom attributes of customers: who reads and sets them.

use std::collections::BTreeMap;

use actix_web::{get, patch, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::store::{self, Described};
use crate::app::App;
use crate::auth::extract::{Authenticated, Staff};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::attribute::{AttributeTarget, GivenValues, changes};
use crate::domain::attribute_value::{AttributeChanges, AttributeValue, AttributeValues};
use crate::domain::audit::{Act, AuditAction, AuditTarget, Audited};
use crate::domain::permission::{Operation, Scope, require};
use crate::groups;
use crate::http::json::Body;
use crate::journal::store::transaction::{Wait, lock_tenants};
use crate::kernel::{Error, MemberId, Result};

/// The routes of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_member_attributes);
    config.service(update_member_attributes);
}

/// Values by the keys of their attributes.
type Values = BTreeMap<String, AttributeValue>;

/// The custom attributes of a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberAttributes {
    /// The values, by the keys of their attributes; those without a value are left out.
    attributes: AttributeValues,
}

/// A change of a customer's attributes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMemberAttributes {
    /// Values by the keys of their attributes; null removes one. What is not named stays.
    #[schema(value_type = AttributeChanges)]
    attributes: GivenValues,
}

/// Read the custom attributes of a customer
///
/// Agents and bots those of customers with whom they are in a conversation that is not closed; a customer its own that are
/// visible to it.
#[utoipa::path(
    tag = "attributes", params(("id" = MemberId, Path, description = "The customer.")),
    responses((status = 200, description = "The values.", body = MemberAttributes)),
)]
#[get("/members/{id}/attributes")]
pub async fn get_member_attributes(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<MemberId>,
) -> Result<web::Json<MemberAttributes>> {
    let attributes = read(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(MemberAttributes { attributes: AttributeValues(attributes) }))
}

/// Set custom attributes of a customer
///
/// The audit log tells of it. Values of conversations are set with `PATCH /conversations/{id}`.
#[utoipa::path(
    tag = "attributes", params(("id" = MemberId, Path, description = "The customer.")),
    request_body = UpdateMemberAttributes,
    responses((status = 200, description = "All values as they are now.", body = MemberAttributes)),
)]
#[patch("/members/{id}/attributes")]
pub async fn update_member_attributes(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MemberId>,
    input: Body<UpdateMemberAttributes>,
) -> Result<web::Json<MemberAttributes>> {
    let given = input.into_inner().attributes;
    let attributes = update(&app, caller.actor, id.into_inner(), given).await?;
    Ok(web::Json(MemberAttributes { attributes: AttributeValues(attributes) }))
}

/// Fails with `not_found` unless this is a customer that the right reaches.
fn reached(connection: &mut AnyConnection, actor: &Actor, scope: Scope, id: MemberId) -> Result<()> {
    let reaches = match scope {
        Scope::Tenant => true,
        Scope::Own => id == actor.member,
        Scope::Inside => {
            let by = store::serves(connection, actor.tenant, actor.member, id)?;
            let sight = groups::store::sight(connection, actor)?;
            by.into_iter().any(|group| group.is_none_or(|group| sight.is_in(group)))
        }
        _ => false,
    };
    match reaches && store::is_customer(connection, actor.tenant, id)? {
        true => Ok(()),
        false => Err(Error::not_found()),
    }
}

fn values(described: Vec<Described>) -> Values {
    described.into_iter().map(|one| (one.key, one.value)).collect()
}

/// The values of a customer. Errors: `forbidden`, `not_found`.
pub async fn read(app: &App, actor: Actor, id: MemberId) -> Result<Values> {
    let scope = require(&actor, Operation::ReadCustomerAttributes)?;
    let read = move |connection: &mut AnyConnection| {
        reached(connection, &actor, scope, id)?;
        let mut all = store::of_customer(connection, actor.tenant, id)?;
        all.retain(|one| one.visible_to_customer || scope != Scope::Own);
        Ok(values(all))
    };
    app.db.read(read).await
}

/// What the audit log tells of a customer's attributes.
struct Told<'a>(MemberId, &'a Values);

impl Audited for Told<'_> {
    const TARGET: AuditTarget = AuditTarget::Member;

    fn audit_id(&self) -> i64 {
        self.0.0
    }

    fn audit_facts(&self) -> Value {
        let facts = self.1.iter().map(|(key, value)| (format!("attributes.{key}"), json!(value)));
        Value::Object(facts.collect::<Map<_, _>>())
    }
}

/// Sets values of a customer; null removes one. Errors: `forbidden`, `not_found`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: MemberId, given: GivenValues) -> Result<Values> {
    let scope = require(&actor, Operation::UpdateCustomerAttributes)?;
    let now = app.clock.now().0;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        lock_tenants(connection, &[actor.tenant], Wait::Short)?;
        reached(connection, &actor, scope, id)?;
        let attributes = store::all(connection, actor.tenant, AttributeTarget::Customer)?;
        let before = values(store::of_customer(connection, actor.tenant, id)?);
        let (mut was, mut is) = (Values::new(), Values::new());
        let mut after = before.clone();
        for (attribute, value) in changes(&attributes, &given)? {
            let key = &attribute.key;
            if before.get(key) == value.as_ref() {
                continue;
            }
            store::set(connection, attribute, id, value.as_ref(), now)?;
            was.extend(before.get(key).map(|value| (key.clone(), value.clone())));
            match value {
                Some(value) => {
                    is.insert(key.clone(), value.clone());
                    after.insert(key.clone(), value);
                }
                None => drop(after.remove(key)),
            }
        }
        audit.note(connection, told(id, &was, &is))?;
        Ok(after)
    };
    app.db.write(write).await
}

/// What changed; a value that was not there, or is there no more, is null.
fn told(id: MemberId, was: &Values, is: &Values) -> Option<Act> {
    let (was, is) = (Told(id, was), Told(id, is));
    let (before, after) = (Act::deleted(&was).before, Act::created(&is).after);
    let mut act = Act::done(AuditAction::Update, &is);
    for key in before.keys().chain(after.keys()) {
        act.before.insert(key.clone(), before.get(key).cloned().unwrap_or_default());
        act.after.insert(key.clone(), after.get(key).cloned().unwrap_or_default());
    }
    (!act.after.is_empty()).then_some(act)
}
