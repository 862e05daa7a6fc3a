//! What may stand in an account's fields. One set of rules for administrators, visitors and identity tokens. No
//! I/O.

use crate::kernel::{Error, FieldError, Result};
use crate::kernel::{text, url};

/// Longest nickname, in characters.
pub const NICKNAME_MAX: usize = 50;
/// Longest avatar address, in characters.
pub const AVATAR_MAX: usize = 500;
/// Longest e-mail address, login name and external id, in characters.
pub const NAME_MAX: usize = 125;
/// Longest mobile number, in characters.
pub const MOBILE_MAX: usize = 32;
/// Most tags or skills of an account.
pub const LABELS_MAX: usize = 20;
/// Longest tag or skill, in characters.
pub const LABEL_MAX: usize = 50;
/// Most conversations that an account may be set to accept at once.
pub const MAX_ACCEPT_MAX: i32 = 1_000;

/// Checks several fields and tells all that are wrong at once.
#[derive(Debug, Default)]
pub struct Checker {
    wrong: Vec<FieldError>,
}

impl Checker {
    /// A one-line text; trimmed.
    pub fn line(&mut self, pointer: &str, text: &str, max: usize) -> String {
        let line = text.trim();
        if line.chars().count() > max {
            self.wrong(pointer, "too_long", format!("at most {max} characters"));
        }
        if let Some(fault) = text::line_fault(line) {
            self.wrong(pointer, "invalid", fault);
        }
        line.to_owned()
    }

    /// A one-line text that is not empty; trimmed.
    pub fn required_line(&mut self, pointer: &str, text: &str, max: usize) -> String {
        let text = self.line(pointer, text, max);
        if text.is_empty() {
            self.wrong(pointer, "too_short", "must not be empty");
        }
        text
    }

    /// The address of a picture, or nothing. Others' clients load it, so it is checked like every link.
    pub fn avatar(&mut self, pointer: &str, text: &str) -> String {
        let line = text.trim();
        if line.chars().count() > AVATAR_MAX {
            self.wrong(pointer, "too_long", format!("at most {AVATAR_MAX} characters"));
        }
        if !line.is_empty()
            && let Some(fault) = url::fault(line)
        {
            self.wrong(pointer, "invalid", fault);
        }
        line.to_owned()
    }

    /// An e-mail address, or nothing; lower case, so that it is found again.
    pub fn email(&mut self, pointer: &str, text: &str) -> String {
        let text = text::login_name(&self.line(pointer, text, NAME_MAX));
        let parts = text.split_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty());
        if !text.is_empty() && (parts.is_none() || text.contains(char::is_whitespace)) {
            self.wrong(pointer, "invalid", "expected an e-mail address");
        }
        text
    }

    /// A mobile number, or nothing.
    pub fn mobile(&mut self, pointer: &str, text: &str) -> String {
        let text = self.line(pointer, text, MOBILE_MAX);
        if !text.chars().all(|one| one.is_ascii_digit() || "+-() ".contains(one)) {
            self.wrong(pointer, "invalid", "expected digits, spaces and + - ( )");
        }
        text
    }

    /// The tag of a language, or nothing.
    pub fn locale(&mut self, pointer: &str, text: &str) -> String {
        let text = text.trim();
        text::locale(text).unwrap_or_else(|| {
            if !text.is_empty() {
                self.wrong(pointer, "invalid", "expected the tag of a language, such as zh-CN");
            }
            String::new()
        })
    }

    /// A login name in the form in which it is stored and compared.
    pub fn login_name(&mut self, pointer: &str, text: &str) -> String {
        self.required_line(pointer, &text::login_name(text), NAME_MAX)
    }

    /// Tags or skills: short, not empty, each once.
    pub fn labels(&mut self, pointer: &str, labels: &[String]) -> Vec<String> {
        if labels.len() > LABELS_MAX {
            self.wrong(pointer, "too_long", format!("at most {LABELS_MAX}"));
        }
        let mut kept: Vec<String> = Vec::new();
        for (index, label) in labels.iter().take(LABELS_MAX).enumerate() {
            let label = self.required_line(&format!("{pointer}/{index}"), label, LABEL_MAX);
            if !kept.contains(&label) {
                kept.push(label);
            }
        }
        kept
    }

    /// How many conversations at once.
    pub fn max_accept(&mut self, pointer: &str, count: i32) -> i32 {
        if !(0..=MAX_ACCEPT_MAX).contains(&count) {
            self.wrong(pointer, "out_of_range", format!("0 to {MAX_ACCEPT_MAX}"));
        }
        count
    }

    /// Notes a wrong field.
    pub fn wrong(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        self.wrong.push(FieldError { pointer: pointer.to_owned(), code: code.into(), detail: detail.into() });
    }

    /// Notes what is wrong with something that stands at this place.
    pub fn inside(&mut self, at: &str, inner: Self) {
        let moved = |field: FieldError| FieldError { pointer: format!("{at}{}", field.pointer), ..field };
        self.wrong.extend(inner.wrong.into_iter().map(moved));
    }

    /// Fails when anything was wrong.
    pub fn finish(self) -> Result<()> {
        let Some(first) = self.wrong.first() else { return Ok(()) };
        let mut error = Error::new(crate::kernel::Code::ValidationFailed, first.detail.clone());
        error.fields = self.wrong;
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_fields_are_told_together_and_right_ones_are_put_in_form() {
        let mut check = Checker::default();
        assert_eq!(check.email("/email", " Eva@Example.COM "), "eva@example.com");
        assert_eq!(check.login_name("/login_name", "  EVA "), "eva");
        assert_eq!(check.mobile("/mobile", "+86 138-0000-0000"), "+86 138-0000-0000");
        assert_eq!(check.labels("/tags", &["vip".to_owned(), " vip ".to_owned()]), ["vip"]);
        check.avatar("/avatar", "javascript:alert(1)");
        check.avatar("/avatar", "https://10.0.0.1/a.png");
        check.line("/nickname", "\u{202e}evil", NICKNAME_MAX);
        check.line("/nickname", "\u{200b}\u{200d}", NICKNAME_MAX);
        check.required_line("/nickname", "  ", NICKNAME_MAX);
        check.line("/nickname", &"昵".repeat(51), NICKNAME_MAX);
        check.line("/nickname", "two\nlines", NICKNAME_MAX);
        check.email("/email", "nobody");
        check.mobile("/mobile", "call me");
        assert_eq!(check.locale("/locale", " zh-hant-tw "), "zh-Hant-TW");
        assert_eq!(check.locale("/locale", ""), "");
        check.locale("/locale", "Chinese (simplified)");
        check.max_accept("/max_accept", -1);
        check.labels("/tags", &vec!["x".to_owned(); 21]);
        let fields = check.finish().err().map(|error| error.fields.len());
        assert_eq!(fields, Some(12));
    }
}
