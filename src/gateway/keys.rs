//! Sockets that programs open with an API key instead of an access token.
//!
//! Invariants: a socket tells all that its account sees, so that its key must allow to read all of that; what the key does not
//! allow to do is refused by the services that do it, as over REST; a key that is changed, revoked or at its end loses its
//! sockets within a second, or two where another process changed it.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use super::protocol::{CloseCode, close};
use super::socket::{KeyOnSocket, Socket};
use crate::app::App;
use crate::domain::api_key;
use crate::domain::member::Role;
use crate::domain::operation::{Operation, Scope, scope};
use crate::http::api_keys;
use crate::kernel::{Code, Error, Millis, Result};
use crate::security::Verified;

/// What a socket tells, as far as the role may read it.
const TOLD: [Operation; 7] = [
    Operation::ReadConversation,
    Operation::ReadNotes,
    Operation::ReadPresence,
    Operation::ReadGroups,
    Operation::ReadQueue,
    Operation::AnswerOffer,
    Operation::ReadNotifications,
];

/// What an API key must allow for a socket of an account of this role.
pub fn needed(role: Role) -> impl Iterator<Item = Operation> {
    TOLD.into_iter().filter(move |operation| scope(role, *operation) != Scope::Never)
}

/// Who says hello with this key, what the socket keeps of the key, and when it ends. Errors: those of
/// [`crate::security::Auth::verify_api_key`]; `forbidden` when it does not allow enough.
pub async fn verify(app: &App, text: &str, address: IpAddr) -> Result<(Verified, KeyOnSocket)> {
    let mut verified = api_keys::verify(app, text, address).await.map_err(|(_, error)| error)?;
    let actor = verified.actor;
    let missing: Vec<Operation> =
        needed(actor.role).filter(|operation| !actor.operations.has(*operation)).collect();
    if !missing.is_empty() {
        let detail = "a socket tells more than the API key allows to read";
        return Err(Error::new(Code::Forbidden, detail).with("operations", missing));
    }
    let prefix = api_key::prefix(text).unwrap_or_default().to_owned();
    verified.expires_at = end(app.auth.still_allows(&app.db, &prefix, &actor).await?);
    Ok((verified, KeyOnSocket { prefix, is_checked: Cell::new(false) }))
}

fn end(ends: Option<Millis>) -> Millis {
    ends.unwrap_or(Millis(i64::MAX))
}

/// What to close with when a key is refused.
pub fn refusal(code: Code) -> Option<CloseCode> {
    match code {
        Code::ApiKeyInvalid | Code::ApiKeyExpired => Some(close::AUTH_FAILED),
        Code::AddressNotAllowed | Code::AccountDisabled | Code::TenantSuspended => Some(close::FORBIDDEN),
        Code::TokenExpired => Some(close::TOKEN_EXPIRED),
        _ => None,
    }
}

/// Asks whether the key of a socket is still good, and closes the socket otherwise. While the store cannot be asked it stays.
pub fn look(socket: &Rc<Socket>) {
    let (key, actor) = (socket.key.borrow().clone(), socket.actor.get());
    let (Some(key), Some(actor)) = (key, actor) else { return };
    if key.is_checked.replace(true) {
        return;
    }
    let socket = socket.clone();
    actix_web::rt::spawn(Box::pin(async move {
        let app = &socket.hub.app;
        let allowed = app.auth.still_allows(&app.db, &key.prefix, &actor).await;
        key.is_checked.set(false);
        match allowed {
            Ok(ends) => socket.token_expires_at.set(end(ends)),
            Err(error) => match refusal(error.code) {
                Some(code) => socket.close(code, error.code.name()),
                None => log::debug!(target: "deskwire::gateway", "an API key cannot be looked up: {error}"),
            },
        }
    }));
}
