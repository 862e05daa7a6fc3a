//! The search index across the death of processes: nothing is missing in it, and nothing stands there twice.

use std::collections::BTreeSet;

use deskwire::db::schema::{follower, search_posting};
use deskwire::db::{AnyConnection, DatabaseKind};
use deskwire::search::index::SEARCH;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::personas::message;
use crate::harness::process::{Process, kills};
use crate::harness::servers::free_port;
use crate::harness::{TestDatabase, block_on, eventually, servers};

/// Messages before each kill.
const MESSAGES: u32 = 60;

/// Lets the lease of the dead end, as half a minute would that nobody waits for here.
fn end_lease(mut connection: AnyConnection) {
    diesel::update(follower::table.filter(follower::name.eq(SEARCH)))
        .set(follower::lease_until.eq(0))
        .execute(&mut connection)
        .unwrap();
}

/// Kills the program while it writes the index, as often as `DESKWIRE_TEST_KILLS` says (3 when absent).
fn the_index_survives_kill_9(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = TestDatabase::migrated(kind);
        let port = free_port();
        let mut process = Process::serve_on(&database.url, port, &[]);
        let seed = database.seed();
        let token = process.visitor_token(&seed.slug()).await;
        let mut visitor = process.client().with_token(token.clone());
        let opened =
            visitor.post("/conversations", json!({"message": message("common beginning")})).await.ok();
        let path = format!("/conversations/{}/messages", opened["conversation"]["id"].as_str().unwrap());
        let mut said = BTreeSet::from(["common beginning".to_owned()]);
        for kill in 0..kills(kind) {
            let texts: Vec<String> = (0..MESSAGES).map(|n| format!("common word{kill}x{n}")).collect();
            let sent = join_all(texts.iter().map(|text| visitor.post(&path, message(text)))).await;
            sent.into_iter().for_each(|sent| drop(sent.status(201)));
            said.extend(texts);
            // The follower looks for work every second: kills fall at any moment of it.
            let moment = u64::from(kill).wrapping_mul(2_654_435_761) % 1_300;
            tokio::time::sleep(std::time::Duration::from_millis(moment)).await;
            process.kill();
            end_lease(database.connect());
            process = Process::serve_on(&database.url, port, &[]);
            // Without the connections to the one that is dead.
            visitor = process.client().with_token(token.clone());
        }
        eventually("everything is indexed", || async {
            let mut connection = database.connect();
            let tenant = seed.tenant;
            let head = deskwire::journal::history::head(&mut connection, tenant).unwrap();
            let position = deskwire::journal::follower::position(&mut connection, SEARCH, tenant).unwrap();
            (position >= head).then_some(())
        })
        .await;
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = visitor.get(&format!("/search/messages?q=common&limit=200{cursor}")).await.ok();
            let hits = page["data"].as_array().unwrap();
            found.extend(
                hits.iter().map(|hit| hit["message"]["content"]["text"].as_str().unwrap().to_owned()),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found.len(), said.len(), "each once");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), said);
        let blobs: Vec<Vec<u8>> =
            search_posting::table.select(search_posting::postings).load(&mut database.connect()).unwrap();
        assert!(!blobs.is_empty());
        for blob in blobs {
            let postings: Vec<&[u8]> = blob.chunks(4).collect();
            let distinct: BTreeSet<&&[u8]> = postings.iter().collect();
            assert_eq!(distinct.len(), postings.len(), "a posting stands in the index twice");
        }
        assert_eq!(process.terminate(), Some(0));
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn the_index_survives_kill_9_on_sqlite() {
    the_index_survives_kill_9(DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn the_index_survives_kill_9_on_postgresql() {
    the_index_survives_kill_9(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn the_index_survives_kill_9_on_mysql() {
    the_index_survives_kill_9(DatabaseKind::Mysql);
}
