//! One pass over JSON text for what the parser would let pass: nesting beyond measure, names that are there twice,
//! numbers that would lose digits, and U+0000. Text that is no JSON passes here; the parser refuses it.

use std::borrow::Cow;

use super::escape;

/// Deepest nesting of a body or frame: common clients cannot read what goes far beyond.
pub const DEPTH_MAX: usize = 32;
/// Significant digits that a number with a fraction or exponent keeps.
const DIGITS_MAX: usize = 17;

/// What is wrong and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer to it.
    pub pointer: String,
    /// What is wrong, for people.
    pub detail: &'static str,
}

#[derive(Clone, Copy)]
enum Frame {
    List { index: usize },
    Object { first_key: usize, expects_key: bool },
}

struct Scan<'a> {
    bytes: &'a [u8],
    frames: Vec<Frame>,
    /// The names of all open objects, the innermost object's last.
    keys: Vec<Cow<'a, [u8]>>,
}

/// Looks for the first fault.
pub fn fault(bytes: &[u8]) -> Option<Fault> {
    Scan { bytes, frames: Vec::new(), keys: Vec::new() }.run()
}

impl<'a> Scan<'a> {
    fn run(mut self) -> Option<Fault> {
        let mut at = 0;
        while let Some(&byte) = self.bytes.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => {
                    if self.frames.len() >= DEPTH_MAX {
                        return Some(self.fault("nested more than 32 deep"));
                    }
                    self.frames.push(match byte {
                        b'[' => Frame::List { index: 0 },
                        _ => Frame::Object { first_key: self.keys.len(), expects_key: true },
                    });
                }
                b'}' | b']' => {
                    if let Some(Frame::Object { first_key, .. }) = self.frames.pop() {
                        let name = twice(self.keys.get(first_key..).unwrap_or_default());
                        self.keys.truncate(first_key);
                        if let Some(name) = name {
                            let pointer = format!("{}/{}", self.pointer(), escape(&name));
                            return Some(Fault { pointer, detail: "the field is there twice" });
                        }
                    }
                }
                b',' => match self.frames.last_mut() {
                    Some(Frame::List { index }) => *index += 1,
                    Some(Frame::Object { expects_key, .. }) => *expects_key = true,
                    None => {}
                },
                b':' => {
                    if let Some(Frame::Object { expects_key, .. }) = self.frames.last_mut() {
                        *expects_key = false;
                    }
                }
                b'"' => {
                    let (end, escaped, nul) = string_end(self.bytes, at);
                    if nul {
                        return Some(self.fault("text must not hold U+0000"));
                    }
                    if let Some(Frame::Object { expects_key: true, .. }) = self.frames.last() {
                        let raw = self.bytes.get(at..end).unwrap_or_default();
                        self.keys.push(if escaped { unescape(raw) } else { Cow::Borrowed(raw) });
                    }
                    at = end + 1;
                }
                b'-' | b'0'..=b'9' => {
                    let rest = self.bytes.get(at..).unwrap_or_default();
                    let belongs = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                    let length = rest.iter().take_while(|byte| belongs(byte)).count();
                    if let Some(detail) =
                        number_fault(self.bytes.get(at - 1..at + length).unwrap_or_default())
                    {
                        return Some(self.fault(detail));
                    }
                    at += length;
                }
                _ => {}
            }
        }
        None
    }

    fn fault(&self, detail: &'static str) -> Fault {
        Fault { pointer: self.pointer(), detail }
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for (depth, frame) in self.frames.iter().enumerate() {
            match *frame {
                Frame::List { index } => pointer.push_str(&format!("/{index}")),
                Frame::Object { first_key, expects_key } => {
                    let mut after = self.frames.iter().skip(depth + 1);
                    let next = after.find_map(|frame| match frame {
                        Frame::Object { first_key, .. } => Some(*first_key),
                        Frame::List { .. } => None,
                    });
                    let last = next.unwrap_or(self.keys.len());
                    let name = self.keys.get(first_key..last).and_then(<[_]>::last);
                    if let Some(name) = name.filter(|_| !expects_key) {
                        pointer.push('/');
                        pointer.push_str(&escape(&String::from_utf8_lossy(name)));
                    }
                }
            }
        }
        pointer
    }
}

/// Where a string that begins at `at` ends, whether it holds escapes, and whether one of them is U+0000.
fn string_end(bytes: &[u8], mut at: usize) -> (usize, bool, bool) {
    let mut escaped = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => break,
            b'\\' => {
                escaped = true;
                if bytes.get(at + 1..at + 6) == Some(b"u0000") {
                    return (at, true, true);
                }
                at += 2;
            }
            _ => at += 1,
        }
    }
    (at.min(bytes.len()), escaped, false)
}

fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let quoted = [b"\"", raw, b"\""].concat();
    match serde_json::from_slice::<String>(&quoted) {
        Ok(text) => Cow::Owned(text.into_bytes()),
        Err(_) => Cow::Borrowed(raw),
    }
}

fn twice(keys: &[Cow<'_, [u8]>]) -> Option<String> {
    let found = if keys.len() <= 8 {
        keys.iter()
            .enumerate()
            .find(|(index, key)| keys.iter().take(*index).any(|other| other == *key))
            .map(|one| one.1)
    } else {
        let mut sorted: Vec<_> = keys.iter().collect();
        sorted.sort_unstable();
        sorted.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first().copied())
    };
    found.map(|key| String::from_utf8_lossy(key).into_owned())
}

fn number_fault(text: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    if !text.contains(['.', 'e', 'E']) {
        let fits = text.len() < 19 || text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
        return (!fits).then_some("a whole number beyond 64 bits would lose digits: send it as a string");
    }
    let significand = text.split(['e', 'E']).next().unwrap_or_default();
    let digits = significand.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
    if digits > DIGITS_MAX {
        return Some("a number with more than 17 digits would lose some: send it as a string");
    }
    text.parse::<f64>().is_ok_and(f64::is_infinite).then_some("the number is too large: send it as a string")
}

#[cfg(test)]
mod tests {
    use super::fault;

    fn pointer(text: &str) -> Option<String> {
        fault(text.as_bytes()).map(|fault| fault.pointer)
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(pointer(&nested(32)), None);
        assert!(pointer(&nested(33)).is_some());
        assert!(pointer(&"{\"a\":".repeat(40)).is_some());
        assert_eq!(pointer(&format!("[{}]", vec!["[[]]"; 100].join(","))), None, "siblings are not depth");
    }

    #[test]
    fn names_that_are_there_twice_are_found_whatever_they_are_written_like() {
        assert_eq!(pointer(r#"{"a":1,"b":{"a":1}}"#), None);
        assert_eq!(pointer(r#"{"a":1,"a":2}"#).as_deref(), Some("/a"));
        assert_eq!(pointer(r#"{"x":[{},{"a":1,"\u0061":2}]}"#).as_deref(), Some("/x/1/a"));
        assert_eq!(pointer(r#"{"b":{"c":{"a":1,"a":2}}}"#).as_deref(), Some("/b/c/a"));
        let many: Vec<String> = (0..20).map(|index| format!("\"k{index}\":0")).collect();
        assert_eq!(pointer(&format!("{{{}}}", many.join(","))), None);
        assert_eq!(pointer(&format!("{{{},\"k7\":1}}", many.join(","))).as_deref(), Some("/k7"));
        assert_eq!(pointer(r#"{"a":"{\"b\":1,\"b\":2}"}"#), None, "text is not looked into");
    }

    #[test]
    fn numbers_that_would_lose_digits_are_found() {
        for good in [
            "0",
            "-1",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "1e300",
            "-0.00012345678901234567",
        ] {
            assert_eq!(pointer(good), None, "{good}");
        }
        for bad in ["18446744073709551616", "-9223372036854775809", "1e999", "0.123456789012345678"] {
            assert_eq!(pointer(&format!("{{\"data\":[0,{bad}]}}")).as_deref(), Some("/data/1"), "{bad}");
        }
    }

    #[test]
    fn nul_is_found_and_its_look_alike_is_not() {
        assert_eq!(pointer(r#"{"a":{"b":"x\u0000"}}"#).as_deref(), Some("/a/b"));
        assert_eq!(pointer(r#"{"a":"\\u0000"}"#), None);
        assert_eq!(pointer(r#"{"a\u0000":1}"#).as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_json_passes() {
        for text in ["", "}", "]]", "\"", "\"\\", "{\"a\"", ",,:", "[1,", "-"] {
            assert_eq!(pointer(text), None, "{text}");
        }
    }
}
