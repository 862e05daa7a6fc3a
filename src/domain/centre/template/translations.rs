//! What a template says in several languages, and in which of them its receiver is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Content, Fault, Rendered, TRANSLATIONS_MAX, TemplateRow, Variable, VersionRow};
use crate::domain::centre::account::Provider;
use crate::kernel::{Error, Result, text};

/// A content in another language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Translation {
    /// Which language: a tag of BCP 47 in its usual form.
    pub locale: String,
    /// What is said.
    pub content: Content,
}

/// A template's content in all its languages.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// The language of `content`; `None`: not told.
    pub locale: Option<String>,
    /// What is said to whoever reads none of the others.
    pub content: Content,
    /// The same in other languages.
    pub translations: Vec<Translation>,
}

impl Contents {
    /// What is stored of the translations.
    pub fn stored_translations(&self) -> Option<String> {
        let some = !self.translations.is_empty();
        some.then(|| crate::db::types::json_text(&self.translations))
    }

    /// What a provider needs that is not there, in one of the languages; `None`: it can send this.
    pub fn lacks(&self, provider: Provider) -> Option<&'static str> {
        let all = std::iter::once(&self.content).chain(self.translations.iter().map(|one| &one.content));
        all.filter_map(|content| content.lacks(provider)).next()
    }

    /// The translation for whoever reads this language; `None`: the content itself. The nearest that is there is taken, first
    /// the language with script and region, then without (lookup of RFC 4647, 3.4).
    pub fn for_reader(&self, reader: Option<&str>) -> Option<&Translation> {
        for tag in text::locales_of(reader?) {
            if self.locale.as_deref() == Some(tag) {
                return None;
            }
            let found = self.translations.iter().find(|one| one.locale == tag);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Checks all of it before it is saved, as [`Content::check`] does, and that each language is there once, of the same
    /// channel, and only where messages go to persons.
    pub fn check(&self, variables: &[Variable]) -> std::result::Result<(), Fault> {
        self.content.check(variables)?;
        let refused = |detail: &str| Err(Fault::new("/translations", detail));
        if !self.translations.is_empty() && !self.content.channel().has_recipients() {
            return refused("messages of this channel go to no person, who would read another language");
        }
        if self.translations.len() > TRANSLATIONS_MAX {
            return refused(&format!("at most {TRANSLATIONS_MAX}"));
        }
        let mut seen = vec![self.locale.as_deref()];
        for (index, one) in self.translations.iter().enumerate() {
            let pointer = format!("/translations/{index}");
            if one.content.channel() != self.content.channel() {
                let detail = format!("the channel is {}", self.content.channel());
                return Err(Fault::new(format!("{pointer}/{}", one.content.channel()), detail));
            }
            if seen.contains(&Some(one.locale.as_str())) {
                return Err(Fault::new(format!("{pointer}/locale"), "this language is there already"));
            }
            seen.push(Some(one.locale.as_str()));
            let inside = |fault: Fault| match fault.pointer.starts_with("/variables") {
                true => fault,
                false => Fault { pointer: format!("{pointer}{}", fault.pointer), ..fault },
            };
            one.content.check(variables).map_err(inside)?;
        }
        Ok(())
    }

    /// What is sent for this payload to whoever reads this language, and in which language that is.
    pub fn render(
        &self,
        variables: &[Variable],
        payload: &Value,
        reader: Option<&str>,
    ) -> std::result::Result<(Option<String>, Rendered), Fault> {
        match self.for_reader(reader) {
            Some(one) => Ok((Some(one.locale.clone()), one.content.render(variables, payload)?)),
            None => Ok((self.locale.clone(), self.content.render(variables, payload)?)),
        }
    }
}

impl TemplateRow {
    /// The draft, with its variables. Fails when it cannot be read.
    pub fn read(&self) -> Result<(Contents, Vec<Variable>)> {
        read(self.locale.as_ref(), &self.content, self.translations.as_deref(), &self.variables)
    }
}

impl VersionRow {
    /// What was published, with its variables. Fails when it cannot be read.
    pub fn read(&self) -> Result<(Contents, Vec<Variable>)> {
        read(self.locale.as_ref(), &self.content, self.translations.as_deref(), &self.variables)
    }
}

/// A published version, read once for all that is made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The version, from 1.
    pub version: i64,
    /// What it says.
    pub contents: Contents,
    /// What it may name.
    pub variables: Vec<Variable>,
}

impl TryFrom<&VersionRow> for Published {
    type Error = Error;

    fn try_from(row: &VersionRow) -> Result<Self> {
        let (contents, variables) = row.read()?;
        Ok(Self { version: row.version, contents, variables })
    }
}

fn read(
    locale: Option<&String>,
    content: &str,
    translations: Option<&str>,
    variables: &str,
) -> Result<(Contents, Vec<Variable>)> {
    let contents = Contents {
        locale: locale.cloned(),
        content: serde_json::from_str(content).map_err(unreadable)?,
        translations: serde_json::from_str(translations.unwrap_or("[]")).map_err(unreadable)?,
    };
    Ok((contents, serde_json::from_str(variables).map_err(unreadable)?))
}

fn unreadable(cause: serde_json::Error) -> Error {
    Error::internal("a stored template cannot be read").caused_by(cause)
}

/// What a translation says of a payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// In which language.
    pub locale: String,
    /// What it says, or why it can say nothing.
    pub rendered: std::result::Result<Rendered, String>,
}

/// What the readers of one message are told who are not told the template's own content. Each translation is rendered once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Translated {
    /// By the language that a receiver reads.
    of: BTreeMap<String, usize>,
    said: Vec<Said>,
}

impl Translated {
    /// Of a version and a payload, for receivers who read these languages.
    pub fn of<'a>(
        version: Option<&Published>,
        payload: &Value,
        readers: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut translated = Self::default();
        let Some(Published { contents, variables, .. }) = version else { return translated };
        for reader in readers {
            let Some(one) = contents.for_reader(Some(reader)) else { continue };
            if translated.of.contains_key(reader) {
                continue;
            }
            let known = translated.said.iter().position(|said| said.locale == one.locale);
            let index = known.unwrap_or_else(|| {
                let rendered = one.content.render(variables, payload);
                let rendered =
                    rendered.map_err(|fault| format!("{}: {}: {}", one.locale, fault.pointer, fault.detail));
                translated.said.push(Said { locale: one.locale.clone(), rendered });
                translated.said.len() - 1
            });
            translated.of.insert(reader.to_owned(), index);
        }
        translated
    }

    /// What whoever reads this language is told; `None`: the template's own content.
    pub fn for_reader(&self, reader: Option<&str>) -> Option<&Said> {
        self.said.get(*self.of.get(reader?)?)
    }
}
