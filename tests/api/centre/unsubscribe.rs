//! Links in e-mails by which their receivers end them.

use serde_json::{Value, json};

use super::mail::wired;
use super::postbox::{Act, Letter, Postbox, Tls};
use super::{delivery_attempts, rule, sent, tell, text};
use crate::harness::{Client, TestApp, eventually};

/// The address at which the world reaches the servers of the tests.
const PUBLIC: &str = "https://desk.example";

/// The path of the link in a letter.
fn link(letter: &Letter) -> String {
    let fields = letter.fields("List-Unsubscribe");
    assert_eq!(fields.len(), 1, "{letter:?}");
    let address = fields[0].strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap();
    address.strip_prefix(PUBLIC).unwrap().to_owned()
}

/// What a browser shows at a path.
async fn look(app: &TestApp, path: &str) -> (u16, String) {
    let response = app.http().get(format!("{}{path}", app.base())).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// One click, as a mail service does it.
async fn click(app: &TestApp, path: &str, kind: &str, body: &str) -> (u16, String) {
    // A browser names no origin, since the page asks for no referrer.
    let request = app.http().post(format!("{}{path}", app.base())).header("origin", "null");
    let request = request.header("content-type", kind);
    let response = request.body(body.to_owned()).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

const FORM: &str = "application/x-www-form-urlencoded";
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

async fn opt_outs(admin: &Client) -> Vec<Value> {
    admin.get("/message-opt-outs").await.ok()["data"].as_array().unwrap().clone()
}

on_every_database! {
    /// Looking changes nothing; a click ends what is of this priority, also what is queued, and nothing else; twice is once.
    async fn one_click_ends_what_is_not_wanted(app: TestApp) {
        let desk = app.desk().await;
        desk.admin.patch("/tenant", json!({"name": "Tea & <Cups>"})).await.ok();
        let postbox = Postbox::start(Tls::Never).await;
        let account = wired(&desk.admin, &postbox, json!({"priority": "marketing"})).await;
        let event = tell(&desk.admin, "order.paid", json!({"number": "7"})).await;
        let done = sent(&desk.admin, &event, "success").await;
        let person = text(&done["send"]["recipient_id"]);
        let letter = postbox.letters().remove(0);
        assert_eq!(letter.fields("List-Unsubscribe-Post"), [ONE_CLICK]);
        let path = link(&letter);
        let (status, page) = look(&app, &path).await;
        assert!(status == 200 && page.contains("<h1>Tea &amp; &lt;Cups&gt;</h1>") && page.contains("method=\"post\""), "{page}");
        assert!(opt_outs(&desk.admin).await.is_empty(), "who looks has not clicked");
        // One that waits, of the same priority, and one of another.
        let rules = desk.admin.get("/message-rules").await.ok();
        let template = text(&rules["data"][0]["template_id"]);
        let to = json!([{"type": "recipient", "id": person}]);
        for (key, priority, delay) in [("order.late", "marketing", 300), ("order.sent", "notice", 0)] {
            let more = json!({"priority": priority, "delay_seconds": delay, "recipients": to});
            rule(&desk.admin, key, &template, &account, more).await;
        }
        let late = tell(&desk.admin, "order.late", json!({"number": "8"})).await;
        sent(&desk.admin, &late, "unsent").await;
        for body in [ONE_CLICK, ONE_CLICK, "", "x=%"] {
            let (status, page) = click(&app, &path, FORM, body).await;
            assert!(status == 200 && page.contains("Tea &amp; &lt;Cups&gt;"), "{page}");
        }
        let multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
        assert_eq!(click(&app, &path, "multipart/form-data; boundary=b", multipart).await.0, 200);
        let kept = opt_outs(&desk.admin).await;
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(
            (&kept[0]["person_id"], &kept[0]["channel"], &kept[0]["priority"], &kept[0]["source"]),
            (&json!(person), &json!("email"), &json!("marketing"), &json!("person")),
        );
        app.advance(310_000).await;
        let ended = sent(&desk.admin, &late, "suppressed").await;
        assert_eq!(ended["send"]["reason"], "opted_out");
        let event = tell(&desk.admin, "order.sent", json!({"number": "9"})).await;
        sent(&desk.admin, &event, "success").await;
        assert_eq!(postbox.letters().len(), 2);
        // The merchant may take it back, and the same link ends it again.
        desk.admin.delete(&format!("/message-opt-outs/{}", text(&kept[0]["id"]))).await.status(204);
        assert_eq!(click(&app, &path, FORM, ONE_CLICK).await.0, 200);
        assert_eq!(opt_outs(&desk.admin).await.len(), 1);
    }

    /// Codes and what is urgent have no link; nothing has one when the world does not reach this service; over several
    /// attempts and for several persons each link works.
    async fn who_has_a_link(app: TestApp) {
        let desk = app.desk().await;
        let postbox = Postbox::start(Tls::Never).await;
        let account = wired(&desk.admin, &postbox, json!({"priority": "notice"})).await;
        let rules = desk.admin.get("/message-rules").await.ok();
        let template = text(&rules["data"][0]["template_id"]);
        for (key, priority) in [("order.code", "code"), ("order.urgent", "urgent")] {
            let more = json!({"priority": priority, "recipients": rules["data"][0]["recipients"]});
            rule(&desk.admin, key, &template, &account, more).await;
            let event = tell(&desk.admin, key, json!({"number": "1"})).await;
            sent(&desk.admin, &event, "success").await;
            let letter = postbox.letters().pop().unwrap();
            assert!(!letter.data.to_lowercase().contains("unsubscribe"), "{letter:?}");
        }
        postbox.script([vec![Act::Says(".", "451 4.3.0 later")]]);
        let event = tell(&desk.admin, "order.paid", json!({"number": "2"})).await;
        delivery_attempts(&desk.admin, &event, 1).await;
        app.advance(120_000).await;
        sent(&desk.admin, &event, "success").await;
        assert_eq!(click(&app, &link(&postbox.letters().pop().unwrap()), FORM, ONE_CLICK).await.0, 200);
        assert_eq!(opt_outs(&desk.admin).await.len(), 1);
        let id = text(&opt_outs(&desk.admin).await[0]["id"]);
        desk.admin.delete(&format!("/message-opt-outs/{id}")).await.status(204);
        let mut server = app.clone();
        for (public, linked) in [(None, false), (Some("http://desk.example".to_owned()), true)] {
            server = server.restarted(|settings| settings.public_url = public).await;
            let admin = server.client_of(desk.seed.admin);
            let before = postbox.letters().len();
            let event = tell(&admin, "order.paid", json!({"number": "3"})).await;
            sent(&admin, &event, "success").await;
            let letters = postbox.letters();
            assert_eq!(letters.len(), before + 1);
            let letter = &letters[before];
            assert_eq!(letter.fields("List-Unsubscribe").len(), usize::from(linked), "{letter:?}");
            assert!(letter.fields("List-Unsubscribe-Post").is_empty(), "one click needs TLS");
        }
    }

    /// Forged ones are refused and counted; who is gone is told the same; other ways of asking are refused.
    async fn links_cannot_be_made_by_others(app: TestApp) {
        let desk = app.desk().await;
        let postbox = Postbox::start(Tls::Never).await;
        wired(&desk.admin, &postbox, json!({"priority": "notice"})).await;
        let event = tell(&desk.admin, "order.paid", json!({"number": "7"})).await;
        let done = sent(&desk.admin, &event, "success").await;
        let path = link(&postbox.letters()[0]);
        let (start, token) = path.rsplit_once('/').unwrap();
        let other = if token.starts_with('A') { "B" } else { "A" };
        let changed = format!("{other}{}", &token[1..]);
        let sealed = desk.admin.get("/channel-accounts").await.ok();
        assert!(!sealed.to_string().contains(token));
        for forged in [changed.as_str(), "x", "%20", &token[..20], &"A".repeat(4_000)] {
            let path = format!("{start}/{forged}");
            assert_eq!(click(&app, &path, FORM, ONE_CLICK).await.0, 404, "{forged}");
            let (status, body) = look(&app, &path).await;
            assert!(status == 404 && body.contains("not_found"), "{forged}: {body}");
        }
        let large = "x".repeat(3_000_000);
        assert_eq!(click(&app, &path, FORM, &large).await.0, 413);
        assert!(opt_outs(&desk.admin).await.is_empty());
        let gone = format!("/message-recipients/{}", text(&done["send"]["recipient_id"]));
        desk.admin.delete(&gone).await.status(204);
        assert_eq!(click(&app, &path, FORM, ONE_CLICK).await.0, 200);
        assert!(opt_outs(&desk.admin).await.is_empty());
        // Who guesses many is refused for a while; who holds a link is not.
        let limited = app.restarted(|settings| settings.anonymous_per_minute = 3).await;
        eventually("guessing ends", || async {
            (click(&limited, &format!("{start}/x"), FORM, "").await.0 == 429).then_some(())
        })
        .await;
    }
}
