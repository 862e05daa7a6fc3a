//! Attachments in the simulation: the memory as their source, and the promises: a message carries an attachment of its
//! sender, no other message carries it, and what is recalled is erased.

use super::PEOPLE;
use super::checks::Picture;
use super::memory::{Memory, pick};
use super::simulation::Simulation;
use super::step::Step;
use crate::domain::attachment::{AttachmentContent, AttachmentRow, AttachmentState};
use crate::domain::content::Body;
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::journal::command::{Command, Draft, LogRef};
use crate::journal::commands::Send;
use crate::journal::wants::attachment_source::AttachmentSource;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{AttachmentId, MemberId, Result, StoredFileId};

/// Somebody sends an attachment, which need not be its own.
#[derive(Debug, Clone)]
pub(super) struct AttachStep {
    pub(super) who: usize,
    pub(super) conversation: usize,
    pub(super) attachment: usize,
    pub(super) key: u8,
}

impl Simulation {
    pub(super) fn send_attachment(&self, step: &AttachStep) -> Command {
        let log = LogRef::Log(self.conversation(step.conversation));
        // The last of each member is a document, which is no picture.
        let kind = if step.key == 0 { EntryKind::Image } else { EntryKind::File };
        let content = serde_json::json!({"attachment_id": step.attachment.to_string()});
        let body = Body::parse(Role::Admin, kind, &content, "").unwrap();
        let draft =
            Draft { client_msg_id: format!("k{}", step.key), body, reply_to_seq: None, version: None };
        Command::new(self.people[step.who], Send { log, draft, read_seq: None })
    }
}

impl AttachmentSource for Memory {
    fn attachments(&mut self, ids: &[AttachmentId]) -> Result<Vec<AttachmentRow>> {
        Ok(pick(&self.attachments, ids))
    }
}

/// Loads every attachment.
pub(super) fn load_all(store: &Memory, set: &mut WorkingSet) {
    for row in store.attachments.values() {
        set.attachments.load(row.id, row.clone());
    }
}

/// Attachments of the people in turn: ready ones, one of them a document, and one whose content has not come.
pub(super) fn seed_attachments(store: &mut Memory) {
    for number in 0..11 {
        let owner = [4, 5, 2, 3][number as usize % 4];
        let (is_ready, is_picture) = (number != 5, number % 3 != 0);
        let media_type = if is_picture { "image/png" } else { "application/pdf" };
        let row = AttachmentRow {
            id: AttachmentId(number),
            tenant_id: PEOPLE[owner].0,
            uploader_id: MemberId(owner as i64 + 1),
            name: format!("file {number}"),
            size: 10,
            state: if is_ready { AttachmentState::Ready } else { AttachmentState::Pending },
            stored_file_id: is_ready.then_some(StoredFileId(number)),
            media_type: is_ready.then(|| media_type.to_owned()),
            width: None,
            height: None,
            has_thumbnail: false,
            conversation_id: None,
            seq: None,
            created_at: 0,
            updated_at: 0,
            sweep_at: Some(1),
        };
        store.attachments.insert(row.id, row);
    }
}

/// Each message carries an attachment of its sender that names the message; what was recalled is erased, and nothing else.
pub(super) fn check_attachments(after: &Picture) {
    let mut carried = 0;
    for entry in after.entries.values().filter(|entry| entry.kind.has_attachment()) {
        let Some(id) = AttachmentContent::carried_by(entry) else {
            assert!(entry.recalled_at.is_some(), "{entry:?} carries nothing");
            continue;
        };
        let row = &after.attachments[&id];
        assert_eq!((row.conversation_id, row.seq), (Some(entry.conversation_id), Some(entry.seq)), "{row:?}");
        assert_eq!((row.state, row.sweep_at), (AttachmentState::Ready, None), "{row:?}");
        let uploader = &after.members[&row.uploader_id.0];
        let sender = entry.sender_id.unwrap();
        assert!(
            [Some(uploader.id), uploader.merged_into].contains(&Some(sender)),
            "{entry:?} carries {row:?}"
        );
        carried += 1;
    }
    let used = after.attachments.values().filter(|row| row.conversation_id.is_some());
    let (kept, erased): (Vec<_>, Vec<_>) = used.partition(|row| row.state != AttachmentState::Erased);
    assert_eq!(kept.len(), carried, "an attachment is kept without its message, or carried twice");
    for row in erased {
        let entry = &after.entries[&(row.conversation_id.unwrap(), row.seq.unwrap())];
        assert!(entry.recalled_at.is_some() && row.sweep_at.is_some() && row.name.is_empty(), "{row:?}");
    }
}

/// An attachment is sent once, within a batch and later, and is gone with its message, also within the batch.
#[test]
fn an_attachment_is_carried_once_and_gone_with_its_message() {
    let attach = |attachment, key| Step::Attach(AttachStep { who: 4, conversation: 0, attachment, key });
    let mut simulation = Simulation::new();
    simulation.take(&Step::Open { who: 4, customer: 4, key: None });
    simulation.play(&[attach(0, 1), attach(0, 1), attach(0, 2), attach(1, 3), attach(4, 0), attach(8, 5)]);
    let log = simulation.conversation(0);
    let seqs = |simulation: &Simulation| {
        let rows = simulation.picture().attachments;
        [0, 1, 4, 8].map(|id| rows[&AttachmentId(id)].seq)
    };
    let first = seqs(&simulation);
    assert!(first[0].is_some() && first[1].is_none(), "sent once; what is another's is not");
    assert!(first[2].is_some() && first[3].is_some_and(|seq| Some(seq) != first[2]), "{first:?}");
    simulation.play(&[Step::Commit, attach(0, 4)]);
    assert_eq!(seqs(&simulation), first);
    let seq = first[0].unwrap();
    simulation.play(&[
        Step::Recall { who: 4, conversation: 0, seq },
        Step::Recall { who: 4, conversation: 0, seq },
    ]);
    let row = simulation.picture().attachments[&AttachmentId(0)].clone();
    assert_eq!((row.state, row.conversation_id), (AttachmentState::Erased, Some(log)));
}
