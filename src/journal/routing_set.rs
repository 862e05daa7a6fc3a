//! What was loaded for routing within a batch. No I/O.

use std::collections::{BTreeSet, HashMap};

use crate::domain::routing::Skill;
use crate::kernel::{ConversationId, MemberId, TenantId};

/// What was loaded for routing.
#[derive(Debug, Clone, Default)]
pub struct RoutingSet {
    /// Members of the staff who may be chosen, by tenant.
    pub candidates: HashMap<TenantId, BTreeSet<MemberId>>,
    /// What they can.
    pub skills: HashMap<MemberId, Vec<Skill>>,
    /// Who let an offer of a conversation pass or gave it back, and when, unix milliseconds.
    pub refusals: HashMap<ConversationId, Vec<(MemberId, i64)>>,
}
