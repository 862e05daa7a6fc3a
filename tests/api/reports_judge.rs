//! What the logs of a tenant say of the work of its desk, computed by looking at whole logs: the other opinion about reports.

use std::collections::BTreeMap;

use deskwire::db::schema::{conversation, group_message};
use deskwire::domain::conversation::{ConversationKind, ConversationRow};
use deskwire::domain::entry::{EntryKind, EntryRow};
use deskwire::domain::member::Role;
use deskwire::kernel::{ConversationId, TenantId};
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Desk, TestDatabase};

const DAY: i64 = 86_400_000;
const WEEK: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Something that was measured.
#[derive(Debug, Clone)]
pub struct Measure {
    pub metric: &'static str,
    pub at: i64,
    pub value: i64,
    pub agent: i64,
    pub group: i64,
}

/// A time in which a conversation was served, with the group of each part.
#[derive(Debug, Clone)]
pub struct Service {
    pub agent: i64,
    pub parts: Vec<(i64, i64, i64)>,
}

/// A change of the group.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    pub rev: i64,
    pub at: i64,
    pub from: i64,
    pub to: i64,
}

/// A conversation with its whole log.
pub struct Log {
    pub row: ConversationRow,
    pub entries: Vec<EntryRow>,
    pub moves: Vec<Move>,
}

pub fn id(value: &Value) -> i64 {
    value.as_str().map_or(0, |text| text.parse().unwrap())
}

pub fn content(entry: &EntryRow) -> Value {
    serde_json::from_str(&entry.content).unwrap()
}

impl Log {
    /// The group before the command of this rev.
    fn group(&self, rev: i64) -> i64 {
        match self.moves.iter().rfind(|one| one.rev < rev) {
            Some(last) => last.to,
            None => {
                self.moves.first().map_or(self.row.group_id.map_or(0, |group| group.0), |first| first.from)
            }
        }
    }

    /// From each opening to the closing that follows, or to the end.
    fn stretches(&self) -> Vec<&[EntryRow]> {
        let begins = |entry: &EntryRow| matches!(entry.kind, EntryKind::Opened | EntryKind::Reopened);
        let mut found = Vec::new();
        for (at, _) in self.entries.iter().enumerate().filter(|(_, entry)| begins(entry)) {
            let rest = &self.entries[at..];
            let end = rest.iter().position(|entry| entry.kind == EntryKind::Closed);
            found.push(&rest[..end.map_or(rest.len(), |end| end + 1)]);
        }
        found
    }
}

pub fn logs(database: &TestDatabase, tenant: TenantId) -> BTreeMap<ConversationId, Log> {
    let mut connection = database.connect();
    let rows: Vec<ConversationRow> = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::kind.eq(ConversationKind::Support.as_str()))
        .select(ConversationRow::as_select())
        .load(&mut connection)
        .unwrap();
    let mut entries: Vec<EntryRow> = group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .select(EntryRow::as_select())
        .load(&mut connection)
        .unwrap();
    entries.sort_by_key(|entry| entry.seq);
    let of = |id: Option<ConversationId>| {
        entries.iter().filter(|entry| Some(entry.conversation_id) == id).cloned().collect::<Vec<_>>()
    };
    let log = |row: ConversationRow| {
        let moves = of(row.backstage_id).into_iter().filter(|entry| entry.kind == EntryKind::GroupChanged);
        let moves = moves.map(|entry| {
            let told = content(&entry);
            Move { rev: entry.rev, at: entry.created_at, from: id(&told["from"]), to: id(&told["to"]) }
        });
        (row.id, Log { entries: of(Some(row.id)), moves: moves.collect(), row })
    };
    rows.into_iter().map(log).collect()
}

pub fn is_staff(entry: &EntryRow) -> bool {
    entry.kind.is_message() && entry.sender_role.is_some_and(|role| role != Role::Customer)
}

pub fn is_customer(entry: &EntryRow) -> bool {
    entry.kind.is_message() && entry.sender_role == Some(Role::Customer)
}

/// Since when the customer waits for an answer at the end of these entries of a stretch.
pub fn question(logs: &BTreeMap<ConversationId, Log>, entries: &[EntryRow]) -> Option<i64> {
    let answered = entries.iter().rposition(is_staff).map_or(0, |last| last + 1);
    let open = &entries[answered..];
    let own = open.iter().filter(|entry| is_customer(entry)).map(|entry| entry.created_at);
    let carried = open.iter().filter(|entry| entry.kind == EntryKind::Merged).filter_map(|entry| {
        let older = &logs[&ConversationId(id(&content(entry)["conversation_id"]))];
        let ended = older.stretches().into_iter().find(|stretch| {
            stretch.last().is_some_and(|last| last.kind == EntryKind::Closed && last.rev == entry.rev)
        });
        question(logs, ended.expect("what was merged ended"))
    });
    own.chain(carried).min()
}

pub fn is_state(entry: &&EntryRow) -> bool {
    matches!(
        entry.kind,
        EntryKind::Opened
            | EntryKind::Reopened
            | EntryKind::Assigned
            | EntryKind::Docked
            | EntryKind::Released
            | EntryKind::Closed
    )
}

pub fn serves(entry: &EntryRow) -> bool {
    matches!(entry.kind, EntryKind::Assigned | EntryKind::Docked)
}

/// Who serves since this entry.
pub fn holder(entry: &EntryRow) -> i64 {
    if entry.kind == EntryKind::Assigned { id(&content(entry)["member_id"]) } else { 0 }
}

pub fn judge(logs: &BTreeMap<ConversationId, Log>, until: i64) -> (Vec<Measure>, Vec<Service>) {
    let (mut measures, mut services) = (Vec::new(), Vec::new());
    for log in logs.values() {
        for stretch in log.stretches() {
            let begin = &stretch[0];
            let mut note = |metric, entry: &EntryRow, value: i64, agent: i64| {
                let group = log.group(entry.rev);
                measures.push(Measure { metric, at: entry.created_at, value, agent, group });
            };
            note("opened", begin, 0, 0);
            let states: Vec<&EntryRow> = stretch.iter().filter(is_state).collect();
            for (at, one) in states.iter().enumerate() {
                let next = states.get(at + 1).copied();
                match (serves(one), next) {
                    (true, _) => {
                        if let Some(next) = next {
                            note("handling", next, next.created_at - one.created_at, holder(one));
                        }
                        let end = next.map_or(until, |next| next.created_at);
                        services.push(service(log, one, end));
                    }
                    (false, Some(next)) if serves(next) => {
                        note("waiting", next, next.created_at - one.created_at, holder(next));
                    }
                    _ => {}
                }
            }
            let holder_at = |seq: i64| {
                let last = states.iter().rfind(|state| state.seq < seq);
                last.map_or(0, |state| holder(state))
            };
            for (at, entry) in stretch.iter().enumerate() {
                if is_customer(entry) {
                    note("customer_messages", entry, 0, holder_at(entry.seq));
                }
                if is_staff(entry) {
                    let sender = entry.sender_id.unwrap().0;
                    note("staff_messages", entry, 0, sender);
                    if let Some(asked) = question(logs, &stretch[..at]) {
                        note("response", entry, entry.created_at - asked, sender);
                        if !stretch[..at].iter().any(is_staff) {
                            note("first_response", entry, entry.created_at - asked, sender);
                        }
                    }
                }
            }
            let last = stretch.last().unwrap();
            if last.kind == EntryKind::Closed
                && !["merged", "spam"].contains(&content(last)["reason"].as_str().unwrap())
            {
                note("resolution", last, last.created_at - begin.created_at, holder_at(last.seq));
                if !stretch.iter().any(is_staff) && question(logs, stretch).is_some() {
                    note("missed", last, 0, holder_at(last.seq));
                }
            }
        }
    }
    (measures, services)
}

/// The time from an entry to an end, cut where the group changes.
pub fn service(log: &Log, entry: &EntryRow, end: i64) -> Service {
    let mut cuts = vec![(entry.created_at, log.group(entry.rev))];
    cuts.extend(
        log.moves.iter().filter(|one| one.rev >= entry.rev && one.at <= end).map(|one| (one.at, one.to)),
    );
    let ends = cuts.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let parts = cuts.iter().zip(ends).map(|((from, group), until)| (*from, until, *group)).collect();
    Service { agent: holder(entry), parts }
}

/// Business hours that are the same every day: from when to when after midnight of UTC, in milliseconds.
pub struct Daily {
    pub default: (i64, i64),
    pub groups: BTreeMap<i64, (i64, i64)>,
}

impl Daily {
    /// How much of a time the desk of a group was open: day by day.
    pub fn open(&self, group: i64, since: i64, at: i64) -> i64 {
        let (from, until) = self.groups.get(&group).unwrap_or(&self.default);
        // What begins late on the day before may still go on.
        let days = since.div_euclid(DAY) - 1..=at.div_euclid(DAY);
        days.map(|day| ((day * DAY + until).min(at) - (day * DAY + from).max(since)).max(0)).sum()
    }

    /// Has a desk have them.
    pub async fn put(&self, desk: &Desk, group: &str) {
        let of = |(from, until): (i64, i64)| -> Vec<Value> {
            let time = |ms: i64| format!("{:02}:{:02}", ms / 3_600_000, ms / 60_000 % 60);
            let day = |day| json!({"day": day, "from": time(from), "until": time(until)});
            WEEK.iter().map(day).collect()
        };
        for (name, weekly, is_default, groups) in [
            ("All", of(self.default), true, json!([])),
            ("Late", of(self.groups[&group.parse().unwrap()]), false, json!([group])),
        ] {
            let body = json!({
                "name": name, "time_zone": "UTC", "weekly": weekly, "is_default": is_default, "group_ids": groups,
            });
            desk.admin.post("/business-hours", body).await.status(201);
        }
    }
}
