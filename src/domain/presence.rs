//! What the journal keeps of each member of the staff: what it says that it is, whether it is connected, and how many
//! conversations it serves. No I/O.
//!
//! Owns the rules of what one effectively is, of the grace after the last socket, and of how long an absent agent keeps
//! its conversations. They are pure: who is connected comes as a [`Sighting`], the time as a number.
//!
//! Invariants: `current_accept` is the number of conversations in state `pending` whose agent the member is; it changes
//! only in the transaction that assigns or frees one. Who is not connected is effectively offline, whatever it says.

use diesel::prelude::*;

use super::tenant::TenantSettings;
use crate::db::schema::{agent_status, presence_change};
use crate::kernel::{MemberId, PresenceChangeId, TenantId};
use crate::text_enum;

text_enum! {
    /// What a member of the staff says that it is.
    PresenceStatus {
        /// At work, ready for conversations.
        Online = "online",
        /// At work, and wants no further conversation for now.
        Busy = "busy",
        /// On a short break.
        Away = "away",
        /// Not at work.
        Offline = "offline",
    }
}

/// Longest reason of a presence, in characters.
pub const REASON_MAX: usize = 200;

/// A row of `agent_status`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = agent_status)]
pub struct AgentStatusRow {
    /// Who.
    pub member_id: MemberId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What it says that it is.
    pub status: PresenceStatus,
    /// Why, for the staff; may be empty.
    pub reason: String,
    /// Since when it is that, unix milliseconds; `None` when it never said anything.
    pub since: Option<i64>,
    /// How many conversations it serves.
    pub current_accept: i64,
    /// The rev of the last change.
    pub rev: i64,
    /// When a conversation was last given to it, unix milliseconds.
    pub last_assigned_at: Option<i64>,
    /// When a conversation of its last began or ended, or when it came online, unix milliseconds.
    pub idle_since: Option<i64>,
    /// How many offers in a row it let pass.
    pub misses: i64,
    /// Whether it has a live socket, or had one a moment ago.
    pub connected: bool,
    /// When its last socket was known to live, unix milliseconds; while it is connected, when it came. `None` when it
    /// never was.
    pub last_seen: Option<i64>,
}

/// What the processes know of a member's sockets, read in the transaction that judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sighting {
    /// Some process has a live socket.
    Live,
    /// The last one was known to live so many milliseconds ago.
    Silent(i64),
}

impl AgentStatusRow {
    /// A member that never said anything, was never seen and serves nothing.
    pub const fn new(tenant_id: TenantId, member_id: MemberId) -> Self {
        Self {
            member_id,
            tenant_id,
            status: PresenceStatus::Offline,
            reason: String::new(),
            since: None,
            current_accept: 0,
            rev: 0,
            last_assigned_at: None,
            idle_since: None,
            misses: 0,
            connected: false,
            last_seen: None,
        }
    }

    /// What it is for others: what it says while it is connected, else offline.
    pub const fn effective(&self) -> PresenceStatus {
        if self.connected { self.status } else { PresenceStatus::Offline }
    }

    /// The row after its sockets were looked at. Without a live one it stays connected for `grace_ms`; nothing known at
    /// all means that it is not connected.
    #[must_use]
    pub fn seen(self, sighting: Option<Sighting>, grace_ms: i64, now: i64) -> Self {
        match sighting {
            Some(Sighting::Live) if self.connected => self,
            Some(Sighting::Live) => Self { connected: true, last_seen: Some(now), ..self },
            Some(Sighting::Silent(ago)) if !self.connected || ago < grace_ms => self,
            Some(Sighting::Silent(ago)) => Self { connected: false, last_seen: Some(now - ago), ..self },
            None => Self { connected: false, ..self },
        }
    }

    /// Since when it is effectively offline, for one that is; `None`: always.
    fn offline_since(&self) -> Option<i64> {
        match (self.connected, self.status == PresenceStatus::Offline) {
            (true, _) => self.since,
            (false, false) => self.last_seen,
            // Both: since the first of them.
            (false, true) => self.since.zip(self.last_seen).map(|(said, seen)| said.min(seen)),
        }
    }

    /// Of the conversations that it serves, those that it got at this time or before go back to the queue now. `None`:
    /// it keeps all.
    pub fn loses_before(&self, settings: &TenantSettings, now: i64) -> Option<i64> {
        let (seconds, since) = match self.effective() {
            PresenceStatus::Offline => (settings.disconnect_requeue_seconds?, self.offline_since()),
            PresenceStatus::Away => (settings.away_requeue_seconds?, self.since),
            PresenceStatus::Online | PresenceStatus::Busy => return None,
        };
        let before = now - seconds * 1_000;
        since.is_none_or(|since| since <= before).then_some(before)
    }
}

/// A row of `presence_change`: what a member of the staff was from this time on.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = presence_change)]
pub struct PresenceChangeRow {
    /// The change; later ones are higher.
    pub id: PresenceChangeId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who.
    pub member_id: MemberId,
    /// When, unix milliseconds.
    pub at: i64,
    /// What it said that it is.
    pub status: PresenceStatus,
    /// What it was for others.
    pub effective_status: PresenceStatus,
    /// Why, for the staff; may be empty.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn row(status: PresenceStatus, connected: bool) -> AgentStatusRow {
        let (since, last_seen) = (Some(NOW - 60_000), Some(NOW - 30_000));
        AgentStatusRow {
            status,
            connected,
            since,
            last_seen,
            ..AgentStatusRow::new(TenantId(1), MemberId(2))
        }
    }

    #[test]
    fn who_is_not_connected_is_offline() {
        for status in PresenceStatus::ALL {
            assert_eq!(row(*status, true).effective(), *status);
            assert_eq!(row(*status, false).effective(), PresenceStatus::Offline);
        }
    }

    #[test]
    fn the_grace_begins_when_the_last_socket_was_seen() {
        let connected = row(PresenceStatus::Online, true);
        let silent = |ago| connected.clone().seen(Some(Sighting::Silent(ago)), 30_000, NOW);
        assert_eq!(silent(29_999), connected);
        assert_eq!((silent(30_000).connected, silent(30_000).last_seen), (false, Some(NOW - 30_000)));
        assert!(!connected.clone().seen(None, 30_000, NOW).connected, "nothing is known of it");
        assert!(!connected.clone().seen(Some(Sighting::Silent(0)), 0, NOW).connected, "no grace at all");
        let gone = row(PresenceStatus::Online, false);
        assert_eq!(
            gone.clone().seen(Some(Sighting::Silent(5)), 30_000, NOW),
            gone,
            "no grace begins by itself"
        );
        let back = gone.seen(Some(Sighting::Live), 30_000, NOW);
        assert_eq!((back.connected, back.last_seen), (true, Some(NOW)));
    }

    #[test]
    fn each_absence_has_its_own_patience() {
        let both = TenantSettings {
            disconnect_requeue_seconds: Some(45),
            away_requeue_seconds: Some(60),
            ..TenantSettings::default()
        };
        let before = |row: &AgentStatusRow, now| row.loses_before(&both, now);
        // Away since a minute, seen half a minute ago.
        let away = row(PresenceStatus::Away, true);
        assert_eq!((before(&away, NOW - 1), before(&away, NOW)), (None, Some(NOW - 60_000)));
        let gone = row(PresenceStatus::Online, false);
        assert_eq!((before(&gone, NOW + 14_999), before(&gone, NOW + 15_000)), (None, Some(NOW - 30_000)));
        // It had said so before it went.
        assert_eq!(before(&row(PresenceStatus::Offline, false), NOW), Some(NOW - 45_000));
        // It never came: what it was given is still its own for as long.
        let never = AgentStatusRow::new(TenantId(1), MemberId(2));
        assert_eq!(before(&never, NOW), Some(NOW - 45_000));
        for status in [PresenceStatus::Online, PresenceStatus::Busy] {
            assert_eq!(before(&row(status, true), i64::MAX), None);
        }
        for status in PresenceStatus::ALL {
            for connected in [true, false] {
                assert_eq!(row(*status, connected).loses_before(&TenantSettings::default(), i64::MAX), None);
            }
        }
    }

    fn sighting() -> impl Strategy<Value = Option<Sighting>> {
        prop_oneof![
            Just(None),
            Just(Some(Sighting::Live)),
            (-1_000..100_000i64).prop_map(|ago| Some(Sighting::Silent(ago))),
        ]
    }

    proptest! {
        /// Whatever is seen in whatever order: a live socket always connects, silence never does, and looking twice
        /// changes nothing.
        #[test]
        fn looking_at_sockets_settles(seen in proptest::collection::vec((sighting(), 0..60_000i64), 1..40)) {
            let mut row = row(PresenceStatus::Busy, false);
            for (sighting, grace) in seen {
                let next = row.clone().seen(sighting, grace, NOW);
                prop_assert_eq!(next.clone().seen(sighting, grace, NOW), next.clone());
                match sighting {
                    Some(Sighting::Live) => prop_assert!(next.connected),
                    _ => prop_assert!(!next.connected || row.connected),
                }
                prop_assert_eq!((next.status, &next.reason, next.since), (row.status, &row.reason, row.since));
                row = next;
            }
        }
    }
}
