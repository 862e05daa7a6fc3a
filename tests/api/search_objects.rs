//! Search of accounts and conversations: by what, by whom, and after changes.

use deskwire::search::rebuild::rebuild;
use serde_json::{Value, json};

use crate::harness::{Client, Desk, eventually};

fn path(list: &str, words: &str, more: &str) -> String {
    let words = url::form_urlencoded::byte_serialize(words.as_bytes()).collect::<String>();
    format!("/search/{list}?q={words}{more}")
}

/// A field of what somebody finds, by pages of two.
async fn found(by: &Client, list: &str, words: &str, field: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = by.get(&path(list, words, &format!("&limit=2{cursor}"))).await.ok();
        assert_eq!(page["complete"], true);
        let hits = page["data"].as_array().unwrap();
        assert!(hits.len() <= 2);
        found.extend(hits.iter().map(|hit| hit[field].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn names(by: &Client, words: &str) -> Vec<String> {
    found(by, "members", words, "nickname").await
}

async fn subjects(by: &Client, words: &str) -> Vec<String> {
    found(by, "conversations", words, "subject").await
}

async fn member(desk: &Desk, nickname: &str, email: &str, mobile: &str) -> Value {
    let body = json!({"role": "customer", "nickname": nickname, "email": email, "mobile": mobile});
    desk.admin.post("/members", body).await.status(201)
}

on_every_database! {
    /// By names in any script, addresses, ids and digits; changed ones by what they are called now; deleted ones never.
    async fn accounts_are_found(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let li = member(&desk, "Li Lei 李雷", "lei@shop.example", "+8613800138000").await;
        member(&desk, "Li Mei 李梅", "mei@shop.example", "+8613900139000").await;
        member(&desk, "Jo", "jo@else.example", "").await;
        member(&other, "Li of others", "li@shop.example", "+8613800138000").await;
        let both = ["Li Mei 李梅", "Li Lei 李雷"];
        assert_eq!(names(&desk.admin, "li").await, both);
        assert_eq!(names(&desk.supervisor, "shop.example").await, both);
        assert_eq!(names(&desk.admin, "李雷").await, both[1..]);
        assert_eq!(names(&desk.admin, "8000").await, both[1..], "the last four digits");
        assert_eq!(names(&desk.admin, "13800138000").await, both[1..], "without the code of the country");
        assert_eq!(names(&desk.admin, "li 9000").await, both[..1], "every word");
        assert_eq!(names(&desk.admin, "li jo").await, [""; 0], "every word");
        assert_eq!(names(&other.admin, "li").await, ["Li of others"]);
        assert_eq!(names(&desk.agent, "li").await, [""; 0], "sub-accounts only");
        desk.visitor.get(&path("members", "li", "")).await.refused(403, "forbidden");
        let customers = desk.admin.get(&path("members", "li", "&role=agent")).await.ok();
        assert_eq!(customers["data"], json!([]));

        let one = format!("/members/{}", li["id"].as_str().unwrap());
        desk.admin.patch(&one, json!({"nickname": "Lei", "mobile": "+8613700137111"})).await.ok();
        assert_eq!(names(&desk.admin, "李雷").await, [""; 0]);
        assert_eq!(names(&desk.admin, "8000").await, [""; 0]);
        assert_eq!(names(&desk.admin, "7111").await, ["Lei"]);
        let tenant = desk.tenant;
        rebuild(&app.app().db, tenant).await.unwrap();
        eventually("accounts are indexed again", || async {
            (names(&desk.admin, "shop.example").await == ["Li Mei 李梅", "Lei"]).then_some(())
        })
        .await;
        desk.admin.delete(&one).await.status(204);
        assert_eq!(names(&desk.admin, "7111").await, [""; 0]);
        for words in ["", "a", "..."] {
            desk.admin.get(&path("members", words, "")).await.refused(400, "invalid_parameter");
        }
        desk.admin.get(&path("members", "ab", "&cursor=x")).await.refused(400, "invalid_parameter");
        desk.admin.get(&path("members", "ab", "&x=1")).await.refused(400, "invalid_parameter");
    }

    /// By their subjects, also changed ones, within what the reader may see.
    async fn conversations_are_found(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let open = async |by: &Client, subject: &str| {
            let opened = by.post("/conversations", json!({"subject": subject})).await.ok();
            opened["conversation"]["id"].as_str().unwrap().to_owned()
        };
        let first = open(&desk.visitor, "Order 1001 快递").await;
        desk.agent.claim(&first).await;
        open(&desk.second_visitor, "Order 1002").await;
        open(&other.visitor, "Order of others").await;
        let room = json!({"subject": "Order desk", "member_ids": [desk.second_agent.id()]});
        desk.agent.post("/rooms", room).await.ok();
        eventually("subjects are found", || async {
            (subjects(&desk.agent, "order").await.len() == 3).then_some(())
        })
        .await;
        assert_eq!(subjects(&desk.agent, "order").await, ["Order desk", "Order 1002", "Order 1001 快递"]);
        assert_eq!(subjects(&desk.second_agent, "order").await, ["Order desk", "Order 1002"]);
        assert_eq!(subjects(&desk.admin, "order").await, ["Order 1002", "Order 1001 快递"]);
        assert_eq!(subjects(&desk.visitor, "order").await, ["Order 1001 快递"]);
        assert_eq!(subjects(&desk.admin, "快递").await, ["Order 1001 快递"]);
        assert_eq!(subjects(&desk.admin, "1001").await, ["Order 1001 快递"]);
        let path_of_first = format!("/conversations/{first}");
        desk.agent.patch(&path_of_first, json!({"subject": "Parcel 1001"})).await.ok();
        assert_eq!(subjects(&desk.admin, "order").await, ["Order 1002"], "at once");
        eventually("the new subject is found", || async {
            (subjects(&desk.visitor, "parcel").await == ["Parcel 1001"]).then_some(())
        })
        .await;
        for words in ["", "a", "..."] {
            desk.agent.get(&path("conversations", words, "")).await.refused(400, "invalid_parameter");
        }
    }
}
