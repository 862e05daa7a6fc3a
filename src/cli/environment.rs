//! Environment variables as operators and their tools set them. Owns that an empty one counts as unset (compose files
//! pass on what is not set as empty) and that a misspelt one is refused: a limit that was not taken is found too late.

use std::collections::BTreeSet;

use clap::builder::Resettable;

use crate::kernel::{Code, Error, Result};

const PREFIX: &str = "DESKWIRE_";
/// Variables of the service that are no settings: those of its tests.
const OTHERS: &[&str] = &["DESKWIRE_TEST_", "DESKWIRE_FAIL_POINT"];
/// What Kubernetes puts into every container beside a service that is called `deskwire`.
const SERVICE_LINKS: &[&str] = &["DESKWIRE_SERVICE_", "DESKWIRE_PORT"];
/// Settings of earlier versions, and what to do now.
const FORMER: &[(&str, &str)] = &[(
    "DESKWIRE_TRUST_FORWARDED",
    "say with DESKWIRE_TRUSTED_PROXIES how many proxies of yours stand in front (1 for a single one)",
)];

/// The command with empty variables taken for unset, in every sub-command.
pub fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty = |argument: &clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    let command = command.mut_args(|argument| match is_empty(&argument) {
        true => argument.env(Resettable::Reset),
        false => argument,
    });
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, without_empty))
}

/// Refuses variables that look like settings and are none.
pub fn check(command: &clap::Command) -> Result<()> {
    let mut known = BTreeSet::new();
    collect(command, &mut known);
    let set = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    let names = set.filter_map(|(name, _)| name.into_string().ok());
    match names.filter_map(|name| fault(&name, &known)).next() {
        Some(text) => Err(Error::new(Code::InvalidParameter, text)),
        None => Ok(()),
    }
}

fn collect(command: &clap::Command, known: &mut BTreeSet<String>) {
    let names = command.get_arguments().filter_map(clap::Arg::get_env);
    known.extend(names.map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|below| collect(below, known));
}

fn fault(name: &str, known: &BTreeSet<String>) -> Option<String> {
    if let Some((_, advice)) = FORMER.iter().find(|(former, _)| *former == name) {
        return Some(format!("{name} is not a setting any more: {advice}"));
    }
    let exempt = OTHERS.iter().chain(SERVICE_LINKS).any(|start| name.starts_with(start));
    if !name.starts_with(PREFIX) || exempt || known.contains(name) {
        return None;
    }
    let nearest =
        known.iter().map(|one| (distance(one, name), one)).min().filter(|(distance, _)| *distance <= 6);
    let hint = nearest.map(|(_, one)| format!("; did you mean {one}?")).unwrap_or_default();
    Some(format!("{name} is not a setting (see `deskwire settings`){hint}"))
}

/// How many letters are to be changed, added or taken away.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, left) in one.bytes().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(other.bytes()) {
            let changed = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = changed.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_setting_is_one_or_is_refused() {
        let known = BTreeSet::from(["DESKWIRE_BODY_LIMIT".to_owned(), "DESKWIRE_LISTEN".to_owned()]);
        let told = |name: &str| fault(name, &known).unwrap_or_default();
        assert!(told("DESKWIRE_BODYLIMIT").contains("did you mean DESKWIRE_BODY_LIMIT"));
        assert!(told("DESKWIRE_SOMETHING_ELSE_ALTOGETHER").contains("not a setting"));
        assert!(told("DESKWIRE_TRUST_FORWARDED").contains("DESKWIRE_TRUSTED_PROXIES"));
        for fine in [
            "DESKWIRE_LISTEN",
            "DESKWIRE_TEST_ONLY",
            "DESKWIRE_PORT_8080_TCP_ADDR",
            "DESKWIRE_SERVICE_HOST",
            "PATH",
        ] {
            assert_eq!(told(fine), "", "{fine}");
        }
    }

    #[test]
    fn distances_are_counted_in_letters() {
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "axc"), 1);
        assert_eq!(distance("abc", "abcd"), 1);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
