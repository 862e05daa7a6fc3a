//! What happens in a simulation, and the command that each step means. How often each comes stands in `strategy`.

use super::simulation::Simulation;
use super::{PEOPLE, SECRET, SHOP};
use crate::domain::actor::Principal;
use crate::domain::content::Body;
use crate::domain::conversation::CloseReason;
use crate::domain::member::MemberStatus;
use crate::domain::presence::{PresenceStatus, Sighting};
use crate::domain::transfer::{Receiver, TransferMode, TransferReason};
use crate::journal::command::{Command, Draft, LogRef};
use crate::journal::commands::{
    Action, AddMember, AnswerOffer, Assign, ChangeMember, Claim, Close, Delivered, Edit, MarkUnread, Merge,
    Open, Read, Recall, Release, RemoveMember, Reopen, RequeueAbsent, RunTimers, Send, SetConnected,
    SetPresence, TakeOver, Transfer, Update, WithdrawTransfer,
};
use crate::kernel::{ConversationId, MemberId};

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
        conversation: usize,
        key: u8,
        text: u8,
        reply: Option<i64>,
        read: Option<i64>,
    },
    Note {
        who: usize,
        conversation: usize,
        key: u8,
    },
    Edit {
        who: usize,
        conversation: usize,
        seq: i64,
        text: u8,
    },
    Recall {
        who: usize,
        conversation: usize,
        seq: i64,
    },
    Claim {
        who: usize,
        conversation: usize,
    },
    Assign {
        who: usize,
        conversation: usize,
        agent: usize,
    },
    Transfer {
        who: usize,
        conversation: usize,
        agent: usize,
    },
    /// An agent is asked whether it takes a conversation over, or is not any more.
    OfferTransfer {
        who: usize,
        conversation: usize,
        agent: usize,
    },
    Withdraw {
        who: usize,
        conversation: usize,
    },
    /// A conversation is handed over to a group.
    TransferToGroup {
        who: usize,
        conversation: usize,
        group: usize,
    },
    TakeOver {
        who: usize,
        conversation: usize,
    },
    Release {
        who: usize,
        conversation: usize,
    },
    Close {
        who: usize,
        conversation: usize,
    },
    Reopen {
        who: usize,
        conversation: usize,
    },
    Add {
        who: usize,
        conversation: usize,
        member: usize,
    },
    Remove {
        who: usize,
        conversation: usize,
        member: usize,
    },
    Update {
        who: usize,
        conversation: usize,
        what: u8,
    },
    Read {
        who: usize,
        conversation: usize,
        seq: i64,
        version: Option<i64>,
    },
    MarkUnread {
        who: usize,
        conversation: usize,
        seq: i64,
    },
    Delivered {
        who: usize,
        conversation: usize,
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
    /// A group is made, is given another name, or ends.
    MakeGroup {
        who: usize,
        name: u8,
    },
    NameGroup {
        who: usize,
        group: usize,
        name: u8,
    },
    /// A group has its own way of routing, or the tenant's again.
    RouteGroup {
        who: usize,
        group: usize,
        strategy: Option<usize>,
    },
    /// The whole group serves what comes to it, or one agent each.
    Serving {
        who: usize,
        group: usize,
        whole: bool,
    },
    /// The service docks what waits for a group.
    DockWaiting(usize),
    EndGroup {
        who: usize,
        group: usize,
    },
    /// Somebody comes into a group, or leaves it.
    Place {
        who: usize,
        group: usize,
        member: usize,
        manages: Option<bool>,
    },
    Displace {
        who: usize,
        group: usize,
        member: usize,
    },
    /// A conversation becomes a group's matter, or nobody's.
    Group {
        who: usize,
        conversation: usize,
        group: Option<usize>,
    },
    /// A group serves a conversation.
    Dock {
        who: usize,
        conversation: usize,
        group: usize,
    },
    /// The conversations of a group follow somebody's place in it.
    Follow {
        group: usize,
        member: usize,
    },
    /// A room of the staff is made, or a direct one opened.
    Room {
        who: usize,
        members: Vec<usize>,
    },
    Direct {
        who: usize,
        member: usize,
    },
    /// Somebody says what it is.
    Presence {
        who: usize,
        what: usize,
    },
    /// The processes look for somebody's sockets.
    Look {
        who: usize,
        seen: Option<Sighting>,
    },
    /// The conversations of somebody who may be absent are looked at.
    Requeue {
        who: usize,
    },
    /// Somebody answers an offer.
    Answer {
        who: usize,
        conversation: usize,
        accept: bool,
    },
    /// The shop decides how its conversations are routed.
    Routing {
        mode: usize,
    },
    /// The service gives waiting conversations away.
    Route,
    /// The service looks at what is served.
    Timers,
    /// Some process believes that something is due there.
    Suspect {
        conversation: usize,
    },
    Rate(super::ratings::RateStep),
    Sla(super::sla::SlaStep),
    Attach(super::attachments::AttachStep),
    /// The batch ends: what was decided is stored.
    Commit,
    /// Time passes.
    Wait {
        minutes: i64,
    },
}

impl Simulation {
    pub(super) fn command(&self, step: &Step) -> Option<Command> {
        let by = |who: usize, action: Action| Some(Command::new(self.people[who], action));
        let member = |index: usize| MemberId(index as i64 + 1);
        match step.clone() {
            Step::Open { who, customer, key } => {
                let message = key.map(|key| draft(key, 0, None));
                let group =
                    (customer % 2 == 0 && !self.store.groups.is_empty()).then(|| self.group(customer));
                let required_skills = if key == Some(1) { vec!["refunds".to_owned()] } else { Vec::new() };
                by(who, Open { group, message, required_skills, ..Open::of(member(customer)) }.into())
            }
            Step::Send { who, conversation, key, text, reply, read } => {
                let conversation = self.conversation(conversation);
                // What is said behind the scenes must stay there.
                let backstage = self.row(conversation).is_some_and(|row| row.parent_id.is_some());
                let draft = if backstage { secret(key) } else { draft(key, text, reply) };
                by(who, Send { log: LogRef::Log(conversation), draft, read_seq: read }.into())
            }
            Step::Note { who, conversation, key } => {
                let log = LogRef::BackstageOf(self.front(conversation));
                by(who, Send { log, draft: secret(key), read_seq: None }.into())
            }
            Step::Edit { who, conversation, seq, text } => {
                let conversation = self.conversation(conversation);
                let backstage = self.row(conversation).is_some_and(|row| row.parent_id.is_some());
                let words = if backstage { format!("{SECRET} edited") } else { format!("edited {text}") };
                let body = Body::text(&words).unwrap();
                by(who, Edit { conversation, seq, body, base_edited_at: None }.into())
            }
            Step::Recall { who, conversation, seq } => {
                by(who, Recall { conversation: self.conversation(conversation), seq }.into())
            }
            Step::Claim { who, conversation } => {
                by(who, Claim { conversation: self.conversation(conversation) }.into())
            }
            Step::Assign { who, conversation, agent } => {
                let note = if agent % 2 == 0 { String::new() } else { SECRET.to_owned() };
                by(
                    who,
                    Assign { conversation: self.conversation(conversation), agent: member(agent), note }
                        .into(),
                )
            }
            Step::Transfer { who, conversation, agent } => {
                let conversation = self.conversation(conversation);
                by(who, transfer(conversation, Receiver::Agent(member(agent)), agent, TransferMode::Push))
            }
            Step::OfferTransfer { who, conversation, agent } => {
                let conversation = self.conversation(conversation);
                by(who, transfer(conversation, Receiver::Agent(member(agent)), agent, TransferMode::Offer))
            }
            Step::Withdraw { who, conversation } => {
                by(who, WithdrawTransfer { conversation: self.conversation(conversation) }.into())
            }
            Step::TransferToGroup { who, conversation, group } => {
                let conversation = self.conversation(conversation);
                by(who, transfer(conversation, Receiver::Group(self.group(group)), group, TransferMode::Push))
            }
            Step::TakeOver { who, conversation } => {
                let conversation = self.conversation(conversation);
                by(who, TakeOver { conversation, note: SECRET.to_owned() }.into())
            }
            Step::Release { who, conversation } => by(
                who,
                Release { conversation: self.conversation(conversation), note: SECRET.to_owned() }.into(),
            ),
            Step::Close { who, conversation } => {
                let (conversation, note) = (self.conversation(conversation), SECRET.to_owned());
                by(who, Close { conversation, reason: CloseReason::Resolved, note }.into())
            }
            Step::Reopen { who, conversation } => {
                by(who, Reopen { conversation: self.conversation(conversation) }.into())
            }
            Step::Add { who, conversation, member: one } => by(
                who,
                AddMember { conversation: self.conversation(conversation), member: member(one) }.into(),
            ),
            Step::Remove { who, conversation, member: one } => by(
                who,
                RemoveMember { conversation: self.conversation(conversation), member: member(one) }.into(),
            ),
            Step::Update { who, conversation, what } => {
                by(who, self.update(self.conversation(conversation), what).into())
            }
            Step::Group { who, conversation, group } => {
                let conversation = self.conversation(conversation);
                let group = Some(group.map(|group| self.group(group)));
                by(who, Update { group, ..Update::of(conversation) }.into())
            }
            Step::Read { who, conversation, seq, version: read_ver } => {
                by(who, Read { conversation: self.conversation(conversation), seq, read_ver }.into())
            }
            Step::MarkUnread { who, conversation, seq } => {
                by(who, MarkUnread { conversation: self.conversation(conversation), seq }.into())
            }
            Step::Delivered { who, conversation, seq } => {
                by(who, Delivered { conversation: self.conversation(conversation), seq }.into())
            }
            Step::Merge { from, into } => by(from, Merge { from: member(from), into: member(into) }.into()),
            Step::Switch { who, on } => {
                let status = if on { MemberStatus::Enabled } else { MemberStatus::Disabled };
                let change = ChangeMember { status: Some(status), ..ChangeMember::of(member(who)) };
                let admin = if PEOPLE[who].0 == SHOP { 0 } else { 7 };
                by(admin, change.into())
            }
            Step::Presence { who, what } => {
                let (status, reason) = (PresenceStatus::ALL[what], String::new());
                by(who, SetPresence { status, reason }.into())
            }
            Step::Look { who, .. } => {
                let member = member(who);
                Some(Command::new(Principal::System(PEOPLE[who].0), SetConnected { member }))
            }
            Step::Requeue { who } => {
                let agent = member(who);
                Some(Command::new(Principal::System(PEOPLE[who].0), RequeueAbsent { agent }))
            }
            Step::Suspect { conversation } => {
                let conversations = [self.conversation(conversation)].into();
                Some(Command::new(Principal::System(SHOP), RunTimers { conversations }))
            }
            Step::Answer { who, conversation, accept } => {
                by(who, AnswerOffer { conversation: self.front(conversation), accept }.into())
            }
            other => self.command_about_staff(&other),
        }
    }
}

fn transfer(conversation: ConversationId, to: Receiver, number: usize, mode: TransferMode) -> Action {
    let reason = TransferReason::ALL.get(number).copied();
    Transfer { conversation, to, mode, reason, note: SECRET.to_owned() }.into()
}

pub(super) fn draft(key: u8, text: u8, reply_to_seq: Option<i64>) -> Draft {
    let body = Body::text(&format!("text {text}")).unwrap();
    Draft { client_msg_id: format!("k{key}"), body, reply_to_seq, version: None }
}

pub(super) fn secret(key: u8) -> Draft {
    Draft { body: Body::text(SECRET).unwrap(), ..draft(key, 0, None) }
}
