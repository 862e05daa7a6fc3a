//! What bad input gets: every refusal is a problem document with a code of the table, and the connection survives
//! where it can. (That each is a complete problem document is checked by the client on every answer.)

use reqwest::Method;
use serde_json::json;

use crate::harness::Answer;
use crate::harness::personas::message;

on_every_database! {
    /// A path that does not exist, and a method that a path does not have.
    async fn unknown_paths_and_methods_are_problems_too(app: TestApp) {
        let client = app.client();
        client.get("/nothing").await.refused(404, "not_found");
        client.get_root("/nothing").await.refused(404, "not_found");
        let answer = client.delete(&format!("{}/healthz", app.base())).await;
        assert!(answer.header("allow").contains("GET"), "{answer}");
        answer.refused(405, "method_not_allowed");
        let desk = app.desk().await;
        let answer = desk.admin.put("/conversations", json!({})).await;
        assert!(answer.header("allow").contains("POST"), "{answer}");
        answer.refused(405, "method_not_allowed");
    }

    /// Bodies that are no JSON, no UTF-8, of another type, too large, or hold what is not known.
    async fn bodies_are_refused_by_what_is_wrong_with_them(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        let path = format!("/conversations/{room}/messages");
        let raw = |kind: &'static str, bytes: Vec<u8>| {
            let request = desk.visitor.request(Method::POST, &path).header("content-type", kind).body(bytes);
            Answer::of(request)
        };
        raw("application/json", b"{\"client_msg_id\":".to_vec()).await.refused(400, "malformed_json");
        raw("application/json", b"{\"client_msg_id\":\"\xff\"}".to_vec()).await.refused(400, "malformed_json");
        raw("text/plain", b"{}".to_vec()).await.refused(415, "unsupported_media_type");
        let large = format!("{{\"client_msg_id\":\"{}\"}}", "x".repeat(300_000));
        raw("application/json", large.into_bytes()).await.refused(413, "payload_too_large");
        let mut unknown = message("text");
        unknown["surprise"] = json!(1);
        let problem = desk.visitor.post(&path, unknown).await.refused(422, "validation_failed");
        assert!(problem["errors"][0]["pointer"].as_str().unwrap().contains("surprise"), "{problem}");
        for (field, value) in [
            ("client_msg_id", json!("trailing ")),
            ("client_msg_id", json!("x".repeat(65))),
            ("client_msg_id", json!(5)),
            ("kind", json!("closed")),
            ("kind", json!("picture")),
            ("content", json!({"text": ""})),
            ("content", json!({"text": "nul \u{0} within"})),
            ("content", json!({"text": "字".repeat(5_462)})),
            ("content", json!({"text": "x", "html": "x"})),
            ("reply_to_seq", json!(99)),
        ] {
            let mut body = message("text");
            body[field] = value;
            let problem = desk.visitor.post(&path, body).await.refused(422, "validation_failed");
            let pointer = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
            assert!(pointer.starts_with(&format!("/{field}")), "{field}: {problem}");
        }
        assert_eq!(desk.visitor.log(&room).await.len(), 2, "nothing of it was stored");
    }

    /// Paths and parameters that have a wrong form are the caller's mistake, never a failure of ours.
    async fn parameters_of_a_wrong_form_are_told(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        for path in [
            "/conversations?limit=0",
            "/conversations?limit=9999",
            "/conversations?status=unknown",
            "/conversations?cursor=nonsense",
            "/conversations?surprise=1",
            "/inbox?cursor=%F0%9F%98%80",
            "/sync?cursor=nonsense",
            "/entries?after=nonsense",
            &format!("/conversations/{room}/entries?after_seq=x"),
            &format!("/conversations/{room}/entries?after_seq=1&before_seq=1"),
        ] {
            desk.admin.get(path).await.refused(400, "invalid_parameter");
        }
        for id in ["0", "-1", "1", "99999999999999999999", "abc", "%00", "9223372036854775807"] {
            let answer = desk.admin.get(&format!("/conversations/{id}")).await;
            assert!([400, 404].contains(&answer.status), "{answer}");
        }
        // Beyond the end and before the beginning there is nothing, and that is no mistake.
        for query in ["after_seq=9999", "before_seq=1"] {
            let page = desk.visitor.get(&format!("/conversations/{room}/entries?{query}")).await.ok();
            assert_eq!(page["data"], json!([]), "{query}");
        }
    }

    /// Tokens: none, nonsense, expired, signed by another key, `alg: none`.
    async fn tokens_that_are_not_ours_are_refused(app: TestApp) {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
        let desk = app.desk().await;
        desk.anonymous.get("/me").await.refused(401, "unauthenticated");
        let good = desk.admin.token.clone().unwrap();
        desk.admin.get("/me").await.ok();
        let parts: Vec<&str> = good.split('.').collect();
        let none = BASE64.encode(r#"{"alg":"none","typ":"JWT","kid":"test"}"#);
        let other = BASE64.encode(r#"{"alg":"HS256","typ":"JWT","kid":"unknown"}"#);
        let (reversed, signature): (String, String) = (parts[1].chars().rev().collect(), "A".repeat(43));
        for forged in [
            "nonsense".to_owned(),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{other}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.{signature}", parts[0], parts[1]),
            format!("{}.{reversed}.{}", parts[0], parts[2]),
        ] {
            desk.anonymous.with_token(&forged).get("/me").await.refused(401, "token_invalid");
        }
        app.advance(3_600_000).await;
        desk.admin.get("/me").await.refused(401, "token_expired");
    }

    /// Limits on rates are told with the time to wait, and end by themselves.
    async fn too_many_requests_are_told_when_to_come_again(app: TestApp) {
        let app = app.restarted(|settings| settings.requests_per_second = 2).await;
        let desk = app.desk().await;
        let answers = futures_util::future::join_all((0..40).map(|_| desk.agent.get("/me"))).await;
        let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status != 200).collect();
        assert!(!refused.is_empty(), "40 requests at 2 a second were all served");
        for answer in refused {
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{answer}");
            answer.refused(429, "rate_limited");
        }
        desk.second_agent.get("/me").await.ok();
    }
}
