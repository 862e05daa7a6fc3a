//! One random script on every database: the same answers and the same rows, byte for byte, once ids and times are
//! replaced by their order of appearance.

use std::collections::HashMap;

use deskwire::db::schema::{assignment, chat_group, group_member, message_revision};
use deskwire::db::{AnyConnection, DatabaseKind};
use deskwire::domain::actor::Actor;
use deskwire::domain::content::Body;
use deskwire::domain::conversation::{AssignmentRow, CloseReason, Priority};
use deskwire::domain::entry::{EntryKind, RevisionRow};
use deskwire::domain::group::{GroupMemberRow, GroupMemberType, GroupRow};
use deskwire::domain::member::Role;
use deskwire::domain::routing::RoutingStrategy;
use deskwire::journal::{Action, Command, Draft, LogRef, commands};
use deskwire::kernel::{ConversationId, GroupId};
use diesel::prelude::*;
use serde_json::json;

use crate::harness::random::Random;
use crate::harness::{Seed, TestApp, block_on, poison, servers};

/// Seeds that were run; one that finds a difference is added.
const SEEDS: [u64; 3] = [7, 11, 2_026];

/// The script's commands come in batches of 1 to 256; one command of each large batch is refused by the database.
#[test]
fn three_databases_behave_as_one() {
    let kinds = [
        #[cfg(feature = "sqlite")]
        DatabaseKind::Sqlite,
        #[cfg(feature = "postgres")]
        DatabaseKind::Postgresql,
        #[cfg(feature = "mysql")]
        DatabaseKind::Mysql,
    ];
    let kinds: Vec<DatabaseKind> = kinds.into_iter().filter(|kind| servers::available(*kind)).collect();
    let own = std::env::var("DESKWIRE_TEST_SEED").ok().and_then(|text| text.parse().ok());
    for seed in SEEDS.into_iter().chain(own) {
        let dumps: Vec<String> = kinds.iter().map(|kind| block_on(play(*kind, seed))).collect();
        for (kind, dump) in kinds.iter().zip(&dumps).skip(1) {
            let differing = dumps[0].lines().zip(dump.lines()).find(|(left, right)| left != right);
            assert_eq!(differing, None, "seed {seed}: {} and {} differ", kinds[0].name(), kind.name());
            assert_eq!(dumps[0].len(), dump.len(), "seed {seed}: {} has more or less", kind.name());
        }
    }
}

async fn play(kind: DatabaseKind, seed: u64) -> String {
    let app = TestApp::start(kind).await;
    let people = app.seed().await;
    poison::refuse(&mut app.database().connect());
    let mut random = Random::new(seed);
    let mut canonical = Canonical::default();
    canonical.note(&people);
    let mut rooms = vec![ConversationId(1)];
    let mut groups = vec![GroupId(1)];
    let mut number = 0;
    for _ in 0..25 {
        let size = *random.pick(&[1, 2, 7, 40, 256]);
        let poisoned = (size == 256).then(|| random.below(size));
        let commands: Vec<Command> = (0..size)
            .map(|at| {
                number += 1;
                match poisoned == Some(at) {
                    true => {
                        let draft = Draft {
                            client_msg_id: format!("p{number}"),
                            body: text("poison"),
                            reply_to_seq: None,
                            version: None,
                        };
                        let room = LogRef::Log(rooms[rooms.len() - 1]);
                        Command::new(
                            people.supervisor,
                            Action::Send(commands::Send { log: room, draft, read_seq: None }),
                        )
                    }
                    false => command(&mut random, &people, (&rooms, &groups), number),
                }
            })
            .collect();
        for answer in app.submit_all(commands).await {
            if let Ok(reply) = &answer
                && reply.created
            {
                rooms.extend(reply.conversation);
                groups.extend(reply.group);
            }
            match answer {
                Ok(reply) => canonical.line(&format!("{reply:?}")),
                Err(error) => canonical.line(&format!("{} {} {:?}", error.code, error.detail, error.context)),
            }
        }
    }
    let store = app.audit().await;
    for row in store.rooms.values() {
        canonical.line(&format!("{row:?}"));
    }
    for row in &store.participants {
        canonical.line(&format!("{row:?}"));
    }
    for row in &store.entries {
        canonical.line(&format!("{row:?}"));
    }
    canonical.line(&format!("{:?}", store.revs));
    for line in rest(&mut app.database().connect()) {
        canonical.line(&line);
    }
    app.stop().await;
    canonical.text
}

fn rest(connection: &mut AnyConnection) -> Vec<String> {
    let revisions: Vec<RevisionRow> = message_revision::table
        .order((message_revision::conversation_id, message_revision::seq, message_revision::revision))
        .select(RevisionRow::as_select())
        .load(connection)
        .unwrap();
    let assignments: Vec<AssignmentRow> =
        assignment::table.order(assignment::id).select(AssignmentRow::as_select()).load(connection).unwrap();
    let groups: Vec<GroupRow> =
        chat_group::table.order(chat_group::id).select(GroupRow::as_select()).load(connection).unwrap();
    let places: Vec<GroupMemberRow> = group_member::table
        .order((group_member::group_id, group_member::member_id))
        .select(GroupMemberRow::as_select())
        .load(connection)
        .unwrap();
    let mut lines: Vec<String> = revisions.iter().map(|row| format!("{row:?}")).collect();
    lines.extend(groups.iter().map(|row| format!("{row:?}")));
    lines.extend(places.iter().map(|row| format!("{row:?}")));
    lines.extend(assignments.iter().map(|row| format!("{row:?}")));
    lines
}

fn command(
    random: &mut Random,
    people: &Seed,
    (rooms, groups): (&[ConversationId], &[GroupId]),
    number: u64,
) -> Command {
    let staff = [people.agent, people.second_agent, people.supervisor, people.admin];
    let visitors = [people.visitor, people.second_visitor];
    let everybody = [staff.as_slice(), visitors.as_slice()].concat();
    let actor: Actor = *random.pick(&everybody);
    let conversation = *random.pick(rooms);
    let seq = random.below(30) as i64;
    let note = random.pick(&["", "why ", "警告 🙂", "WHY"]).to_string();
    let group = *random.pick(groups);
    let name = random.pick(&["Sales", "SALES", "sales ", "销售", "ß", "SS", "İ"]).to_string();
    let action = match random.below(30) {
        0..=2 => {
            let visitor = *random.pick(&visitors);
            let message = (random.below(2) == 0).then(|| draft(random, number));
            let subject = random.pick(&["", "Subject ", "subject", "主题\t"]).to_string();
            return Command::new(
                visitor,
                Action::Open(commands::Open {
                    subject,
                    group: Some(group),
                    message,
                    ..commands::Open::of(visitor.member)
                }),
            );
        }
        3..=9 => {
            let read_seq = (random.below(2) == 0).then_some(seq);
            Action::Send(commands::Send {
                log: LogRef::Log(conversation),
                draft: draft(random, number),
                read_seq,
            })
        }
        10 => Action::Send(commands::Send {
            log: LogRef::BackstageOf(conversation),
            draft: draft(random, number),
            read_seq: None,
        }),
        11 => Action::Edit(commands::Edit { conversation, seq, body: body(random), base_edited_at: None }),
        12 => Action::Recall(commands::Recall { conversation, seq }),
        13 | 14 => Action::Claim(commands::Claim { conversation }),
        15 => Action::Assign(commands::Assign { conversation, agent: random.pick(&staff).member, note }),
        16 => Action::Release(commands::Release { conversation, note }),
        17 => Action::Close(commands::Close {
            conversation,
            reason: *random.pick(&[CloseReason::Resolved, CloseReason::Spam]),
            note,
        }),
        18 => Action::Reopen(commands::Reopen { conversation }),
        19 => Action::AddMember(commands::AddMember { conversation, member: random.pick(&everybody).member }),
        20 => Action::RemoveMember(commands::RemoveMember {
            conversation,
            member: random.pick(&everybody).member,
        }),
        21 => Action::Update(commands::Update {
            subject: (random.below(2) == 0).then(|| format!("s{seq} ")),
            priority: (random.below(2) == 0).then_some(Priority::High),
            tags: (random.below(2) == 0)
                .then(|| vec!["Tag".to_owned(), "tag ".to_owned(), "标签".to_owned()]),
            group: (random.below(2) == 0).then_some(Some(group)),
            required_skills: (random.below(2) == 0).then(|| vec!["退款:2".to_owned()]),
            ..commands::Update::of(conversation)
        }),
        22 => Action::MarkUnread(commands::MarkUnread { conversation, seq }),
        23 => Action::CreateGroup(commands::CreateGroup {
            description: note,
            routing_strategy: strategy(random),
            ..commands::CreateGroup::named(name)
        }),
        24 => Action::UpdateGroup(commands::UpdateGroup {
            name: Some(name),
            description: Some(note),
            routing_strategy: (random.below(2) == 0).then(|| strategy(random)),
            ..commands::UpdateGroup::of(group)
        }),
        25 => Action::DeleteGroup(commands::DeleteGroup { group }),
        26 | 27 => {
            let member_type =
                *random.pick(&[None, Some(GroupMemberType::Manager), Some(GroupMemberType::Member)]);
            Action::SetGroupMember(commands::SetGroupMember {
                group,
                member: random.pick(&everybody).member,
                member_type,
            })
        }
        28 => Action::RemoveGroupMember(commands::RemoveGroupMember {
            group,
            member: random.pick(&everybody).member,
        }),
        _ => Action::Read(commands::Read { conversation, seq, read_ver: None }),
    };
    Command::new(actor, action)
}

/// How a group is routed; none: as its tenant. None serves as a whole: what waits for it would be docked by a task, at a time
/// of its own on each database.
fn strategy(random: &mut Random) -> Option<RoutingStrategy> {
    (random.below(2) == 0).then(|| *random.pick(RoutingStrategy::ALL))
}

/// Keys that some databases would fold together, and new ones.
fn draft(random: &mut Random, number: u64) -> Draft {
    let key = match random.below(4) {
        0 => random.pick(&["k", "K", "k.", "k-", "K1", "k1"]).to_string(),
        _ => format!("key-{number}"),
    };
    let reply_to_seq = (random.below(4) == 0).then(|| random.below(10) as i64);
    Draft { client_msg_id: key, body: body(random), reply_to_seq, version: None }
}

/// Words that some databases would change: trailing spaces, case, four-byte characters, quotes, the longest text.
fn body(random: &mut Random) -> Body {
    match random.below(9) {
        0 => text("trailing   "),
        1 => text("TRAILING"),
        2 => text("😀👩‍👩‍👧 ﷽ ß ẞ İ ı"),
        3 => text("'; DROP TABLE group_message; -- \\ \" \u{1} \u{7f}"),
        4 => text(&"字".repeat(5_461)),
        5 => {
            let content = json!({"type": "order.v1", "data": {"z": 1, "a": [null, 1.5, "é", "e\u{301}"]}});
            Body::parse(Role::Agent, EntryKind::Custom, &content, "/content").unwrap()
        }
        6 => Body::parse(Role::Agent, EntryKind::Card, &json!({"title": " t ", "text": "\n"}), "/content")
            .unwrap(),
        _ => text("plain"),
    }
}

fn text(words: &str) -> Body {
    Body::text(words).unwrap()
}

/// Text in which ids and times are replaced by what is equal on all databases.
#[derive(Default)]
struct Canonical {
    text: String,
    ids: HashMap<String, usize>,
}

impl Canonical {
    /// Gives the people their labels first.
    fn note(&mut self, people: &Seed) {
        let line = format!("{people:?}");
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        let mut digits = String::new();
        for letter in line.chars().chain(['\n']) {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            self.flush(&mut digits);
            self.text.push(letter);
        }
    }

    fn flush(&mut self, digits: &mut String) {
        match digits.len() {
            0 => return,
            13 => self.text.push_str("TIME"),
            // A place in the queue: its rank, and a time.
            15 => self.text.push_str(&format!("{}TIME", &digits[..1])),
            16.. => {
                let next = self.ids.len();
                let label = *self.ids.entry(digits.clone()).or_insert(next);
                self.text.push_str(&format!("#{label}"));
            }
            _ => self.text.push_str(digits),
        }
        digits.clear();
    }
}
