//! Positions that a socket collects before they are stored: reads for 250 ms, delivered positions for five seconds; and the
//! words of bots, which are passed on now and then.
//! So a member who scrolls through a log costs one command and not fifty.

use std::rc::Rc;
use std::time::Instant;

use super::commands::{Running, writes};
use super::hub::Hub;
use super::pending::{Pending, PendingRead};
use super::protocol::FrameId;
use super::protocol::client::{Position, Read};
use super::protocol::server::ReadReply;
use super::rebuild::Suspect;
use super::socket::Socket;
use super::{stream, typing, wire};
use crate::domain::actor::Actor;
use crate::kernel::Result;
use crate::sync::api::{ReportDelivered, ReportRead};
use crate::sync::service;

/// Works on what the socket collects, and has the timers look at it.
pub fn with<T>(socket: &Rc<Socket>, work: impl FnOnce(&mut Pending) -> T) -> T {
    let mut pending = socket.pending.borrow_mut();
    let pending = pending.get_or_insert_default();
    let was_busy = pending.is_busy();
    let done = work(pending);
    if pending.is_busy() && !was_busy {
        socket.hub.busy.borrow_mut().push(socket.clone());
    }
    done
}

/// Collects a read position.
pub fn read(socket: &Rc<Socket>, _: Actor, id: Option<FrameId>, read: Read) -> Result<()> {
    crate::messages::service::position(read.seq, "/seq")?;
    with(socket, |pending| pending.read(read, id));
    Ok(())
}

/// Collects delivered positions.
pub fn delivered(socket: &Rc<Socket>, positions: &[Position]) {
    with(socket, |pending| pending.delivered(positions));
}

/// Stores what is due on this worker.
pub fn flush(hub: &Rc<Hub>) {
    let now = Instant::now();
    // Taken before the loop: a guard in its head would live until the loop's end.
    let sockets = hub.busy.take();
    let mut still_busy = Vec::new();
    for socket in sockets {
        hub.suspect.set(Some(Suspect::Socket(socket.id)));
        flush_one(&socket, now, false);
        if is_busy(&socket) {
            still_busy.push(socket);
        }
    }
    hub.suspect.set(None);
    hub.busy.borrow_mut().append(&mut still_busy);
}

/// Whether the socket has collected something.
pub fn is_busy(socket: &Socket) -> bool {
    socket.pending.borrow().as_ref().is_some_and(|pending| pending.is_busy())
}

/// The socket is gone: stores what it collected, and it no longer types.
pub fn finish(socket: &Rc<Socket>) {
    if socket.pending.borrow().is_some() {
        flush_one(socket, Instant::now(), true);
    }
}

fn flush_one(socket: &Rc<Socket>, now: Instant, all: bool) {
    let Some(actor) = socket.actor.get() else { return };
    let (reads, delivered, typed, streams) = {
        let mut pending = socket.pending.borrow_mut();
        let Some(pending) = pending.as_mut() else { return };
        let delivered = match all {
            true => std::mem::take(&mut pending.delivered),
            false => pending.due_delivered(now),
        };
        let streams = pending.due_streams(now);
        (std::mem::take(&mut pending.reads), delivered, pending.typing_over(now, all), streams)
    };
    if !all {
        streams.into_iter().for_each(|(words, id)| stream::pass_on(socket, actor, words, id));
    }
    for one in typed {
        typing::tell(socket, actor, one.conversation, false, one.recipients);
    }
    if !reads.is_empty() || !delivered.is_empty() {
        let running = Running::new(socket, writes);
        actix_web::rt::spawn(Box::pin(store(running, socket.clone(), actor, reads, delivered)));
    }
}

async fn store(
    running: Running,
    socket: Rc<Socket>,
    actor: Actor,
    reads: Vec<PendingRead>,
    delivered: Vec<Position>,
) {
    let app = socket.hub.app.clone();
    let positions = reads.into_iter().map(async |PendingRead { read, ids }| {
        let input = ReportRead { seq: Some(read.seq), read_ver: read.read_ver };
        let done = service::read(&app, actor, read.conversation_id, input).await;
        answer(&socket, &read, &ids, done.map(|now| (now.read_seq, now.read_ver)));
    });
    let reports = delivered.into_iter().map(async |(conversation, seq)| {
        let done = service::delivered(&app, actor, conversation, ReportDelivered { seq: seq.max(0) }).await;
        if let Err(error) = done {
            // A position that was not stored is reported again with the next one.
            log::debug!(target: "deskwire::gateway", "delivered position of {conversation}: {error}");
        }
    });
    futures_util::future::join(
        futures_util::future::join_all(positions),
        futures_util::future::join_all(reports),
    )
    .await;
    drop(running);
}

fn answer(socket: &Rc<Socket>, read: &Read, ids: &[FrameId], done: Result<(i64, i64)>) {
    match done {
        Ok((read_seq, read_ver)) => {
            let reply = ReadReply { conversation_id: read.conversation_id, read_seq, read_ver };
            ids.iter().for_each(|id| socket.reply(wire::ok(Some(id), &reply)));
        }
        Err(error) => {
            ids.iter().for_each(|id| socket.reply(wire::error(Some(id), &error, None)));
        }
    }
}
