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
}
