//! What is played: dialogues, one JSON object a line: `{"id", "lang", "turns": [{"role": "customer" | "agent",
//! "text"}]}`. Owns reading and checking them and the short ones that are built in. Does not own how they are played.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::domain::content::TEXT_MAX;

/// Who speaks a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The visitor.
    Customer,
    /// The tenant's side.
    Agent,
}

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Turn {
    /// By whom.
    pub role: Speaker,
    /// What; 1 to 16,384 bytes.
    pub text: Arc<str>,
}

/// A whole conversation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Dialogue {
    /// Its name in the file.
    pub id: String,
    /// The language, as the file says it; informative.
    #[serde(default)]
    pub lang: String,
    /// What is said, in order; the first turn is the visitor's.
    pub turns: Vec<Turn>,
}

/// The dialogues that are played when no file is given.
const BUILT_IN: &str = include_str!("dialogues.jsonl");

/// Reads the file, or the built-in dialogues without one. The error is a sentence for the terminal and names the
/// line.
pub fn load(file: Option<&Path>) -> Result<Vec<Dialogue>, String> {
    match file {
        None => read(BUILT_IN.as_bytes()).map_err(|cause| format!("the built-in dialogues: {cause}")),
        Some(path) => {
            let opened = std::fs::File::open(path)
                .map_err(|cause| format!("cannot open {}: {cause}", path.display()))?;
            read(std::io::BufReader::new(opened)).map_err(|cause| format!("{}: {cause}", path.display()))
        }
    }
}

/// Reads dialogues; blank lines are skipped, an agent's words before the visitor's first are left out (a
/// conversation is opened by the visitor), turns without words too.
fn read(input: impl BufRead) -> Result<Vec<Dialogue>, String> {
    let mut dialogues = Vec::new();
    for (index, line) in input.lines().enumerate() {
        let line = line.map_err(|cause| format!("line {}: {cause}", index + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let mut dialogue: Dialogue =
            serde_json::from_str(&line).map_err(|cause| format!("line {}: {cause}", index + 1))?;
        dialogue.turns.retain(|turn| !turn.text.trim().is_empty());
        let opening = dialogue.turns.iter().position(|turn| turn.role == Speaker::Customer);
        dialogue.turns.drain(..opening.unwrap_or(dialogue.turns.len()));
        if dialogue.turns.is_empty() {
            return Err(format!("line {}: the customer says nothing", index + 1));
        }
        if dialogue.turns.iter().any(|turn| turn.text.len() > TEXT_MAX) {
            return Err(format!("line {}: a text is longer than {TEXT_MAX} bytes", index + 1));
        }
        dialogues.push(dialogue);
    }
    match dialogues.is_empty() {
        true => Err("there is no dialogue in it".to_owned()),
        false => Ok(dialogues),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_dialogues_are_chinese_and_english() -> Result<(), String> {
        let dialogues = load(None)?;
        assert!(dialogues.iter().any(|one| one.lang == "zh"));
        assert!(dialogues.iter().any(|one| one.lang == "en"));
        assert!(dialogues.iter().all(|one| one.turns[0].role == Speaker::Customer));
        Ok(())
    }

    #[test]
    fn a_bad_line_is_named() {
        let cause = read(&b"\n{\"id\": \"a\", \"turns\": [{\"role\": \"robot\", \"text\": \"x\"}]}"[..]);
        assert!(cause.is_err_and(|text| text.starts_with("line 2: ")));
        assert!(read(&b"{\"id\": \"a\", \"turns\": []}"[..]).is_err());
        assert!(read(&b""[..]).is_err());
    }

    #[test]
    fn the_visitor_begins() -> Result<(), String> {
        let line = r#"{"id": "a", "turns": [{"role": "agent", "text": "hi"}, {"role": "customer", "text": "hello"}]}"#;
        let dialogues = read(line.as_bytes())?;
        assert_eq!(dialogues[0].turns.len(), 1);
        assert_eq!(&*dialogues[0].turns[0].text, "hello");
        Ok(())
    }
}
