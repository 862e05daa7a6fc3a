//! What operators rely on: probes, numbers, request ids, limits and origins as they are told, the documents as they
//! are served.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Answer;

async fn text(app: &crate::harness::TestApp, path: &str) -> String {
    let answer = app.http().get(format!("{}{path}", app.base())).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.text().await.unwrap()
}

on_every_database! {
    /// Alive and ready, and what they look at.
    async fn probes_answer(app: TestApp) {
        assert_eq!(app.client().get_root("/healthz").await.ok()["status"], "ok");
        assert_eq!(app.client().get_root("/readyz").await.ok()["status"], "ok");
    }

    /// Numbers count by route template, never by what a client put into a path.
    async fn numbers_are_counted_by_template(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        desk.visitor.get(&format!("/conversations/{room}")).await.ok();
        desk.visitor.get("/sync?cursor=nonsense").await;
        let told = text(&app, "/metrics").await;
        let line = "deskwire_http_requests_total{method=\"GET\",route=\"/api/v1/conversations/{id}\",status=\"200\"} 1";
        assert!(told.contains(line), "{told}");
        assert!(!told.contains(&room), "an id became a label");
        assert!(told.lines().any(|line| line.starts_with("deskwire_batches_total ") && !line.ends_with(" 0")));
        assert!(told.lines().any(|line| line.starts_with("deskwire_lanes ") && !line.ends_with(" 0")));
        for name in deskwire::metrics::Metrics::NAMES {
            let of_labels = ["deskwire_socket_closes_total", "deskwire_connections_refused_total", "deskwire_follower_lag_revs"];
            assert!(told.contains(name) || of_labels.contains(name), "{name}");
        }
    }

    /// A fair request id comes back, in the header and in problems; an unfair one is replaced.
    async fn request_ids_lead_from_the_client_to_the_log(app: TestApp) {
        let ask = async |id: &str| {
            let request = app.client().request(Method::GET, "/nothing").header("x-request-id", id);
            Answer::of(request).await
        };
        let answer = ask("phone-17:a.b_c").await;
        assert_eq!(answer.header("x-request-id"), "phone-17:a.b_c");
        assert_eq!(answer.refused(404, "not_found")["request_id"], "phone-17:a.b_c");
        for unfair in ["has space", &"x".repeat(65), "{\"json\":1}"] {
            let answer = ask(unfair).await;
            assert_ne!(answer.header("x-request-id"), unfair);
            assert_eq!(answer.header("x-request-id").len(), 16);
        }
    }

    /// The limits are told on every limited answer, and those of an address hold for whom no token names.
    async fn limits_are_told_before_they_are_met(app: TestApp) {
        let app = app
            .restarted(|settings| {
                settings.requests_per_second = 10;
                settings.anonymous_per_minute = 3;
            })
            .await;
        let desk = app.desk().await;
        let answer = desk.agent.get("/me").await;
        assert_eq!(answer.header("ratelimit-limit"), "40");
        assert_eq!(answer.header("ratelimit-remaining"), "39");
        assert_eq!(answer.header("ratelimit-reset"), "1");
        let codes: Vec<u16> = {
            let mut codes = Vec::new();
            for _ in 0..5 {
                codes.push(desk.anonymous.with_token("forged").get("/me").await.status);
            }
            codes
        };
        assert_eq!(codes, [401, 401, 401, 429, 429], "guessing tokens is limited by address");
        desk.agent.get("/me").await.ok();
        assert_eq!(app.client().get_root("/healthz").await.header("ratelimit-limit"), "");
    }

    /// Other origins: those on the list may call and read the headers that they need; a refused one is a problem.
    async fn browsers_of_listed_origins_may_call(app: TestApp) {
        let app = app.restarted(|settings| settings.allowed_origins = vec!["https://shop.example".into()]).await;
        let desk = app.desk().await;
        let preflight = async |origin: &str| {
            let request = app.client().request(Method::OPTIONS, "/conversations");
            let request = request.header("origin", origin).header("access-control-request-method", "POST");
            Answer::of(request.header("access-control-request-headers", "authorization, content-type, if-match")).await
        };
        let answer = preflight("https://shop.example").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "https://shop.example"));
        preflight("https://evil.example").await.refused(403, "origin_refused");
        let request = desk.agent.request(Method::GET, "/me").header("origin", "https://shop.example");
        let answer = Answer::of(request).await;
        assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
        for exposed in ["x-request-id", "etag", "ratelimit-remaining", "retry-after"] {
            assert!(answer.header("access-control-expose-headers").contains(exposed), "{exposed}");
        }
        let request = desk.agent.request(Method::GET, "/me").header("origin", "https://evil.example");
        assert_eq!(Answer::of(request).await.header("access-control-allow-origin"), "");
    }

    /// HEAD is GET without the body, wherever GET is; a path without GET names what it has.
    async fn head_works_wherever_get_does(app: TestApp) {
        let desk = app.desk().await;
        for path in ["/me", "/conversations", "/openapi.json"] {
            let head = Answer::of(desk.agent.request(Method::HEAD, path)).await;
            let get = desk.agent.get(path).await;
            assert_eq!((head.status, head.header("content-type")), (200, get.header("content-type")), "{path}");
            assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
            assert!(head.header("content-length").parse::<u64>().is_ok_and(|length| length > 0), "{path}");
        }
        let probe = app.http().head(format!("{}/healthz", app.base())).send().await.unwrap();
        assert_eq!(probe.status(), 200);
        let refused = app.http().head(format!("{}/api/v1/auth/login", app.base())).send().await.unwrap();
        assert_eq!((refused.status().as_u16(), refused.headers()["allow"].to_str().unwrap()), (405, "POST"));
        let answer = desk.agent.put("/me", json!({})).await;
        assert!(answer.header("allow").contains("HEAD"), "{answer}");
    }

    /// Who is not let in is told how to come in.
    async fn a_401_names_its_scheme(app: TestApp) {
        let client = app.client();
        for answer in [client.get("/me").await, client.with_token("forged").get("/me").await] {
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{answer}");
        }
    }

    /// No answer can be sniffed, framed or kept.
    async fn answers_carry_the_headers_that_browsers_obey(app: TestApp) {
        let desk = app.desk().await;
        let answer = desk.agent.get("/me").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
    }

    /// The documents as served are the committed ones, and the portal stands beside them (`portal` has its tests).
    async fn documents_are_served_without_a_network(app: TestApp) {
        let openapi: Value = serde_json::from_str(&text(&app, "/api/v1/openapi.json").await).unwrap();
        assert_eq!(openapi["openapi"], "3.1.0");
        let asyncapi: Value = serde_json::from_str(&text(&app, "/api/v1/asyncapi.json").await).unwrap();
        assert_eq!(asyncapi["asyncapi"], "3.1.0");
        for (path, needle) in [("/docs/", "Quick start"), ("/docs", "Quick start"), ("/docs/rest", "id=\"login\"")] {
            assert!(text(&app, path).await.contains(needle), "{path}");
        }
    }

    /// A server that stops forgets nothing that it acknowledged. (A request that meets a closing connection gets no
    /// answer, as always with HTTP; its sender repeats it with the same key.)
    async fn a_stopping_server_keeps_what_it_acknowledged(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}/messages");
        let send = async |number: u32| {
            let body = json!({"client_msg_id": format!("bye-{number}"), "kind": "text", "content": {"text": "bye"}});
            desk.agent.request(Method::POST, &path).json(&body).send().await.is_ok_and(|answer| answer.status() == 201)
        };
        let sends = futures_util::future::join_all((0..40).map(send));
        let (sent, ()) = tokio::join!(sends, app.stop());
        let acknowledged = sent.into_iter().filter(|sent| *sent).count();
        let app = app.restarted(|_| {}).await;
        let desk = app.desk_of(desk.seed);
        let log = desk.agent.log(&room).await;
        let said = log.iter().filter(|entry| entry["content"] == json!({"text": "bye"})).count();
        assert!(said >= acknowledged, "{acknowledged} acknowledged, {said} stored");
    }
}
