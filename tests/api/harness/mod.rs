//! How a test is written. A test gets a whole server of its own (its own database, port and clock) and uses it
//! from outside; it runs once on each database that is compiled in and whose server program is installed.
//!
//! ```ignore
//! use serde_json::json;
//!
//! on_every_database! {
//!     /// What must hold, in one sentence.
//!     async fn a_retry_gets_the_first_answer(app: TestApp) {
//!         let desk = app.desk().await;                       // a tenant with one member of every role, signed in
//!         let room = desk.open("hello").await;               // the visitor opens a conversation
//!         desk.agent.claim(&room).await;
//!         desk.agent.post(&format!("/conversations/{room}/close"), json!({"why": 1})).await.refused(422, "validation_failed");
//!         desk.visitor.get("/conversations/1").await.refused(404, "not_found");
//!         let mut socket = desk.visitor.socket().await;      // a live WebSocket: hello, ready and live are behind it
//!         desk.agent.send(&room, "good morning").await;
//!         let entry = socket.expect("entry").await;
//!         assert_eq!(entry["content"]["text"], "good morning");
//!     }
//! }
//! ```
//!
//! The macro stands once in a file and makes the tests `<file>::sqlite::<name>`, `<file>::postgresql::<name>` and
//! `<file>::mysql::<name>`. A test on one database only is a plain `#[test]` that calls [`run`]. A test that needs
//! no server takes `kind: DatabaseKind` instead of `app` and is not `async`.
//!
//! Rules: no sleeping for luck (wait for what must happen, with [`eventually`] when nothing tells), no timing
//! asserts, no mocks of the store. `DESKWIRE_TEST_REQUIRE=postgresql,mysql` turns a missing server into a failure.
#![allow(dead_code, unused_imports, reason = "each room's tests use a part of the harness")]

pub mod audit;
pub mod client;
pub mod commands;
pub mod database;
pub mod documented;
pub mod personas;
pub mod poison;
pub mod process;
pub mod proxy;
pub mod random;
pub mod raw;
pub mod seed;
pub mod servers;
pub mod socket;

mod app;

use std::time::{Duration, Instant};

use deskwire::db::DatabaseKind;
use futures_util::FutureExt;

pub use app::{PLATFORM_KEY, TestApp};
pub use client::{Answer, Client};
pub use database::TestDatabase;
pub use personas::Desk;
pub use seed::Seed;
pub use socket::Socket;

/// How long a whole test may take before it is called stuck.
const STUCK: Duration = Duration::from_secs(300);

/// Makes one `#[test]` for each database out of each function. See the top of `harness`.
#[macro_export]
macro_rules! on_every_database {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident: TestApp) $body:block)+) => {
        $($(#[$meta])* async fn $name($app: $crate::harness::TestApp) $body)+
        on_every_database!(@modules run: $($name)+);
    };
    ($($(#[$meta:meta])* fn $name:ident($kind:ident: DatabaseKind) $body:block)+) => {
        $($(#[$meta])* fn $name($kind: deskwire::db::DatabaseKind) $body)+
        on_every_database!(@modules run_plain: $($name)+);
    };
    (@modules $run:ident: $($name:ident)+) => {
        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(#[test] fn $name() {
                $crate::harness::$run(deskwire::db::DatabaseKind::Sqlite, super::$name);
            })+
        }
        #[cfg(feature = "postgres")]
        mod postgresql {
            $(#[test] fn $name() {
                $crate::harness::$run(deskwire::db::DatabaseKind::Postgresql, super::$name);
            })+
        }
        #[cfg(feature = "mysql")]
        mod mysql {
            $(#[test] fn $name() {
                $crate::harness::$run(deskwire::db::DatabaseKind::Mysql, super::$name);
            })+
        }
    };
}

/// Runs an asynchronous test with a server on this database, and stops everything afterwards, also after a panic.
pub fn run<F: Future<Output = ()>>(kind: DatabaseKind, test: impl FnOnce(TestApp) -> F) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let app = TestApp::start(kind).await;
        let test = tokio::time::timeout(STUCK, test(app.clone()));
        let outcome = std::panic::AssertUnwindSafe(test).catch_unwind().await;
        app.stop().await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(_)) => panic!("the test is stuck"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
}

/// Runs a test that makes what it needs itself.
pub fn run_plain(kind: DatabaseKind, test: impl FnOnce(DatabaseKind)) {
    if servers::available(kind) {
        test(kind);
    }
}

/// Runs a future on a runtime that servers and sockets can live on.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let _ = env_logger::builder().is_test(true).try_init();
    actix_web::rt::System::new().block_on(future)
}

/// Waits until `check` gives a value; for what happens without telling. Fails after 60 s with `what`.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut check: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(Instant::now() < deadline, "did not happen within 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
