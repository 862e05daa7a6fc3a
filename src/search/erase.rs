//! Takes the postings of erased logs, and the terms of erased accounts and conversations, out of the index.
//!
//! The words are gone by then, so that the index is walked as a whole: a posting says in which log and under which rev its
//! message stands, and that is known. Invariant: what is appended to a row meanwhile stays.

use std::collections::{BTreeSet, HashSet};

use diesel::prelude::*;

use super::postings::{Posting, chunk_of, read};
use crate::db::AnyConnection;
use crate::db::schema::{group_message, search_posting, search_term};
use crate::domain::entry::MESSAGE;
use crate::domain::search::ObjectType;
use crate::kernel::{ConversationId, MemberId, Result, TenantId};
use crate::on;

/// Rows of the index that are looked at together.
const ROWS: i64 = 2_000;

/// The key of a row of the index: its term and its chunk.
pub type Key = (i64, i64);

/// The postings of some logs.
#[derive(Debug, Default)]
pub struct ErasedPostings {
    postings: HashSet<(i64, u16)>,
    chunks: BTreeSet<i64>,
}

impl ErasedPostings {
    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.postings.is_empty()
    }

    /// Adds the messages of a log.
    pub fn add(&mut self, connection: &mut AnyConnection, log: ConversationId) -> Result<()> {
        let revs: Vec<i64> = group_message::table
            .filter(group_message::conversation_id.eq(log))
            .filter(group_message::message_type.eq(MESSAGE))
            .select(group_message::rev)
            .load(connection)?;
        for rev in revs {
            self.postings.insert((rev, Posting::new(rev, log).log));
            self.chunks.insert(chunk_of(rev));
        }
        Ok(())
    }

    fn has(&self, posting: Posting) -> bool {
        self.postings.contains(&(posting.rev, posting.log))
    }

    /// The rest of a row; `None` when the row holds none of them.
    fn rest(&self, chunk: i64, blob: &[u8]) -> Option<Vec<u8>> {
        if !self.chunks.contains(&chunk) || !read(chunk, blob).any(|posting| self.has(posting)) {
            return None;
        }
        let words = blob.as_chunks::<4>().0.iter();
        let kept = words.zip(read(chunk, blob)).filter(|(_, posting)| !self.has(*posting));
        Some(kept.flat_map(|(word, _)| *word).collect())
    }

    /// The rows behind a key that hold some of them, and behind which key the next page begins.
    pub fn page(
        &self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        after: Option<Key>,
    ) -> Result<(Vec<Key>, Option<Key>)> {
        let (term, chunk) = after.unwrap_or((i64::MIN, i64::MIN));
        let later = search_posting::term.eq(term).and(search_posting::chunk.gt(chunk));
        let rows: Vec<(i64, i64, Vec<u8>)> = search_posting::table
            .filter(search_posting::tenant_id.eq(tenant))
            .filter(search_posting::term.ge(term))
            .filter(search_posting::term.gt(term).or(later))
            .order((search_posting::term.asc(), search_posting::chunk.asc()))
            .limit(ROWS)
            .select((search_posting::term, search_posting::chunk, search_posting::postings))
            .load(connection)?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= ROWS);
        let next = rows.last().filter(|_| is_full).map(|(term, chunk, _)| (*term, *chunk));
        let found = rows.iter().filter(|(_, chunk, blob)| self.rest(*chunk, blob).is_some());
        Ok((found.map(|(term, chunk, _)| (*term, *chunk)).collect(), next))
    }

    /// Takes them out of these rows; gives how many postings went.
    pub fn take(&self, connection: &mut AnyConnection, tenant: TenantId, keys: &[Key]) -> Result<usize> {
        let mut taken = 0;
        for (term, chunk) in keys {
            let row = || search_posting::table.find((tenant, *term, *chunk));
            // Held before it is read: the follower appends to it.
            diesel::update(row()).set(search_posting::chunk.eq(search_posting::chunk)).execute(connection)?;
            let blob: Option<Vec<u8>> =
                row().select(search_posting::postings).first(connection).optional()?;
            let Some((before, rest)) = blob.and_then(|blob| Some((blob.len(), self.rest(*chunk, &blob)?)))
            else {
                continue;
            };
            taken += (before - rest.len()) / 4;
            match rest.is_empty() {
                true => on!(connection, inner => diesel::delete(row()).execute(inner))?,
                false => on!(connection, inner => diesel::update(row())
                    .set(search_posting::postings.eq(&rest))
                    .execute(inner))?,
            };
        }
        Ok(taken)
    }
}

/// Takes the terms of these accounts; gives how many.
pub fn take_members(connection: &mut AnyConnection, tenant: TenantId, members: &[MemberId]) -> Result<usize> {
    take_objects(connection, tenant, ObjectType::Member, members.iter().map(|id| id.0).collect())
}

/// Takes the terms of these conversations; gives how many.
pub fn take_conversations(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversations: &[ConversationId],
) -> Result<usize> {
    let ids = conversations.iter().map(|id| id.0).collect();
    take_objects(connection, tenant, ObjectType::Conversation, ids)
}

fn take_objects(
    connection: &mut AnyConnection,
    tenant: TenantId,
    object_type: ObjectType,
    ids: Vec<i64>,
) -> Result<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    Ok(on!(connection, inner => diesel::delete(search_term::table
        .filter(search_term::tenant_id.eq(tenant))
        .filter(search_term::object_type.eq(object_type.number()))
        .filter(search_term::object_id.eq_any(&ids)))
        .execute(inner))?)
}
