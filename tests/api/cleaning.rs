//! What is old is cleaned up, and nothing else.

use deskwire::db::schema::{audit_event, auth_session, conversation, lane_batch, member};
use deskwire::domain::actor::Actor;
use deskwire::domain::conversation::CloseReason;
use deskwire::domain::member::Role;
use deskwire::journal::Command;
use deskwire::journal::commands::Close;
use deskwire::kernel::ConversationId;
use deskwire::kernel::id::first_id_at;
use diesel::prelude::*;

use crate::harness::commands::claim;
use crate::harness::{TestApp, eventually};

const DAY: i64 = 86_400_000;

/// Makes a member, and its session, this many days old; the session ended `ended` days ago.
fn age(app: &TestApp, actor: Actor, days: i64, ended: Option<i64>) {
    let now = app.clock.now().0;
    let mut connection = app.database().connect();
    let then = now - days * DAY;
    let row = member::table.filter(member::id.eq(actor.member));
    diesel::update(row).set(member::created_at.eq(then)).execute(&mut connection).unwrap();
    let expires_at = ended.map_or(i64::MAX, |ended| now - ended * DAY);
    diesel::update(auth_session::table.filter(auth_session::member_id.eq(actor.member)))
        .set((auth_session::last_used_at.eq(then), auth_session::expires_at.eq(expires_at)))
        .execute(&mut connection)
        .unwrap();
}

/// A conversation of this visitor that was written in a hundred days ago.
async fn old_room(app: &TestApp, visitor: Actor, closed_by: Option<Actor>) -> ConversationId {
    let room = app.open_room(visitor).await;
    if let Some(agent) = closed_by {
        app.journal.submit(claim(agent, room)).await.unwrap();
        let close = Close { conversation: room, reason: CloseReason::Resolved, note: String::new() };
        app.journal.submit(Command::new(agent, close)).await.unwrap();
    }
    let mut connection = app.database().connect();
    diesel::update(conversation::table.filter(conversation::id.eq(room)))
        .set(conversation::last_at.eq(app.clock.now().0 - 100 * DAY))
        .execute(&mut connection)
        .unwrap();
    room
}

fn sessions(app: &TestApp, actor: Actor) -> i64 {
    let of = auth_session::table.filter(auth_session::member_id.eq(actor.member)).count();
    of.get_result(&mut app.database().connect()).unwrap()
}

fn deleted(app: &TestApp, actor: Actor) -> bool {
    let row = member::table.filter(member::id.eq(actor.member)).select(member::deleted_at);
    row.get_result::<Option<i64>>(&mut app.database().connect()).unwrap().is_some()
}

on_every_database! {
    /// Idle visitors, dead sessions and old receipts go; whoever could come back stays, and so does every log.
    async fn what_is_old_goes_and_nothing_else(app: TestApp) {
        let seed = app.seed().await;
        let visitor = async || app.seed_member(seed.tenant, Role::Customer).await;
        let (idle, wrote, waiting) = (visitor().await, visitor().await, visitor().await);
        let (signed_in, known, fresh) = (visitor().await, visitor().await, visitor().await);
        let room = old_room(&app, wrote, Some(seed.agent)).await;
        old_room(&app, waiting, None).await;
        for one in [idle, wrote, waiting, known] {
            age(&app, one, 100, Some(40));
        }
        age(&app, signed_in, 100, None);
        age(&app, fresh, 10, Some(5));
        // Staff is never idle; of its sessions the dead ones go.
        age(&app, seed.agent, 400, Some(40));
        age(&app, seed.second_agent, 400, Some(20));
        let mut connection = app.database().connect();
        diesel::update(member::table.filter(member::id.eq(known.member)))
            .set(member::external_id.eq("customer-7"))
            .execute(&mut connection)
            .unwrap();
        let now = app.clock.now().0;
        let (old, young) = (first_id_at(now - 2 * DAY), first_id_at(now - DAY / 24));
        diesel::insert_into(lane_batch::table).values(lane_batch::id.eq(old)).execute(&mut connection).unwrap();
        diesel::insert_into(lane_batch::table).values(lane_batch::id.eq(young)).execute(&mut connection).unwrap();
        let receipts = || {
            let ids = lane_batch::table.select(lane_batch::id).filter(lane_batch::id.le(young));
            ids.load::<i64>(&mut app.database().connect()).unwrap()
        };

        let cleaner = app.restarted(|settings| settings.cleaning.cleaning_minutes = 60).await;
        eventually("the idle are deleted", || async { (deleted(&app, idle) && deleted(&app, wrote)).then_some(()) }).await;
        eventually("the receipt is removed", || async { (receipts() == [young]).then_some(()) }).await;
        for one in [idle, wrote, waiting, known, seed.agent] {
            assert_eq!(sessions(&app, one), 0, "a session that ended forty days ago");
        }
        for one in [signed_in, fresh, seed.second_agent, seed.visitor] {
            assert_eq!(sessions(&app, one), 1, "a session that lives, or ended lately");
        }
        for one in [waiting, signed_in, known, fresh, seed.agent, seed.visitor] {
            assert!(!deleted(&app, one), "{one:?} was not to be deleted");
        }
        assert_eq!(cleaner.audit().await.messages(room).len(), 1, "what a deleted visitor wrote stays");
        let told: i64 = audit_event::table.count().get_result(&mut connection).unwrap();
        assert_eq!(told, 0, "cleaning is no act of the operator's");
    }
}
