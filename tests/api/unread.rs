//! P5: after any history, what the inbox says is unread equals the definition, for every member, and read positions
//! stand where a simple model says. Random steps under fixed seeds.

use std::collections::BTreeMap;

use deskwire::domain::actor::Actor;
use deskwire::domain::content::Body;
use deskwire::domain::conversation::CloseReason;
use deskwire::domain::entry::MESSAGE;
use deskwire::domain::member::Role;
use deskwire::journal::{Action, Command, Draft, LogRef, commands};
use deskwire::kernel::{ConversationId, MemberId};
use deskwire::sync::{store, verify};

use crate::harness::TestApp;
use crate::harness::random::Random;

on_every_database! {
    /// Sends with and without reading, reads of old versions and beyond the head, marking unread, recalls, joining,
    /// leaving and rejoining, closing and reopening.
    async fn unread_equals_its_definition_after_every_step(app: TestApp) {
        for seed in [1, 20, 300] {
            let mut random = Random::new(seed);
            let desk = app.seed().await;
            let room = app.open_room(desk.visitor).await;
            let people = [desk.visitor, desk.agent, desk.second_agent, desk.supervisor, desk.admin];
            let mut model = Model::default();
            model.observe(&app, room).await;
            for step in 0..120 {
                let actor = *random.pick(&people);
                let action = random_action(&mut random, room, &people, &model);
                model.expect(actor, &action);
                let done = app.journal.submit(Command::new(actor, action.clone())).await;
                model.settle(&app, room, done.is_ok()).await;
                check(&app, desk.tenant, room, &format!("seed {seed}, step {step}: {} {action:?}", actor.role)).await;
            }
        }
        let report = app.db.read(|connection| verify::recompute_all(connection, None)).await.unwrap();
        assert_eq!(report.drift, 0, "{report:?}");
    }
}

fn random_action(random: &mut Random, room: ConversationId, people: &[Actor], model: &Model) -> Action {
    let seq = random.below(model.head as u64 + 3) as i64;
    let staff = || people.iter().filter(|one| one.role != Role::Customer).copied().collect::<Vec<_>>();
    match random.below(20) {
        0..=6 => {
            let key = format!("k{}", random.below(10_000));
            let read_seq = (random.below(2) == 0).then_some(seq);
            let body = Body::text("text").unwrap();
            Action::Send(commands::Send {
                log: LogRef::Log(room),
                draft: Draft { client_msg_id: key, body, reply_to_seq: None, version: None },
                read_seq,
            })
        }
        7..=9 => {
            let read_ver = (random.below(2) == 0).then(|| 1 + random.below(4) as i64);
            Action::Read(commands::Read { conversation: room, seq, read_ver })
        }
        10 | 11 => Action::MarkUnread(commands::MarkUnread { conversation: room, seq }),
        12..=14 => Action::Recall(commands::Recall { conversation: room, seq }),
        15 => Action::AddMember(commands::AddMember {
            conversation: room,
            member: random.pick(&staff()).member,
        }),
        16 => Action::RemoveMember(commands::RemoveMember {
            conversation: room,
            member: random.pick(&staff()).member,
        }),
        17 => Action::Claim(commands::Claim { conversation: room }),
        18 => Action::Release(commands::Release { conversation: room, note: String::new() }),
        _ if random.below(2) == 0 => Action::Close(commands::Close {
            conversation: room,
            reason: CloseReason::Resolved,
            note: String::new(),
        }),
        _ => Action::Reopen(commands::Reopen { conversation: room }),
    }
}

/// Where every member's read position must stand: (position, version), for those who are in.
#[derive(Debug, Default)]
struct Model {
    head: i64,
    joined: BTreeMap<MemberId, i64>,
    positions: BTreeMap<MemberId, (i64, i64)>,
    next: Option<(MemberId, (i64, i64))>,
}

impl Model {
    /// What the position becomes when the command is accepted.
    fn expect(&mut self, actor: Actor, action: &Action) {
        let Some((position, version)) = self.positions.get(&actor.member).copied() else {
            self.next = None;
            return;
        };
        let next = match action {
            Action::Read(commands::Read { seq, read_ver, .. })
                if read_ver.is_none_or(|one| one == version) =>
            {
                (position.max((*seq).min(self.head)), version)
            }
            // What was displayed cannot be newer than what was there when the message was sent.
            Action::Send(commands::Send { read_seq: Some(seq), .. }) => {
                (position.max((*seq).min(self.head)), version)
            }
            Action::MarkUnread(commands::MarkUnread { seq, .. }) => {
                // Staff may go back to the beginning of what they may read, the customer to where it joined.
                let first = if actor.role == Role::Customer { self.joined[&actor.member] } else { 0 };
                ((*seq).clamp(first.min(self.head), self.head), version + 1)
            }
            _ => (position, version),
        };
        self.next = Some((actor.member, next));
    }

    async fn settle(&mut self, app: &TestApp, room: ConversationId, accepted: bool) {
        if let (Some((member, next)), true) = (self.next.take(), accepted) {
            self.positions.insert(member, next);
        }
        let before = self.positions.clone();
        self.observe(app, room).await;
        for (member, position) in &self.positions {
            if let Some(expected) = before.get(member) {
                // Leaving and coming back starts at the head with a new version.
                let rejoined = position.1 > expected.1 && position.0 == self.joined[member];
                assert!(position == expected || rejoined, "{member}: {position:?}, expected {expected:?}");
            }
        }
    }

    async fn observe(&mut self, app: &TestApp, room: ConversationId) {
        let store = app.audit().await;
        self.head = store.rooms[&room].seq;
        let rows = || store.participants.iter().filter(|row| row.conversation_id == room && row.is_in());
        self.joined = rows().map(|row| (row.member_id, row.joined_seq)).collect();
        self.positions = rows().map(|row| (row.member_id, (row.read_seq, row.read_ver))).collect();
    }
}

/// The inbox rows against the definition, counted here from the stored entries.
async fn check(app: &TestApp, tenant: deskwire::kernel::TenantId, room: ConversationId, what: &str) {
    let stored = app.audit().await;
    let members: Vec<_> =
        stored.participants.iter().filter(|row| row.conversation_id == room).cloned().collect();
    let keys: Vec<_> = members.iter().map(|row| (room, row.member_id)).collect();
    let rows = app.db.read(move |connection| store::rows_for(connection, tenant, &keys)).await.unwrap();
    assert_eq!(rows.len(), members.len(), "{what}");
    for (member, row) in rows {
        let participant = members.iter().find(|one| one.member_id == member).unwrap();
        let unread = stored.entries.iter().filter(|entry| {
            entry.conversation_id == room
                && entry.message_type == MESSAGE
                && entry.seq > participant.read_seq
                && entry.sender_id != Some(member)
                && entry.recalled_at.is_none()
        });
        let expected = if participant.is_in() { unread.count() as i64 } else { 0 };
        assert_eq!(row.unread, expected.min(100), "{what}: {participant:?}");
    }
}
