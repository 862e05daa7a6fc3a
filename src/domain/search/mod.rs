//! Full-text search: how texts are folded, cut into tokens and compared with what somebody looks for. No I/O.
//!
//! Invariant: every token of a query is among the tokens of each text that holds the query's words, so that the index never
//! misses a message; whether a message really holds them is decided by its text alone.

mod fold;
mod objects;
mod query;
mod tokens;

pub use fold::{Folded, fold};
pub use objects::{ObjectType, clauses, number_terms, object_terms};
pub use query::{Query, QueryFault, Range};
pub use tokens::{Beginnings, Term, kind_term, sender_term, term, tokens};

use serde::Deserialize;

use super::attachment::AttachmentContent;
use super::content::{CardContent, TextContent};
use super::entry::EntryKind;
use crate::text_enum;

text_enum! {
    /// The kinds of messages that are searched.
    SearchedKind {
        /// Texts.
        Text = "text",
        /// Cards, by title and text.
        Card = "card",
        /// Pictures, by the name of the file.
        Image = "image",
        /// Files, by their name.
        File = "file",
        /// Voice recordings, by the name of the file.
        Voice = "voice",
        /// Videos, by the name of the file.
        Video = "video",
    }
}

impl SearchedKind {
    /// The kind of the entries.
    pub const fn entry(self) -> EntryKind {
        match self {
            Self::Text => EntryKind::Text,
            Self::Card => EntryKind::Card,
            Self::Image => EntryKind::Image,
            Self::File => EntryKind::File,
            Self::Voice => EntryKind::Voice,
            Self::Video => EntryKind::Video,
        }
    }
}

/// Longest query, in characters.
pub const QUERY_MAX: usize = 200;
/// Most terms by which a query is looked up; the texts decide over the others.
const TERMS_MAX: usize = 32;
/// Most words of a query.
pub const WORDS_MAX: usize = 10;

/// The texts of a message that are searched, each with the JSON pointer to it inside the content. The tenant's own JSON is not
/// searched.
pub fn texts(kind: EntryKind, content: &str) -> Vec<(&'static str, String)> {
    match kind {
        EntryKind::Text => parsed(content, |content: TextContent| vec![("/text", content.text)]),
        EntryKind::Card => parsed(content, |content: CardContent| {
            let mut texts = vec![("/title", content.title)];
            texts.extend(content.text.map(|text| ("/text", text)));
            texts
        }),
        kind if kind.has_attachment() => {
            parsed(content, |content: AttachmentContent| vec![("/name", content.name)])
        }
        _ => Vec::new(),
    }
}

/// What a recalled message says is `{}`, which holds no text.
fn parsed<'a, T: Deserialize<'a>, R: Default>(content: &'a str, texts: impl FnOnce(T) -> R) -> R {
    serde_json::from_str(content).map(texts).unwrap_or_default()
}
