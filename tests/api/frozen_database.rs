//! A database that hangs without closing its connections is told like one that is gone: everybody gets a coded answer
//! in time, and all is well when it goes on.

use std::sync::Arc;
use std::time::Duration;

use deskwire::db::DatabaseKind;
use deskwire::kernel::Clock;

use crate::harness::personas::message;
use crate::harness::servers::{self, Server};
use crate::harness::{Answer, TestApp, TestDatabase, block_on, eventually};

/// How long the database is silent at least.
const SILENCE: Duration = Duration::from_secs(25);

fn everybody_is_answered(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let server = Arc::new(Server::start(kind).unwrap());
        let app = TestApp::on(Arc::new(TestDatabase::on(&server)), Clock::default(), |_| {}).await;
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        let path = format!("/conversations/{room}/messages");
        let client = app.client();
        let (send, first) = (message("are you there?"), message("hello?"));
        let round = async |body: &serde_json::Value| {
            let answers = async {
                tokio::join!(
                    desk.visitor.post(&path, body.clone()),
                    desk.agent.get("/inbox"),
                    desk.agent.get("/me"),
                    client.get_root("/readyz"),
                )
            };
            tokio::time::timeout(SILENCE, answers)
                .await
                .expect("somebody was not answered while the database hung")
        };
        let silence = server.freeze();
        let frozen = tokio::time::Instant::now();
        for body in [&first, &send, &send] {
            let (sent, inbox, me, ready) = round(body).await;
            for answer in [&sent, &inbox, &me, &ready] {
                assert_eq!(answer.status, 503, "{answer}");
                let code = answer.body["code"].as_str().unwrap_or_default();
                assert!(["busy", "storage_unavailable"].contains(&code), "{answer}");
            }
        }
        // Many at once, more than there are connections: all of them are answered too.
        let crowd = futures_util::future::join_all((0..40).map(|_| desk.agent.get("/me")));
        for answer in tokio::time::timeout(SILENCE, crowd).await.expect("the crowd was not answered") {
            assert_eq!(answer.status, 503, "{answer}");
        }
        tokio::time::sleep_until(frozen + SILENCE).await;
        drop(silence);
        let ok = |answer: Answer| (answer.status < 300).then_some(answer);
        eventually("a send is taken", || async { ok(desk.visitor.post(&path, send.clone()).await) }).await;
        eventually("the inbox is read", || async { ok(desk.agent.get("/inbox").await) }).await;
        eventually("the member is read", || async { ok(desk.agent.get("/me").await) }).await;
        eventually("ready again", || async { ok(client.get_root("/readyz").await) }).await;
        let log = desk.visitor.log(&room).await;
        let sent = log.iter().filter(|entry| entry["content"]["text"] == "are you there?").count();
        assert_eq!(sent, 1, "{log:?}");
        app.stop().await;
    });
}

#[cfg(feature = "postgres")]
#[test]
fn everybody_is_answered_on_postgresql() {
    everybody_is_answered(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn everybody_is_answered_on_mysql() {
    everybody_is_answered(DatabaseKind::Mysql);
}
