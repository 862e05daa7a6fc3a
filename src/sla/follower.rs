//! The follower that keeps the clocks.

use std::collections::{BTreeSet, HashMap};

use super::log::{self, Line, Said};
use super::store;
use crate::db::AnyConnection;
use crate::domain::sla::clock::{SlaHappening, SlaTrack};
use crate::journal::follower::Start;
use crate::journal::follower::fold::Fold;
use crate::kernel::{ConversationId, Result, TenantId};

/// The follower's name.
pub const SLA_CLOCKS: &str = "sla_clocks";
/// Conversations that are taken away at once.
const ROWS: i64 = 1_000;

/// Keeps the clocks.
pub struct ClockKeeper;

impl Fold for ClockKeeper {
    type Line = Line;
    const NAME: &'static str = SLA_CLOCKS;
    const START: Start = Start::Begun;

    fn clear(connection: &mut AnyConnection, tenant: TenantId) -> Result<bool> {
        store::clear(connection, tenant, ROWS)
    }

    fn read(
        connection: &mut AnyConnection,
        tenant: TenantId,
        window: (i64, i64),
        most: i64,
    ) -> Result<(Vec<Line>, i64)> {
        log::piece(connection, tenant, window, most)
    }

    fn keep(connection: &mut AnyConnection, tenant: TenantId, lines: &[Line]) -> Result<()> {
        let mut touched: BTreeSet<ConversationId> = lines.iter().map(|line| line.conversation).collect();
        touched.extend(lines.iter().filter_map(|line| match line.said {
            Said::GoesOn(older) => Some(older),
            Said::Happens(_) => None,
        }));
        let touched: Vec<ConversationId> = touched.into_iter().collect();
        let rules = store::rules(connection, tenant)?;
        let mut tracks: HashMap<ConversationId, SlaTrack> = store::tracks(connection, tenant, &touched)?;
        for line in lines {
            let happening = match line.said {
                Said::Happens(happening) => happening,
                Said::GoesOn(older) => match tracks.get(&older).and_then(SlaTrack::asked_at) {
                    Some(since) => SlaHappening::AskedElsewhere(since),
                    None => continue,
                },
            };
            if let Some(track) = tracks.get_mut(&line.conversation) {
                track.apply(happening, line.at, line.seq, &rules);
            }
        }
        store::replace(connection, tenant, &touched, tracks.into_values())
    }
}
