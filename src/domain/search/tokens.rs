//! Tokens: what a text is found by. Scripts that are written without spaces are cut into pairs of characters, words into their
//! beginnings, so that the beginning of a word finds it.

use sha2::{Digest, Sha256};

use crate::domain::entry::EntryKind;
use crate::kernel::{MemberId, TenantId};

/// The lengths of the beginnings by which a word is found, in characters.
const BEGINNINGS: [usize; 6] = [2, 3, 4, 5, 8, 12];

/// Digits of a telephone number by which it is found.
pub const DIGITS: usize = 4;

/// What a token is called in the index: 63 bits of a hash. Two tokens may share one; the text of a message decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub i64);

/// What a character is to a reader of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Between words.
    Gap,
    /// In a word.
    Letter,
    /// Of a script without spaces between words.
    Dense,
}

/// The class of a folded character.
pub fn class(one: char) -> Class {
    let is_mark = unicode_normalization::char::is_combining_mark(one);
    match one.is_alphanumeric() || is_mark {
        false => Class::Gap,
        true if is_dense(one) => Class::Dense,
        true => Class::Letter,
    }
}

/// Han, kana, bopomofo, Hangul, and the scripts of Thailand, Laos, Myanmar and Cambodia.
fn is_dense(one: char) -> bool {
    matches!(
        one,
        '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1100}'..='\u{11ff}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{2e80}'..='\u{2fdf}'
            | '\u{3005}'..='\u{318f}'
            | '\u{31a0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{a960}'..='\u{a97f}'
            | '\u{ac00}'..='\u{d7ff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

/// Whether a word may be a part of a telephone number.
pub fn is_number(word: &[char]) -> bool {
    word.len() >= DIGITS && word.iter().all(char::is_ascii_digit)
}

/// Which beginnings of words become tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginnings {
    /// All, of a text that is to be found.
    All,
    /// The longest, of what is looked for: whoever has it has the shorter ones.
    Longest,
}

/// Hands each token of folded characters to `found`, a token that stands there twice also twice.
pub fn tokens<'a>(chars: &'a [char], beginnings: Beginnings, mut found: impl FnMut(&'a [char])) {
    let same = |a: &char, b: &char| class(*a) == class(*b);
    let (mut at, mut before) = (0, Class::Gap);
    for part in chars.chunk_by(same) {
        let kind = part.first().map_or(Class::Gap, |one| class(*one));
        if at > 0 && kind != Class::Gap && before != Class::Gap {
            // Where scripts meet, as in `T恤`, the two characters at the seam are a pair as well.
            found(&chars[at - 1..=at]);
        }
        match kind {
            Class::Gap => {}
            Class::Dense => part.windows(2).for_each(&mut found),
            Class::Letter => {
                let lengths = BEGINNINGS.iter().filter(|length| **length <= part.len());
                match beginnings {
                    Beginnings::All => lengths.for_each(|length| found(&part[..*length])),
                    Beginnings::Longest => {
                        lengths.max().into_iter().for_each(|length| found(&part[..*length]))
                    }
                }
            }
        }
        (at, before) = (at + part.len(), kind);
    }
}

/// The term of a token of a tenant.
pub fn term(tenant: TenantId, token: &[char]) -> Term {
    hashed(tenant, |digest| {
        let mut bytes = [0; 4];
        token.iter().for_each(|one| digest.update(one.encode_utf8(&mut bytes).as_bytes()));
    })
}

/// The term by which messages of a sender are found. No token of a text holds `@`.
pub fn sender_term(tenant: TenantId, sender: MemberId) -> Term {
    hashed(tenant, |digest| digest.update(format!("@{sender}")))
}

/// The term by which messages of a kind are found. No token of a text holds `#`. Texts, which most are, have none.
pub fn kind_term(tenant: TenantId, kind: EntryKind) -> Option<Term> {
    let has_one = kind.is_message() && kind != EntryKind::Text;
    has_one.then(|| hashed(tenant, |digest| digest.update(format!("#{kind}"))))
}

fn hashed(tenant: TenantId, token: impl FnOnce(&mut Sha256)) -> Term {
    let mut digest = Sha256::new();
    digest.update(tenant.0.to_be_bytes());
    token(&mut digest);
    let mut first = [0; 8];
    first.copy_from_slice(&digest.finalize()[..8]);
    Term(i64::from_be_bytes(first) & i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::fold;
    use super::*;

    fn all(text: &str, beginnings: Beginnings) -> Vec<String> {
        let folded = fold(text);
        let mut found = Vec::new();
        tokens(&folded.chars, beginnings, |token| found.push(token.iter().collect()));
        found
    }

    #[test]
    fn texts_are_cut_into_pairs_and_beginnings() {
        assert_eq!(all("我的快递，到了", Beginnings::All), ["我的", "的快", "快递", "到了"]);
        assert_eq!(all("Parcels, a", Beginnings::All), ["pa", "par", "parc", "parce"]);
        assert_eq!(all("parcels a", Beginnings::Longest), ["parce"]);
        assert_eq!(all("T恤 A股3月", Beginnings::All), ["t恤", "a股", "股3", "3月"]);
        assert_eq!(all("iPhone手机", Beginnings::Longest), ["iphon", "e手", "手机"]);
        assert_eq!(all("好 , 😀 !", Beginnings::All), [""; 0]);
        assert_eq!(all("हिन्दी", Beginnings::Longest), ["हिन्दी".chars().take(5).collect::<String>()]);
    }

    #[test]
    fn terms_are_of_their_tenant_and_never_negative() {
        let token = ['h', 'i'];
        assert_eq!(term(TenantId(1), &token), term(TenantId(1), &token));
        assert_ne!(term(TenantId(1), &token), term(TenantId(2), &token));
        assert!((0..1_000).all(|tenant| term(TenantId(tenant), &token).0 >= 0));
        assert_eq!(kind_term(TenantId(1), EntryKind::Text), None);
    }
}
