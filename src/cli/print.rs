//! Commands that only print: the documents and the table of settings.

use clap::Args;

use super::say;
use crate::documents;
use crate::kernel::Result;
use crate::settings::Settings;

/// Prints the OpenAPI document.
pub fn openapi() -> Result<()> {
    say(documents::text(&documents::openapi::document(crate::routes::configure))?.trim_end());
    Ok(())
}

/// Prints the AsyncAPI document.
pub fn asyncapi() -> Result<()> {
    say(documents::text(&documents::asyncapi::document())?.trim_end());
    Ok(())
}

/// Prints the table of settings.
pub fn settings() -> Result<()> {
    say(settings_table().trim_end());
    Ok(())
}

/// Every setting as a Markdown table: variable, flag, default, meaning. The README holds the same text.
pub fn settings_table() -> String {
    let mut table = String::from("| variable | flag | default | meaning |\n|---|---|---|---|\n");
    for argument in Settings::augment_args(clap::Command::new("deskwire")).get_arguments() {
        let variable =
            argument.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
        let flag = argument.get_long().map(|name| format!("`--{name}`")).unwrap_or_default();
        let default: Vec<_> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = match default.join(",") {
            empty if empty.is_empty() => "–".to_owned(),
            value => format!("`{value}`"),
        };
        let help =
            argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        table.push_str(&format!("| {variable} | {flag} | {default} | {help} |\n"));
    }
    table
}
