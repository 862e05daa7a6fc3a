//! What happens in a simulation: random steps, and the command that each one means.

use proptest::prelude::*;

use super::simulation::Simulation;
use super::{PEOPLE, SECRET, SHOP};
use crate::domain::content::Body;
use crate::domain::conversation::{CloseReason, Priority};
use crate::domain::member::MemberStatus;
use crate::journal::command::{Command, Draft, LogRef};
use crate::journal::commands::{
    Action, AddMember, Assign, ChangeMember, Claim, Close, Delivered, Edit, MarkUnread, Merge, Open, Read,
    Recall, Release, RemoveMember, Reopen, Send, Update,
};
use crate::kernel::MemberId;

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Open {
        who: usize,
        customer: usize,
        key: Option<u8>,
    },
    Send {
        who: usize,
        room: usize,
        key: u8,
        text: u8,
        reply: Option<i64>,
        read: Option<i64>,
    },
    Note {
        who: usize,
        room: usize,
        key: u8,
    },
    Edit {
        who: usize,
        room: usize,
        seq: i64,
        text: u8,
    },
    Recall {
        who: usize,
        room: usize,
        seq: i64,
    },
    Claim {
        who: usize,
        room: usize,
    },
    Assign {
        who: usize,
        room: usize,
        agent: usize,
    },
    Release {
        who: usize,
        room: usize,
    },
    Close {
        who: usize,
        room: usize,
    },
    Reopen {
        who: usize,
        room: usize,
    },
    Add {
        who: usize,
        room: usize,
        member: usize,
    },
    Remove {
        who: usize,
        room: usize,
        member: usize,
    },
    Update {
        who: usize,
        room: usize,
        what: u8,
    },
    Read {
        who: usize,
        room: usize,
        seq: i64,
        version: Option<i64>,
    },
    MarkUnread {
        who: usize,
        room: usize,
        seq: i64,
    },
    Delivered {
        who: usize,
        room: usize,
        seq: i64,
    },
    /// An earlier message is sent again, as after a lost answer.
    Retry {
        which: usize,
    },
    /// A visitor is recognised.
    Merge {
        from: usize,
        into: usize,
    },
    /// An account is disabled or enabled.
    Switch {
        who: usize,
        on: bool,
    },
    /// The batch ends: what was decided is stored.
    Commit,
    /// Time passes.
    Wait {
        minutes: i64,
    },
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let (who, room, seq, key) = (0..PEOPLE.len(), 0..8usize, -1..14i64, 0..6u8);
    let reply = prop_oneof![4 => Just(None), 1 => (0..9i64).prop_map(Some)];
    let maybe = prop_oneof![1 => Just(None), 1 => (-1..14i64).prop_map(Some)];
    let version = prop_oneof![2 => Just(None), 1 => (0..4i64).prop_map(Some)];
    let visitor = 4..7usize;
    let opened = (who.clone(), visitor.clone(), proptest::option::of(key.clone()));
    prop_oneof![
        3 => opened.prop_map(|(who, customer, key)| Step::Open { who, customer, key }),
        2 => (visitor.clone(), proptest::option::of(key.clone()))
            .prop_map(|(who, key)| Step::Open { who, customer: who, key }),
        9 => (who.clone(), room.clone(), key.clone(), 0..3u8, reply, maybe)
            .prop_map(|(who, room, key, text, reply, read)| Step::Send { who, room, key, text, reply, read }),
        2 => (who.clone(), room.clone(), key).prop_map(|(who, room, key)| Step::Note { who, room, key }),
        3 => (who.clone(), room.clone(), seq.clone(), 0..3u8)
            .prop_map(|(who, room, seq, text)| Step::Edit { who, room, seq, text }),
        3 => (who.clone(), room.clone(), seq.clone())
            .prop_map(|(who, room, seq)| Step::Recall { who, room, seq }),
        4 => (who.clone(), room.clone()).prop_map(|(who, room)| Step::Claim { who, room }),
        3 => (0..2usize, room.clone(), who.clone())
            .prop_map(|(who, room, agent)| Step::Assign { who, room, agent }),
        2 => (who.clone(), room.clone()).prop_map(|(who, room)| Step::Release { who, room }),
        2 => (who.clone(), room.clone()).prop_map(|(who, room)| Step::Close { who, room }),
        2 => (who.clone(), room.clone()).prop_map(|(who, room)| Step::Reopen { who, room }),
        2 => (who.clone(), room.clone(), who.clone())
            .prop_map(|(who, room, member)| Step::Add { who, room, member }),
        2 => (who.clone(), room.clone(), who.clone())
            .prop_map(|(who, room, member)| Step::Remove { who, room, member }),
        2 => (who.clone(), room.clone(), 0..6u8)
            .prop_map(|(who, room, what)| Step::Update { who, room, what }),
        5 => (who.clone(), room.clone(), seq.clone(), version)
            .prop_map(|(who, room, seq, version)| Step::Read { who, room, seq, version }),
        2 => (who.clone(), room.clone(), seq.clone())
            .prop_map(|(who, room, seq)| Step::MarkUnread { who, room, seq }),
        1 => (who.clone(), room, seq).prop_map(|(who, room, seq)| Step::Delivered { who, room, seq }),
        3 => (0..64usize).prop_map(|which| Step::Retry { which }),
        1 => (visitor.clone(), visitor).prop_map(|(from, into)| Step::Merge { from, into }),
        1 => (who, proptest::bool::weighted(0.8)).prop_map(|(who, on)| Step::Switch { who, on }),
        3 => Just(Step::Commit),
        1 => (0..10i64).prop_map(|minutes| Step::Wait { minutes }),
    ]
}

impl Simulation {
    pub(super) fn command(&self, step: &Step) -> Option<Command> {
        let by = |who: usize, action: Action| Some(Command::new(self.people[who], action));
        let member = |index: usize| MemberId(index as i64 + 1);
        match step.clone() {
            Step::Open { who, customer, key } => {
                let message = key.map(|key| draft(key, 0, None));
                by(who, Open { customer: member(customer), subject: String::new(), message }.into())
            }
            Step::Send { who, room, key, text, reply, read } => {
                let room = self.room(room);
                // What is said behind the scenes must stay there.
                let backstage = self.row(room).is_some_and(|row| row.parent_id.is_some());
                let draft = if backstage { secret(key) } else { draft(key, text, reply) };
                by(who, Send { log: LogRef::Log(room), draft, read_seq: read }.into())
            }
            Step::Note { who, room, key } => {
                let log = LogRef::BackstageOf(self.front(room));
                by(who, Send { log, draft: secret(key), read_seq: None }.into())
            }
            Step::Edit { who, room, seq, text } => {
                let conversation = self.room(room);
                let backstage = self.row(conversation).is_some_and(|row| row.parent_id.is_some());
                let words = if backstage { format!("{SECRET} edited") } else { format!("edited {text}") };
                by(
                    who,
                    Edit { conversation, seq, body: Body::text(&words).unwrap(), base_edited_at: None }
                        .into(),
                )
            }
            Step::Recall { who, room, seq } => by(who, Recall { conversation: self.room(room), seq }.into()),
            Step::Claim { who, room } => by(who, Claim { conversation: self.room(room) }.into()),
            Step::Assign { who, room, agent } => {
                let note = if agent % 2 == 0 { String::new() } else { SECRET.to_owned() };
                by(who, Assign { conversation: self.room(room), agent: member(agent), note }.into())
            }
            Step::Release { who, room } => {
                by(who, Release { conversation: self.room(room), note: SECRET.to_owned() }.into())
            }
            Step::Close { who, room } => {
                let (conversation, note) = (self.room(room), SECRET.to_owned());
                by(who, Close { conversation, reason: CloseReason::Resolved, note }.into())
            }
            Step::Reopen { who, room } => by(who, Reopen { conversation: self.room(room) }.into()),
            Step::Add { who, room, member: one } => {
                by(who, AddMember { conversation: self.room(room), member: member(one) }.into())
            }
            Step::Remove { who, room, member: one } => {
                by(who, RemoveMember { conversation: self.room(room), member: member(one) }.into())
            }
            Step::Update { who, room, what } => {
                let conversation = self.room(room);
                let subject = (what % 2 == 0).then(|| format!("subject {what}"));
                let priority = (what % 3 == 0).then_some(Priority::Urgent);
                let tags = (what >= 3).then(|| vec![format!("{SECRET}{what}")]);
                by(who, Update { conversation, subject, priority, tags }.into())
            }
            Step::Read { who, room, seq, version: read_ver } => {
                by(who, Read { conversation: self.room(room), seq, read_ver }.into())
            }
            Step::MarkUnread { who, room, seq } => {
                by(who, MarkUnread { conversation: self.room(room), seq }.into())
            }
            Step::Delivered { who, room, seq } => {
                by(who, Delivered { conversation: self.room(room), seq }.into())
            }
            Step::Merge { from, into } => by(from, Merge { from: member(from), into: member(into) }.into()),
            Step::Switch { who, on } => {
                let status = if on { MemberStatus::Enabled } else { MemberStatus::Disabled };
                let change = ChangeMember { status: Some(status), ..ChangeMember::of(member(who)) };
                let admin = if PEOPLE[who].0 == SHOP { 0 } else { 7 };
                by(admin, change.into())
            }
            Step::Retry { .. } | Step::Commit | Step::Wait { .. } => None,
        }
    }
}

pub(super) fn draft(key: u8, text: u8, reply_to_seq: Option<i64>) -> Draft {
    let body = Body::text(&format!("text {text}")).unwrap();
    Draft { client_msg_id: format!("k{key}"), body, reply_to_seq }
}

pub(super) fn secret(key: u8) -> Draft {
    Draft { client_msg_id: format!("k{key}"), body: Body::text(SECRET).unwrap(), reply_to_seq: None }
}
