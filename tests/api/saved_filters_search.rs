//! Searches by a filter: what they find, in which pages, for whom, and by which clock. That both readings of a filter agree
//! stands in `saved_filters_property`.

use deskwire::domain::actor::Actor;
use deskwire::http::page::{decode, encode};
use deskwire::kernel::ConversationId;
use deskwire::saved_filters::search::{Asked, page};
use deskwire::saved_filters::service;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api_keys::{account, key};
use crate::attributes::make;
use crate::bots::decide;
use crate::groups::{make as make_group, put};
use crate::harness::{Client, TestApp};
use crate::saved_filters::{SEARCH, condition, ids, open, path, save};

/// What every conversation meets.
fn anything() -> Value {
    condition("status", "is_set", json!(true))
}

fn both(one: Value, other: Value) -> Value {
    json!({"all": [one, other]})
}

/// The conversations that somebody finds, by pages of two.
async fn found(by: &Client, filter: &Value) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = by.post(SEARCH, json!({"filter": filter, "limit": 2, "cursor": cursor})).await.ok();
        assert!(page["data"].as_array().unwrap().len() <= 2);
        found.extend(ids(&page));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            return found;
        }
    }
}

async fn by_id(by: &Client, saved: &Value) -> Vec<String> {
    ids(&by.post(SEARCH, json!({"filter_id": saved["id"]})).await.ok())
}

/// Which of somebody's filters a conversation meets.
async fn met(by: &Client, room: &str) -> Vec<String> {
    ids(&by.get(&format!("/conversations/{room}/saved-filters")).await.ok())
}

/// All that a member finds when so many conversations at most are looked at for a page, and by how many pages.
fn paged(app: &TestApp, actor: &Actor, filter: &Value, looked_at: i64) -> (Vec<String>, usize) {
    let mut connection = app.database().connect();
    let filter = service::read(&mut connection, actor, app.clock.now(), filter, false).unwrap();
    let (mut found, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let asked = Asked { before, limit: 2, looked_at };
        let page = page(&mut connection, actor, &filter, asked).unwrap();
        found.extend(page.data.iter().map(|row| row.id.to_string()));
        pages += 1;
        let Some(cursor) = page.next_cursor else { return (found, pages) };
        let next = ConversationId(decode::<i64>(&cursor).unwrap());
        assert!(before.is_none_or(|before| next < before), "the search goes on");
        before = Some(next);
    }
}

on_every_database! {
    /// What each field finds, and what it does not.
    async fn what_is_found(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        for kind in ["text", "number", "boolean", "date", "choice"] {
            make(&desk.admin, "conversation", kind, kind).await;
        }
        let room = desk.open_and_claim("one").await;
        let group = make_group(&desk, "Returns").await;
        let change = json!({
            "subject": "100% wool, Größe 5 😀", "tags": ["vip", "say \"x\""], "priority": "high", "group_id": group,
            "attributes": {"text": "A_1", "number": 5.25, "boolean": false, "date": "2026-03-01", "choice": "red"},
        });
        desk.agent.patch(&format!("/conversations/{room}"), change).await.ok();
        other.open_and_claim("elsewhere").await;
        let is = |field: &str, value: Value| condition(field, "equals", value);
        let near = app.clock.now();
        for (filter, finds) in [
            (is("status", json!("pending")), true),
            (is("status", json!("open")), false),
            (condition("status", "one_of", json!(["open", "pending"])), true),
            (is("priority", json!("high")), true),
            (condition("priority", "not_equals", json!("high")), false),
            (condition("close_reason", "is_set", json!(true)), false),
            (condition("close_reason", "not_equals", json!("spam")), true),
            (is("agent_id", json!("me")), true),
            (is("agent_id", json!(desk.agent.id())), true),
            (is("agent_id", json!(desk.second_agent.id())), false),
            (condition("agent_id", "not_equals", json!("me")), false),
            (condition("bot_id", "is_set", json!(true)), false),
            (is("customer_id", json!(desk.visitor.id())), true),
            (is("customer_id", json!(desk.second_visitor.id())), false),
            (is("group_id", json!(group)), true),
            (condition("group_id", "is_set", json!(false)), false),
            (condition("tags", "contains", json!("vip")), true),
            (condition("tags", "contains", json!("vi")), false),
            (condition("tags", "contains", json!("VIP")), false),
            (condition("tags", "contains", json!("say \"x\"")), true),
            (condition("tags", "one_of", json!(["none", "vip"])), true),
            (condition("tags", "is_set", json!(true)), true),
            (condition("subject", "contains", json!("0% w")), true),
            (condition("subject", "contains", json!("0_ w")), false),
            (condition("subject", "contains", json!("GRÖSSE")), false),
            (condition("subject", "contains", json!("Große")), false),
            (condition("subject", "contains", json!("ße 5 😀")), true),
            (condition("subject", "starts_with", json!("100%")), true),
            (condition("subject", "starts_with", json!("%")), false),
            (condition("subject", "starts_with", json!("00%")), false),
            (is("subject", json!("100% wool, Größe 5 😀 ")), false),
            (condition("msg_count", "greater_than", json!(0)), true),
            (condition("created_at", "greater_than", json!({"seconds_ago": 3_600})), true),
            (condition("created_at", "less_than", json!({"seconds_ago": 3_600})), false),
            (condition("last_at", "less_than", json!(near.plus(60_000))), true),
            (condition("assigned_at", "is_set", json!(true)), true),
            (condition("waiting_since", "is_set", json!(true)), false),
            (json!({"not": condition("closed_at", "is_set", json!(true))}), true),
            (is("attributes.text", json!("A_1")), true),
            (is("attributes.text", json!("a_1")), false),
            (condition("attributes.text", "contains", json!("A%1")), false),
            (condition("attributes.number", "greater_than", json!(5.249)), true),
            (condition("attributes.number", "greater_than", json!(5.25)), false),
            (is("attributes.number", json!(5.25)), true),
            (is("attributes.boolean", json!(false)), true),
            (is("attributes.boolean", json!(true)), false),
            (condition("attributes.date", "less_than", json!("2026-03-02")), true),
            (condition("attributes.date", "less_than", json!("2026-03-01")), false),
            (condition("attributes.choice", "one_of", json!(["green", "red"])), true),
            (condition("attributes.choice", "not_equals", json!("red")), false),
        ] {
            let expected = if finds { vec![room.clone()] } else { vec![] };
            assert_eq!(found(&desk.agent, &filter).await, expected, "{filter}");
            let both = both(is("status", json!("pending")), filter);
            assert_eq!(found(&desk.agent, &both).await, expected, "{both}");
        }
    }

    /// Nobody finds what it could not list: those of others, those of groups that are not its own, those of other tenants.
    async fn whom_a_search_serves(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let bot_id = account(&desk, "bot").await;
        let (_, bot) = key(&desk, &bot_id, &["use_saved_filters", "read_conversation"]).await;
        let (first, second) = (desk.open_and_claim("one").await, desk.second_visitor.open("two").await);
        other.open("elsewhere").await;
        for (by, expected) in [
            (&desk.admin, vec![second.clone(), first.clone()]),
            (&desk.supervisor, vec![second.clone(), first.clone()]),
            (&desk.agent, vec![second.clone(), first.clone()]),
            (&desk.second_agent, vec![second.clone()]),
            (&bot, vec![]),
        ] {
            assert_eq!(found(by, &anything()).await, expected);
        }
        // Whose matter a group's conversation is, is nobody else's to find, whatever is asked.
        let (group, others) = (make_group(&desk, "Returns").await, make_group(&desk, "Wool").await);
        put(&desk.admin, &group, &desk.agent, "member").await;
        put(&desk.admin, &others, &desk.second_agent, "member").await;
        put(&desk.admin, &others, &desk.supervisor, "member").await;
        desk.admin.patch(&format!("/conversations/{second}"), json!({"group_id": group})).await.ok();
        desk.admin.patch(&format!("/conversations/{first}"), json!({"group_id": group})).await.ok();
        let is = |field: &str, value: &str| condition(field, "equals", json!(value));
        let customer = desk.second_visitor.id();
        let asked = [
            anything(), open(), is("group_id", &group), is("customer_id", &customer), is("agent_id", &desk.agent.id()),
            json!({"not": {"not": anything()}}), json!({"any": [anything(), is("group_id", &group)]}),
        ];
        for filter in &asked {
            for by in [&desk.second_agent, &desk.supervisor, &bot, &other.admin] {
                let rooms = found(by, filter).await;
                assert!(!rooms.contains(&first) && !rooms.contains(&second), "{filter}: {rooms:?}");
            }
        }
        assert_eq!(found(&desk.agent, &anything()).await, [second.clone(), first.clone()]);
        let shared = save(&desk.admin, "All", true, anything()).await;
        assert_eq!(by_id(&desk.second_agent, &shared).await, [""; 0]);
        for by in [&desk.second_agent, &desk.supervisor, &bot, &other.admin] {
            by.get(&format!("/conversations/{second}/saved-filters")).await.refused(404, "not_found");
        }
        desk.visitor.get(&format!("/conversations/{first}/saved-filters")).await.refused(403, "forbidden");
        // A bot finds what it is in.
        decide(&desk, json!({"member_id": bot_id})).await.ok();
        let third = app.client_of(app.seed_member(desk.tenant, deskwire::domain::member::Role::Customer).await).open("three").await;
        assert_eq!(found(&bot, &is("bot_id", "me")).await, [third.as_str()]);
        assert_eq!(found(&bot, &anything()).await, [third.as_str()]);
        assert_eq!(found(&desk.agent, &is("bot_id", &bot_id)).await, [third]);
    }

    /// A conversation tells which of the caller's filters it meets, as it is now; `me` is the caller, also of a shared one.
    async fn which_filters_a_conversation_meets(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (first, second) = (desk.open_and_claim("one").await, desk.second_visitor.open("two").await);
        let mine = save(&desk.supervisor, "Mine", true, condition("agent_id", "equals", json!("me"))).await;
        let waiting = save(&desk.agent, "Waiting", false, open()).await;
        save(&other.admin, "Elsewhere", true, anything()).await;
        let (mine_id, waiting_id) = (ids(&json!({"data": [mine]})), ids(&json!({"data": [waiting]})));
        assert_eq!(met(&desk.agent, &first).await, mine_id);
        assert_eq!(met(&desk.agent, &second).await, waiting_id);
        assert_eq!(met(&desk.supervisor, &first).await, [""; 0], "it is the agent's, and not the owner's of the filter");
        assert_eq!(met(&desk.second_agent, &second).await, [""; 0], "what another agent keeps for itself is not told");
        desk.second_agent.claim(&second).await;
        assert_eq!(met(&desk.second_agent, &second).await, mine_id);
        assert_eq!(by_id(&desk.agent, &mine).await, [first.as_str()]);
        assert_eq!(by_id(&desk.second_agent, &mine).await, [second.as_str()]);
        assert_eq!(by_id(&desk.supervisor, &mine).await, [""; 0]);
        // What stands behind a conversation is taken for it; a room of the staff meets nothing.
        desk.agent.post(&format!("/conversations/{first}/notes"), crate::harness::personas::message("note")).await.status(201);
        let behind = desk.agent.get(&format!("/conversations/{first}")).await.ok()["backstage_id"].clone();
        assert_eq!(met(&desk.agent, behind.as_str().unwrap()).await, mine_id);
        save(&desk.agent, "All", false, json!({"any": [anything(), {"not": anything()}]})).await;
        let room = desk.agent.put(&format!("/rooms/direct/{}", desk.admin.id()), json!({})).await.ok();
        assert_eq!(met(&desk.agent, room["id"].as_str().unwrap()).await, [""; 0]);
        assert_eq!(found(&desk.agent, &json!({"not": condition("subject", "is_set", json!(true))})).await, [first]);
    }

    /// A filter over an attribute that is gone can be used, and the condition never holds.
    async fn an_attribute_that_is_gone(app: TestApp) {
        let desk = app.desk().await;
        let order = make(&desk.admin, "conversation", "order", "text").await;
        let room = desk.open_and_claim("hello").await;
        let values = json!({"attributes": {"order": "A-1"}});
        desk.agent.patch(&format!("/conversations/{room}"), values).await.ok();
        let is = condition("attributes.order", "equals", json!("A-1"));
        let kept = save(&desk.agent, "Order", false, is.clone()).await;
        let none = save(&desk.agent, "No order", false, json!({"not": is})).await;
        assert_eq!((by_id(&desk.agent, &kept).await, by_id(&desk.agent, &none).await), (vec![room.clone()], vec![]));
        desk.admin.delete(&order).await.status(204);
        assert_eq!((by_id(&desk.agent, &kept).await, by_id(&desk.agent, &none).await), (vec![], vec![room.clone()]));
        assert_eq!(met(&desk.agent, &room).await, [none["id"].as_str().unwrap()]);
        desk.agent.post(SEARCH, json!({"filter": is})).await.refused(422, "validation_failed");
        desk.agent.patch(&path(&kept), json!({"filter": is})).await.refused(422, "validation_failed");
        desk.agent.patch(&path(&kept), json!({"name": "Old"})).await.ok();
        // Of another kind now: the condition does not fit it. Of the same kind again, it does.
        let number = make(&desk.admin, "conversation", "order", "number").await;
        desk.agent.patch(&format!("/conversations/{room}"), json!({"attributes": {"order": 1}})).await.ok();
        assert_eq!(by_id(&desk.agent, &kept).await, [""; 0]);
        desk.admin.delete(&number).await.status(204);
        make(&desk.admin, "conversation", "order", "text").await;
        assert_eq!(by_id(&desk.agent, &kept).await, [""; 0], "the value was the deleted attribute's");
        desk.agent.patch(&format!("/conversations/{room}"), json!({"attributes": {"order": "A-1"}})).await.ok();
        assert_eq!(by_id(&desk.agent, &kept).await, [room]);
    }

    /// Times count from the clock of the server at the moment of the request.
    async fn times_count_from_now(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        let long = condition("waiting_since", "less_than", json!({"seconds_ago": 300}));
        let kept = save(&desk.agent, "Long", false, long.clone()).await;
        let since = desk.agent.get(&format!("/conversations/{room}")).await.ok()["waiting_since"].clone();
        assert_eq!(found(&desk.agent, &long).await, [""; 0]);
        app.advance(290_000).await;
        assert_eq!((by_id(&desk.agent, &kept).await, met(&desk.agent, &room).await), (vec![], vec![]));
        app.advance(11_000).await;
        assert_eq!(found(&desk.agent, &long).await, [room.as_str()]);
        assert_eq!(by_id(&desk.agent, &kept).await, [room.as_str()]);
        assert_eq!(met(&desk.agent, &room).await, ids(&json!({"data": [kept]})));
        // The very moment is neither before nor after itself.
        for operator in ["less_than", "greater_than"] {
            assert_eq!(found(&desk.agent, &condition("waiting_since", operator, since.clone())).await, [""; 0]);
        }
    }

    /// However few are looked at for a page, the pages together are what the caller lists; and no page looks at more.
    async fn pages_are_bounded(app: TestApp) {
        let desk = app.desk().await;
        let (group, others) = (make_group(&desk, "Returns").await, make_group(&desk, "Wool").await);
        put(&desk.admin, &group, &desk.agent, "member").await;
        put(&desk.admin, &others, &desk.supervisor, "member").await;
        let mut rooms = Vec::new();
        for index in 0..18 {
            let customer = app.seed_member(desk.tenant, deskwire::domain::member::Role::Customer).await;
            let room = app.client_of(customer).open("hello").await;
            let at = format!("/conversations/{room}");
            let of = [None, Some(&group), Some(&others)][index % 3];
            let subject = if index % 4 == 0 { "rare" } else { "" };
            desk.admin.patch(&at, json!({"subject": subject, "group_id": of})).await.ok();
            match index % 5 {
                1 => drop(desk.agent.post(&format!("{at}/claim"), json!({})).await),
                2 => drop(desk.admin.post(&format!("{at}/claim"), json!({})).await),
                3 => drop(desk.admin.post(&format!("{at}/close"), json!({})).await),
                _ => {}
            }
            rooms.push(room);
        }
        let rare = condition("subject", "equals", json!("rare"));
        for (name, by, actor) in [
            ("admin", &desk.admin, desk.seed.admin), ("supervisor", &desk.supervisor, desk.seed.supervisor),
            ("agent", &desk.agent, desk.seed.agent), ("second agent", &desk.second_agent, desk.seed.second_agent),
        ] {
            let listed = ids(&by.get("/conversations?limit=200").await.ok());
            assert!(listed.len() > 4, "{name} lists {listed:?}");
            let rare_ones: Vec<String> = listed.iter().filter(|id| {
                rooms.iter().position(|room| room == *id).unwrap() % 4 == 0
            }).cloned().collect();
            let open = ids(&by.get("/conversations?limit=200&status=open").await.ok());
            for looked_at in [1, 2, 3, 5, 7, 17, 18, 19, 20_000] {
                assert_eq!(paged(&app, &actor, &anything(), looked_at).0, listed, "{name}, {looked_at}");
                assert_eq!(paged(&app, &actor, &rare, looked_at).0, rare_ones, "{name}, {looked_at}");
                let waiting = condition("status", "equals", json!("open"));
                assert_eq!(paged(&app, &actor, &waiting, looked_at).0, open, "{name}, {looked_at}");
            }
            assert_eq!(found(by, &rare).await, rare_ones, "{name}");
        }
        // An administrator walks once: a page that finds nothing ends after the third, by its id.
        let mut connection = app.database().connect();
        let nothing = condition("subject", "equals", json!("nowhere"));
        let admin = desk.seed.admin;
        let filter = service::read(&mut connection, &admin, app.clock.now(), &nothing, false).unwrap();
        let first = page(&mut connection, &admin, &filter, Asked { before: None, limit: 2, looked_at: 3 }).unwrap();
        let third: i64 = rooms[15].parse().unwrap();
        assert_eq!((first.data.len(), first.next_cursor), (0, Some(encode(&third))));
        assert_eq!(paged(&app, &admin, &nothing, 3).1, 7, "six pages that look at three, and an empty one");
        assert_eq!(paged(&app, &admin, &nothing, 18).1, 2);
        assert_eq!(paged(&app, &admin, &nothing, 19).1, 1);
    }

    /// A cursor of one's own making grants nothing; searches at once find the same.
    async fn cursors_grant_nothing(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = desk.open_and_claim("one").await;
        let hidden = other.open("elsewhere").await;
        for cursor in [i64::MAX, i64::MIN, -1, 0, hidden.parse::<i64>().unwrap() + 1] {
            let body = json!({"filter": anything(), "cursor": encode(&cursor)});
            for by in [&desk.second_agent, &desk.agent] {
                let page = by.post(SEARCH, body.clone()).await.ok();
                assert!(!ids(&page).contains(&hidden), "{page}");
            }
            assert_eq!(ids(&desk.second_agent.post(SEARCH, body).await.ok()), [""; 0], "it is the agent's");
        }
        let mine = condition("agent_id", "equals", json!("me"));
        let searches = join_all((0..12).map(|_| found(&desk.agent, &mine))).await;
        assert!(searches.iter().all(|found| *found == [room.clone()]), "{searches:?}");
    }
}
