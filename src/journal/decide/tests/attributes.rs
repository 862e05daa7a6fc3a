//! Changes of what the staff keep, custom attributes among it, in the simulation: the memory as the source of attributes,
//! and the promises: what changes is told behind the conversation, and is what the notice says.

use serde_json::{Value, json};

use super::checks::Picture;
use super::memory::Memory;
use super::simulation::Simulation;
use super::step::Step;
use super::{SECRET, SHOP};
use crate::domain::attribute::{AttributeRow, AttributeTarget, ConversationAttributeRow, GivenValues};
use crate::domain::attribute_value::AttributeKind;
use crate::domain::conversation::Priority;
use crate::domain::entry::EntryKind;
use crate::journal::commands::Update;
use crate::journal::wants::attribute_source::AttributeSource;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{AttributeId, ConversationId, Result, TenantId};

impl Simulation {
    pub(super) fn update(&self, conversation: ConversationId, what: u8) -> Update {
        let subject = what.is_multiple_of(2).then(|| format!("subject {what}"));
        let priority = what.is_multiple_of(3).then_some(Priority::Urgent);
        let tags = (what >= 3).then(|| vec![format!("{SECRET}{what}")]);
        let required_skills = (what == 5).then(|| vec!["refunds:9".to_owned()]);
        let attributes = given(what);
        Update { subject, priority, tags, attributes, required_skills, ..Update::of(conversation) }
    }
}

/// What is given with the update of this number.
fn given(what: u8) -> Option<Option<GivenValues>> {
    let values = match what {
        1 => json!({"note": format!("{SECRET}{what}"), "amount": 5.25}),
        2 => json!({"note": null, "amount": 5.25}),
        // A number, where a text is expected.
        4 => json!({"note": 7}),
        5 => return Some(None),
        _ => return None,
    };
    Some(values.as_object().cloned())
}

impl AttributeSource for Memory {
    fn conversation_attributes(&mut self, tenant: TenantId) -> Result<Vec<AttributeRow>> {
        Ok(self.attributes.iter().filter(|row| row.tenant_id == tenant).cloned().collect())
    }

    fn attribute_values(&mut self, ids: &[ConversationId]) -> Result<Vec<ConversationAttributeRow>> {
        Ok(self.attribute_values.values().filter(|row| ids.contains(&row.conversation_id)).cloned().collect())
    }
}

/// Loads every attribute and every value.
pub(super) fn load_all(store: &mut Memory, set: &mut WorkingSet) {
    for tenant in store.tenants.keys().copied().collect::<Vec<_>>() {
        let all = store.conversation_attributes(tenant).unwrap();
        set.attributes.entry(tenant).or_insert(all);
    }
    for (key, row) in &store.attribute_values {
        set.attribute_values.load(*key, row.clone());
    }
}

/// A text and a number of the first tenant's conversations.
pub(super) fn seed_attributes(store: &mut Memory) {
    for (id, key, kind) in [(1, "note", AttributeKind::Text), (2, "amount", AttributeKind::Number)] {
        store.attributes.push(AttributeRow {
            id: AttributeId(id),
            tenant_id: SHOP,
            target: AttributeTarget::Conversation,
            key: key.to_owned(),
            title: key.to_owned(),
            kind,
            choices: "[]".to_owned(),
            visible_to_customer: false,
            created_at: 0,
            updated_at: 0,
            deleted_at: None,
        });
    }
}

/// A value that changed is the one of the newest notice behind its conversation.
pub(super) fn check_attributes(before: &Picture, after: &Picture) {
    for (key, row) in &after.attribute_values {
        if before.attribute_values.get(key) == Some(row) {
            continue;
        }
        let conversation = &after.conversations[&row.conversation_id];
        let behind = conversation.backstage_id.expect("a log behind");
        let mut log = after.entries.range((behind, 0)..=(behind, i64::MAX)).map(|(_, entry)| entry);
        let notice = log.rfind(|entry| entry.kind == EntryKind::AttributesChanged).expect("a notice");
        let own = before.entries.values().filter(|entry| entry.tenant_id == notice.tenant_id);
        let head = own.map(|entry| entry.rev).max().unwrap_or(0);
        assert!(notice.rev > head, "{notice:?} was there before");
        let said: Value = serde_json::from_str(&notice.content).unwrap();
        let mut changes = said["changes"].as_array().unwrap().iter();
        let said =
            changes.find(|change| change["attribute_id"] == json!(row.attribute_id)).expect("a change");
        let value = match row.attribute_id {
            AttributeId(1) => json!(row.text_value),
            _ => json!(row.number_value.map(|number| number as f64 / 1_000.0)),
        };
        assert_eq!(said["to"], value, "{said}");
        assert_ne!(said["from"], said["to"], "{said}");
    }
}

/// Values that are set twice in one batch, changed later, and removed.
#[test]
fn values_change_within_a_batch_and_later() {
    let update = |what| Step::Update { who: 0, conversation: 0, what };
    let mut simulation = Simulation::new();
    simulation.take(&Step::Open { who: 4, customer: 4, key: None });
    simulation.play(&[update(1), update(1), update(4), Step::Commit]);
    let values = |simulation: &Simulation| -> Vec<(Option<String>, Option<i64>)> {
        let values = simulation.store.attribute_values.values();
        values.map(|row| (row.text_value.clone(), row.number_value)).collect()
    };
    let note = Some(format!("{SECRET}1"));
    assert_eq!(values(&simulation), [(note, None), (None, Some(5_250))]);
    simulation.play(&[update(2), Step::Commit]);
    assert_eq!(values(&simulation), [(None, None), (None, Some(5_250))]);
    simulation.play(&[update(5), Step::Commit]);
    assert_eq!(values(&simulation), [(None, None), (None, None)]);
    let told = simulation.store.entries.values().filter(|row| row.kind == EntryKind::AttributesChanged);
    assert_eq!(told.count(), 3, "what holds already is not told again");
}
