//! What WeChat's events say of who follows an official account (接收事件推送: 关注, 取消关注, 扫描带参数二维码事件). Pure.
//!
//! A code is scanned by somebody who does not follow yet (`subscribe` with `qrscene_` before the scene) or who does (`SCAN`
//! with the scene alone). The key is empty when somebody follows by a search: whose code that was is never guessed.

use std::collections::HashMap;

use crate::domain::centre::binding::{Follow, FollowAct};
use crate::domain::centre::recipient::openid;

/// What stands before the scene of who did not follow yet.
const NEWCOMER: &str = "qrscene_";

/// What an event says of its sender; nothing of other events, and of those without a sender or a time.
pub(super) fn follow(fields: &HashMap<String, String>) -> Option<Follow> {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    if field("MsgType") != "event" {
        return None;
    }
    let key = field("EventKey");
    let scanned = |scene: &str| (!scene.is_empty()).then(|| FollowAct::Scanned(scene.to_owned()));
    let act = match field("Event") {
        "subscribe" => scanned(key.strip_prefix(NEWCOMER)?)?,
        "SCAN" => scanned(key)?,
        "unsubscribe" => FollowAct::Left,
        _ => return None,
    };
    let seconds: i64 = field("CreateTime").trim().parse().ok()?;
    let at = seconds.checked_mul(1_000).filter(|at| *at > 0)?;
    Some(Follow { openid: openid(field("FromUserName")).ok()?, act, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &str, key: &str, more: &[(&str, &str)]) -> Option<Follow> {
        let own = [("MsgType", "event"), ("Event", event), ("EventKey", key), ("FromUserName", "oEva")];
        let time = [("CreateTime", "1395658920")];
        let all = own.iter().chain(&time).chain(more);
        follow(&all.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn scans_and_leavings_are_read_and_nothing_is_guessed() {
        let said = |act| Some(Follow { openid: "oEva".to_owned(), act, at: 1_395_658_920_000 });
        let scanned = || said(FollowAct::Scanned("abc".to_owned()));
        assert_eq!(read("subscribe", "qrscene_abc", &[]), scanned());
        assert_eq!(read("SCAN", "abc", &[]), scanned());
        assert_eq!(read("unsubscribe", "", &[]), said(FollowAct::Left));
        for (event, key) in [
            ("subscribe", ""),
            ("subscribe", "abc"),
            ("subscribe", "qrscene_"),
            ("subscribe", "last_trade_no_1"),
            ("SCAN", ""),
            ("scan", "abc"),
            ("VIEW", "abc"),
            ("", "abc"),
        ] {
            assert_eq!(read(event, key, &[]), None, "{event} {key}");
        }
        for more in [
            ("MsgType", "text"),
            ("FromUserName", ""),
            ("FromUserName", "a b"),
            ("CreateTime", ""),
            ("CreateTime", "-1"),
            ("CreateTime", "9223372036854775807"),
        ] {
            assert_eq!(read("SCAN", "abc", &[more]), None, "{more:?}");
        }
    }
}
