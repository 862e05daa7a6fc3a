//! Rating a conversation that is over. Whether it may be rated is judged by `domain::rating`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::entry::EntryKind;
use crate::domain::notice::RatedContent;
use crate::domain::permission::Operation;
use crate::domain::rating::{RatingRow, RatingState};
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, RatingId, Result};

/// Say how one was served in a conversation that is over, or say it anew.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Which.
    pub conversation: ConversationId,
    /// Which of its ends is meant; `None`: the last one.
    pub close_seq: Option<i64>,
    /// From 1 to 5.
    pub score: i16,
    /// Why; may be empty.
    pub comment: String,
}

impl JournalCommand for Rate {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.rated.insert(self.conversation);
    }

    fn bytes(&self) -> usize {
        self.comment.len()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let front = self.conversation;
        context.support(front)?;
        context.require(front, Operation::RateConversation)?;
        let (standing, close_seq) = context.rating_standing(front)?;
        let ended = |detail: &'static str| Err(Error::new(Code::RatingEnded, detail));
        // A link stands for one end. What was reopened is rated when it is over again.
        if self.close_seq.is_some_and(|asked| asked < close_seq) {
            return ended("the conversation was closed once more since; that end is rated now");
        }
        if standing.state == RatingState::NotClosed {
            let row = context.conversation(front)?;
            return Err(wrong_state(row, "only a conversation that is over can be rated"));
        }
        let given = context.rating_of(front, close_seq).cloned();
        let said = |row: &RatingRow| row.score == self.score && row.comment == self.comment;
        if given.as_ref().is_some_and(said) {
            return Ok(Reply::about(front));
        }
        match (standing.state, standing.until) {
            (RatingState::NotAnswered, _) => {
                return Err(Error::new(Code::NotAnswered, Code::NotAnswered.meaning()));
            }
            (RatingState::Answered, None) => return ended("the rating can be changed for a day only"),
            (_, None) => return ended("the time in which the conversation could be rated is over"),
            (_, Some(_)) => {}
        }
        // What can fail comes before anything changes.
        let id = match &given {
            Some(row) => row.id,
            None => RatingId(context.set.ids.next()?),
        };
        let log = context.backstage(front)?;
        let changed = given.is_some();
        let (score, comment) = (self.score, Some(self.comment.clone()).filter(|text| !text.is_empty()));
        let content = RatedContent { close_seq, score, comment, changed };
        context.append_notice(log, EntryKind::Rated, &content, None)?;
        let now = context.set.now;
        let row = match given {
            Some(row) => row,
            None => {
                let conversation = context.conversation(front)?;
                RatingRow {
                    id,
                    tenant_id: context.tenant,
                    conversation_id: front,
                    close_seq,
                    agent_id: conversation.agent_id,
                    group_id: conversation.group_id,
                    score,
                    comment: String::new(),
                    rated_at: now,
                    changed_at: now,
                }
            }
        };
        let row = RatingRow { score, comment: self.comment.clone(), changed_at: now, ..row };
        match context.set.ratings.get_mut(&row.id) {
            Some(kept) => *kept = row,
            None => context.set.ratings.create(row.id, row),
        }
        Ok(Reply::about(front))
    }
}
