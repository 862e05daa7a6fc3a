//! The folded form of a text, in which letters that look alike are alike, and the way back to the original.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::kernel::text::is_invisible;

/// A text in NFKC and lower case, without invisible characters. Each character knows which part of the original it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// The characters.
    pub chars: Vec<char>,
    /// For each of them the part of the original that it came from, in UTF-16 units: where it begins and where it ends.
    pub places: Vec<(u32, u32)>,
}

/// Folds a text. It is done by pieces of one character and the marks on it, since only these can be joined by NFKC (UAX 15).
pub fn fold(text: &str) -> Folded {
    let mut folded = Folded::default();
    let mut chars = text.chars().peekable();
    let (mut piece, mut begin) = (String::new(), 0);
    while let Some(first) = chars.next() {
        piece.clear();
        piece.push(first);
        while let Some(next) = chars.next_if(|next| continues(*next)) {
            piece.push(next);
        }
        let units: usize = piece.chars().map(char::len_utf16).sum();
        let end = begin + u32::try_from(units).unwrap_or(u32::MAX);
        for one in piece.chars().filter(|one| !is_invisible(*one)).nfkc().flat_map(char::to_lowercase) {
            folded.chars.push(one);
            folded.places.push((begin, end));
        }
        begin = end;
    }
    folded
}

/// Whether a character belongs to the one before it: marks, and the vowels and finals of Hangul syllables.
fn continues(one: char) -> bool {
    is_combining_mark(one) || matches!(one, '\u{1160}'..='\u{11ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        fold(text).chars.into_iter().collect()
    }

    #[test]
    fn what_looks_alike_is_alike() {
        assert_eq!(folded("Ｈｅｌｌｏ ＷＯＲＬＤ１２"), "hello world12");
        assert_eq!(folded("Cafe\u{301}"), folded("CAFÉ"));
        assert_eq!(folded("\u{1112}\u{1161}\u{11ab}"), "한");
        assert_eq!(folded("ﬁne Ⅳ ㍿"), "fine iv 株式会社");
        assert_eq!(folded("dis\u{200b}count\u{ad}ed\u{fe0f}"), "discounted");
        assert_eq!(folded(""), "");
    }

    #[test]
    fn every_character_knows_its_place() {
        let folded = fold("😀ﬁ e\u{301}");
        assert_eq!(folded.chars, ['😀', 'f', 'i', ' ', 'é']);
        assert_eq!(folded.places, [(0, 2), (2, 3), (2, 3), (3, 4), (4, 6)]);
    }
}
