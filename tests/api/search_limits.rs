//! Search in long logs, and what it does when there is too much.

use deskwire::db::AnyConnection;
use deskwire::db::schema::{follower, tenant_log};
use deskwire::kernel::TenantId;
use deskwire::search::index::SEARCH;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::commands::send;
use crate::search::{edit, indexed, pages, path, texts};

/// Keeps the index from being written.
async fn hold(app: &TestApp, tenant: TenantId) {
    let hold = move |connection: &mut AnyConnection| {
        let row = follower::table.filter(follower::name.eq(SEARCH)).filter(follower::tenant_id.eq(tenant));
        let held = (follower::fence.eq(follower::fence + 1), follower::lease_until.eq(i64::MAX));
        Ok(diesel::update(row).set(held).execute(connection)?)
    };
    assert_eq!(app.app().db.write(hold).await.unwrap(), 1);
}

/// Lets so many revs pass in which nothing was said.
fn pass(app: &TestApp, tenant: TenantId, revs: i64) {
    diesel::update(tenant_log::table.filter(tenant_log::tenant_id.eq(tenant)))
        .set(tenant_log::rev.eq(tenant_log::rev + revs))
        .execute(&mut app.database().connect())
        .unwrap();
}

on_every_database! {
    /// A log of many chunks is walked to its end, in order, with one word or several, on pages, by time; what was edited after the
    /// index was written stands at its place.
    async fn a_long_log_is_walked_in_steps(app: TestApp) {
        let seed = app.seed().await;
        let desk = app.desk_of(seed);
        let room = app.open_room(seed.visitor).await;
        let (mut said, mut seqs) = (Vec::new(), Vec::new());
        for number in 0..60 {
            let even = if number % 2 == 0 { " even" } else { "" };
            let tenth = if number % 10 == 0 { " tenth" } else { "" };
            let text = format!("common word{number:02}{even}{tenth}");
            let sent = app.submit(send(seed.visitor, room, &format!("m-{number}"), &text)).await;
            seqs.push(sent.entry.unwrap().seq);
            said.insert(0, text);
            pass(&app, seed.tenant, 17_000);
        }
        // The log ends with a rev that holds something.
        app.submit(send(seed.visitor, room, "end", "the end")).await;
        indexed(&app, seed.tenant).await;
        let with = |said: &[String], word: &str| -> Vec<String> {
            said.iter().filter(|text| text.contains(word)).cloned().collect()
        };
        for limit in [1, 7, 200] {
            assert_eq!(pages(&desk.admin, "common", "", limit).await, said);
            assert_eq!(pages(&desk.admin, "common even", "", limit).await, with(&said, "even"));
            assert_eq!(pages(&desk.visitor, "tenth common even", "", limit).await, with(&said, "tenth"));
            assert_eq!(pages(&desk.visitor, "word07 even", "", limit).await, [""; 0]);
        }
        hold(&app, seed.tenant).await;
        for number in [3, 58] {
            let text = format!("common word{number:02} changed");
            edit(&desk.visitor, &room.to_string(), &json!(seqs[number]), &text).await;
            said[59 - number] = text;
        }
        assert_eq!(texts(&desk.admin, "changed").await, with(&said, "changed"));
        for limit in [1, 7, 200] {
            assert_eq!(pages(&desk.admin, "common", "", limit).await, said);
        }
    }

    /// A search that has looked at enough says so, and goes on where it ended.
    async fn a_search_ends_when_it_has_looked_at_enough(app: TestApp) {
        let seed = app.seed().await;
        let desk = app.desk_of(seed);
        let room = app.open_room(seed.visitor).await;
        app.submit(send(seed.visitor, room, "first", "internationalization")).await;
        // The same to the index, which knows the first twelve letters.
        let say = |one: usize| send(seed.visitor, room, &format!("m-{one}"), "internationalisation");
        for piece in 0..25 {
            let all = app.submit_all((piece * 100..piece * 100 + 100).map(say).collect()).await;
            all.into_iter().for_each(|sent| drop(sent.unwrap()));
        }
        indexed(&app, seed.tenant).await;
        let first = desk.admin.get(&path("internationalization", "")).await.ok();
        assert_eq!((first["data"].as_array().unwrap().len(), &first["complete"]), (0, &json!(false)));
        let cursor = format!("&cursor={}", first["next_cursor"].as_str().unwrap());
        let second = desk.admin.get(&path("internationalization", &cursor)).await.ok();
        assert_eq!((second["data"].as_array().unwrap().len(), &second["complete"]), (1, &json!(true)));
        assert_eq!(second["next_cursor"], Value::Null);
    }

    /// Whoever comes while too many search is told, and may try again.
    async fn searches_take_turns(app: TestApp) {
        let desk = app.desk().await;
        let server = app.app();
        let turns = server.searches.acquire_many(4).await.unwrap();
        for list in ["messages", "members", "conversations"] {
            let busy = desk.admin.get(&format!("/search/{list}?q=ab")).await.refused(503, "busy");
            assert_eq!(busy["retryable"], true);
        }
        drop(turns);
        desk.admin.get("/search/messages?q=ab").await.ok();
    }
}
