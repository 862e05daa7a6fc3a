//! P8: one tenant's flood, and somebody's guessing of passwords, beside the work of others.

use deskwire::kernel::Code;
use serde_json::json;

use crate::harness::commands::{close, send};

on_every_database! {
    /// One tenant fills its share of the queue while somebody guesses passwords: that tenant is told `tenant_busy`,
    /// the others' work goes on and no answer is a 500.
    async fn a_flood_is_the_flooders_problem(app: TestApp) {
        let (loud, quiet) = (app.seed().await, app.desk().await);
        let room = app.open_room(loud.visitor).await;
        let flood = app.submit_all((0..4_000).map(|number| send(loud.visitor, room, &number.to_string(), "text")).collect());
        let guesses = futures_util::future::join_all((0..100).map(|number| {
            let body = json!({"tenant": quiet.slug, "name": "agent", "password": format!("wrong {number}"), "device": "d"});
            let client = quiet.anonymous.clone();
            async move { client.post("/auth/login", body).await }
        }));
        let work = async {
            let room = quiet.open("hello").await;
            for number in 0..30 {
                quiet.visitor.send(&room, &number.to_string()).await;
            }
            room
        };
        let (flood, guesses, quiet_room) = futures_util::future::join3(flood, guesses, work).await;
        let mut refused = 0;
        for error in flood.into_iter().filter_map(Result::err) {
            assert_eq!(error.code, Code::TenantBusy, "{error}");
            refused += 1;
        }
        assert!(refused > 0, "the flood was no flood");
        for guess in guesses {
            assert!([401, 403, 429].contains(&guess.status), "{guess}");
        }
        let store = app.audit().await;
        assert_eq!(store.messages(quiet_room.parse().unwrap()).len(), 31);
        assert_eq!(store.messages(room).len(), 1 + 4_000 - refused);
        app.submit(close(loud.visitor, room)).await;
    }

    /// Requests and frames take from one budget, and another visitor of the same address brings none of its own.
    async fn one_budget_for_both_doors(app: TestApp) {
        let app = app
            .restarted(|settings| {
                settings.visitor_requests_per_second = 4;
                settings.address_requests_per_second = 5;
            })
            .await;
        let desk = app.desk().await;
        let mut socket = desk.visitor.socket().await;
        let mut passed = 0;
        while desk.visitor.get("/me").await.status == 200 {
            passed += 1;
            assert!(passed < 40, "a visitor has no end");
        }
        let refused = socket.ask_refused("pull", json!({"conversation_id": "1", "after_seq": 0}), "rate_limited").await;
        assert!(refused["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{refused}");
        let mut more = 0;
        let refused = loop {
            let answer = desk.second_visitor.get("/me").await;
            if answer.status != 200 {
                break answer;
            }
            more += 1;
            assert!(more < 80, "an address has no end");
        };
        assert_eq!(refused.header("ratelimit-limit"), "20", "the budget of the address ends first");
        desk.agent.get("/me").await.ok();
    }

    /// An address makes so many visitors and a customer so many conversations; nothing is written for more. What is
    /// open can be used all the while.
    async fn new_visitors_and_conversations_have_an_end(app: TestApp) {
        let app = app
            .restarted(|settings| {
                settings.new_visitors_per_hour = 20;
                settings.new_conversations_per_hour = 4;
            })
            .await;
        let desk = app.desk().await;
        let visitor = async || desk.anonymous.post("/visitors", json!({"tenant": desk.slug})).await;
        for _ in 0..2 {
            visitor().await.status(201);
        }
        let refused = visitor().await;
        assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 60), "{refused}");
        refused.refused(429, "rate_limited");
        for _ in 0..2 {
            let room = desk.open("hello").await;
            desk.visitor.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        }
        let opening = desk.visitor.post("/conversations", json!({})).await;
        assert!(opening.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 60), "{opening}");
        opening.refused(429, "rate_limited");
        let open = desk.visitor.get("/conversations?status=pending").await.ok();
        assert_eq!(open["data"], json!([]), "nothing was written");
        let on_behalf = json!({"customer_id": desk.visitor.id()});
        desk.agent.post("/conversations", on_behalf).await.status(201);
        desk.visitor.open("this goes into the open one").await;
    }

    /// Strangers of the same address sign nobody out: refreshes are counted apart.
    async fn refreshes_have_their_own_budget(app: TestApp) {
        let app = app.restarted(|settings| settings.anonymous_per_minute = 2).await;
        let desk = app.desk().await;
        let tokens = desk.anonymous.post("/visitors", json!({"tenant": desk.slug})).await.status(201);
        while desk.anonymous.get("/me").await.status != 429 {}
        let body = json!({"refresh_token": tokens["refresh_token"]});
        desk.anonymous.post("/auth/refresh", body).await.ok();
    }
}
