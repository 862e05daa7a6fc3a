//! From commit to readers. Owns the shape of what was committed ([`Changes`]), the last committed rev of each
//! tenant, and the bounded channels to the readers of this process.
//!
//! Invariants: publishing never blocks and never fails a command; a reader that missed something sees it from the
//! rev ranges or from [`Feed::committed`] and reads the store ([`super::history`]), on one path for all processes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use super::ephemeral::Ephemeral;
use crate::domain::centre::notification::NotificationRow;
use crate::domain::conversation::{ConversationRow, ParticipantRow};
use crate::domain::entry::EntryRow;
use crate::domain::group::GroupMemberType;
use crate::domain::member::{MemberStatus, Role};
use crate::domain::offer::OfferRow;
use crate::domain::presence::AgentStatusRow;
use crate::kernel::{ConversationId, GroupId, MemberId, SessionId, TenantId};

/// Everything that one tenant's readers must learn from revs `rev_from..=rev_to`, without holes.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Whose.
    pub tenant: TenantId,
    /// The first rev in here.
    pub rev_from: i64,
    /// The last rev in here.
    pub rev_to: i64,
    /// New entries in order of (rev, conversation, seq).
    pub entries: Vec<Arc<EntryRow>>,
    /// Every conversation that has an entry, a changed participant or a changed state in here.
    pub conversations: HashMap<ConversationId, ConversationState>,
    /// Who no longer has access, or comes in as something else.
    pub access: Vec<AccessNotice>,
    /// Staff whose presence or number of conversations changed.
    pub agents: Vec<AgentStatusRow>,
    /// Offers to agents that were made or ended.
    pub offers: Vec<OfferRow>,
    /// What members are told inside the product: made or read.
    pub notifications: Vec<NotificationRow>,
}

/// A conversation as it stood at the end of the changes.
#[derive(Debug, Clone)]
pub struct ConversationState {
    /// The conversation.
    pub conversation: ConversationRow,
    /// All its participants, also those who left. For a backstage conversation: those of its parent.
    pub participants: Vec<ParticipantRow>,
}

impl ConversationState {
    /// The participants who are to receive this entry: those who are in, and those who left with or after it. Of a
    /// backstage conversation, staff only.
    pub fn recipients<'a>(&'a self, entry: &'a EntryRow) -> impl Iterator<Item = &'a ParticipantRow> {
        use crate::domain::conversation::{ConversationKind, MemberType};
        let backstage = self.conversation.kind == ConversationKind::Backstage;
        self.participants.iter().filter(move |one| match backstage {
            true => one.is_in() && one.member_type != MemberType::Customer,
            false => one.left_seq.is_none_or(|left| entry.seq <= left),
        })
    }
}

/// A change of who has access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessNotice {
    /// Under which rev.
    pub rev: i64,
    /// What changed.
    pub change: AccessState,
}

/// What changed about who has access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessState {
    /// A session is over.
    SessionRevoked {
        /// Whose.
        member: MemberId,
        /// Which.
        session: SessionId,
        /// Why.
        reason: String,
    },
    /// A member is something else now.
    Member {
        /// Who.
        member: MemberId,
        /// Its role.
        role: Role,
        /// Its state.
        status: MemberStatus,
        /// It is no more.
        deleted: bool,
        /// It was recognised as this member.
        merged_into: Option<MemberId>,
        /// When the account ends.
        expires_at: Option<i64>,
    },
    /// A member came into a group, left it, or is something else in it.
    Group {
        /// Who.
        member: MemberId,
        /// Which.
        group: GroupId,
        /// As what it is in the group; `None` when it is not.
        stands_as: Option<GroupMemberType>,
    },
    /// The tenant was suspended or reopened.
    Tenant {
        /// Whether it is suspended.
        suspended: bool,
    },
}

/// What a reader of the feed receives.
#[derive(Debug, Clone)]
pub enum FeedItem {
    /// Committed.
    Changes(Arc<Changes>),
    /// Told and forgotten.
    Ephemeral(Ephemeral),
    /// Some tenant's committed rev moved in another process: compare with [`Feed::committed`].
    Behind,
}

/// The way from the lanes to the readers of this process. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    committed: RwLock<HashMap<TenantId, i64>>,
    readers: RwLock<Vec<mpsc::Sender<FeedItem>>>,
    followed: RwLock<HashMap<TenantId, usize>>,
    repairs: Mutex<Repairs>,
    repair_asked: Notify,
}

/// What readers missed and the repair is to read.
#[derive(Debug, Default)]
struct Repairs {
    wanted: HashMap<TenantId, (i64, i64)>,
    /// What is being read, or was published a moment ago and may still be in the channels of those who ask.
    published: HashMap<TenantId, (i64, i64, Instant)>,
}

/// For so long a published repair is believed to be under way to a reader that asks for the same.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// Somebody's interest in a tenant: while it lives, the tail looks for what other processes commit there.
#[derive(Debug)]
pub struct Following {
    tenant: TenantId,
    feed: Feed,
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut followed = self.feed.shared.followed.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = followed.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                followed.remove(&self.tenant);
            }
        }
    }
}

impl Feed {
    /// A new reader with room for `capacity` items. What does not fit is dropped; the reader sees the hole.
    pub fn subscribe(&self, capacity: usize) -> mpsc::Receiver<FeedItem> {
        let (sender, receiver) = mpsc::channel(capacity);
        self.shared.readers.write().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// The highest rev of this tenant that this process knows to be committed; 0 when it knows none.
    pub fn committed(&self, tenant: TenantId) -> i64 {
        self.shared
            .committed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&tenant)
            .copied()
            .unwrap_or(0)
    }

    /// Notes a committed rev, found by a lane or by the tail. Returns whether it was news.
    pub fn note_committed(&self, tenant: TenantId, rev: i64) -> bool {
        if self.committed(tenant) >= rev {
            return false;
        }
        let mut committed = self.shared.committed.write().unwrap_or_else(PoisonError::into_inner);
        let known = committed.entry(tenant).or_insert(0);
        let news = *known < rev;
        *known = (*known).max(rev);
        news
    }

    /// Asks the tail to look after this tenant until the answer is dropped.
    pub fn follow(&self, tenant: TenantId) -> Following {
        let mut followed = self.shared.followed.write().unwrap_or_else(PoisonError::into_inner);
        *followed.entry(tenant).or_insert(0) += 1;
        drop(followed);
        Following { tenant, feed: self.clone() }
    }

    /// The tenants that somebody follows.
    pub fn followed(&self) -> Vec<TenantId> {
        self.shared.followed.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Hands committed changes to every reader.
    pub fn publish(&self, changes: Arc<Changes>) {
        self.note_committed(changes.tenant, changes.rev_to);
        self.offer(&FeedItem::Changes(changes));
    }

    /// Hands out what is told and forgotten.
    pub fn ephemeral(&self, item: Ephemeral) {
        self.offer(&FeedItem::Ephemeral(item));
    }

    /// Wakes the readers after the tail noted news.
    pub fn nudge(&self) {
        self.offer(&FeedItem::Behind);
    }

    /// Asks the repair to read these revs and to publish them. What others asked for is read together with it.
    pub fn ask_repair(&self, tenant: TenantId, from: i64, to: i64) {
        let mut repairs = self.repairs();
        if let Some((published_from, published_to, at)) = repairs.published.get(&tenant)
            && (*published_from..=*published_to).contains(&from)
            && at.elapsed() < UNDER_WAY
        {
            return;
        }
        match repairs.wanted.entry(tenant) {
            Entry::Occupied(mut wanted) => {
                let (wanted_from, wanted_to) = *wanted.get();
                wanted.insert((wanted_from.min(from), wanted_to.max(to)));
            }
            Entry::Vacant(place) => {
                place.insert((from, to));
            }
        }
        drop(repairs);
        self.shared.repair_asked.notify_one();
    }

    /// The next revs that somebody missed.
    pub async fn next_repair(&self) -> (TenantId, i64, i64) {
        loop {
            let asked = self.shared.repair_asked.notified();
            if let Some(wanted) = self.take_repair() {
                return wanted;
            }
            asked.await;
        }
    }

    fn take_repair(&self) -> Option<(TenantId, i64, i64)> {
        let mut repairs = self.repairs();
        let tenant = *repairs.wanted.keys().next()?;
        let (from, to) = repairs.wanted.remove(&tenant)?;
        // Who asks while it is read is answered by it too.
        repairs.published.insert(tenant, (from, to, Instant::now()));
        Some((tenant, from, to))
    }

    /// Asks again for what could not be read.
    pub fn repair_failed(&self, tenant: TenantId, from: i64, to: i64) {
        self.repairs().published.remove(&tenant);
        self.ask_repair(tenant, from, to);
    }

    /// Notes that these revs are about to be published to all readers.
    pub fn repaired(&self, tenant: TenantId, from: i64, to: i64) {
        let mut repairs = self.repairs();
        repairs.published.retain(|_, (_, _, at)| at.elapsed() < UNDER_WAY);
        repairs.published.insert(tenant, (from, to, Instant::now()));
    }

    fn repairs(&self) -> std::sync::MutexGuard<'_, Repairs> {
        self.shared.repairs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, item: &FeedItem) {
        let mut closed = false;
        let readers = self.shared.readers.read().unwrap_or_else(PoisonError::into_inner);
        for reader in readers.iter() {
            if let Err(mpsc::error::TrySendError::Closed(_)) = reader.try_send(item.clone()) {
                closed = true;
            }
        }
        drop(readers);
        if closed {
            let mut readers = self.shared.readers.write().unwrap_or_else(PoisonError::into_inner);
            readers.retain(|reader| !reader.is_closed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_readers_miss_is_read_once() {
        let (feed, tenant) = (Feed::default(), TenantId(1));
        feed.ask_repair(tenant, 3, 5);
        feed.ask_repair(tenant, 2, 4);
        let taken = Instant::now();
        assert_eq!(feed.take_repair(), Some((tenant, 2, 5)), "two asked before it was read");
        feed.ask_repair(tenant, 2, 5);
        assert!(feed.take_repair().is_none() || taken.elapsed() >= UNDER_WAY, "it is being read");
        let published = Instant::now();
        feed.repaired(tenant, 2, 5);
        feed.ask_repair(tenant, 4, 7);
        let asked = feed.take_repair();
        assert!(asked.is_none() || published.elapsed() >= UNDER_WAY, "it is on its way to who asks");
        feed.ask_repair(tenant, 6, 7);
        assert_eq!(feed.take_repair(), Some((tenant, 6, 7)), "what lies behind it is not");
        feed.repair_failed(tenant, 6, 7);
        assert_eq!(feed.take_repair(), Some((tenant, 6, 7)), "it could not be read");
    }
}
