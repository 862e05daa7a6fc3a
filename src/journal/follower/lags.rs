//! How far the followers are behind, for metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// By follower: the revs that it has yet to follow, over all tenants. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Lags {
    revs: Arc<Mutex<BTreeMap<&'static str, i64>>>,
}

impl Lags {
    pub(super) fn set(&self, follower: &'static str, revs: i64) {
        self.revs.lock().unwrap_or_else(PoisonError::into_inner).insert(follower, revs);
    }

    /// The lag of every follower that runs here.
    pub fn all(&self) -> Vec<(&'static str, i64)> {
        let revs = self.revs.lock().unwrap_or_else(PoisonError::into_inner);
        revs.iter().map(|(follower, revs)| (*follower, *revs)).collect()
    }
}
