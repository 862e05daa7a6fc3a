//! Rules for text at the edge, the same for every database: what a key is, what a login name is, what no string
//! may hold, and when a text says nothing.

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

/// Longest tag of a language, in characters (RFC 5646, 4.4.1).
pub const LOCALE_MAX: usize = 35;

/// The tag of a language, script and region in its usual form (RFC 5646, 2.1.1), such as `zh-CN` or `zh-Hant`, without the
/// extensions that browsers may add; `None` when the text is none. WeChat and POSIX write `zh_CN`, which is taken too.
pub fn locale(text: &str) -> Option<String> {
    if text.len() > LOCALE_MAX {
        return None;
    }
    text.replace('_', "-").parse::<icu_locale_core::Locale>().ok().map(|locale| locale.id.to_string())
}

/// The tag itself and what it is a case of, the nearest first: `zh-Hant-TW`, `zh-Hant`, `zh` (RFC 4647, 3.4).
pub fn locales_of(tag: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(tag), |tag| tag.rsplit_once('-').map(|(rest, _)| rest))
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

/// Whether a text shows nothing: it is empty or holds only white space and invisible characters.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|one| one.is_whitespace() || one.is_control() || is_invisible(one))
}

/// What is wrong with the characters of a one-line text; `None` when nothing is. Line ends and other control
/// characters forge lines, direction marks turn around what stands beside the text.
pub fn line_fault(text: &str) -> Option<&'static str> {
    if text.chars().any(|one| one.is_control() || matches!(one, '\u{2028}' | '\u{2029}')) {
        return Some("control characters are not allowed");
    }
    if text.chars().any(turns_direction) {
        return Some("characters that change the direction of text are not allowed");
    }
    (!text.is_empty() && is_blank(text)).then_some("the text holds only invisible characters")
}

/// Whether the character overrides or embeds a direction of writing.
fn turns_direction(one: char) -> bool {
    matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether the character has no shape of its own: the format characters of Unicode and what is drawn as nothing.
pub fn is_invisible(one: char) -> bool {
    matches!(
        one,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
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
    fn tags_of_languages_have_one_form() {
        for (text, tag) in [
            ("zh-cn", "zh-CN"),
            ("zh_CN", "zh-CN"),
            ("ZH-hant-tw", "zh-Hant-TW"),
            ("en", "en"),
            ("de-AT-u-co-phonebk", "de-AT"),
        ] {
            assert_eq!(locale(text).as_deref(), Some(tag));
        }
        for text in ["", "Chinese", "z", "zh CN", "zh-", "中文", &"a-".repeat(20)] {
            assert_eq!(locale(text), None, "{text:?}");
        }
        assert_eq!(locales_of("zh-Hant-TW").collect::<Vec<_>>(), ["zh-Hant-TW", "zh-Hant", "zh"]);
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

    #[test]
    fn a_text_that_shows_nothing_is_blank() {
        for blank in
            ["", " \n", "\u{200b}", "\u{202e}\u{200d}", "\u{3164}", "\u{2800} \u{feff}", "\u{7}", "\u{fe0f}"]
        {
            assert!(is_blank(blank), "{blank:?}");
        }
        for seen in ["a", "。", "👩\u{200d}💻", "\u{200f}ש"] {
            assert!(!is_blank(seen), "{seen:?}");
        }
    }

    #[test]
    fn one_line_is_one_line() {
        for good in ["", "Eva", "👩\u{200d}💻", "می\u{200c}خواهم"] {
            assert_eq!(line_fault(good), None, "{good:?}");
        }
        for bad in ["a\nb", "a\u{202e}b", "\u{200b}", "a\u{2028}b", "\u{1b}[31m", "  "] {
            assert!(line_fault(bad).is_some(), "{bad:?}");
        }
    }
}
