//! Values of custom attributes: what is taken, and in which form it comes back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::domain::attribute_value::ATTRIBUTE_TEXT_MAX;

fn attribute(key: &str, kind: AttributeKind) -> AttributeRow {
    AttributeRow {
        id: AttributeId(1),
        tenant_id: TenantId(1),
        target: AttributeTarget::Conversation,
        key: key.to_owned(),
        title: String::new(),
        kind,
        choices: r#"["red","Rot"]"#.to_owned(),
        visible_to_customer: false,
        created_at: 0,
        updated_at: 0,
        deleted_at: None,
    }
}

#[test]
fn values_come_back_as_they_were_given() {
    for (kind, given) in [
        (AttributeKind::Text, json!("A-1")),
        (AttributeKind::Number, json!(0)),
        (AttributeKind::Number, json!(-12)),
        (AttributeKind::Number, json!(0.1)),
        (AttributeKind::Number, json!(19.99)),
        (AttributeKind::Number, json!(-0.001)),
        (AttributeKind::Number, json!(999_999_999_999_i64)),
        (AttributeKind::Number, json!(999_999_999_999.999)),
        (AttributeKind::Boolean, json!(false)),
        (AttributeKind::Date, json!("2024-02-29")),
        (AttributeKind::Choice, json!("Rot")),
    ] {
        let attribute = attribute("a", kind);
        let value = attribute.read(&given).unwrap();
        assert_eq!(json!(value), given, "{kind}");
        let row = ConversationAttributeRow::empty(ConversationId(1), &attribute);
        assert_eq!(attribute.value(&row.columns()), None, "{kind}");
        let row = row.with(Some(&value), 7);
        assert_eq!(attribute.value(&row.columns()), Some(value), "{kind}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (kind, given, code) in [
        (AttributeKind::Text, json!(""), "too_short"),
        (AttributeKind::Text, json!(" "), "too_short"),
        (AttributeKind::Text, json!("two\nlines"), "invalid"),
        (AttributeKind::Text, json!(5), "invalid"),
        (AttributeKind::Text, json!("x".repeat(ATTRIBUTE_TEXT_MAX + 1)), "too_long"),
        (AttributeKind::Number, json!("5"), "invalid"),
        (AttributeKind::Number, json!(0.0001), "invalid"),
        (AttributeKind::Number, json!(1.0005), "invalid"),
        (AttributeKind::Number, json!(999_999_999_999.999_5), "out_of_range"),
        (AttributeKind::Number, json!(1_000_000_000_000_i64), "out_of_range"),
        (AttributeKind::Number, json!(-1e300), "out_of_range"),
        (AttributeKind::Number, json!(u64::MAX), "out_of_range"),
        (AttributeKind::Boolean, json!("true"), "invalid"),
        (AttributeKind::Date, json!("2023-02-29"), "invalid"),
        (AttributeKind::Date, json!("2023-2-9"), "invalid"),
        (AttributeKind::Date, json!("1969-12-31"), "invalid"),
        (AttributeKind::Choice, json!("rot"), "invalid"),
        (AttributeKind::Choice, json!(["red"]), "invalid"),
    ] {
        let refused = attribute("a", kind).read(&given).unwrap_err();
        assert_eq!(refused.0, code, "{kind} {given}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let attributes = [attribute("b", AttributeKind::Number), attribute("a", AttributeKind::Text)];
    let given = |value: Value| value.as_object().unwrap().clone();
    let wrong = changes(&attributes, &given(json!({"a": 1, "b": null, "c~/d": 1}))).unwrap_err();
    let pointers: Vec<&str> = wrong.fields.iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(pointers, ["/attributes/a", "/attributes/c~0~1d"]);
    let read = changes(&attributes, &given(json!({"b": 2, "a": null}))).unwrap();
    let read: Vec<_> = read.into_iter().map(|(attribute, value)| (attribute.key.as_str(), value)).collect();
    assert_eq!(read, [("a", None), ("b", Some(AttributeValue::Number(2_000)))]);
    let many: GivenValues = (0..=ATTRIBUTES_MAX).map(|index| (format!("k{index}"), json!(1))).collect();
    assert_eq!(changes(&attributes, &many).unwrap_err().fields[0].pointer, "/attributes");
}

#[test]
fn keys_are_plain_words() {
    for key in ["a", "order_number", "k9"] {
        assert!(is_attribute_key(key), "{key}");
    }
    let long = "a".repeat(ATTRIBUTE_KEY_MAX + 1);
    for key in ["", "9k", "_a", "A", "a-b", "a.b", "straße", long.as_str()] {
        assert!(!is_attribute_key(key), "{key}");
    }
}
