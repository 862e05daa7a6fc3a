//! The ceiling of a fleet's sends: the whole statement set of full batches (begin, lock, load, flush, receipt,
//! commit), one batch after the other on one connection, without queue, rules, gateway and network. The rules run
//! between loading and flushing, as the statements depend on them, and their time is taken off.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deskwire::app::App;
use deskwire::db::connection::Purpose;
use deskwire::domain::actor::Actor;
use deskwire::domain::content::Body;
use deskwire::journal::decide::decide;
use deskwire::journal::store::flush;
use deskwire::journal::store::transaction::{self, Wait};
use deskwire::journal::wants;
use deskwire::journal::working_set::WorkingSet;
use deskwire::journal::{Action, Command, Draft, LogRef, commands};
use deskwire::kernel::{ConversationId, TenantId};

use super::Outcome;

/// A conversation and who speaks in it.
pub type Place = (Actor, ConversationId);

/// A text from this place under this key.
pub fn say_at((actor, room): Place, key: String, text: &str) -> Outcome<Command> {
    let draft = Draft { client_msg_id: key, body: Body::text(text)?, reply_to_seq: None, version: None };
    Ok(Command::new(actor, Action::Send(commands::Send { log: LogRef::Log(room), draft, read_seq: None })))
}

/// Messages a second. Blocks; nothing else may write to this store meanwhile.
pub fn statements(app: &Arc<App>, places: &[Place], batch: usize, seconds: f64, text: &str) -> Outcome<f64> {
    let mut connection = app.db.target().connect(Purpose::Write)?;
    let (mut messages, mut statements, mut next) = (0_usize, Duration::ZERO, 0_usize);
    while statements.as_secs_f64() < seconds {
        let id = app.ids.next()?;
        let commands: Outcome<Vec<Command>> = (0..batch)
            .map(|number| say_at(places[(next + number) % places.len()], format!("c{id}.{number}"), text))
            .collect();
        let commands = commands?;
        next += batch;
        let references: Vec<&Command> = commands.iter().collect();
        let tenants: BTreeSet<TenantId> = commands.iter().map(|command| command.tenant()).collect();
        let tenants: Vec<TenantId> = tenants.into_iter().collect();

        let begin = Instant::now();
        let mut world = WorkingSet::new(app.clock.now().0, app.ids.clone());
        transaction::begin(&mut connection)?;
        let revs = transaction::lock_tenants(&mut connection, &tenants, Wait::Skip)?;
        wants::load(&mut connection, &mut world, &revs, &references)?;
        statements += begin.elapsed();
        for command in &commands {
            decide(&mut world, command)?;
        }
        let begin = Instant::now();
        flush::flush(&mut connection, &world)?;
        transaction::write_receipt(&mut connection, id)?;
        transaction::commit(&mut connection)?;
        statements += begin.elapsed();
        messages += batch;
    }
    Ok(messages as f64 / statements.as_secs_f64())
}
