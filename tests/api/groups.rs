//! Groups of the staff: who makes them, who is in them, and their limits.

use deskwire::domain::member::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Client, Desk};

/// Makes a group; gives its id.
pub async fn make(desk: &Desk, name: &str) -> String {
    let group = desk.admin.post("/groups", json!({"name": name})).await.status(201);
    group["id"].as_str().unwrap().to_owned()
}

/// Puts somebody into a group.
pub async fn put(by: &Client, group: &str, who: &Client, member_type: &str) -> Value {
    by.put(&format!("/groups/{group}/members/{}", who.id()), json!({"member_type": member_type})).await.ok()
}

/// Takes somebody out of a group.
pub async fn out(by: &Client, group: &str, who: &Client) {
    by.delete(&format!("/groups/{group}/members/{}", who.id())).await.status(204);
}

async fn ids(by: &Client, path: &str, pointer: &str) -> Vec<String> {
    let mut found = Vec::new();
    let sign = if path.contains('?') { '&' } else { '?' };
    let mut cursor = String::new();
    loop {
        let page = by.get(&format!("{path}{sign}limit=2{cursor}")).await.ok();
        let rows = page["data"].as_array().unwrap();
        found.extend(rows.iter().map(|row| row.pointer(pointer).unwrap().as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

on_every_database! {
    /// Making, reading, changing, deleting; a name is one living group's, whatever the case of its letters.
    async fn groups_live_and_give_their_names_back(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let body = json!({"name": " Returns ", "description": "Parcels that come back"});
        let made = desk.admin.post("/groups", body).await.status(201);
        assert_eq!((made["name"].as_str(), made["description"].as_str()), (Some("Returns"), Some("Parcels that come back")));
        let (id, path) = (made["id"].as_str().unwrap(), format!("/groups/{}", made["id"].as_str().unwrap()));
        assert_eq!(desk.agent.get(&path).await.ok(), made);
        desk.admin.post("/groups", json!({"name": "RETURNS"})).await.refused(409, "name_taken");
        // Another tenant has names of its own, and sees nothing of this one's.
        let foreign = make(&other, "Returns").await;
        other.admin.get(&path).await.refused(404, "not_found");
        other.admin.patch(&path, json!({"name": "x"})).await.refused(404, "not_found");
        other.admin.delete(&path).await.refused(404, "not_found");
        other.admin.get(&format!("{path}/members")).await.refused(404, "not_found");
        app.advance(1_000).await;
        let second = make(&desk, "Orders").await;
        desk.admin.patch(&path, json!({"name": "orders"})).await.refused(409, "name_taken");
        let changed = desk.admin.patch(&path, json!({"name": "RETURNS", "description": null})).await.ok();
        assert_eq!((changed["name"].as_str(), changed["description"].as_str()), (Some("RETURNS"), Some("")));
        assert_ne!(changed["updated_at"], made["updated_at"]);
        assert_eq!(desk.admin.patch(&path, json!({})).await.ok(), changed, "nothing was asked");
        let third = make(&desk, "Third").await;
        assert_eq!(ids(&desk.supervisor, "/groups", "/id").await, [id, &second, &third]);
        desk.admin.delete(&path).await.status(204);
        desk.admin.delete(&path).await.refused(404, "not_found");
        desk.agent.get(&path).await.refused(404, "not_found");
        let body = json!({"member_type": "member"});
        desk.admin.put(&format!("{path}/members/{}", desk.agent.id()), body).await.refused(404, "not_found");
        make(&desk, "returns").await;
        assert_eq!(ids(&desk.agent, "/groups", "/id").await.len(), 3);
        assert_eq!(ids(&other.agent, "/groups", "/id").await, [foreign]);
        for wrong in [
            json!({}),
            json!({"name": ""}),
            json!({"name": " \u{200b}"}),
            json!({"name": "a\nb"}),
            json!({"name": "x".repeat(101)}),
            json!({"name": "x", "description": "x".repeat(501)}),
            json!({"name": null}),
            json!({"name": "x", "members": []}),
        ] {
            desk.admin.post("/groups", wrong).await.refused(422, "validation_failed");
        }
        for wrong in ["/groups?limit=0", "/groups?cursor=x", "/groups?name=x", "/groups/x"] {
            desk.admin.get(wrong).await.refused(400, "invalid_parameter");
        }
    }

    /// Names go round among groups in one instant: whatever a batch holds, each name is one group's afterwards.
    async fn names_are_one_groups_however_many_ask(app: TestApp) {
        let desk = app.desk().await;
        let groups = [make(&desk, "A").await, make(&desk, "B").await, make(&desk, "C").await];
        for round in 0..6 {
            let renamed = groups.iter().enumerate().map(|(index, id)| {
                let name = ["A", "B", "C", "D"][(index + round) % 4];
                let admin = desk.admin.clone();
                async move { admin.patch(&format!("/groups/{id}"), json!({"name": name})).await.status }
            });
            let made = (0..3).map(|_| {
                let admin = desk.admin.clone();
                async move { admin.post("/groups", json!({"name": "New"})).await.status }
            });
            let (renamed, made) = futures_util::join!(join_all(renamed), join_all(made));
            assert!(renamed.iter().all(|status| [200, 409].contains(status)), "{renamed:?}");
            assert_eq!(made.iter().filter(|status| **status == 201).count(), usize::from(round == 0), "{made:?}");
            let page = desk.admin.get("/groups?limit=200").await.ok();
            let mut names: Vec<&str> =
                page["data"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{page}");
        }
    }

    /// What each role may do: all staff read, administrators manage, a group's managers add and take out members.
    async fn every_role_may_what_it_may(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Returns").await;
        let (path, members) = (format!("/groups/{group}"), format!("/groups/{group}/members"));
        put(&desk.admin, &group, &desk.agent, "manager").await;
        put(&desk.admin, &group, &desk.second_agent, "member").await;
        let newcomer = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        let place = format!("{members}/{}", newcomer.id());
        // Nobody, the visitor, a manager, a member, one who is not in it, an administrator.
        let callers =
            [&desk.anonymous, &desk.visitor, &desk.agent, &desk.second_agent, &desk.supervisor, &desk.admin];
        let table: &[(&str, &str, Value, [u16; 6])] = &[
            ("GET", "/groups", Value::Null, [401, 403, 200, 200, 200, 200]),
            ("GET", &path, Value::Null, [401, 403, 200, 200, 200, 200]),
            ("GET", &members, Value::Null, [401, 403, 200, 200, 200, 200]),
            ("PUT", &place, json!({}), [401, 403, 200, 403, 403, 200]),
            ("GET", &place, Value::Null, [401, 403, 200, 200, 200, 200]),
            ("DELETE", &place, Value::Null, [401, 403, 204, 403, 403, 204]),
            ("PUT", &place, json!({"member_type": "manager"}), [401, 403, 403, 403, 403, 200]),
            ("DELETE", &place, Value::Null, [401, 403, 403, 403, 403, 204]),
            ("POST", "/groups", json!({"name": "Returns"}), [401, 403, 403, 403, 403, 409]),
            ("PATCH", &path, json!({"description": "d"}), [401, 403, 403, 403, 403, 200]),
            ("DELETE", &path, Value::Null, [401, 403, 403, 403, 403, 204]),
        ];
        for (method, line, body, expected) in table {
            let mut got = [0; 6];
            for (status, caller) in got.iter_mut().zip(callers) {
                let body = Some(body.clone()).filter(|body| !body.is_null());
                *status = caller.call(method.parse().unwrap(), line, body).await.status;
            }
            assert_eq!(got, *expected, "{method} {line}");
        }
    }

    /// Twice the same, another place, out and in again; customers, strangers and the disabled are refused.
    async fn members_come_and_go(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let group = make(&desk, "Returns").await;
        let members = format!("/groups/{group}/members");
        app.clock.stop();
        let first = put(&desk.admin, &group, &desk.agent, "member").await;
        assert_eq!((&first["member"]["id"], first["member_type"].as_str()), (&json!(desk.agent.id()), Some("member")));
        app.advance(60_000).await;
        assert_eq!(put(&desk.admin, &group, &desk.agent, "member").await, first, "members twice");
        let place = format!("{members}/{}", desk.agent.id());
        assert_eq!(desk.admin.put(&place, json!({})).await.ok(), first, "as what it is already");
        let manager = put(&desk.admin, &group, &desk.agent, "manager").await;
        assert_eq!((&manager["created_at"], manager["member_type"].as_str()), (&first["created_at"], Some("manager")));
        assert_eq!(desk.admin.put(&place, json!({})).await.ok(), manager);
        assert_eq!(desk.supervisor.get(&place).await.ok(), manager);
        for who in [&desk.second_agent, &desk.supervisor, &desk.admin] {
            put(&desk.agent, &group, who, "member").await;
        }
        let mut staff = [&desk.agent, &desk.second_agent, &desk.supervisor, &desk.admin].map(Client::id).to_vec();
        staff.sort_by_key(|id| id.parse::<i64>().unwrap());
        assert_eq!(ids(&desk.agent, &members, "/member/id").await, staff);
        let of = format!("/groups?member_id={}", desk.supervisor.id());
        assert_eq!(ids(&desk.agent, &of, "/id").await, [group.as_str()]);
        assert!(ids(&other.admin, &of, "/id").await.is_empty());
        out(&desk.agent, &group, &desk.supervisor).await;
        out(&desk.agent, &group, &desk.supervisor).await;
        assert!(ids(&desk.agent, &of, "/id").await.is_empty());
        desk.agent.get(&format!("{members}/{}", desk.supervisor.id())).await.refused(404, "not_found");
        let again = put(&desk.agent, &group, &desk.supervisor, "member").await;
        assert_ne!(again["created_at"], first["created_at"]);
        let disabled = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        desk.admin.patch(&format!("/members/{}", disabled.id()), json!({"status": "disabled"})).await.ok();
        for who in [&desk.visitor, &other.agent, &disabled] {
            let place = format!("{members}/{}", who.id());
            desk.admin.put(&place, json!({})).await.refused(422, "validation_failed");
            desk.admin.delete(&place).await.refused(404, "not_found");
        }
        for wrong in [json!({"member_type": "customer"}), json!({"role": "agent"})] {
            desk.admin.put(&place, wrong).await.refused(422, "validation_failed");
        }
        other.admin.put(&place, json!({})).await.refused(404, "not_found");
        other.admin.delete(&place).await.refused(404, "not_found");
    }

    /// A manager leaves, the last one does not; an administrator takes out anybody; who left may say it again.
    async fn the_last_manager_stays(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Returns").await;
        let place = |who: &Client| format!("/groups/{group}/members/{}", who.id());
        put(&desk.admin, &group, &desk.agent, "manager").await;
        put(&desk.admin, &group, &desk.second_agent, "manager").await;
        // Two at once: one of them stays.
        let places = [place(&desk.agent), place(&desk.second_agent)];
        let (first, second) =
            futures_util::join!(desk.agent.delete(&places[0]), desk.second_agent.delete(&places[1]));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        let (gone, last) = match first.status {
            204 => (&desk.agent, &desk.second_agent),
            _ => (&desk.second_agent, &desk.agent),
        };
        gone.delete(&place(gone)).await.status(204);
        gone.delete(&place(last)).await.refused(403, "forbidden");
        last.delete(&place(last)).await.refused(409, "last_manager");
        last.put(&place(last), json!({"member_type": "member"})).await.refused(403, "forbidden");
        // A member does not leave by itself: in no group it would see the conversations of all.
        put(&desk.admin, &group, &desk.supervisor, "member").await;
        desk.supervisor.delete(&place(&desk.supervisor)).await.refused(403, "forbidden");
        desk.admin.delete(&place(last)).await.status(204);
        last.delete(&place(&desk.supervisor)).await.refused(403, "forbidden");
        let left = ids(&desk.admin, &format!("/groups/{group}/members"), "/member/id").await;
        assert_eq!(left, [desk.supervisor.id()]);
    }

    /// Who may not use its account is in no group, also as its last manager, and does not come back by itself.
    async fn who_is_gone_leaves_its_groups(app: TestApp) {
        let desk = app.desk().await;
        let groups = [make(&desk, "A").await, make(&desk, "B").await];
        let people = [&desk.agent, &desk.second_agent, &desk.supervisor];
        for group in &groups {
            for who in people {
                put(&desk.admin, group, who, "manager").await;
            }
        }
        let path = |who: &Client| format!("/members/{}", who.id());
        desk.admin.patch(&path(&desk.agent), json!({"status": "disabled"})).await.ok();
        desk.admin.delete(&path(&desk.second_agent)).await.status(204);
        // A supervisor who becomes an agent stays.
        desk.admin.patch(&path(&desk.supervisor), json!({"role": "agent"})).await.ok();
        for group in &groups {
            let members = format!("/groups/{group}/members");
            assert_eq!(ids(&desk.admin, &members, "/member/id").await, [desk.supervisor.id()]);
        }
        desk.admin.patch(&path(&desk.agent), json!({"status": "enabled"})).await.ok();
        let of = format!("/groups?member_id={}", desk.agent.id());
        assert!(ids(&desk.admin, &of, "/id").await.is_empty());
        put(&desk.admin, &groups[0], &desk.agent, "member").await;
        assert_eq!(ids(&desk.admin, &of, "/id").await, [groups[0].clone()]);
    }

    /// 50 groups of a member, 200 members of a group, 500 groups of a tenant; also when all come at once.
    async fn the_limits_hold_however_many_come_at_once(app: TestApp) {
        let desk = app.desk().await;
        let made = |from: usize, to: usize| {
            join_all((from..to).map(|number| {
                let admin = desk.admin.clone();
                async move { admin.post("/groups", json!({"name": format!("Group {number}")})).await }
            }))
        };
        let mut groups: Vec<String> = Vec::new();
        for from in (0..500).step_by(50) {
            let answers = made(from, from + 50).await;
            groups.extend(answers.into_iter().map(|one| one.status(201)["id"].as_str().unwrap().to_owned()));
        }
        for refused in made(500, 504).await {
            refused.refused(409, "limit_reached");
        }
        let put_all = join_all(groups.iter().take(53).map(|group| {
            let path = format!("/groups/{group}/members/{}", desk.agent.id());
            let admin = desk.admin.clone();
            async move { admin.put(&path, json!({})).await.status }
        }));
        let statuses = put_all.await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 50, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 3, "{statuses:?}");
        let full = &groups[499];
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let mut people = Vec::new();
            for _ in 0..51 {
                people.push(app.seed_member(desk.tenant, Role::Agent).await.member);
            }
            statuses.extend(
                join_all(people.into_iter().map(|who| {
                    let (admin, path) = (desk.admin.clone(), format!("/groups/{full}/members/{who}"));
                    async move { admin.put(&path, json!({})).await.status }
                }))
                .await,
            );
        }
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 200, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 4, "{statuses:?}");
        // What is deleted counts no more.
        desk.admin.delete(&format!("/groups/{full}")).await.status(204);
        make(&desk, "One more").await;
    }
}
