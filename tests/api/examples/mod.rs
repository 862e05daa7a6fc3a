//! The examples of the documents cannot lie: they are recorded from a real server, one request and one answer for each
//! operation, one of each frame, and one session from hello to bye. `openapi/examples.json` holds them, with ids,
//! times and secrets in a form that does not change between runs; the documents take them from there.
//!
//! `UPDATE_DOCUMENTS=1 cargo test --all-features examples` records the file anew; the documents follow with the next
//! build. To add an operation or a frame: make it happen in `rest` or `socket`.

mod access;
mod attributes;
mod centre;
mod exports;
mod normal;
mod recorder;
mod rest;
mod saved_filters;
mod sla;
mod socket;

use std::path::Path;
use std::sync::Arc;

use deskwire::db::DatabaseKind;
use deskwire::documents;
use deskwire::gateway::protocol::table::{CLIENT_FRAMES, Reply, SERVER_FRAMES};
use deskwire::kernel::Clock;
use serde_json::Value;

use crate::harness::{TestApp, TestDatabase, block_on};
use recorder::Recorder;

/// Operations whose answer is a document, a text or a socket.
const WITHOUT: [&str; 11] = [
    "get_openapi",
    "get_asyncapi",
    "metrics",
    "open_socket",
    "verify_receipt_address",
    "get_message_binding_svg",
    "get_message_binding_png",
    "show_unsubscribe",
    "unsubscribe",
    "read_file",
    "read_export",
];

fn record() -> Value {
    block_on(async {
        let clock = Clock::default();
        clock.stop();
        // Tokens end at a whole second, and reports are by quarters of an hour.
        clock.advance(900_000 - clock.now().0 % 900_000);
        let database = Arc::new(TestDatabase::migrated(DatabaseKind::Sqlite));
        let app = TestApp::on(database, clock, |_| {}).await;
        let mut recorder = Recorder::new(&app);
        let people = rest::play(&mut recorder).await;
        socket::ping(&mut recorder).await;
        let session = socket::play(&mut recorder, people).await;
        let recorded = recorder.finish(session);
        app.stop().await;
        recorded
    })
}

#[test]
fn the_recorded_examples_are_fresh() {
    let text = documents::text(&record()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/examples.json");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(committed.lines()).find(|(now, then)| now != then);
    assert!(
        text == committed,
        "openapi/examples.json is stale, first at {differs:?}: run `UPDATE_DOCUMENTS=1 cargo test --all-features \
         examples`, build again and run `UPDATE_DOCUMENTS=1 cargo test --all-features documents`"
    );
}

#[test]
fn every_operation_and_frame_has_an_example_in_the_documents() {
    let mut missing = Vec::new();
    let openapi = documents::openapi::document(deskwire::routes::configure);
    for operation in
        openapi["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
    {
        let Some(id) = operation["operationId"].as_str().filter(|id| !WITHOUT.contains(id)) else { continue };
        let request = &operation["requestBody"]["content"]["application/json"];
        if !request.is_null() && request["example"].is_null() {
            missing.push(format!("the request of {id}"));
        }
        let answers =
            operation["responses"].as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'));
        let mut contents = answers.filter_map(|(_, answer)| answer.get("content")).peekable();
        if contents.peek().is_some()
            && contents.all(|content| content["application/json"]["example"].is_null())
        {
            missing.push(format!("the answer of {id}"));
        }
    }
    let asyncapi = documents::asyncapi::document();
    let client = CLIENT_FRAMES.iter().map(|frame| format!("client.{}", frame.name));
    let replies = CLIENT_FRAMES.iter().filter_map(|frame| match frame.reply {
        Reply::Ok(data) => Some(format!("server.ok.{data}")),
        _ => None,
    });
    let server =
        SERVER_FRAMES.iter().filter(|frame| frame.name != "ok").map(|frame| format!("server.{}", frame.name));
    for name in client.chain(server).chain(replies) {
        if asyncapi["components"]["messages"][&name]["examples"].as_array().is_none_or(Vec::is_empty) {
            missing.push(format!("the frame {name}"));
        }
    }
    if asyncapi["x-session"].as_array().is_none_or(|frames| frames.len() < 10) {
        missing.push("the session".to_owned());
    }
    assert!(missing.is_empty(), "without an example: {missing:#?}");
}
