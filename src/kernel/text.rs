//! Rules for text at the edge, the same for every database: what a key is, what a login name is, what no string
//! may hold.

use unicode_normalization::UnicodeNormalization;

/// Longest key (client_msg_id, slug, device, kid), in bytes.
pub const KEY_MAX: usize = 64;

/// Whether the text is a key: 1 to 64 of `A-Z a-z 0-9 . _ : -`. Keys are compared byte by byte on every database,
/// so nothing that a collation could fold or pad is allowed in them.
pub fn is_key(text: &str) -> bool {
    (1..=KEY_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

/// A login name as it is stored and compared: trimmed, lower case, NFC. NFC comes last as well, because the lower
/// case of some characters is not in it; so folding a folded name changes nothing.
pub fn login_name(text: &str) -> String {
    text.trim().nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// Whether the text holds U+0000, which JSON allows and PostgreSQL refuses.
pub fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

/// Whether any string or key inside a JSON value holds U+0000.
pub fn json_has_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => has_nul(text),
        serde_json::Value::Array(items) => items.iter().any(json_has_nul),
        serde_json::Value::Object(fields) => {
            fields.iter().any(|(name, value)| has_nul(name) || json_has_nul(value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_plain_and_short() {
        assert!(is_key("a.B_9:-"));
        assert!(!is_key(""));
        assert!(!is_key("k1 "));
        assert!(!is_key("键"));
        assert!(!is_key(&"k".repeat(65)));
    }

    #[test]
    fn login_names_meet_in_one_form() {
        assert_eq!(login_name("  E\u{301}va "), login_name("éVA"));
        // Whatever a character folds to, alone or before combining marks, folds to itself.
        for one in ('\0'..=char::MAX).filter(|one| one.to_lowercase().next() != Some(*one)) {
            for text in [one.to_string(), format!("a{one}\u{301}"), format!("{one}\u{345}\u{307}")] {
                let folded = login_name(&text);
                assert_eq!(login_name(&folded), folded, "{text:?}");
            }
        }
    }
}
