//! Both readings of a filter, SQL and the predicate, find the same conversations, on each database: many filters over rows
//! with awkward texts, times and gaps.

use std::collections::{BTreeSet, HashMap};

use deskwire::conversations::list::{Filter as Walked, Reach, newest_first};
use deskwire::db::schema::{conversation, conversation_attribute};
use deskwire::domain::attribute::{AttributeRow, AttributeTarget, ConversationAttributeRow};
use deskwire::domain::attribute_value::AttributeKind;
use deskwire::domain::conversation::{
    CloseReason, ConversationKind, ConversationRow, ConversationStatus, Priority,
};
use deskwire::domain::filter::field::{FIELDS, FieldKind, FilterOperator};
use deskwire::domain::filter::parse::Reader;
use deskwire::domain::filter::tree::Subject;
use deskwire::kernel::{AttributeId, ConversationId, GroupId, MemberId, Millis, TenantId};
use deskwire::on;
use deskwire::saved_filters::search::narrowed;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::harness::random::Random;

/// A text as long as a subject may be, with this end.
macro_rules! long {
    ($end:literal) => {
        concat!(
            "0123456789 äÖ退😀'\"%_\\,[]0123456789 äÖ退😀'\"%_\\,[]0123",
            "456789 äÖ退😀'\"%_\\,[]0123456789 äÖ退😀'\"%_\\,[]01234567",
            "89 äÖ退😀'\"%_\\,[]0123456789 äÖ退😀'\"%_\\,[]0123456789 ä",
            "Ö退😀'\"%_\\,[]0123456789 äÖ退😀'\"%_\\,[]0123456789 äÖ退😀",
            $end,
        )
    };
}

const LONG: &str = long!("x");
const AS_LONG: &str = long!("y");

/// Texts in which case, accents, spaces, wildcards, quotes and joints of lists matter.
const TEXTS: &[&str] = &[
    "a", "A", "a ", " a", "aa", "b", "ä", "Ä", "é", "e\u{301}", "ß", "ss", "SS", "%", "_", "a%", "a_b",
    "acb", "\\", "a\\b", "'", "\"", "a\"b", "\",\"", ",", "z,", "[", "]", "null", "?", "$1", "退款", "😀",
    "ı", "I", "i", "vip", "VIP", LONG, AS_LONG,
];
const DATES: &[&str] = &["1970-01-01", "2026-02-28", "2026-03-01", "9999-12-31"];
const NUMBERS: &[i64] = &[-1_000, -1, 0, 1, 999, 1_000, 1_500, 999_999_999_999_999];
const NOW: i64 = 1_800_000_000_000;
const TIMES: &[i64] = &[0, NOW - 60_000, NOW - 59_999, NOW - 1, NOW, NOW + 1];
const KINDS: &[AttributeKind] = AttributeKind::ALL;

fn attributes(tenant: TenantId) -> Vec<AttributeRow> {
    let row = |(index, kind): (usize, &AttributeKind)| AttributeRow {
        id: AttributeId(index as i64 + 1),
        tenant_id: tenant,
        target: AttributeTarget::Conversation,
        key: kind.to_string(),
        title: String::new(),
        kind: *kind,
        choices: "[]".to_owned(),
        visible_to_customer: false,
        created_at: 0,
        updated_at: 0,
        deleted_at: None,
    };
    KINDS.iter().enumerate().map(row).collect()
}

fn maybe<T: Copy>(random: &mut Random, from: &[T]) -> Option<T> {
    (random.below(3) > 0).then(|| *random.pick(from))
}

fn row(random: &mut Random, tenant: TenantId, id: i64) -> ConversationRow {
    let tags: BTreeSet<&str> = (0..random.below(4)).map(|_| *random.pick(TEXTS)).collect();
    let status = *random.pick(ConversationStatus::ALL);
    ConversationRow {
        id: ConversationId(id),
        tenant_id: tenant,
        kind: ConversationKind::Support,
        parent_id: None,
        backstage_id: None,
        customer_id: maybe(random, &[MemberId(11), MemberId(12)]),
        agent_id: maybe(random, &[MemberId(1), MemberId(2)]),
        status: Some(status),
        priority: *random.pick(Priority::ALL),
        subject: maybe(random, TEXTS).unwrap_or_default().to_owned(),
        tags: json!(tags).to_string(),
        seq: 1,
        msg_count: *random.pick(&[0, 1, 2, 1_000]),
        recall_count: 0,
        rev: 1,
        last_rev: 1,
        version: 1,
        customer_read_seq: 0,
        staff_read_seq: 0,
        customer_delivered_seq: 0,
        staff_delivered_seq: 0,
        open_key: None,
        created_at: *random.pick(TIMES),
        updated_at: NOW,
        last_at: *random.pick(TIMES),
        assigned_at: maybe(random, TIMES),
        closed_at: maybe(random, TIMES),
        close_reason: maybe(random, CloseReason::ALL),
        merged_into_id: None,
        waiting_since: maybe(random, TIMES),
        group_id: maybe(random, &[GroupId(21), GroupId(22)]),
        queue_key: None,
    }
}

fn values(
    random: &mut Random,
    row: &ConversationRow,
    attributes: &[AttributeRow],
) -> Vec<ConversationAttributeRow> {
    let mut values = Vec::new();
    for attribute in attributes {
        // One without a value stands for one that was removed.
        let mut value = ConversationAttributeRow::empty(row.id, attribute);
        match random.below(4) {
            0 => continue,
            1 => {}
            _ => match attribute.kind {
                AttributeKind::Text | AttributeKind::Choice => {
                    value.text_value = Some((*random.pick(TEXTS)).to_owned());
                }
                AttributeKind::Number => value.number_value = Some(*random.pick(NUMBERS)),
                AttributeKind::Boolean => value.boolean_value = Some(random.below(2) == 0),
                AttributeKind::Date => value.date_value = Some((*random.pick(DATES)).to_owned()),
            },
        }
        values.push(value);
    }
    values
}

fn one(random: &mut Random, name: &str, kind: FieldKind) -> Value {
    let text = |random: &mut Random| json!(*random.pick(TEXTS));
    match kind {
        FieldKind::Word(_) => match name {
            "status" => json!(random.pick(ConversationStatus::ALL)),
            "priority" => json!(random.pick(Priority::ALL)),
            _ => json!(random.pick(CloseReason::ALL)),
        },
        FieldKind::Member => json!(*random.pick(&["1", "2", "11", "me"])),
        FieldKind::Group => json!(*random.pick(&["21", "22", "23"])),
        FieldKind::Text | FieldKind::Labels => text(random),
        FieldKind::Time => match random.below(2) {
            0 => json!(Millis(*random.pick(TIMES))),
            _ => json!({"seconds_ago": *random.pick(&[0, 60, 86_400])}),
        },
        FieldKind::Number => json!(*random.pick(&[0, 1, 2, 999])),
        FieldKind::Attribute(AttributeKind::Text | AttributeKind::Choice) => text(random),
        FieldKind::Attribute(AttributeKind::Number) => json!(*random.pick(NUMBERS) as f64 / 1_000.0),
        FieldKind::Attribute(AttributeKind::Boolean) => json!(random.below(2) == 0),
        FieldKind::Attribute(AttributeKind::Date) => json!(*random.pick(DATES)),
    }
}

fn leaf(random: &mut Random, seen: &mut BTreeSet<(String, FilterOperator)>) -> Value {
    let index = random.below((FIELDS.len() + KINDS.len()) as u64) as usize;
    let (name, kind) = match FIELDS.get(index) {
        Some(field) => (field.name.to_owned(), field.kind),
        None => {
            let kind = KINDS[index - FIELDS.len()];
            (format!("attributes.{kind}"), FieldKind::Attribute(kind))
        }
    };
    let takes: Vec<_> =
        FilterOperator::ALL.iter().copied().filter(|operator| kind.takes(*operator)).collect();
    let operator = *random.pick(&takes);
    seen.insert((name.clone(), operator));
    let value = match operator {
        FilterOperator::IsSet => json!(random.below(2) == 0),
        FilterOperator::OneOf => (0..1 + random.below(3)).map(|_| one(random, &name, kind)).collect(),
        _ => one(random, &name, kind),
    };
    json!({"field": name, "operator": operator, "value": value})
}

fn filter(random: &mut Random, depth: u64, seen: &mut BTreeSet<(String, FilterOperator)>) -> Value {
    match random.below(if depth == 0 { 1 } else { 4 }) {
        0 => leaf(random, seen),
        1 => json!({"not": filter(random, depth - 1, seen)}),
        2 => {
            json!({"all": (0..1 + random.below(2)).map(|_| filter(random, depth - 1, seen)).collect::<Vec<_>>()})
        }
        _ => {
            json!({"any": (0..1 + random.below(2)).map(|_| filter(random, depth - 1, seen)).collect::<Vec<_>>()})
        }
    }
}

on_every_database! {
    /// The same set by both readings; and every field with every operator comes up.
    async fn sql_and_predicate_agree(app: TestApp) {
        let seed = app.seed().await;
        let mut random = Random::new(7);
        let mut connection = app.database().connect();
        let known = attributes(seed.tenant);
        let mut rows = Vec::new();
        for id in 1..=150 {
            let row = row(&mut random, seed.tenant, id);
            let values = values(&mut random, &row, &known);
            diesel::insert_into(conversation::table).values(&row).execute(&mut connection).unwrap();
            for value in &values {
                on!(&mut connection, inner => diesel::insert_into(conversation_attribute::table)
                    .values(value)
                    .execute(inner))
                .unwrap();
            }
            let values: HashMap<_, _> =
                values.iter().map(|value| (value.attribute_id, value.columns())).collect();
            rows.push((row, values));
        }
        let reader = Reader { me: MemberId(2), now: Millis(NOW), attributes: &known, is_kept: false };
        let mut seen = BTreeSet::new();
        let (mut some, mut all, mut narrow) = (0, 0, 0);
        let depths = std::iter::repeat_n(0, 900).chain(std::iter::repeat_n(3, 300));
        for depth in depths {
            let given = filter(&mut random, depth, &mut seen);
            let filter = reader.read(&given, "/filter").unwrap_or_else(|error| panic!("{given}: {error}"));
            let by_predicate: Vec<i64> = rows
                .iter()
                .filter(|(conversation, values)| filter.matches(Subject { conversation, values }))
                .map(|(row, _)| row.id.0)
                .collect();
            let walked: Walked = narrowed(&filter, connection.kind());
            narrow += usize::from(walked.status.is_some() || walked.agent_id.is_some() || walked.group.is_some());
            let found = newest_first(&mut connection, seed.tenant, &Reach::Tenant, &walked, None, 1_000);
            let mut by_sql: Vec<i64> =
                found.unwrap_or_else(|error| panic!("{given}: {error}")).iter().map(|row| row.id.0).collect();
            by_sql.sort_unstable();
            let differs = by_sql.iter().chain(&by_predicate).find(|id| {
                by_sql.contains(id) != by_predicate.contains(id)
            });
            let example = differs.and_then(|id| rows.iter().find(|(row, _)| row.id.0 == *id));
            assert_eq!(by_sql, by_predicate, "{given} differs for {example:?}");
            some += usize::from(!by_sql.is_empty());
            all += usize::from(by_sql.len() == rows.len());
        }
        assert!(some > 600 && all < 400, "the filters tell rows apart: {some} found some, {all} all");
        assert!(narrow > 20, "{narrow} were narrowed");
        let fields = FIELDS.iter().map(|field| (field.name.to_owned(), field.kind));
        let own = KINDS.iter().map(|kind| (format!("attributes.{kind}"), FieldKind::Attribute(*kind)));
        for (name, kind) in fields.chain(own) {
            for operator in FilterOperator::ALL.iter().filter(|operator| kind.takes(**operator)) {
                assert!(seen.contains(&(name.clone(), *operator)), "{name} {operator} never came up");
            }
        }
    }
}
