//! `Idempotency-Key`: a request that is repeated with the same key makes nothing again.
//!
//! Owns the header and the table `idempotency_key`: which request made what, kept for at least a day. The row is written
//! in the transaction that makes what is asked for: so a request that failed leaves nothing behind, and one that arrives
//! while the first is under way waits for it and gets its answer.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::db::error_kind::error_kind;
use crate::db::schema::idempotency_key;
use crate::db::{AnyConnection, DbErrorKind};
use crate::domain::actor::Actor;
use crate::kernel::secret::token_hash;
use crate::kernel::text::is_key;
use crate::kernel::{Code, Error, Result};

/// The key that a client gives a request which makes something.
#[derive(Debug, Clone, PartialEq, Eq, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// A key of the client's, 1 to 64 of `A-Z a-z 0-9 . _ : -`. A request that is repeated with it within a day makes nothing
    /// again and gets the same ids; with another body it is refused with `409 idempotency_conflict`.
    #[param(
        rename = "Idempotency-Key", value_type = Option<String>, min_length = 1, max_length = 64,
        pattern = "^[A-Za-z0-9._:-]+$", example = "order-1001-paid"
    )]
    pub key: Option<String>,
}

impl FromRequest for IdempotencyKey {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let wrong = || Error::new(Code::InvalidParameter, "Idempotency-Key: 1 to 64 of A-Z a-z 0-9 . _ : -");
        let mut lines = request.headers().get_all("Idempotency-Key");
        let key = match (lines.next(), lines.next()) {
            (None, _) => Ok(None),
            (Some(line), None) => match line.to_str() {
                Ok(text) if is_key(text) => Ok(Some(text.to_owned())),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        };
        ready(key.map(|key| Self { key }))
    }
}

/// A request that makes something once.
#[derive(Debug, Clone)]
pub struct Once {
    actor: Actor,
    route: &'static str,
    key: String,
    body_hash: String,
}

impl IdempotencyKey {
    /// What is to happen once; `None` without a key.
    pub fn once(self, actor: Actor, route: &'static str, body: &impl Serialize) -> Option<Once> {
        let body = serde_json::to_string(body).unwrap_or_default();
        self.key.map(|key| Once { actor, route, key, body_hash: token_hash(&body) })
    }
}

/// Makes what is asked for, unless a request with the same key made it before: then gives what that one made. Runs in a
/// transaction of the caller's. Errors: `idempotency_conflict`.
pub fn once<T: Serialize + DeserializeOwned>(
    connection: &mut AnyConnection,
    once: Option<&Once>,
    now: i64,
    make: impl FnOnce(&mut AnyConnection) -> Result<T>,
) -> Result<T> {
    let Some(once) = once else { return make(connection) };
    if let Some(made) = made(connection, once)? {
        return Ok(made);
    }
    let row = (
        idempotency_key::tenant_id.eq(once.actor.tenant),
        idempotency_key::member_id.eq(once.actor.member),
        idempotency_key::route.eq(once.route),
        idempotency_key::key.eq(&once.key),
        idempotency_key::body_hash.eq(&once.body_hash),
        idempotency_key::made.eq(""),
        idempotency_key::created_at.eq(now),
    );
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection.transaction(|connection| {
        diesel::insert_into(idempotency_key::table).values(row).execute(connection)
    });
    match inserted {
        Ok(_) => {}
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => {
            let lost = || Error::new(Code::Busy, "the request with this key is under way").retry_after(1_000);
            return made(connection, once)?.ok_or_else(lost);
        }
        Err(cause) => return Err(cause.into()),
    }
    let result = make(connection)?;
    let text = serde_json::to_string(&result)
        .map_err(|cause| Error::internal("what was made cannot be kept").caused_by(cause))?;
    diesel::update(idempotency_key::table.find((
        once.actor.tenant,
        once.actor.member,
        once.route,
        &once.key,
    )))
    .set(idempotency_key::made.eq(text))
    .execute(connection)?;
    Ok(result)
}

/// What the request with this key made. Errors: `idempotency_conflict` when it had another body.
fn made<T: DeserializeOwned>(connection: &mut AnyConnection, once: &Once) -> Result<Option<T>> {
    let found: Option<(String, String)> = idempotency_key::table
        .find((once.actor.tenant, once.actor.member, once.route, &once.key))
        .select((idempotency_key::body_hash, idempotency_key::made))
        .get_result(connection)
        .optional()?;
    let Some((hash, made)) = found else { return Ok(None) };
    if hash != once.body_hash {
        return Err(Error::new(Code::IdempotencyConflict, "this Idempotency-Key was used with another body"));
    }
    serde_json::from_str(&made)
        .map(Some)
        .map_err(|cause| Error::internal("what a request made cannot be read").caused_by(cause))
}
