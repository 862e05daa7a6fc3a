//! Typing notices. Not stored: passed on at most every three seconds, end by themselves after six.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::collect;
use super::commands::{Running, reads};
use super::pending::Tell;
use super::protocol::FrameId;
use super::protocol::client::Typing;
use super::socket::Socket;
use super::wire;
use crate::conversations::{access, store};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::{ConversationKind, MemberType};
use crate::domain::permission::Operation;
use crate::journal::ephemeral::Ephemeral;
use crate::kernel::{ConversationId, MemberId, Result};

/// Somebody types, or stopped.
pub fn typing(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: Typing) -> Result<()> {
    let conversation = input.conversation_id;
    match collect::with(socket, |pending| pending.typing(conversation, input.on, Instant::now())) {
        Some(Tell::Tell(recipients)) => tell(socket, actor, conversation, input.on, recipients),
        Some(Tell::Spare) => {}
        None if !input.on => {}
        None => {
            let running = Running::new(socket, reads);
            let socket = socket.clone();
            actix_web::rt::spawn(Box::pin(async move {
                let read = move |connection: &mut AnyConnection| audience(connection, &actor, conversation);
                match socket.hub.app.db.read(read).await {
                    Ok(recipients) => {
                        let told = recipients.clone();
                        collect::with(&socket, |pending| {
                            pending.typing_told(conversation, told, Instant::now())
                        });
                        tell(&socket, actor, conversation, true, recipients);
                    }
                    Err(error) => socket.reply(wire::error(id.as_ref(), &error, None)),
                }
                drop(running);
            }));
        }
    }
    Ok(())
}

/// Passes it on to every worker.
pub fn tell(
    socket: &Socket,
    actor: Actor,
    conversation: ConversationId,
    on: bool,
    recipients: Arc<[MemberId]>,
) {
    let (tenant, member) = (actor.tenant, actor.member);
    socket.hub.app.feed.ephemeral(Ephemeral::Typing { tenant, conversation, member, on, recipients });
}

/// The participants of the conversation, if the actor may write there. Of a backstage log: the staff of its parent.
fn audience(
    connection: &mut AnyConnection,
    actor: &Actor,
    conversation: ConversationId,
) -> Result<Arc<[MemberId]>> {
    let access = access::load(connection, actor, conversation)?;
    let backstage = access.conversation.kind == ConversationKind::Backstage;
    access.check(actor, if backstage { Operation::WriteNote } else { Operation::SendMessage })?;
    let participants = store::participants_in(connection, actor.tenant, access.front().id)?;
    let inside = participants.into_iter().filter(|one| {
        one.is_in()
            && one.member_id != actor.member
            && !(backstage && one.member_type == MemberType::Customer)
    });
    Ok(inside.map(|one| one.member_id).collect())
}
