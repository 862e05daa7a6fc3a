//! What a filter may be, and that whatever else is given is refused with its place.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;
use crate::domain::attribute::AttributeTarget;
use crate::kernel::{AttributeId, TenantId};

fn attribute(key: &str, kind: AttributeKind) -> AttributeRow {
    AttributeRow {
        id: AttributeId(9),
        tenant_id: TenantId(1),
        target: AttributeTarget::Conversation,
        key: key.to_owned(),
        title: String::new(),
        kind,
        choices: "[]".to_owned(),
        visible_to_customer: false,
        created_at: 0,
        updated_at: 0,
        deleted_at: None,
    }
}

fn read(given: &Value, is_kept: bool) -> Result<Filter> {
    let attributes = [attribute("amount", AttributeKind::Number), attribute("vip", AttributeKind::Boolean)];
    let reader = Reader { me: MemberId(7), now: Millis(1_000_000), attributes: &attributes, is_kept };
    reader.read(given, "/filter")
}

fn condition(field: &str, operator: &str, value: Value) -> Value {
    json!({"field": field, "operator": operator, "value": value})
}

#[test]
fn what_fits_is_read() {
    for given in [
        condition("status", "equals", json!("open")),
        condition("status", "one_of", json!(["open", "closed"])),
        condition("agent_id", "equals", json!("me")),
        condition("group_id", "not_equals", json!("12")),
        condition("subject", "contains", json!("100%_")),
        condition("tags", "one_of", json!(["vip"])),
        condition("created_at", "greater_than", json!("2026-01-01T00:00:00Z")),
        condition("waiting_since", "less_than", json!({"seconds_ago": 259_200})),
        condition("attributes.amount", "less_than", json!(-5.25)),
        condition("attributes.vip", "equals", json!(true)),
        json!({"field": "closed_at", "operator": "is_set"}),
        json!({"not": {"all": [{"any": [{"not": condition("msg_count", "equals", json!(3))}]}]}}),
    ] {
        assert!(read(&given, false).is_ok(), "{given}");
    }
    let ago = read(&condition("waiting_since", "less_than", json!({"seconds_ago": 60})), false).unwrap();
    let wanted = Test::LessThan(Cell::Number(940_000));
    assert!(matches!(&ago, Filter::Condition(_, test) if *test == wanted), "{ago:?}");
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let one = || condition("status", "equals", json!("open"));
    let deep = (0..FILTER_DEPTH_MAX + 1).fold(one(), |inner, _| json!({"not": inner}));
    let wide = json!({"any": [{"all": vec![one(); 11]}, {"all": vec![one(); 10]}]});
    for (given, pointer) in [
        (json!(null), "/filter"),
        (json!([]), "/filter"),
        (json!({}), "/filter"),
        (json!({"all": [], "any": []}), "/filter"),
        (json!({"none": []}), "/filter"),
        (json!({"all": []}), "/filter/all"),
        (json!({"all": one()}), "/filter/all"),
        (json!({"all": [one(), 5]}), "/filter/all/1"),
        (deep, "/filter/not/not/not/not"),
        (wide, "/filter/any/1/all/9"),
        (json!({"all": vec![one(); 21]}), "/filter/all"),
        (json!({"field": "status", "operator": "equals", "value": "open", "more": 1}), "/filter"),
        (json!({"field": "status", "operator": "equals"}), "/filter/value"),
        (json!({"field": 5, "operator": "equals", "value": 1}), "/filter/field"),
        (condition("colour", "equals", json!("red")), "/filter/field"),
        (condition("attributes.colour", "equals", json!("red")), "/filter/field"),
        (condition("attributes.", "is_set", json!(true)), "/filter/field"),
        (condition("status", "like", json!("open")), "/filter/operator"),
        (condition("status", "contains", json!("op")), "/filter/operator"),
        (condition("tags", "equals", json!("vip")), "/filter/operator"),
        (condition("created_at", "equals", json!("2026-01-01T00:00:00Z")), "/filter/operator"),
        (condition("attributes.vip", "less_than", json!(true)), "/filter/operator"),
        (condition("status", "equals", json!("waiting")), "/filter/value"),
        (condition("status", "one_of", json!([])), "/filter/value"),
        (condition("status", "one_of", json!("open")), "/filter/value"),
        (condition("status", "one_of", json!(["open", "x"])), "/filter/value/1"),
        (condition("msg_count", "one_of", json!(vec![1; FILTER_VALUES_MAX + 1])), "/filter/value"),
        (condition("agent_id", "equals", json!(5)), "/filter/value"),
        (condition("agent_id", "equals", json!("x")), "/filter/value"),
        (condition("group_id", "equals", json!("me")), "/filter/value"),
        (condition("subject", "contains", json!("")), "/filter/value"),
        (condition("subject", "contains", json!("x".repeat(FILTER_TEXT_MAX + 1))), "/filter/value"),
        (condition("created_at", "less_than", json!("yesterday")), "/filter/value"),
        (condition("created_at", "less_than", json!({"seconds_ago": -1})), "/filter/value"),
        (condition("created_at", "less_than", json!({"seconds_ago": i64::MAX})), "/filter/value"),
        (condition("attributes.amount", "equals", json!("5")), "/filter/value"),
        (condition("attributes.amount", "equals", json!(0.0001)), "/filter/value"),
        (condition("status", "is_set", json!("yes")), "/filter/value"),
    ] {
        let refused = read(&given, false).unwrap_err();
        assert_eq!(refused.fields[0].pointer, pointer, "{given}");
    }
    let many = condition("msg_count", "one_of", json!(vec![1; FILTER_VALUES_MAX]));
    assert!(read(&json!({"any": vec![many.clone(); 4]}), false).is_ok());
    assert_eq!(
        read(&json!({"any": vec![many; 5]}), false).unwrap_err().fields[0].pointer,
        "/filter/any/4/value"
    );
    let long = json!({"all": [condition("subject", "contains", json!("x".repeat(FILTER_BYTES_MAX)))]});
    assert_eq!(read(&long, true).unwrap_err().fields[0].pointer, "/filter");
}

#[test]
fn a_kept_condition_over_what_is_gone_never_holds() {
    for (given, asks_for_nothing) in [
        (condition("attributes.gone", "equals", json!("x")), false),
        (condition("attributes.gone", "is_set", json!(true)), false),
        (condition("attributes.gone", "is_set", json!(false)), true),
        (condition("attributes.gone", "not_equals", json!("x")), true),
        // Of another kind now.
        (condition("attributes.vip", "contains", json!("x")), false),
    ] {
        assert!(read(&given, false).is_err(), "{given}");
        let is_not = matches!(read(&given, true).unwrap(), Filter::Not(_));
        assert_eq!(is_not, asks_for_nothing, "{given}");
    }
    assert!(read(&condition("colour", "equals", json!("red")), true).is_err());
}
