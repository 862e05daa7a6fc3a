//! How SQLite finds the dispatcher's work. It keeps no statistics here, and takes for a statement whatever index looks best: one
//! that leads through everything that waits, or was kept, makes each piece of work as slow as there is much of that.

use deskwire::db::DatabaseKind;
use diesel::prelude::*;

use crate::harness::TestDatabase;

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

/// By what a statement finds its rows.
fn plan(statement: &str) -> Vec<String> {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    let mut connection = SqliteConnection::establish(database.url.trim_start_matches("sqlite:")).unwrap();
    let plan: Vec<Step> =
        diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(&mut connection).unwrap();
    plan.into_iter().map(|step| step.detail).collect()
}

/// Events whose rules are to be applied, and not all events of the tenant.
#[test]
fn waiting_events_are_found_by_their_own_index() {
    let plan = plan(
        "SELECT id, payload FROM message_event WHERE expanded_at IS NULL AND tenant_id = 1 ORDER BY id LIMIT 20",
    );
    assert!(matches!(&plan[..], [step] if step.contains("message_event_pending")), "{plan:?}");
}

/// Sends that are claimed, expire or are suppressed, by their ids, and not all that are in their state.
#[test]
fn claimed_sends_are_found_by_their_ids() {
    let ids = (1..=50).map(|id| id.to_string()).collect::<Vec<_>>().join(", ");
    let plan = plan(&format!(
        "UPDATE message_send SET status = 'sending' WHERE id IN ({ids}) AND status = 'unsent'"
    ));
    assert!(matches!(&plan[..], [step] if step.contains("PRIMARY KEY")), "{plan:?}");
}

/// What dead workers left, and not all that is on its way or waits.
#[test]
fn abandoned_sends_are_found_by_the_end_of_their_lease() {
    let plan = plan(
        "SELECT id FROM message_send WHERE status = 'sending' AND lease_owner IS NOT NULL AND lease_until <= 5 \
         ORDER BY lease_until LIMIT 200",
    );
    assert!(matches!(&plan[..], [step] if step.contains("message_send_lease")), "{plan:?}");
}
