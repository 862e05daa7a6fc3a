//! What must hold of a tenant's accounts together, however many change at once, and where somebody goes who may not
//! come in any more.

use deskwire::domain::actor::{Actor, Principal};
use deskwire::domain::member::{MemberStatus, Role};
use deskwire::journal::Command;
use deskwire::journal::commands::{AddMember, ChangeMember};
use deskwire::kernel::{Code, ConversationId, TenantId};
use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::harness::commands::{claim, open};
use crate::harness::{Client, TestApp, eventually};

const HOUR_MS: i64 = 3_600_000;

/// Every way in which somebody ceases to be an administrator.
fn ends(whom: Actor, now: i64) -> [ChangeMember; 5] {
    let none = || ChangeMember::of(whom.member);
    [
        ChangeMember { role: Some(Role::Agent), ..none() },
        ChangeMember { status: Some(MemberStatus::Disabled), ..none() },
        ChangeMember { delete: true, ..none() },
        ChangeMember { expires_at: Some(Some(now - 1)), ..none() },
        ChangeMember { expires_at: Some(Some(now + HOUR_MS)), ..none() },
    ]
}

/// A member with a parent.
async fn sub_account(app: &TestApp, tenant: TenantId, role: Role, parent: Actor) -> Actor {
    let sub = app.seed_member(tenant, role).await;
    let change = ChangeMember { parent_id: Some(Some(parent.member)), ..ChangeMember::of(sub.member) };
    app.submit(Command::new(Principal::Operator(tenant), change)).await;
    sub
}

async fn join_room(app: &TestApp, by: Actor, who: Actor, room: ConversationId) {
    app.submit(Command::new(by, AddMember { conversation: room, member: who.member })).await;
}

async fn kinds(client: &Client, room: &str) -> Vec<String> {
    client.log(room).await.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

async fn waits(client: &Client, room: &str) -> bool {
    let list = client.get("/conversations?status=open&limit=200").await.ok();
    list["data"].as_array().unwrap().iter().any(|row| row["id"] == room && row["agent"] == Value::Null)
}

on_every_database! {
    /// Two administrators who end each other at once: one succeeds, in every way, and the operator ends none either.
    async fn the_last_administrator_stays(app: TestApp) {
        let now = app.clock.now().0;
        for way in 0..5 {
            let seed = app.seed().await;
            let second = app.seed_member(seed.tenant, Role::Admin).await;
            let end = |whom: Actor| ends(whom, now)[way].clone();
            let both = vec![Command::new(seed.admin, end(second)), Command::new(second, end(seed.admin))];
            let answers = app.submit_all(both).await;
            assert_eq!(answers.iter().filter(|one| one.is_ok()).count(), 1, "way {way}: {answers:?}");
            let refused = answers.iter().find_map(|one| one.as_ref().err()).unwrap();
            assert_eq!(refused.code, Code::LastAdmin, "way {way}: {refused}");
            let last = if answers[0].is_ok() { seed.admin } else { second };
            for change in ends(last, now) {
                for by in [Principal::Operator(seed.tenant), Principal::System(seed.tenant), last.into()] {
                    let error = app.journal.submit(Command::new(by, change.clone())).await.unwrap_err();
                    assert_eq!(error.code, Code::LastAdmin, "{change:?} by {by:?}");
                }
            }
        }
    }

    /// Over HTTP nobody who will go can take away the one who stays, and of two who try at once one remains.
    async fn the_last_administrator_is_told_as_409(app: TestApp) {
        let desk = app.desk().await;
        let second = app.client_of(app.seed_member(desk.tenant, Role::Admin).await);
        let (first, other) = (format!("/members/{}", desk.admin.id()), format!("/members/{}", second.id()));
        let end = json!({"expires_at": "2999-01-01T00:00:00Z"});
        desk.admin.patch(&other, end.clone()).await.ok();
        for body in [json!({"role": "agent"}), json!({"status": "disabled"}), end] {
            second.patch(&first, body).await.refused(409, "last_admin");
        }
        second.delete(&first).await.refused(409, "last_admin");
        desk.admin.patch(&other, json!({"expires_at": null})).await.ok();
        let body = json!({"status": "disabled"});
        let (one, two) = join(desk.admin.patch(&other, body.clone()), second.patch(&first, body)).await;
        let won = [one.status, two.status].iter().filter(|status| **status == 200).count();
        assert_eq!(won, 1, "{one:?} {two:?}");
    }

    /// No change of a role makes staff of a customer, or a customer of staff.
    async fn nobody_crosses_between_staff_and_customers(app: TestApp) {
        let desk = app.desk().await;
        for (client, role, roles) in [
            (&desk.visitor, "customer", vec!["agent", "supervisor", "admin"]),
            (&desk.agent, "agent", vec!["customer"]),
            (&desk.supervisor, "supervisor", vec!["customer"]),
        ] {
            let path = format!("/members/{}", client.id());
            for other in roles {
                let refused = desk.admin.patch(&path, json!({"role": other, "nickname": "new"})).await;
                let refused = refused.refused(422, "validation_failed");
                assert_eq!(refused["errors"][0]["code"], "customer_or_staff", "{role} to {other}");
            }
            let kept = desk.admin.get(&path).await.ok();
            assert_eq!((kept["role"].as_str(), kept["nickname"] == "new"), (Some(role), false));
            client.get("/me").await.ok();
        }
    }

    /// Who is disabled, deleted or ended leaves at once: what it served waits again, for others to see and to take.
    async fn who_goes_leaves_its_conversations(app: TestApp) {
        let past = "2001-01-01T00:00:00Z";
        for way in [Some(json!({"status": "disabled"})), Some(json!({"expires_at": past})), None] {
            let desk = app.desk().await;
            let served = desk.open_and_claim("help").await;
            let joined = desk.second_visitor.open("me too").await;
            desk.second_agent.claim(&joined).await;
            let members = format!("/conversations/{joined}/members");
            desk.second_agent.post(&members, json!({"member_id": desk.agent.id()})).await.ok();
            let path = format!("/members/{}", desk.agent.id());
            let mut watching = desk.second_agent.socket().await;
            watching.ask("watch", json!({"waiting": true})).await;
            match &way {
                Some(body) => drop(desk.admin.patch(&path, body.clone()).await.ok()),
                None => drop(desk.admin.delete(&path).await.status(204)),
            }
            let told = |frame: &Value| frame["type"] == "queue" && frame["data"]["waiting"] == true;
            let told = watching.wait("it waits", told).await;
            assert_eq!(told["data"]["conversation_id"], served.as_str());
            assert!(waits(&desk.second_agent, &served).await, "{way:?}");
            assert_eq!(kinds(&desk.visitor, &served).await.last().unwrap(), "released");
            let assignments = desk.supervisor.get(&format!("/conversations/{served}/assignments")).await.ok();
            assert_eq!(assignments["data"][0]["end_reason"], "agent_gone", "{assignments}");
            assert_ne!(assignments["data"][0]["ended_at"], Value::Null);
            assert_eq!(kinds(&desk.second_agent, &joined).await.last().unwrap(), "left");
            let inside = desk.second_agent.get(&members).await.ok().to_string();
            assert!(!inside.contains(&desk.agent.id()), "{inside}");
            desk.visitor.send(&served, "anybody there?").await;
            desk.second_agent.claim(&served).await;
        }
    }

    /// A sub-account is not made while a command may be changing its parent: it waits a moment, then says busy.
    async fn a_sub_account_is_not_made_beside_a_command(app: TestApp) {
        let desk = app.desk().await;
        // SQLite writes one after another by itself.
        if !app.kind().is_server() {
            return;
        }
        let mut command = app.database().connect();
        let lock = format!("SELECT rev FROM tenant_log WHERE tenant_id = {} FOR UPDATE", desk.tenant);
        command.batch_execute("BEGIN").unwrap();
        diesel::sql_query(lock).execute(&mut command).unwrap();
        let sub = |name| {
            json!({"role": "agent", "login_name": name, "password": "of many words", "parent_id": desk.agent.id()})
        };
        desk.admin.post("/members", sub("sub")).await.refused(503, "busy");
        command.batch_execute("ROLLBACK").unwrap();
        desk.admin.post("/members", sub("sub")).await.status(201);
    }

    /// Who serves very many lets them go in pieces; a repeated command does the rest, and nothing after that.
    async fn many_conversations_are_left_in_pieces(app: TestApp) {
        let seed = app.seed().await;
        let mut rooms = Vec::new();
        for _ in 0..130 {
            let visitor = app.seed_member(seed.tenant, Role::Customer).await;
            let room = app.submit(open(visitor, "opening", "hello")).await.conversation.unwrap();
            rooms.push(claim(seed.agent, room));
        }
        for answer in app.submit_all(rooms).await {
            answer.unwrap();
        }
        let served = async || {
            let list = format!("/conversations?status=pending&agent_id={}&limit=200", seed.agent.member);
            app.client_of(seed.admin).get(&list).await.ok()["data"].as_array().unwrap().len()
        };
        assert_eq!(served().await, 130);
        let of = ChangeMember::of(seed.agent.member);
        let disable = ChangeMember { status: Some(MemberStatus::Disabled), ..of };
        let disable = || Command::new(seed.admin, disable.clone());
        assert!(app.submit(disable()).await.more);
        assert!((1..=30).contains(&served().await));
        assert!(!app.submit(disable()).await.more);
        assert_eq!(served().await, 0);
        assert_eq!(app.submit(disable()).await.rev, 0);
        app.audit().await;
    }

    /// A supervisor who becomes an agent keeps what it serves and leaves what it only joined.
    async fn a_lower_role_keeps_only_what_it_serves(app: TestApp) {
        let desk = app.desk().await;
        let (served, joined) = (desk.open("help").await, desk.second_visitor.open("me too").await);
        desk.supervisor.claim(&served).await;
        desk.agent.claim(&joined).await;
        let room = ConversationId(joined.parse().unwrap());
        join_room(&app, desk.seed.agent, desk.seed.supervisor, room).await;
        let path = format!("/members/{}", desk.supervisor.id());
        desk.admin.patch(&path, json!({"role": "agent"})).await.ok();
        let agent = app.client_of(Actor { role: Role::Agent, ..desk.seed.supervisor });
        assert_eq!(agent.get(&format!("/conversations/{served}")).await.ok()["status"], "pending");
        agent.get(&format!("/conversations/{joined}")).await.refused(404, "not_found");
        assert_eq!(kinds(&desk.agent, &joined).await.last().unwrap(), "left");
    }

    /// An account that comes to its end without anybody's doing is found, and what it served waits again.
    async fn an_end_that_comes_by_itself_is_found(app: TestApp) {
        let desk = app.desk().await;
        let served = desk.open_and_claim("help").await;
        let end = deskwire::kernel::Millis(app.clock.now().0 + 60_000).to_string();
        let path = format!("/members/{}", desk.agent.id());
        desk.admin.patch(&path, json!({ "expires_at": end })).await.ok();
        assert!(!waits(&desk.admin, &served).await);
        app.advance(61_000).await;
        let cleaner = app.restarted(|settings| settings.cleaning.cleaning_minutes = 60).await;
        let admin = cleaner.client_of(desk.seed.admin);
        eventually("it waits again", || async { waits(&admin, &served).await.then_some(()) }).await;
    }

    /// Roles of a parent and its sub-account that change at once never contradict each other; nor do two moves.
    async fn a_family_changes_in_one_order(app: TestApp) {
        let seed = app.seed().await;
        let (tenant, by) = (seed.tenant, seed.admin);
        for _ in 0..5 {
            let parent = app.seed_member(tenant, Role::Supervisor).await;
            let child = sub_account(&app, tenant, Role::Agent, parent).await;
            let raise = ChangeMember { role: Some(Role::Supervisor), ..ChangeMember::of(child.member) };
            let lower = ChangeMember { role: Some(Role::Agent), ..ChangeMember::of(parent.member) };
            let answers = app.submit_all(vec![Command::new(by, raise), Command::new(by, lower)]).await;
            let refused: Vec<_> = answers.iter().filter_map(|one| one.as_ref().err()).collect();
            assert!(refused.len() == 1 && refused[0].code == Code::ValidationFailed, "{answers:?}");

            let [low, middle, high] = [
                app.seed_member(tenant, Role::Agent).await,
                app.seed_member(tenant, Role::Agent).await,
                app.seed_member(tenant, Role::Agent).await,
            ];
            let below = |one: Actor, parent: Actor| {
                let parent_id = Some(Some(parent.member));
                Command::new(by, ChangeMember { parent_id, ..ChangeMember::of(one.member) })
            };
            let answers = app.submit_all(vec![below(low, middle), below(middle, high)]).await;
            assert_eq!(answers.iter().filter(|one| one.is_ok()).count(), 1, "{answers:?}");
            let own = app.journal.submit(below(high, high)).await.unwrap_err();
            assert_eq!(own.code, Code::ValidationFailed);
        }
    }

    /// A parent that was deleted binds nobody: the sub-account's role can change.
    async fn a_deleted_parent_binds_nobody(app: TestApp) {
        let desk = app.desk().await;
        let child = sub_account(&app, desk.tenant, Role::Agent, desk.seed.agent).await;
        let path = format!("/members/{}", child.member);
        desk.admin.patch(&path, json!({"role": "supervisor"})).await.refused(422, "validation_failed");
        desk.admin.delete(&format!("/members/{}", desk.agent.id())).await.status(204);
        assert_eq!(desk.admin.patch(&path, json!({"role": "supervisor"})).await.ok()["role"], "supervisor");
    }
}
