//! What somebody looks for: words that a message must hold, all of them, in any order.

use super::fold::{Folded, fold};
use super::tokens::{Beginnings, Class, Term, class, is_number, term, tokens};
use super::{QUERY_MAX, TERMS_MAX, WORDS_MAX};
use crate::kernel::TenantId;

/// Most places that are told of one text.
const RANGES_MAX: usize = 100;

/// A part of a text in UTF-16 units, as JavaScript counts: from `start`, up to and without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Range {
    /// Its first unit, from 0.
    pub start: u32,
    /// Behind its last unit.
    pub end: u32,
}

/// Why a text cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryFault {
    /// It is longer than [`QUERY_MAX`].
    TooLong,
    /// It has more words than [`WORDS_MAX`].
    TooManyWords,
    /// No word has two letters, digits or characters.
    TooShort,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(super) words: Vec<Vec<char>>,
}

impl Query {
    /// Cuts what was typed into words: runs of letters, digits and characters without spaces.
    pub fn parse(text: &str) -> Result<Self, QueryFault> {
        if text.chars().count() > QUERY_MAX {
            return Err(QueryFault::TooLong);
        }
        let folded = fold(text);
        let mut words: Vec<Vec<char>> = Vec::new();
        for word in folded.chars.split(|one| class(*one) == Class::Gap).filter(|word| !word.is_empty()) {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_vec());
            }
        }
        if words.len() > WORDS_MAX {
            return Err(QueryFault::TooManyWords);
        }
        if words.iter().all(|word| word.len() < 2) {
            return Err(QueryFault::TooShort);
        }
        Ok(Self { words })
    }

    /// Terms that every message has which holds the words: at least one, and enough of them.
    pub fn terms(&self, tenant: TenantId) -> Vec<Term> {
        let mut terms = Vec::new();
        for word in &self.words {
            tokens(word, Beginnings::Longest, |token| terms.push(term(tenant, token)));
        }
        terms.sort_unstable();
        terms.dedup();
        // In the order of their hashes, which is none.
        terms.truncate(TERMS_MAX);
        terms
    }

    /// Where the words stand in the texts of a message, for each text in order and without overlaps; `None` when a word is
    /// in none of them. A word that begins with a letter or digit must stand at the beginning of one.
    pub fn find(&self, texts: &[Folded]) -> Option<Vec<Vec<Range>>> {
        let mut places = vec![Vec::new(); texts.len()];
        for word in &self.words {
            let mut is_there = false;
            for (text, places) in texts.iter().zip(&mut places) {
                let before = places.len();
                places.extend(occurrences(text, word).take(RANGES_MAX));
                is_there |= places.len() > before;
            }
            if !is_there {
                return None;
            }
        }
        Some(places.into_iter().map(joined).collect())
    }
}

impl Query {
    /// Whether every word stands in one of the texts or, when it is a part of a number, in the digits of the number.
    pub fn holds(&self, texts: &[Folded], number: &str) -> bool {
        let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
        self.words.iter().all(|word| {
            let in_number = is_number(word) && digits.windows(word.len()).any(|part| part == word);
            in_number || texts.iter().any(|text| occurrences(text, word).next().is_some())
        })
    }
}

fn occurrences<'a>(text: &'a Folded, word: &'a [char]) -> impl Iterator<Item = Range> + 'a {
    let needs_start = word.first().is_some_and(|one| class(*one) == Class::Letter);
    let chars = &text.chars;
    chars.windows(word.len().max(1)).enumerate().filter_map(move |(at, part)| {
        let is_inside = needs_start && at > 0 && class(chars[at - 1]) == Class::Letter;
        let found = part == word && !is_inside;
        found.then(|| Range { start: text.places[at].0, end: text.places[at + word.len() - 1].1 })
    })
}

/// Ranges in order, those that touch or overlap as one.
fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined.truncate(RANGES_MAX);
    joined
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(query: &str, text: &str) -> Option<Vec<(u32, u32)>> {
        let places = Query::parse(query).unwrap().find(&[fold(text)])?;
        Some(places[0].iter().map(|range| (range.start, range.end)).collect())
    }

    #[test]
    fn words_are_found_where_they_stand() {
        assert_eq!(found("快递", "我的快递，快递到了"), Some(vec![(2, 4), (5, 7)]));
        assert_eq!(found("到了快", "我的快递，快递到了"), None, "characters stand together");
        assert_eq!(found("PAR", "a parcel, spare parts"), Some(vec![(2, 5), (16, 19)]));
        assert_eq!(found("parts", "spareparts"), None, "not inside a word");
        assert_eq!(found("t恤", "红色T恤衫"), Some(vec![(2, 4)]));
        assert_eq!(found("parts 红色", "红色 parts"), Some(vec![(0, 2), (3, 8)]), "in any order");
        assert_eq!(found("ab bc", "abc bcd"), Some(vec![(0, 2), (4, 6)]));
        assert_eq!(found("fine", "😀 ﬁne"), Some(vec![(3, 6)]), "units of UTF-16");
        assert_eq!(found("递到", "快递到"), Some(vec![(1, 3)]));
        assert_eq!(found("快递 递到", "快递到"), Some(vec![(0, 3)]), "what overlaps is one");
    }

    #[test]
    fn what_cannot_be_looked_for_is_told() {
        let fault = |text: &str| Query::parse(text).unwrap_err();
        assert_eq!(fault(&"a".repeat(QUERY_MAX + 1)), QueryFault::TooLong);
        assert_eq!(fault("aa bb cc dd ee ff gg hh ii jj kk"), QueryFault::TooManyWords);
        for text in ["", " ", "a", "好", "a 好 !", "😀😀", "...", "\u{200b}\u{200b}"] {
            assert_eq!(fault(text), QueryFault::TooShort, "{text:?}");
        }
        assert!(Query::parse("aa aa aa aa aa aa aa aa aa aa aa aa").is_ok(), "one word");
    }

    proptest! {
        /// The index proposes every message that holds the words.
        #[test]
        fn no_term_of_a_query_is_missing_in_a_text_that_holds_it(
            text in "[ab好T恤1é. -]{0,12}", query in "[ab好T恤1é. -]{1,6}",
        ) {
            let Ok(query) = Query::parse(&query) else { return Ok(()) };
            let folded = fold(&text);
            let mut terms = Vec::new();
            tokens(&folded.chars, Beginnings::All, |token| terms.push(term(TenantId(1), token)));
            if query.find(&[folded]).is_some() {
                prop_assert!(query.terms(TenantId(1)).iter().all(|wanted| terms.contains(wanted)));
            }
            prop_assert!(!query.terms(TenantId(1)).is_empty());
        }
    }
}
