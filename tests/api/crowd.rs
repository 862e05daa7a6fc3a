//! Very many sockets that connect in one instant, as after a restart: everybody is let in, nobody is forgotten.
#![cfg(feature = "sqlite")]

use deskwire::db::DatabaseKind;
use deskwire::domain::actor::Actor;
use deskwire::domain::member::Role;
use deskwire::settings::Settings;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::commands::{open, send};
use crate::harness::{Socket, TestApp, run};

/// How many; DESKWIRE_TEST_CROWD says otherwise.
const CROWD: usize = 500;

/// The limits of somebody who sets none. Every visitor has an address of its own, as a proxy tells it.
fn limits(settings: &mut Settings) {
    let defaults = Settings::defaults();
    settings.trusted_proxies = 1;
    settings.sockets_per_address = defaults.sockets_per_address;
    settings.visitor_frames_per_second = defaults.visitor_frames_per_second;
    settings.visitor_requests_per_second = defaults.visitor_requests_per_second;
    settings.address_requests_per_second = defaults.address_requests_per_second;
    settings.anonymous_per_minute = defaults.anonymous_per_minute;
    settings.database.pool_size = defaults.database.pool_size;
}

/// Nobody is told `busy` or closed, and each gets the next entry of its conversation once.
#[test]
fn a_crowd_is_let_in_and_everybody_hears_its_own() {
    run(DatabaseKind::Sqlite, |app: TestApp| async move {
        let app = app.restarted(limits).await;
        let crowd =
            std::env::var("DESKWIRE_TEST_CROWD").ok().and_then(|number| number.parse().ok()).unwrap_or(CROWD);
        let seed = app.seed().await;
        let mut visitors: Vec<Actor> = Vec::new();
        for _ in 0..crowd {
            visitors.push(app.seed_member(seed.tenant, Role::Customer).await);
        }
        let submit = async |commands: Vec<_>| {
            let mut replies = Vec::new();
            for piece in commands.chunks(200) {
                replies.extend(app.submit_all(piece.to_vec()).await.into_iter().map(|reply| reply.unwrap()));
            }
            replies
        };
        let opened = submit(visitors.iter().map(|visitor| open(*visitor, "o", "hello")).collect()).await;
        let rooms: Vec<_> = opened.iter().map(|reply| reply.conversation.unwrap()).collect();
        let hellos = visitors.iter().enumerate().map(async |(number, visitor)| {
            let address = format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255);
            let mut socket = Socket::try_connect(app.base(), &[("x-forwarded-for", &address)]).await.unwrap();
            socket.hello(json!({"token": app.client_of(*visitor).token, "device": "d"})).await;
            socket
        });
        let mut sockets = join_all(hellos).await;
        assert_eq!(app.connections.open(), crowd);
        let sends =
            visitors.iter().zip(&rooms).map(|(visitor, room)| send(*visitor, *room, "next", "is it there?"));
        let sent = submit(sends.collect()).await;
        for ((socket, room), reply) in sockets.iter_mut().zip(&rooms).zip(&sent) {
            let seq = reply.entry.as_ref().unwrap().seq;
            let mut got = socket.entries_up_to(&room.to_string(), seq).await;
            socket.barrier().await;
            let more = socket.take_kept().into_iter().filter(|frame| frame["type"] == "entry");
            got.extend(more.map(|frame| frame["data"].clone()));
            let times = got.iter().filter(|entry| entry["client_msg_id"] == "next").count();
            assert_eq!((times, got.len()), (1, 1), "{got:?}");
        }
    });
}
