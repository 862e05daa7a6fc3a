//! What accounts and conversations are found by: short texts, and telephone numbers by any four digits.

use super::query::Query;
use super::tokens::{Beginnings, DIGITS, Term, is_number, term, tokens};
use super::{TERMS_MAX, fold};
use crate::kernel::TenantId;

/// What is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectType {
    /// An account.
    Member,
    /// A conversation.
    Conversation,
}

impl ObjectType {
    /// The number in `search_term.object_type`.
    pub const fn number(self) -> i16 {
        match self {
            Self::Member => 1,
            Self::Conversation => 2,
        }
    }
}

/// The terms of these texts.
pub fn object_terms<'a>(tenant: TenantId, texts: impl IntoIterator<Item = &'a str>) -> Vec<Term> {
    let mut terms = Vec::new();
    for text in texts {
        tokens(&fold(text).chars, Beginnings::All, |token| terms.push(term(tenant, token)));
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// The terms of a telephone number: whoever knows four or more digits of it that stand together finds it, with or without the
/// code of the country.
pub fn number_terms(tenant: TenantId, number: &str) -> Vec<Term> {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    digits.windows(DIGITS).map(|part| number_term(tenant, part)).collect()
}

/// No token of a text holds `~`.
fn number_term(tenant: TenantId, digits: &[char]) -> Term {
    term(tenant, &[&['~'], digits].concat())
}

/// What an object must have that holds the words: one of the terms of each clause.
pub fn clauses(tenant: TenantId, query: &Query) -> Vec<Vec<Term>> {
    let mut clauses = Vec::new();
    for word in &query.words {
        if is_number(word) {
            let mut either = vec![number_term(tenant, &word[..DIGITS])];
            tokens(word, Beginnings::Longest, |token| either.push(term(tenant, token)));
            clauses.push(either);
        } else {
            tokens(word, Beginnings::Longest, |token| clauses.push(vec![term(tenant, token)]));
        }
    }
    clauses.truncate(TERMS_MAX);
    clauses
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(1);

    /// Whether an account with these texts and this number is proposed, and whether it is found.
    fn found(query: &str, texts: &[&str], number: &str) -> (bool, bool) {
        let query = Query::parse(query).unwrap();
        let mut terms = object_terms(TENANT, texts.iter().copied());
        terms.extend(number_terms(TENANT, number));
        let proposed = clauses(TENANT, &query);
        assert!(!proposed.is_empty());
        let proposed = proposed.iter().all(|clause| clause.iter().any(|term| terms.contains(term)));
        let folded: Vec<_> = texts.iter().map(|text| fold(text)).collect();
        (proposed, query.holds(&folded, number))
    }

    #[test]
    fn accounts_are_found_by_names_addresses_and_numbers() {
        let texts = ["Jo Li 李雷", "jo@shop.example", "customer-17"];
        for query in [
            "jo",
            "LI",
            "李雷",
            "jo@shop.example",
            "shop",
            "customer",
            "8000",
            "13800138000",
            "8613",
            "0138",
            "jo 8000",
        ] {
            assert_eq!(found(query, &texts, "+86 138 0013 8000"), (true, true), "{query}");
        }
        for query in ["雷李", "op.example2", "80001", "9000", "13800139000"] {
            assert!(!found(query, &texts, "+86 138 0013 8000").1, "{query}");
        }
        assert_eq!(found("1001", &["Order 1001"], ""), (true, true), "a number that is a word");
        assert!(!found("800", &["x8"], "8000").1, "three digits are too few");
    }
}
