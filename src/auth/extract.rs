//! Who calls: extractors that read `Authorization: Bearer …` and refuse with a coded error. A handler that takes
//! one of them cannot be reached without it.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use crate::app::App;
use crate::domain::actor::Actor;
use crate::domain::member::Role;
use crate::http::authorization::bearer;
use crate::http::client_ip;
use crate::kernel::secret::{Secret, same};
use crate::kernel::{Code, Error, Result};
use crate::security::tokens::Verified;

/// Anybody with a valid access token.
#[derive(Debug, Clone, Copy)]
pub struct Authenticated {
    /// Who.
    pub actor: Actor,
}

impl Deref for Authenticated {
    type Target = Actor;
    fn deref(&self) -> &Actor {
        &self.actor
    }
}

impl FromRequest for Authenticated {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(verify(request).map(|verified| {
            // The log and the limits by member find the caller here.
            request.extensions_mut().insert(verified.actor);
            Self { actor: verified.actor }
        }))
    }
}

fn verify(request: &HttpRequest) -> Result<Verified> {
    // The rate limit comes first and has verified the token already (`http::middleware`).
    if let Some(verified) = request.extensions().get::<Verified>() {
        return Ok(*verified);
    }
    let app = request
        .app_data::<web::Data<App>>()
        .ok_or_else(|| Error::internal("the server was built without its App"))?;
    app.auth.verify(bearer(request)?, Some(client_ip(request, &app.settings)))
}

/// Whether the request carries this bearer key; compared in constant time.
pub fn carries_key(request: &HttpRequest, key: &Secret) -> Result<bool> {
    Ok(same(bearer(request)?.as_bytes(), key.expose().as_bytes()))
}

macro_rules! roles {
    ($($(#[$meta:meta])* $name:ident from $least:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name {
            /// Who.
            pub actor: Actor,
        }

        impl Deref for $name {
            type Target = Actor;
            fn deref(&self) -> &Actor {
                &self.actor
            }
        }

        impl FromRequest for $name {
            type Error = Error;
            type Future = Ready<Result<Self>>;

            fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
                let caller = Authenticated::from_request(request, payload).into_inner();
                ready(caller.and_then(|caller| match caller.role >= Role::$least {
                    true => Ok(Self { actor: caller.actor }),
                    false => Err(Error::new(Code::Forbidden, format!("the role {} may not do this", caller.role))),
                }))
            }
        }
    )+};
}

roles! {
    /// One of the staff: an agent, a supervisor, an administrator, or a bot.
    Staff from Bot;
    /// An administrator.
    Admin from Admin;
}
