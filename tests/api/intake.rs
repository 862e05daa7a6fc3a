//! What is taken in: everything else is refused with a code and a pointer, and nothing of it is stored.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Answer;
use crate::harness::personas::message;

fn pointer(problem: &Value) -> &str {
    problem["errors"][0]["pointer"].as_str().unwrap_or_default()
}

on_every_database! {
    /// A word of a list of words is a string; whatever else stands there is pointed at.
    async fn words_are_strings(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}", desk.agent.id());
        for role in [json!(null), json!({}), json!({"agent": null}), json!(1), json!(["agent"]), json!("king")] {
            let problem = desk.admin.patch(&path, json!({"role": role})).await.refused(422, "validation_failed");
            assert_eq!(pointer(&problem), "/role", "{role}: {problem}");
        }
        for kind in [json!(null), json!({}), json!({"text": null}), json!(0)] {
            let mut body = message("x");
            body["kind"] = kind.clone();
            let problem = desk.visitor.post("/conversations", json!({"message": body})).await;
            assert_eq!(pointer(&problem.refused(422, "validation_failed")), "/message/kind", "{kind}");
        }
        desk.admin.patch(&path, json!({"role": "agent"})).await.ok();
    }

    /// The list of an object's values is no object, however deep it stands.
    async fn lists_are_no_objects(app: TestApp) {
        let desk = app.desk().await;
        for (body, place) in [
            (json!({"message": ["k1", "text", {"text": "x"}, null]}), "/message"),
            (json!({"message": {"client_msg_id": "k1", "kind": "text", "content": ["x"]}}), "/message/content"),
            (
                json!({"message": {"client_msg_id": "k1", "kind": "card", "content": {"title": "x", "buttons": [["a", null, "b"]]}}}),
                "/message/content/buttons/0",
            ),
        ] {
            let problem = desk.agent.post("/conversations", with_customer(body, &desk.visitor.id())).await;
            assert_eq!(pointer(&problem.refused(422, "validation_failed")), place);
        }
        assert_eq!(desk.visitor.get("/conversations").await.ok()["data"], json!([]));
    }

    /// What JSON clients could not read again, or would read differently, is not stored.
    async fn content_comes_back_as_it_was_sent_or_is_refused(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        let path = format!("/conversations/{room}/messages");
        let send = async |key: &str, data: &str| {
            let text = format!(r#"{{"client_msg_id":"{key}","kind":"custom","content":{{"type":"t","data":{data}}}}}"#);
            let request = desk.visitor.request(Method::POST, &path).header("content-type", "application/json");
            Answer::of(request.body(text)).await
        };
        for (index, data) in
            ["18446744073709551615", "-9223372036854775808", "0.1", r#"{"a":[1,{"b":null}]}"#].iter().enumerate()
        {
            let answer = send(&format!("good-{index}"), data).await.status(201);
            assert_eq!(answer["entry"]["content"]["data"].to_string(), *data);
        }
        let deep = format!("{}{}", "[".repeat(125), "]".repeat(125));
        for (data, place) in [
            ("18446744073709551616", "/content/data"),
            ("[0,123456789012345678901234567890]", "/content/data/1"),
            ("0.1234567890123456789", "/content/data"),
            (r#"{"a":1,"a":2}"#, "/content/data/a"),
            (deep.as_str(), "/content/data/0"),
        ] {
            let problem = send("bad", data).await.refused(422, "validation_failed");
            assert!(pointer(&problem).starts_with(place), "{data}: {problem}");
        }
        assert_eq!(desk.visitor.log(&room).await.len(), 2 + 4);
    }

    /// Ids and times have one form each.
    async fn ids_and_times_have_one_form(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        for id in [format!("+{room}"), format!("%2B{room}"), format!("0{room}"), format!("{room}.0"), format!("-{room}")] {
            desk.agent.get(&format!("/conversations/{id}")).await.refused(400, "invalid_parameter");
            let body = json!({"customer_id": id.replace("%2B", "+")});
            let problem = desk.agent.post("/conversations", body).await.refused(422, "validation_failed");
            assert_eq!(pointer(&problem), "/customer_id");
        }
        let path = format!("/members/{}", desk.agent.id());
        for time in [
            "-000001-01-01T00:00:00Z",
            "2099-01-01T10Z",
            "2099-01-01T10:00Z",
            "2099-01-01T10:00:00,5Z",
            "2099-01-01T10:00:00Z[UTC]",
            "9999-12-30T22:00:00.999Z",
            "tomorrow",
        ] {
            let problem = desk.admin.patch(&path, json!({"expires_at": time})).await.refused(422, "validation_failed");
            assert_eq!(pointer(&problem), "/expires_at", "{time}");
        }
        let member = desk.admin.patch(&path, json!({"expires_at": "2099-01-01T10:00:00.5+02:00"})).await.ok();
        assert_eq!(member["expires_at"], "2099-01-01T08:00:00.500Z");
    }

    /// What others' browsers would follow or show is an address of the public web, or refused.
    async fn addresses_are_public_and_plain(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        for url in [
            "https://x\" onerror=\"alert(1)",
            "https://eva:secret@shop.example/a.png",
            "https://127.0.0.1/a.png",
            "https://[::1]/a.png",
            "http://shop.example/a.png",
            "javascript:alert(1)",
            "https://",
        ] {
            let problem = desk.agent.patch("/me", json!({"avatar": url})).await.refused(422, "validation_failed");
            assert_eq!(pointer(&problem), "/avatar", "{url}");
            let card = json!({"client_msg_id": "card", "kind": "card", "content": {"title": "t", "image_url": url}});
            let answer = desk.agent.post(&format!("/conversations/{room}/messages"), card).await;
            assert_eq!(pointer(&answer.refused(422, "validation_failed")), "/content/image_url", "{url}");
        }
        desk.agent.patch("/me", json!({"avatar": "https://shop.example/a.png"})).await.ok();
    }

    /// A stranger puts no buttons and pictures before the staff.
    async fn visitors_send_plain_cards(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}/messages");
        let card = |key: &str, more: Value| {
            let mut content = json!({"title": "t"});
            content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"client_msg_id": key, "kind": "card", "content": content})
        };
        let buttons = json!({"buttons": [{"label": "b", "value": "v"}]});
        let picture = json!({"image_url": "https://shop.example/a.png"});
        for (more, place) in [(&buttons, "/content/buttons"), (&picture, "/content/image_url")] {
            let answer = desk.visitor.post(&path, card("a", more.clone())).await;
            assert_eq!(pointer(&answer.refused(422, "validation_failed")), place);
            desk.agent.post(&path, card(&place.replace('/', "."), more.clone())).await.status(201);
        }
        desk.visitor.post(&path, card("plain", json!({"text": "x"}))).await.status(201);
        let mut socket = desk.visitor.socket().await;
        let mut frame = card("b", buttons);
        frame["conversation_id"] = json!(room);
        socket.ask_refused("message.send", frame, "validation_failed").await;
    }

    /// Text that shows nothing, or makes what stands beside it show something else, is no name.
    async fn names_can_be_read(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        for text in ["\u{202e}", "\u{200b}\u{200d}", "a\u{202e}b", "a\u{7}b", "two\nlines", "\u{2066}x"] {
            let problem = desk.agent.patch("/me", json!({"nickname": text})).await.refused(422, "validation_failed");
            assert_eq!(pointer(&problem), "/nickname", "{text:?}");
            let path = format!("/conversations/{room}");
            for (body, place) in [(json!({"subject": text}), "/subject"), (json!({"tags": [text]}), "/tags/0")] {
                let problem = desk.agent.patch(&path, body).await.refused(422, "validation_failed");
                assert_eq!(pointer(&problem), place, "{text:?}");
            }
        }
        for text in ["\u{200b}", "\u{202e}\u{feff} ", "\u{3164}"] {
            let problem = desk.visitor.post(&format!("/conversations/{room}/messages"), message(text)).await;
            assert_eq!(pointer(&problem.refused(422, "validation_failed")), "/content/text", "{text:?}");
        }
        desk.agent.patch("/me", json!({"nickname": "👩\u{200d}💻 Eva"})).await.ok();
    }

    /// Compressed bodies are not looked into.
    async fn codings_of_bodies_are_refused(app: TestApp) {
        let desk = app.desk().await;
        let send = async |coding: &str| {
            let request = desk.visitor.request(Method::POST, "/conversations").header("content-encoding", coding);
            Answer::of(request.json(&json!({}))).await
        };
        for coding in ["gzip", "br", "deflate", "zstd"] {
            send(coding).await.refused(415, "unsupported_media_type");
        }
        send("identity").await.status(201);
    }
}

fn with_customer(mut body: Value, customer: &str) -> Value {
    body["customer_id"] = json!(customer);
    body
}
