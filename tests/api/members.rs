//! Accounts: who may make, see, change and end them, and what may stand in them.

use serde_json::{Value, json};

use crate::harness::Client;

async fn create(client: &Client, body: Value) -> Value {
    client.post("/members", body).await.status(201)
}

fn agent(name: &str) -> Value {
    json!({"role": "agent", "login_name": name, "password": "password of many words"})
}

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

on_every_database! {
    /// An account is made, read, changed and deleted; absent fields stay, null clears.
    async fn an_account_has_a_life(app: TestApp) {
        let desk = app.desk().await;
        let mut body = agent(" Eva ");
        body["email"] = json!("Eva@Example.com");
        body["tags"] = json!(["vip", "vip", "中文"]);
        body["external_id"] = json!("hr-7");
        let eva = create(&desk.admin, body).await;
        assert_eq!(eva["login_name"], "eva");
        assert_eq!(eva["nickname"], "eva");
        assert_eq!(eva["email"], "eva@example.com");
        assert_eq!(eva["tags"], json!(["vip", "中文"]));
        assert_eq!(eva["max_accept"], 10);
        let path = format!("/members/{}", eva["id"].as_str().unwrap());
        assert_eq!(desk.admin.get(&path).await.ok(), eva);

        let changed = desk.admin.patch(&path, json!({"nickname": "伊娃", "max_accept": 3, "external_id": null})).await.ok();
        assert_eq!((changed["nickname"].as_str(), changed["max_accept"].as_i64()), (Some("伊娃"), Some(3)));
        assert_eq!(changed["external_id"], Value::Null);
        assert_eq!(changed["email"], "eva@example.com");
        desk.admin.patch(&path, json!({"nickname": null})).await.refused(422, "validation_failed");
        desk.admin.patch(&path, json!({"id": "1"})).await.refused(422, "validation_failed");

        desk.admin.post("/members", agent("EVA")).await.refused(409, "name_taken");
        desk.admin.delete(&path).await.status(204);
        desk.admin.get(&path).await.refused(404, "not_found");
        desk.admin.delete(&path).await.refused(404, "not_found");
        create(&desk.admin, agent("eva")).await;
    }

    /// Every wrong field is pointed at, all at once.
    async fn wrong_fields_are_told_together(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({
            "role": "agent", "nickname": "x".repeat(51), "email": "nobody", "mobile": "call me", "locale": "Chinese (simplified)",
            "avatar": "javascript:alert(1)", "max_accept": 1_001,
        });
        let problem = desk.admin.post("/members", body).await.refused(422, "validation_failed");
        let mut pointers: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/avatar", "/email", "/locale", "/login_name", "/max_accept", "/mobile", "/nickname"]);
        for body in [
            json!({"role": "owner"}),
            json!({"role": "agent", "login_name": "x", "password": "short"}),
            json!({"role": "agent", "login_name": "x", "password": "密码安全".repeat(65)}),
            json!({"role": "agent", "login_name": "x"}),
            json!({"role": "customer", "nickname": "a\u{0}b"}),
            json!({"role": "customer", "unknown": 1}),
        ] {
            desk.admin.post("/members", body).await.refused(422, "validation_failed");
        }
        desk.admin.get("/members/nobody").await.refused(400, "invalid_parameter");
        desk.admin.get("/members?role=owner").await.refused(400, "invalid_parameter");
        desk.admin.get("/members?limit=201").await.refused(400, "invalid_parameter");
        desk.admin.get("/members?cursor=x").await.refused(400, "invalid_parameter");
    }

    /// Each filter finds what it names, and pages follow each other without a hole.
    async fn members_are_found_by_every_filter(app: TestApp) {
        let desk = app.desk().await;
        let mut body = agent("mia");
        body["email"] = json!("mia@example.com");
        body["mobile"] = json!("+86 138");
        body["parent_id"] = json!(desk.agent.id());
        let mia = create(&desk.admin, body).await;
        let only = [mia["id"].as_str().unwrap().to_owned()];
        for query in [
            "email=MIA@example.com".to_owned(),
            "mobile=%2B86%20138".to_owned(),
            "name=Mia".to_owned(),
            format!("parent_id={}", desk.agent.id()),
            "role=agent&status=enabled&name=mia".to_owned(),
        ] {
            assert_eq!(ids(&desk.admin.get(&format!("/members?{query}")).await.ok()), only, "{query}");
        }
        assert!(ids(&desk.admin.get("/members?status=disabled").await.ok()).is_empty());
        let all = ids(&desk.admin.get("/members").await.ok());
        assert_eq!(all.len(), 7);
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = desk.supervisor.get(&format!("/members?limit=2{cursor}")).await.ok();
            seen.extend(ids(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }

    /// A sub-account has at most its parent's role; the parent sees and disables it and does nothing else to it.
    async fn parents_see_and_disable_their_sub_accounts(app: TestApp) {
        let desk = app.desk().await;
        let parent = desk.agent.id();
        let under = |name: &str, role: &str, parent: &str| {
            let mut body = agent(name);
            (body["role"], body["parent_id"]) = (json!(role), json!(parent));
            body
        };
        desk.admin.post("/members", under("a", "supervisor", &parent)).await.refused(422, "validation_failed");
        desk.admin.post("/members", under("a", "agent", &desk.visitor.id())).await.refused(422, "validation_failed");
        desk.admin.post("/members", under("a", "agent", "17")).await.refused(422, "validation_failed");
        let sub = create(&desk.admin, under("sub", "agent", &parent)).await;
        let sub_id = sub["id"].as_str().unwrap();
        desk.admin.post("/members", under("a", "agent", sub_id)).await.refused(422, "validation_failed");

        let path = format!("/members/{sub_id}");
        assert_eq!(ids(&desk.agent.get("/members").await.ok()), [sub_id]);
        desk.agent.get(&path).await.ok();
        desk.second_agent.get(&path).await.refused(404, "not_found");
        desk.second_agent.patch(&path, json!({"status": "disabled"})).await.refused(404, "not_found");
        desk.agent.patch(&path, json!({"nickname": "x"})).await.refused(403, "forbidden");
        desk.agent.patch(&path, json!({"role": "admin", "status": "disabled"})).await.refused(403, "forbidden");
        desk.agent.delete(&path).await.refused(403, "forbidden");
        let disabled = desk.agent.patch(&path, json!({"status": "disabled"})).await.ok();
        assert_eq!(disabled["status"], "disabled");
        let body = json!({"tenant": desk.slug, "name": "sub", "password": "password of many words"});
        desk.anonymous.post("/auth/login", body).await.refused(403, "account_disabled");
        let lower = desk.admin.patch(&format!("/members/{parent}"), json!({"role": "customer"})).await;
        lower.refused(422, "validation_failed");
    }

    /// Who may not, is told so; nobody takes the own rights away.
    async fn rights_are_kept(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}", desk.second_agent.id());
        for client in [&desk.visitor, &desk.agent, &desk.supervisor] {
            client.post("/members", agent("x")).await.refused(403, "forbidden");
            client.delete(&path).await.refused(403, "forbidden");
            client.post(&format!("{path}/unlock"), json!({})).await.refused(403, "forbidden");
            let password = json!({"password": "password of many words"});
            client.put(&format!("{path}/password"), password).await.refused(403, "forbidden");
        }
        desk.visitor.get("/members").await.refused(403, "forbidden");
        desk.visitor.get(&path).await.refused(403, "forbidden");
        desk.agent.get(&path).await.refused(404, "not_found");
        desk.supervisor.get(&path).await.ok();
        desk.supervisor.patch(&path, json!({"status": "disabled"})).await.refused(403, "forbidden");
        let own = format!("/members/{}", desk.admin.id());
        desk.admin.patch(&own, json!({"role": "agent"})).await.refused(403, "forbidden");
        desk.admin.patch(&own, json!({"status": "disabled"})).await.refused(403, "forbidden");
        desk.admin.delete(&own).await.refused(403, "forbidden");
        desk.admin.patch(&own, json!({"nickname": "Boss"})).await.ok();
    }

    /// Another tenant's members do not exist.
    async fn members_of_other_tenants_are_not_there(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let path = format!("/members/{}", desk.agent.id());
        let admin = &other.admin;
        admin.get(&path).await.refused(404, "not_found");
        admin.patch(&path, json!({"status": "disabled"})).await.refused(404, "not_found");
        admin.delete(&path).await.refused(404, "not_found");
        admin.post(&format!("{path}/unlock"), json!({})).await.refused(404, "not_found");
        let password = json!({"password": "password of many words"});
        admin.put(&format!("{path}/password"), password).await.refused(404, "not_found");
        let mut body = agent("x");
        body["parent_id"] = json!(desk.agent.id());
        admin.post("/members", body).await.refused(422, "validation_failed");
        assert!(ids(&admin.get(&format!("/members?parent_id={}", desk.agent.id())).await.ok()).is_empty());
        desk.agent.get("/me").await.ok();
    }

    /// A password set by an administrator ends the member's sessions.
    async fn an_administrator_sets_passwords(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}/password", desk.agent.id());
        desk.admin.put(&path, json!({"password": "password of many words"})).await.status(204);
        desk.agent.get("/me").await.refused(401, "session_revoked");
        let body = json!({"tenant": desk.slug, "name": "agent", "password": "password of many words"});
        desk.anonymous.post("/auth/login", body).await.ok();
        let visitor = format!("/members/{}/password", desk.visitor.id());
        let refused = desk.admin.put(&visitor, json!({"password": "password of many words"})).await;
        refused.refused(403, "forbidden");
    }

    /// Everybody changes the own profile, and nothing else of the account.
    async fn everybody_changes_the_own_profile(app: TestApp) {
        let desk = app.desk().await;
        for client in [&desk.visitor, &desk.agent, &desk.supervisor, &desk.admin] {
            let me = client.patch("/me", json!({"nickname": "新名字", "avatar": "https://example.com/a.png"})).await.ok();
            assert_eq!(me["nickname"], "新名字");
            assert_eq!(client.get("/me").await.ok(), me);
            client.patch("/me", json!({"role": "admin"})).await.refused(422, "validation_failed");
            client.patch("/me", json!({"nickname": " "})).await.refused(422, "validation_failed");
        }
        desk.anonymous.patch("/me", json!({})).await.refused(401, "unauthenticated");
    }
}
