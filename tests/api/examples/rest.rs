//! Every operation once, as a small shop meets them.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::recorder::{Recorder, string};
use super::{access, centre, exports, sla};
use crate::harness::{Client, PLATFORM_KEY, Socket, eventually};

/// Who takes part.
pub struct People {
    /// The administrator.
    pub admin: Client,
    /// The agent.
    pub agent: Client,
    /// The agent's id.
    pub agent_id: String,
    /// The agent's desk, which is connected.
    pub desk: Socket,
    /// The visitor.
    pub visitor: Client,
    /// The visitor's conversation.
    pub conversation: String,
}

fn text(key: &str, words: &str) -> Value {
    json!({"client_msg_id": key, "kind": "text", "content": {"text": words}})
}

/// Performs every operation.
pub async fn play(recorder: &mut Recorder<'_>) -> People {
    let nobody = recorder.app.client();
    let (admin, agent, agent_id) = people(recorder, &nobody).await;
    accounts(recorder, &admin, &agent_id).await;
    let (visitor, conversation) = open(recorder, &nobody, &admin).await;
    recorder.desk = Some(connected(&agent).await);
    groups(recorder, &admin, &agent, &agent_id).await;
    serve(recorder, &admin, &agent, (&visitor, &conversation), &agent_id).await;
    reading(recorder, &agent, &visitor, &conversation).await;
    queue(recorder, &nobody, &admin, &agent).await;
    recorder.call("list_tenant_entries", &admin, "GET /entries?limit=3&include=backstage", None).await;
    centre::play(recorder, &admin).await;
    attachments(recorder, &visitor, &conversation).await;
    sessions(recorder, &nobody).await;
    for name in ["healthz", "readyz"] {
        let line = format!("GET {}/{name}", recorder.app.base());
        recorder.call(name, &nobody, &line, None).await;
    }
    let mut desk = recorder.desk.take().expect("the agent's desk");
    desk.barrier().await;
    People { admin, agent, agent_id, desk, visitor, conversation }
}

/// The agent connects, and colleagues see it.
async fn connected(agent: &Client) -> Socket {
    let socket = agent.socket_with(json!({"device": "desk-1"})).await;
    eventually("the agent is connected", || async {
        let page = agent.get("/presence").await.ok();
        page["data"].as_array().unwrap().iter().any(|row| row["connected"] == true).then_some(())
    })
    .await;
    socket
}

/// The tenant, its administrator and an agent.
async fn people(recorder: &mut Recorder<'_>, nobody: &Client) -> (Client, Client, String) {
    let platform = nobody.with_token(PLATFORM_KEY);
    let first = json!({"login_name": "mei", "password": "tea for everybody", "nickname": "Mei"});
    let tenant = json!({"slug": "tea-house", "name": "Tea House", "admin": first});
    recorder.call("create_tenant", &platform, "POST /tenants", Some(tenant)).await;
    let login =
        json!({"tenant": "tea-house", "name": "mei", "password": "tea for everybody", "device": "desk-1"});
    let tokens = recorder.call("login", nobody, "POST /auth/login", Some(login)).await;
    let admin = nobody.with_token(string(&tokens["access_token"]));
    let member = json!({
        "role": "agent", "login_name": "lin", "password": "green or black tea", "nickname": "Lin",
        "email": "lin@tea.example", "skills": ["orders"], "max_accept": 5,
    });
    let made = recorder.call("create_member", &admin, "POST /members", Some(member)).await;
    let login = json!({"tenant": "tea-house", "name": "lin", "password": "green or black tea"});
    let tokens = recorder.call("login", nobody, "POST /auth/login", Some(login)).await;
    (admin, nobody.with_token(string(&tokens["access_token"])), string(&made["id"]))
}

/// Accounts and the tenant's settings.
async fn accounts(recorder: &mut Recorder<'_>, admin: &Client, agent: &str) {
    recorder.call("get_tenant", admin, "GET /tenant", None).await;
    let change = json!({"settings": {"edit_window_seconds": 600}});
    recorder.call("update_tenant", admin, "PATCH /tenant", Some(change)).await;
    recorder.call("get_me", admin, "GET /me", None).await;
    recorder.call("update_me", admin, "PATCH /me", Some(json!({"nickname": "Mei Chen"}))).await;
    recorder.call("list_members", admin, "GET /members?role=agent&limit=20", None).await;
    recorder.call("get_member", admin, &format!("GET /members/{agent}"), None).await;
    let change = json!({"skills": ["orders", "returns"], "max_accept": 8});
    recorder.call("update_member", admin, &format!("PATCH /members/{agent}"), Some(change)).await;
    recorder.call("unlock_member", admin, &format!("POST /members/{agent}/unlock"), None).await;
    let other =
        json!({"role": "agent", "login_name": "bo", "password": "white and yellow tea", "nickname": "Bo"});
    let other = recorder.call("create_member", admin, "POST /members", Some(other)).await;
    let path = format!("/members/{}", string(&other["id"]));
    let password = Some(json!({"password": "oolong and pu-erh"}));
    recorder.call("set_member_password", admin, &format!("PUT {path}/password"), password).await;
    recorder.call("delete_member", admin, &format!("DELETE {path}"), None).await;
}

/// Groups, and who is in them.
async fn groups(recorder: &mut Recorder<'_>, admin: &Client, agent: &Client, agent_id: &str) {
    let group = json!({"name": "Returns", "description": "Parcels that come back"});
    let made = recorder.call("create_group", admin, "POST /groups", Some(group)).await;
    let path = format!("/groups/{}", string(&made["id"]));
    let place = format!("{path}/members/{agent_id}");
    let manager = Some(json!({"member_type": "manager"}));
    recorder.call("set_group_member", admin, &format!("PUT {place}"), manager).await;
    recorder.call("get_group_member", agent, &format!("GET {place}"), None).await;
    recorder.call("list_group_members", agent, &format!("GET {path}/members"), None).await;
    recorder.call("list_groups", agent, &format!("GET /groups?member_id={agent_id}"), None).await;
    recorder.call("get_group", agent, &format!("GET {path}"), None).await;
    let change = json!({"description": "Parcels that come back, and refunds", "routing_strategy": "longest_idle", "serving": "agent"});
    let change = Some(change);
    recorder.call("update_group", admin, &format!("PATCH {path}"), change).await;
    let admin_id = string(&admin.get("/me").await.ok()["id"]);
    let line = format!("PUT /rooms/direct/{admin_id}");
    recorder.call("open_direct_room", agent, &line, None).await;
    let room = Some(json!({"subject": "Early shift", "member_ids": [admin_id]}));
    recorder.call("make_room", agent, "POST /rooms", room).await;
    let hours = json!({
        "name": "Office", "time_zone": "Asia/Shanghai", "is_default": true,
        "weekly": [
            {"day": "monday", "from": "09:00", "until": "12:00"},
            {"day": "monday", "from": "13:30", "until": "18:00"},
            {"day": "saturday", "from": "20:00", "until": "26:00"},
        ],
    });
    let hours = recorder.call("create_business_hours", admin, "POST /business-hours", Some(hours)).await;
    let hours = format!("/business-hours/{}", string(&hours["id"]));
    let holidays = json!({"exceptions": [
        {"from_date": "2027-02-05", "until_date": "2027-02-11", "name": "Spring Festival"},
        {"from_date": "2027-02-12", "name": "Short day", "intervals": [{"from": "10:00", "until": "14:00"}]},
    ]});
    recorder.call("update_business_hours", admin, &format!("PATCH {hours}"), Some(holidays)).await;
    recorder.call("get_business_hours", agent, &format!("GET {hours}"), None).await;
    recorder.call("list_business_hours", agent, "GET /business-hours", None).await;
    let at = "at=2027-02-12T01:00:00Z";
    recorder.call("get_business_hours_status", agent, &format!("GET {hours}/status?{at}"), None).await;
    recorder.call("get_desk_status", agent, &format!("GET /business-hours/status?{at}"), None).await;
    recorder.call("delete_business_hours", admin, &format!("DELETE {hours}"), None).await;
    sla::policies(recorder, admin, agent).await;
    access::bans(recorder, admin).await;
    access::api_keys(recorder, admin).await;
    exports::play(recorder, admin).await;
    access::erasure(recorder, admin).await;
    let reply = json!({"scope": "member", "shortcut": "hi", "title": "Greeting", "text": "Hello {{ customer.nickname }}!"});
    let made = recorder.call("create_canned_reply", agent, "POST /canned-replies", Some(reply)).await;
    let reply = format!("/canned-replies/{}", string(&made["id"]));
    recorder.call("get_canned_reply", agent, &format!("GET {reply}"), None).await;
    let change = Some(json!({"text": "Hello {{ customer.nickname }}, this is {{ agent.nickname }}."}));
    recorder.call("update_canned_reply", agent, &format!("PATCH {reply}"), change).await;
    recorder.call("list_canned_replies", agent, "GET /canned-replies?shortcut=h", None).await;
    recorder.call("remove_group_member", admin, &format!("DELETE {place}"), None).await;
    recorder.call("delete_group", admin, &format!("DELETE {path}"), None).await;
}

/// A visitor comes, opens a conversation and is identified by the shop.
async fn open(recorder: &mut Recorder<'_>, nobody: &Client, admin: &Client) -> (Client, String) {
    let visitor = json!({"tenant": "tea-house", "nickname": "Jo", "device": "phone-1"});
    let tokens = recorder.call("create_visitor", nobody, "POST /visitors", Some(visitor)).await;
    let visitor = nobody.with_token(string(&tokens["access_token"]));
    let body = json!({"subject": "Order 1001", "message": text("m-1", "Where is my parcel?")});
    let opened = recorder.call("open_conversation", &visitor, "POST /conversations", Some(body)).await;
    let key = recorder.call("create_identity_key", admin, "POST /identity-keys", Some(json!({}))).await;
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(string(&key["kid"]));
    let claims = json!({
        "sub": "customer-17", "exp": recorder.app.clock.now().0 / 1_000 + 60, "jti": "once", "nickname": "Jo Li",
    });
    let secret = EncodingKey::from_secret(string(&key["secret"]).as_bytes());
    let token = jsonwebtoken::encode(&header, &claims, &secret).unwrap();
    let body = Some(json!({"identity_token": token}));
    let tokens = recorder.call("identify_visitor", &visitor, "POST /visitors/identify", body).await;
    recorder.call("list_identity_keys", admin, "GET /identity-keys", None).await;
    let line = format!("DELETE /identity-keys/{}", string(&key["id"]));
    recorder.call("delete_identity_key", admin, &line, None).await;
    (nobody.with_token(string(&tokens["access_token"])), string(&opened["conversation"]["id"]))
}

/// The conversation is served, read, closed and opened again.
async fn serve(
    recorder: &mut Recorder<'_>,
    admin: &Client,
    agent: &Client,
    (visitor, id): (&Client, &str),
    agent_id: &str,
) {
    let path = format!("/conversations/{id}");
    recorder.call("list_conversations", agent, "GET /conversations?status=open&sort=waiting", None).await;
    let online = json!({"status": "online", "reason": "Returns today"});
    recorder.call("set_presence", agent, "PUT /presence", Some(online)).await;
    recorder.call("claim_conversation", agent, &format!("POST {path}/claim"), None).await;
    let reply = json!({"scope": "member", "shortcut": "hello", "title": "Hello", "text": "Hello {{ customer.nickname }}!"});
    let made = agent.post("/canned-replies", reply).await.status(201);
    let reply = format!("/canned-replies/{}", string(&made["id"]));
    let body = Some(json!({"conversation_id": id}));
    recorder.call("render_canned_reply", agent, &format!("POST {reply}/render"), body).await;
    recorder.call("delete_canned_reply", agent, &format!("DELETE {reply}"), None).await;
    recorder.call("list_presence", agent, "GET /presence?effective_status=online", None).await;
    let line = format!("GET /presence/{agent_id}/history?limit=2");
    recorder.call("list_presence_history", agent, &line, None).await;
    recorder.call("get_conversation", agent, &format!("GET {path}"), None).await;
    let body = text("a-1", "It arrives tomorow.");
    let sent = recorder.call("send_message", agent, &format!("POST {path}/messages"), Some(body)).await;
    let message = format!("{path}/messages/{}", sent["seq"]);
    let body = json!({"kind": "text", "content": {"text": "It arrives tomorrow."}});
    recorder.call("edit_message", agent, &format!("PATCH {message}"), Some(body)).await;
    recorder.call("list_revisions", admin, &format!("GET {message}/revisions"), None).await;
    recorder.call("get_message", visitor, &format!("GET {message}"), None).await;
    recorder.call("search_messages", agent, "GET /search/messages?q=arrives", None).await;
    let tenant = recorder.app.app().auth.verify(agent.token.as_deref().unwrap(), None).unwrap().actor.tenant;
    crate::search::indexed(recorder.app, tenant).await;
    recorder.call("search_conversations", agent, "GET /search/conversations?q=order", None).await;
    recorder.call("search_members", admin, "GET /search/members?q=jo", None).await;
    let body = text("m-2", "No, wait.");
    let sent = recorder.call("send_message", visitor, &format!("POST {path}/messages"), Some(body)).await;
    let line = format!("DELETE {path}/messages/{}", sent["seq"]);
    recorder.call("recall_message", visitor, &line, None).await;
    let body = text("n-1", "Asked the carrier.");
    recorder.call("send_note", agent, &format!("POST {path}/notes"), Some(body)).await;
    recorder.call("list_notes", agent, &format!("GET {path}/notes?after_seq=0"), None).await;
    recorder.call("list_messages", visitor, &format!("GET {path}/messages?limit=10"), None).await;
    recorder.call("list_entries", visitor, &format!("GET {path}/entries?after_seq=0&limit=10"), None).await;
    super::attributes::attributes(recorder, admin, &path).await;
    let body = json!({"priority": "high", "tags": ["delivery"], "attributes": {"order_number": "A-1042"}});
    recorder.call("update_conversation", agent, &format!("PATCH {path}"), Some(body)).await;
    super::saved_filters::filters(recorder, agent, &path).await;
    let other =
        json!({"role": "agent", "login_name": "an", "password": "jasmine every day", "nickname": "An"});
    let other = string(&recorder.call("create_member", admin, "POST /members", Some(other)).await["id"]);
    let body = Some(json!({"member_id": other}));
    recorder.call("add_conversation_member", agent, &format!("POST {path}/members"), body).await;
    recorder.call("list_conversation_members", agent, &format!("GET {path}/members"), None).await;
    let line = format!("DELETE {path}/members/{other}");
    recorder.call("remove_conversation_member", admin, &line, None).await;
    super::access::bots(recorder, admin).await;
    let body = Some(json!({"note": "My shift ends."}));
    recorder.call("release_conversation", agent, &format!("POST {path}/release"), body).await;
    let body = Some(json!({"agent_id": agent_id, "note": "Lin knows the carrier."}));
    recorder.call("assign_conversation", admin, &format!("POST {path}/assign"), body).await;
    let body = Some(json!({"agent_id": other, "note": "An speaks Welsh."}));
    recorder.call("transfer_conversation", admin, &format!("POST {path}/transfer"), body).await;
    let body = Some(json!({"note": "I know this customer."}));
    recorder.call("take_over_conversation", admin, &format!("POST {path}/take_over"), body).await;
    let asks = json!({"agent_id": agent_id, "mode": "offer", "reason": "customer_request"});
    admin.post(&format!("{path}/transfer"), asks).await.ok();
    recorder.call("withdraw_transfer", admin, &format!("DELETE {path}/transfer"), None).await;
    let body = Some(json!({"agent_id": agent_id}));
    recorder.call("transfer_conversation", admin, &format!("POST {path}/transfer"), body).await;
    let billing = string(&admin.post("/groups", json!({"name": "Billing"})).await.status(201)["id"]);
    admin.put(&format!("/groups/{billing}/members/{other}"), json!({})).await.ok();
    let body = json!({"group_id": billing, "reason": "wrong_department", "note": "Asks for a refund."});
    recorder.call("transfer_conversation", agent, &format!("POST {path}/transfer"), Some(body)).await;
    recorder.call("list_transfers", admin, &format!("GET {path}/transfers"), None).await;
    admin.post(&format!("{path}/assign"), json!({"agent_id": agent_id})).await.ok();
    admin.patch(&path, json!({"group_id": null})).await.ok();
    let group = string(&admin.post("/groups", json!({"name": "Parcels"})).await.status(201)["id"]);
    admin.put(&format!("/groups/{group}/members/{agent_id}"), json!({})).await.ok();
    let body = Some(json!({"group_id": group, "note": "Whoever is here answers."}));
    recorder.call("dock_conversation", agent, &format!("POST {path}/dock"), body).await;
    let body = Some(json!({"conversation_ids": [id], "note": "The van broke down."}));
    recorder.call("dock_conversations", admin, &format!("POST /groups/{group}/dock"), body).await;
    recorder.call("list_assignments", admin, &format!("GET {path}/assignments"), None).await;
    let body = Some(json!({"reason": "resolved", "note": "Delivered."}));
    recorder.call("close_conversation", agent, &format!("POST {path}/close"), body).await;
    let rating = Some(json!({"score": 5, "comment": "Quick and kind."}));
    recorder.call("rate_conversation", visitor, &format!("PUT {path}/rating"), rating).await;
    recorder.call("get_conversation_rating", visitor, &format!("GET {path}/rating"), None).await;
    recorder.call("list_ratings", admin, "GET /ratings?score=5", None).await;
    let report = crate::reports::of_all_groups(recorder.app, admin).await;
    recorder.call("get_report", admin, &report, None).await;
    let link = recorder.call("create_rating_link", admin, &format!("POST {path}/rating-links"), None).await;
    let link = format!("/rating-links/{}", string(&link["token"]));
    let nobody = &visitor.anonymous();
    recorder.call("get_rating_link", nobody, &format!("GET {link}"), None).await;
    let rating = Some(json!({"score": 4, "comment": "Quick and kind, in the end."}));
    recorder.call("rate_by_link", nobody, &format!("PUT {link}"), rating).await;
    recorder.call("reopen_conversation", agent, &format!("POST {path}/reopen"), None).await;
    recorder.call("claim_conversation", agent, &format!("POST {path}/claim"), None).await;
}

/// The visitor sends a picture.
async fn attachments(recorder: &mut Recorder<'_>, visitor: &Client, id: &str) {
    let picture = crate::attachments::png(320, 200, 40);
    let file = json!({"name": "parcel.png", "size": picture.len()});
    let made = recorder.call("create_attachment", visitor, "POST /attachments", Some(file)).await;
    let path = format!("/attachments/{}", string(&made["attachment"]["id"]));
    recorder.upload("upload_attachment", visitor, &format!("PUT {path}/content"), picture).await;
    let message = json!({
        "client_msg_id": "m-picture", "kind": "image",
        "content": {"attachment_id": made["attachment"]["id"]},
    });
    visitor.post(&format!("/conversations/{id}/messages"), message).await.status(201);
    recorder.call("get_attachment", visitor, &format!("GET {path}"), None).await;
    recorder.call("get_attachment_url", visitor, &format!("GET {path}/url?variant=thumbnail"), None).await;
    let file = json!({"name": "wrong.png", "size": 1_000});
    let wrong = visitor.post("/attachments", file).await.status(201);
    let wrong = string(&wrong["attachment"]["id"]);
    recorder.call("delete_attachment", visitor, &format!("DELETE /attachments/{wrong}"), None).await;
}

/// Waiting conversations, offered to the agent by routing.
async fn queue(recorder: &mut Recorder<'_>, nobody: &Client, admin: &Client, agent: &Client) {
    let body = json!({"tenant": "tea-house", "nickname": "Kim"});
    let made = nobody.post("/visitors", body).await.status(201);
    let visitor = nobody.with_token(string(&made["access_token"]));
    let id = visitor.open("Which tea is mild?").await;
    let path = format!("/conversations/{id}");
    recorder.call("list_queue", agent, "GET /queue?limit=10", None).await;
    recorder.call("get_queue_place", &visitor, &format!("GET {path}/queue"), None).await;
    let line = format!("GET {path}/routing/explain?strategy=least_loaded");
    recorder.call("explain_routing", admin, &line, None).await;
    let routing =
        |strategy: &str| json!({"settings": {"routing": {"strategy": strategy, "offer_seconds": 60}}});
    admin.patch("/tenant", routing("least_loaded")).await.ok();
    offered(agent, &id).await;
    recorder.call("list_offers", agent, "GET /offers", None).await;
    recorder.call("accept_offer", agent, &format!("POST {path}/accept"), None).await;
    agent.post(&format!("{path}/close"), json!({})).await.ok();
    agent.post(&format!("{path}/reopen"), json!({})).await.ok();
    offered(agent, &id).await;
    recorder.call("decline_offer", agent, &format!("POST {path}/decline"), None).await;
    admin.patch("/tenant", routing("manual")).await.ok();
    agent.post(&format!("{path}/claim"), json!({})).await.ok();
    agent.post(&format!("{path}/close"), json!({})).await.ok();
}

/// Waits until the conversation is offered to the agent.
async fn offered(agent: &Client, id: &str) {
    eventually("the offer", || async {
        let offers = agent.get("/offers").await.ok();
        offers["data"].as_array()?.iter().any(|offer| offer["conversation_id"] == id).then_some(())
    })
    .await;
}

/// Positions, inbox, deltas and the tenant's feed.
async fn reading(recorder: &mut Recorder<'_>, agent: &Client, visitor: &Client, id: &str) {
    let path = format!("/conversations/{id}");
    let inbox = recorder.call("list_inbox", visitor, "GET /inbox?limit=20", None).await;
    recorder
        .call("report_delivered", visitor, &format!("POST {path}/delivered"), Some(json!({"seq": 4})))
        .await;
    recorder.call("read_conversation", visitor, &format!("POST {path}/read"), Some(json!({"seq": 4}))).await;
    recorder
        .call("mark_conversation_unread", agent, &format!("POST {path}/mark_unread"), Some(json!({"seq": 2})))
        .await;
    let line = format!("GET /sync?cursor={}", string(&inbox["sync_cursor"]));
    recorder.call("sync_inbox", visitor, &line, None).await;
}

/// Signing in and out, on a device that nobody needs afterwards.
async fn sessions(recorder: &mut Recorder<'_>, nobody: &Client) {
    let login = async |recorder: &mut Recorder<'_>, password: &str| {
        let body = json!({"tenant": "tea-house", "name": "an", "password": password});
        recorder.call("login", nobody, "POST /auth/login", Some(body)).await
    };
    let first = login(recorder, "jasmine every day").await;
    let body = Some(json!({"refresh_token": first["refresh_token"]}));
    let tokens = recorder.call("refresh_tokens", nobody, "POST /auth/refresh", body).await;
    let member = nobody.with_token(string(&tokens["access_token"]));
    login(recorder, "jasmine every day").await;
    let list = recorder.call("list_sessions", &member, "GET /auth/sessions", None).await;
    let other = list["data"].as_array().unwrap().iter().find(|one| one["current"] == false);
    let line = format!("DELETE /auth/sessions/{}", string(&other.expect("another session")["id"]));
    recorder.call("revoke_session", &member, &line, None).await;
    let body = Some(json!({"current_password": "jasmine every day", "new_password": "jasmine every night"}));
    recorder.call("change_password", &member, "PUT /auth/password", body).await;
    let tokens = login(recorder, "jasmine every night").await;
    let member = nobody.with_token(string(&tokens["access_token"]));
    recorder.call("revoke_sessions", &member, "DELETE /auth/sessions", None).await;
    let tokens = login(recorder, "jasmine every night").await;
    recorder
        .call("logout", &nobody.with_token(string(&tokens["access_token"])), "POST /auth/logout", None)
        .await;
}
