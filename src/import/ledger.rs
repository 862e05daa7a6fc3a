//! What rows of the source became: kept in the store, or, of a dry run, in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::store;
use crate::app::App;
use crate::db::DbErrorKind;
use crate::kernel::{Error, Result, TenantId};

/// Keys that are looked up at once.
const KEYS: usize = 400;
/// Longest key of a row, in characters.
pub const KEY_MAX: usize = 191;

/// The ledger of one source in one tenant.
pub struct Ledger {
    app: Arc<App>,
    tenant: TenantId,
    source: String,
    /// Of a dry run: what rows would become.
    planned: Option<HashMap<(&'static str, String), i64>>,
}

impl Ledger {
    /// The ledger of this source.
    pub fn new(app: Arc<App>, tenant: TenantId, source: String, dry_run: bool) -> Self {
        Self { app, tenant, source, planned: dry_run.then(HashMap::new) }
    }

    /// The name of the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What these rows became, as far as they came in.
    pub async fn find(
        &self,
        table: &'static str,
        keys: impl IntoIterator<Item = String>,
    ) -> Result<HashMap<String, i64>> {
        let keys: Vec<String> = keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = HashMap::new();
        for keys in keys.chunks(KEYS) {
            let (tenant, source, keys) = (self.tenant, self.source.clone(), keys.to_vec());
            let read = move |connection: &mut _| store::find(connection, tenant, (&source, table), &keys);
            found.extend(self.app.db.read(read).await?);
        }
        if let Some(planned) = &self.planned {
            for key in keys {
                if let Some(id) = planned.get(&(table, key.clone())) {
                    found.entry(key).or_insert(*id);
                }
            }
        }
        Ok(found)
    }

    /// What one row became.
    pub async fn one(&self, table: &'static str, key: &str) -> Result<Option<i64>> {
        Ok(self.find(table, [key.to_owned()]).await?.remove(key))
    }

    /// Notes what a row would become. Of dry runs only.
    pub fn plan(&mut self, table: &'static str, key: &str, id: i64) {
        if let Some(planned) = &mut self.planned {
            planned.insert((table, key.to_owned()), id);
        }
    }

    /// What a row became; a new id is taken for it when it did not come in yet.
    pub async fn reserve(&mut self, table: &'static str, key: &str) -> Result<i64> {
        if let Some(id) = self.one(table, key).await? {
            return Ok(id);
        }
        let id = self.app.ids.next()?;
        if self.planned.is_some() {
            self.plan(table, key, id);
            return Ok(id);
        }
        let (tenant, source, kept, now) =
            (self.tenant, self.source.clone(), key.to_owned(), self.app.clock.now().0);
        let write =
            move |connection: &mut _| store::keep(connection, tenant, (&source, table), &kept, id, now);
        match self.app.db.write(write).await {
            Ok(()) => Ok(id),
            // Another run was first.
            Err(error) if is_known(&error) => {
                self.one(table, key).await?.ok_or_else(|| Error::internal("a row of the ledger is gone"))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether another run kept the same row.
pub fn is_known(error: &Error) -> bool {
    error.error_kind() == Some(DbErrorKind::Unique)
}
