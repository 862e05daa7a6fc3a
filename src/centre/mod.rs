//! The message centre: events, rules, messages, and the accounts through which they go out.
//!
//! Something happens (`events`, told by the API or read from the log); each active rule with its key is applied to it
//! (`rules`, `events::expand`), or collects it with others (`digests`), and makes one send from the published version of its
//! template (`templates`), or one for each of its recipients (`recipients`, `identities`, `bindings`, `opt_outs`), but none
//! to an address that takes no more (`suppressions`); workers hand sends to their channel account (`accounts`, `dispatch`,
//! `tokens`, `channels`) and write down what the provider said (`sends`), at once and later (`receipts`); what does not
//! reach its person is followed by something else (`fallbacks`), or sent again by people, also many at once (`retries`);
//! what happened before is applied to a rule again (`replays`). Receivers end what they do not want (`unsubscribe`).
//! `test_sends` tries a template past all of that.
//!
//! Owns the tables of the message centre and the routes of those names. Does not own what a send may become, nor what
//! follows from a provider's answer (`domain::centre`): those are pure rules.
//!
//! Invariants: an event is stored before it is acknowledged, and each rule makes each of its sends once, however often an
//! event is expanded; a send is reported as sent only if its provider said so; what may have arrived is never sent again
//! by itself, unless its receiver knows repeats; no request to a provider is made inside a transaction; who waits for one
//! account never waits for another.

pub mod accounts;
pub mod bindings;
pub mod channels;
pub mod digests;
pub mod dispatch;
pub mod events;
pub mod fallbacks;
pub mod identities;
pub mod opt_outs;
pub mod receipts;
pub mod recipients;
pub mod replays;
pub mod retries;
pub mod rules;
pub mod sends;
pub mod suppressions;
pub mod templates;
pub mod test_sends;
pub mod tokens;
pub mod unsubscribe;

use std::sync::Arc;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::kernel::{Result, looks};
use channels::transport::Transport;
use digests::close::Digests;
use dispatch::Dispatch;
use events::expand::Expander;
use events::follow::ProductEvents;
use events::missed::MissedMessages;
use events::schedules::Schedules;
use events::waits::Waits;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    accounts::routes(config);
    templates::routes(config);
    test_sends::routes(config);
    rules::routes(config);
    recipients::routes(config);
    opt_outs::routes(config);
    suppressions::routes(config);
    identities::routes(config);
    bindings::routes(config);
    events::routes(config);
    sends::routes(config);
    retries::routes(config);
    replays::routes(config);
    receipts::routes(config);
    unsubscribe::routes(config);
}

/// Starts what applies rules and what sends; gives what carries a message for somebody who waits for the answer. Must be
/// called on a tokio runtime.
pub fn spawn_tasks(app: &Arc<App>) -> Result<Transport> {
    let transport = Transport::new(&app.settings.outbound_allow)?;
    app.follow(Arc::new(ProductEvents::new(app)));
    app.follow(Arc::new(MissedMessages::new(app)));
    let (waits, clock, shutdown) = (Waits::new(app), app.clock.clone(), app.tasks.shutdown().clone());
    app.tasks.spawn("message_waits", move || looks::run(waits.clone(), clock.clone(), shutdown.clone()));
    let (schedules, shutdown) = (Schedules::new(app), app.tasks.shutdown().clone());
    app.tasks.spawn("message_schedules", move || events::schedules::run(schedules.clone(), shutdown.clone()));
    let (digests, shutdown) = (Digests::new(app), app.tasks.shutdown().clone());
    app.tasks.spawn("message_digests", move || digests::close::run(digests.clone(), shutdown.clone()));
    let (expander, shutdown) = (Expander::new(app), app.tasks.shutdown().clone());
    app.tasks.spawn("message_rules", move || events::expand::run(expander.clone(), shutdown.clone()));
    let (dispatch, shutdown) = (Dispatch::new(app, transport.clone()), app.tasks.shutdown().clone());
    app.tasks.spawn("message_sends", move || dispatch::run(dispatch.clone(), shutdown.clone()));
    Ok(transport.with_mail(test_sends::service::MAIL))
}
