//! Ratings in the simulation: the memory as their source, and the promises: a rating belongs to an end of a conversation and
//! to who served then, and what is kept of it is what the log says.

use std::collections::BTreeMap;

use super::checks::Picture;
use super::memory::Memory;
use super::simulation::Simulation;
use super::step::Step;
use crate::domain::conversation::ConversationStatus;
use crate::domain::entry::EntryKind;
use crate::domain::rating::{RatingRow, Stretch};
use crate::journal::command::Command;
use crate::journal::commands::Rate;
use crate::journal::wants::rating_source::RatingSource;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, Result};

/// Somebody rates a conversation.
#[derive(Debug, Clone)]
pub(super) struct RateStep {
    pub(super) who: usize,
    pub(super) conversation: usize,
    pub(super) score: i16,
}

impl Simulation {
    pub(super) fn rate(&self, step: &RateStep) -> Command {
        let (conversation, score) = (self.conversation(step.conversation), step.score);
        let comment = if score > 3 { "well done".to_owned() } else { String::new() };
        Command::new(self.people[step.who], Rate { conversation, close_seq: None, score, comment })
    }
}

impl RatingSource for Memory {
    fn ratings(&mut self, conversation: ConversationId) -> Result<Vec<RatingRow>> {
        Ok(self.ratings.values().filter(|row| row.conversation_id == conversation).cloned().collect())
    }

    fn last_bounds(&mut self, conversation: ConversationId) -> Result<Vec<(i64, EntryKind)>> {
        let log = self.entries.range((conversation, 0)..=(conversation, i64::MAX)).map(|(_, row)| row);
        let bounds: Vec<_> = log.filter(|row| Stretch::KINDS.contains(&row.kind)).collect();
        Ok(bounds[bounds.len().saturating_sub(2)..].iter().map(|row| (row.seq, row.kind)).collect())
    }
}

/// Loads every rating.
pub(super) fn load_all(store: &mut Memory, set: &mut WorkingSet) {
    for row in store.ratings.values() {
        set.ratings.load(row.id, row.clone());
    }
    for id in store.conversations.keys().copied().collect::<Vec<_>>() {
        let stretch = Stretch::of(store.last_bounds(id).unwrap());
        set.stretches.entry(id).or_insert(stretch);
    }
}

/// Each rating stands for one end, was said by the customer behind the scenes, and its end was answered by somebody.
pub(super) fn check_ratings(before: &Picture, after: &Picture) {
    let mut ends = BTreeMap::new();
    for row in after.ratings.values() {
        let place = (row.conversation_id, row.close_seq);
        assert_eq!(after.entries[&place].kind, EntryKind::Closed, "{row:?} is about no end");
        assert_eq!(ends.insert(place, row.id), None, "{row:?} is the second one of this end");
        if before.ratings.get(&row.id) == Some(row) {
            continue;
        }
        let conversation = &after.conversations[&row.conversation_id];
        assert_eq!(conversation.status, Some(ConversationStatus::Closed), "{row:?} is about what goes on");
        assert_eq!((row.agent_id, row.group_id), (conversation.agent_id, conversation.group_id));
        let log = after.entries.range((row.conversation_id, 0)..=place).map(|(_, entry)| entry);
        let began = log.clone().rfind(|entry| matches!(entry.kind, EntryKind::Opened | EntryKind::Reopened));
        let began = began.map_or(0, |entry| entry.seq);
        let by_staff = log.filter(|entry| entry.seq > began && entry.kind.is_message());
        assert!(by_staff.filter_map(|entry| entry.sender_role).any(|role| role.is_staff()), "{row:?}");
        let behind = conversation.backstage_id.expect("a log behind");
        let mut said = after.entries.range((behind, 0)..=(behind, i64::MAX)).map(|(_, entry)| entry);
        let said = said.rfind(|entry| entry.kind == EntryKind::Rated).expect("a notice");
        let words: serde_json::Value = serde_json::from_str(&said.content).unwrap();
        assert_eq!(words["score"], row.score, "{said:?}");
        assert_eq!(words["comment"].as_str().unwrap_or_default(), row.comment, "{said:?}");
        assert_eq!(said.sender_id, conversation.customer_id, "{said:?} is not the customer's");
    }
    assert!(before.ratings.keys().all(|id| after.ratings.contains_key(id)), "a rating is gone");
}

/// What is rated in the batch in which it ended, changed there and later, and rated anew after another end.
#[test]
fn an_end_is_rated_once_within_a_batch_and_later() {
    let rate = |score| Step::Rate(RateStep { who: 4, conversation: 0, score });
    let served = |key| {
        [
            Step::Claim { who: 2, conversation: 0 },
            Step::Send { who: 2, conversation: 0, key, text: 0, reply: None, read: None },
            Step::Close { who: 2, conversation: 0 },
        ]
    };
    let mut simulation = Simulation::new();
    simulation.take(&Step::Open { who: 4, customer: 4, key: None });
    simulation.play(&[served(1).as_slice(), &[rate(2), rate(5), Step::Commit, rate(1)]].concat());
    let again = Step::Reopen { who: 4, conversation: 0 };
    simulation.play(&[&[again], served(2).as_slice(), &[rate(3), Step::Commit, rate(4)]].concat());
    let scores: Vec<i16> = simulation.store.ratings.values().map(|row| row.score).collect();
    assert_eq!(scores, [1, 4]);
}
