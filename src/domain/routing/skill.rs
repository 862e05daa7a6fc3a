//! Skills with levels, as they stand in requests and rows: a name, and after the last colon a level.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The highest level of a skill.
pub const LEVEL_MAX: u8 = 9;

/// A skill and its level: what a member of the staff has, or the least that a conversation asks for. Written `name`
/// (level 1) or `name:level`, the level being one digit from 1 to 9. Languages are skills named by their tag, such as
/// `de` or `zh-CN:5`. Names are compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skill {
    /// The name, in lower case.
    pub name: String,
    /// 1 to [`LEVEL_MAX`].
    pub level: u8,
}

impl FromStr for Skill {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, level) = match text.rsplit_once(':') {
            Some((name, level)) if !name.is_empty() => match level.parse::<u8>() {
                Ok(level @ 1..=LEVEL_MAX) => (name, level),
                _ => (text, 1),
            },
            _ => (text, 1),
        };
        Ok(Self { name: name.to_lowercase(), level })
    }
}

impl fmt::Display for Skill {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            1 => out.write_str(&self.name),
            level => write!(out, "{}:{level}", self.name),
        }
    }
}

impl Serialize for Skill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Skill {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Skill {
    /// Reads a list of labels, as a member's skills are kept.
    pub fn list(labels: &[String]) -> Vec<Self> {
        labels.iter().filter_map(|label| label.parse().ok()).collect()
    }

    /// The level at which somebody has this skill; 0 when it has not.
    pub fn level_in(&self, skills: &[Self]) -> u8 {
        skills.iter().filter(|one| one.name == self.name).map(|one| one.level).max().unwrap_or(0)
    }
}
