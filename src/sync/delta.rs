//! The exact inbox delta: what changed for a member since a rev.
//!
//! Members' rows change on state only, so a row has changed when its own rev moved, or, while the member is active,
//! when its conversation's rev or that of the notes behind it moved.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, conversation_member};
use crate::db::snapshot::snapshot;
use crate::domain::conversation::{MemberType, ParticipantRow};
use crate::journal::history;
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

use super::model::InboxRow;
use super::store;

/// How many candidates one of the three walks reads at most. One command gives at most some hundred rows one rev, so
/// a walk that ends here always ends at a later rev than it began.
const WALK: i64 = 1_000;

/// What changed for a member.
#[derive(Debug, Clone)]
pub struct Delta {
    /// The changed rows, in order of their rev.
    pub rows: Vec<InboxRow>,
    /// Where to go on: the head, or, when there is more, the last rev whose rows are all in here.
    pub cursor: i64,
    /// There are more changed rows: ask again from `cursor`.
    pub more: bool,
}

#[allow(missing_docs, reason = "the macro makes public items without comments")]
mod notes {
    diesel::alias!(crate::db::schema::conversation as backstage: Backstage);
}
use notes::backstage;

/// Everything that changed for a member after `after_rev`. At most `limit` rows, but rows of one rev stay together.
/// Head and rows are of one snapshot.
pub fn delta(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    after_rev: i64,
    limit: i64,
) -> Result<Delta> {
    snapshot(connection, |connection| {
        let head = history::head(connection, tenant)?;
        let walks = [
            own_rows(connection, tenant, member, after_rev)?,
            conversation_rows(connection, tenant, member, after_rev)?,
            notes_rows(connection, tenant, member, after_rev)?,
        ];
        let cut = cut(walks, after_rev, head, limit);
        let rows = store::rows_of(connection, tenant, &cut.participants)?;
        Ok(Delta { rows, cursor: cut.cursor, more: cut.more })
    })
}

/// A candidate: by which rev its walk found it, and by which rev it counts.
#[derive(Debug, Clone)]
struct Candidate {
    key: i64,
    rev: i64,
    row: ParticipantRow,
}

#[derive(Debug)]
struct Cut {
    participants: Vec<ParticipantRow>,
    cursor: i64,
    more: bool,
}

/// Merges the walks and cuts the page where it is whole.
fn cut(walks: [Vec<Candidate>; 3], after_rev: i64, head: i64, limit: i64) -> Cut {
    let full = |walk: &&Vec<Candidate>| walk.len() as i64 >= WALK;
    // Beyond the last rev of a walk that was cut short nothing is known.
    let known = walks.iter().filter(full).filter_map(|walk| walk.last()).map(|last| last.key - 1).min();
    let mut newest: HashMap<ConversationId, Candidate> = HashMap::new();
    for one in walks.into_iter().flatten().filter(|one| known.is_none_or(|known| one.rev <= known)) {
        match newest.get(&one.row.conversation_id) {
            Some(other) if other.rev >= one.rev => {}
            _ => {
                newest.insert(one.row.conversation_id, one);
            }
        }
    }
    let mut rows: Vec<Candidate> = newest.into_values().collect();
    rows.sort_by_key(|one| (one.rev, one.row.conversation_id));
    let limit = usize::try_from(limit).unwrap_or_default().max(1);
    let (mut cursor, mut more) = (known.unwrap_or(head), known.is_some());
    if let Some(last) = rows.get(limit - 1).map(|one| one.rev).filter(|_| rows.len() > limit) {
        let whole = rows.partition_point(|one| one.rev <= last);
        if whole < rows.len() {
            rows.truncate(whole);
            (cursor, more) = (last, true);
        }
    }
    Cut {
        participants: rows.into_iter().map(|one| one.row).collect(),
        cursor: cursor.min(head).max(after_rev),
        more,
    }
}

type Found = (ParticipantRow, i64, Option<i64>);

fn candidate((row, conversation_rev, notes_rev): Found, key: impl Fn(&Found) -> i64) -> Candidate {
    let mut rev = row.rev;
    if row.active {
        rev = rev.max(conversation_rev);
        if row.member_type != MemberType::Customer {
            rev = rev.max(notes_rev.unwrap_or_default());
        }
    }
    let found = (row, conversation_rev, notes_rev);
    let key = key(&found);
    Candidate { key, rev, row: found.0 }
}

/// A member's rows with their conversation and the notes behind it.
macro_rules! rows {
    ($tenant:expr, $member:expr) => {
        conversation_member::table
            .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
            .left_join(
                backstage.on(backstage.field(conversation::id).nullable().eq(conversation::backstage_id)),
            )
            .filter(conversation_member::member_id.eq($member))
            .filter(conversation_member::tenant_id.eq($tenant))
            .limit(WALK)
            .select((
                ParticipantRow::as_select(),
                conversation::rev,
                backstage.field(conversation::rev).nullable(),
            ))
    };
}

fn own_rows(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    after_rev: i64,
) -> Result<Vec<Candidate>> {
    let found: Vec<Found> = rows!(tenant, member)
        .filter(conversation_member::rev.gt(after_rev))
        .order(conversation_member::rev.asc())
        .load(connection)?;
    Ok(found.into_iter().map(|one| candidate(one, |found| found.0.rev)).collect())
}

fn conversation_rows(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    after_rev: i64,
) -> Result<Vec<Candidate>> {
    let found: Vec<Found> = rows!(tenant, member)
        .filter(conversation_member::active.eq(true))
        .filter(conversation::rev.gt(after_rev))
        .order(conversation::rev.asc())
        .load(connection)?;
    Ok(found.into_iter().map(|one| candidate(one, |found| found.1)).collect())
}

fn notes_rows(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    after_rev: i64,
) -> Result<Vec<Candidate>> {
    let found: Vec<Found> = rows!(tenant, member)
        .filter(conversation_member::active.eq(true))
        .filter(conversation_member::member_type.ne(MemberType::Customer))
        .filter(backstage.field(conversation::rev).gt(after_rev))
        .order(backstage.field(conversation::rev).asc())
        .load(connection)?;
    Ok(found.into_iter().map(|one| candidate(one, |found| found.2.unwrap_or_default())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(revs: &[(i64, i64, i64)]) -> Vec<Candidate> {
        revs.iter().map(|(id, key, rev)| Candidate { key: *key, rev: *rev, row: row(*id) }).collect()
    }

    fn row(id: i64) -> ParticipantRow {
        ParticipantRow {
            conversation_id: ConversationId(id),
            member_id: MemberId(1),
            tenant_id: TenantId(1),
            member_type: MemberType::Member,
            active: true,
            joined_seq: 0,
            left_seq: None,
            read_seq: 0,
            read_ver: 0,
            last_sent_seq: 0,
            delivered_seq: 0,
            note_read_seq: 0,
            last_rev: 0,
            rev: 0,
            created_at: 0,
            group_id: None,
        }
    }

    fn ids(cut: &Cut) -> Vec<i64> {
        cut.participants.iter().map(|row| row.conversation_id.0).collect()
    }

    #[test]
    fn a_row_found_twice_comes_once_in_its_newest_place() {
        let cut = cut([walk(&[(1, 5, 9), (2, 6, 6)]), walk(&[(1, 9, 9)]), vec![]], 4, 10, 50);
        assert_eq!((ids(&cut), cut.cursor, cut.more), (vec![2, 1], 10, false));
    }

    #[test]
    fn a_page_ends_between_revs_and_never_within_one() {
        let rows = [(1, 5, 5), (2, 6, 6), (3, 6, 6), (4, 7, 7)];
        let page = cut([walk(&rows), vec![], vec![]], 4, 10, 2);
        assert_eq!((ids(&page), page.cursor, page.more), (vec![1, 2, 3], 6, true));
        let rest = cut([walk(&rows[3..]), vec![], vec![]], 6, 10, 2);
        assert_eq!((ids(&rest), rest.cursor, rest.more), (vec![4], 10, false));
    }

    #[test]
    fn beyond_a_walk_that_was_cut_short_nothing_is_claimed() {
        let long: Vec<_> = (0..WALK).map(|index| (index, 100 + index, 100 + index)).collect();
        let page = cut([walk(&long), walk(&[(5_000, 5_000, 5_000)]), vec![]], 50, 9_000, 2_000);
        assert_eq!((page.participants.len() as i64, page.cursor, page.more), (WALK - 1, 98 + WALK, true));
    }

    #[test]
    fn the_cursor_never_passes_the_head_that_was_read_first() {
        let page = cut([walk(&[(1, 11, 11)]), vec![], vec![]], 4, 10, 50);
        assert_eq!((ids(&page), page.cursor, page.more), (vec![1], 10, false));
    }
}
