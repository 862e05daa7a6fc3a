//! Sockets while the server shuts down: who was not sent away yet goes on reading, and learns when to come back.

use serde_json::{Value, json};

on_every_database! {
    /// `pull` and `sync` are answered and writes are refused until the socket's own turn comes. Where another process
    /// may serve, clients may come back after about a second.
    async fn a_draining_server_still_reads(app: TestApp) {
        let app = app
            .restarted(|settings| {
                settings.drain_seconds = 5;
                settings.sockets_per_member = 100;
            })
            .await;
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut sockets = Vec::new();
        for number in 0..40 {
            sockets.push(desk.agent.socket_with(json!({"device": format!("d{number}")})).await);
        }
        let stopping = app.clone();
        let stopped = actix_web::rt::spawn(async move { stopping.stop().await });
        // The first bye says that the drain has begun; it may come to any of them.
        let (bye, first) = {
            let waiting = sockets.iter_mut().map(|socket| Box::pin(socket.expect("bye")));
            let (bye, index, _) = futures_util::future::select_all(waiting).await;
            (bye, index)
        };
        let (after, spread) = (bye["after_ms"].as_u64().unwrap(), bye["spread_ms"].as_u64().unwrap());
        match app.kind().is_server() {
            true => assert_eq!((after, spread), (1_000, 2_000)),
            false => assert!(after >= 500 && spread == 2_500, "{bye}"),
        }
        sockets.swap_remove(first);
        let asked = sockets.into_iter().map(async |mut socket| {
            let cursor = socket.live.clone();
            let message =
                json!({"conversation_id": room, "client_msg_id": "m", "kind": "text", "content": {"text": "late"}});
            let ids = [
                socket.send_frame("pull", json!({"conversation_id": room, "after_seq": 0})).await,
                socket.send_frame("sync", json!({"cursor": cursor})).await,
                socket.send_frame("message.send", message).await,
            ];
            socket.expect("bye").await;
            let kept = socket.take_kept();
            ids.map(|id| kept.iter().find(|frame| frame["reply_to"] == id.as_str()).cloned().unwrap_or_default())
        });
        let answers = futures_util::future::join_all(asked).await;
        let read_and_not_written = |[pull, sync, sent]: &[Value; 3]| {
            pull["type"] == "ok" && sync["type"] == "ok" && sent["data"]["code"] == "draining"
        };
        assert!(answers.iter().any(read_and_not_written), "{answers:?}");
        stopped.await.unwrap();
    }
}
