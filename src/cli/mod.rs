//! The command line: what operators can ask of the program. Owns sub-commands, exit codes, logging, and what is
//! printed; the work is done by the modules.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong use (told by the parser); `replay` and `conform` tell what they found
//! ([`judged`]).

mod accounts;
mod backup;
mod environment;
mod erasures;
mod import;
mod judged;
mod logging;
mod print;
mod reports;
mod search;
mod serve;
mod store;

pub use print::settings_table;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::kernel::{Error, Result};
use crate::settings::Settings;

/// A headless customer-service messaging backend: REST, WebSocket, and a log that loses nothing.
///
/// Without a sub-command it serves. On an empty folder it starts with an embedded database, a first tenant and an
/// administrator.
#[derive(Debug, Parser)]
#[command(name = "deskwire", version, args_conflicts_with_subcommands = true)]
pub struct Program {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    settings: Settings,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default).
    Serve(JustSettings),
    /// Bring the database to this program's tables.
    Migrate(store::Migrate),
    /// Check the configuration, the database and its migrations.
    Check(JustSettings),
    /// Write a copy of the embedded database, while the server runs.
    Backup(backup::Backup),
    /// Put a copy back in the embedded database's place, while no server runs.
    Restore(backup::Restore),
    /// Tenants.
    #[command(subcommand)]
    Tenant(accounts::Tenant),
    /// Administrators.
    #[command(subcommand)]
    Admin(accounts::Admin),
    /// Bring another system's accounts, conversations and messages into a tenant, beside a running server; what came in
    /// already is not brought again.
    Import(import::Import),
    /// The search index.
    #[command(subcommand)]
    Search(search::Search),
    /// Reports.
    #[command(subcommand)]
    Reports(reports::Reports),
    /// Print every erasure of a person, a line each, to be kept beside backups of a server database (`restore --erasures`).
    Erasures(JustSettings),
    /// Recompute unread counts and how many conversations each agent serves, beside a running server; fails when one
    /// has drifted.
    VerifyUnread(JustSettings),
    /// Play dialogues over the public interface and judge every promise: demo, load and black-box judge in one.
    Replay(crate::replay::Arguments),
    /// Compare the strategies of routing on a simulated day: how long customers wait, and how evenly the work is shared.
    Simulate(crate::simulate::Arguments),
    /// Play a badly behaved server to a client under test, and say which rules for clients it kept.
    Conform(crate::conform::Arguments),
    /// Be a client under test: replay's own, as `conform` starts it.
    #[command(hide = true)]
    ConformClient,
    /// Print the OpenAPI document.
    Openapi,
    /// Print the AsyncAPI document of the socket.
    Asyncapi,
    /// Print every setting as the table of the README.
    Settings,
}

/// Only the settings.
#[derive(Debug, Args)]
struct JustSettings {
    #[command(flatten)]
    settings: Settings,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let command = command();
    if let Err(error) = environment::check(&command) {
        let _ = writeln!(std::io::stderr(), "deskwire: {}", error.detail);
        return ExitCode::from(2);
    }
    let found = environment::without_empty(command).get_matches();
    let program = match Program::from_arg_matches(&found) {
        Ok(program) => program,
        Err(refused) => refused.exit(),
    };
    match program.run() {
        Ok(exit) => exit,
        Err(error) => {
            // The code is for clients of the interface; an operator wants the sentence and its cause.
            let cause = error.source.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "deskwire: {}{cause}", error.detail);
            ExitCode::FAILURE
        }
    }
}

/// The parser, with the settings shown where they matter: in the program's own help and that of `serve`.
pub fn command() -> clap::Command {
    let names: Vec<clap::Id> = Settings::augment_args(clap::Command::new(""))
        .get_arguments()
        .map(|one| one.get_id().clone())
        .collect();
    fn quieten(command: clap::Command, names: &[clap::Id]) -> clap::Command {
        let command = command.mut_args(|one| if names.contains(one.get_id()) { one.hide(true) } else { one });
        let below: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
        below
            .into_iter()
            .fold(command, |command, name| command.mut_subcommand(name, |one| quieten(one, names)))
    }
    let mut command = Program::command();
    let below: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for name in below.iter().filter(|name| !["serve", "replay", "conform"].contains(&name.as_str())) {
        command = command.mut_subcommand(name, |one| {
            quieten(one, &names)
                .after_help("The settings of `deskwire --help` are taken too, as flags or variables.")
        });
    }
    command
}

impl Program {
    fn run(self) -> Result<ExitCode> {
        let done = match self.command {
            None => serve::run(self.settings),
            Some(Command::Serve(arguments)) => serve::run(arguments.settings),
            Some(Command::Migrate(arguments)) => store::migrate(&arguments),
            Some(Command::Check(arguments)) => store::check(&arguments.settings),
            Some(Command::Backup(arguments)) => backup::backup(&arguments),
            Some(Command::Restore(arguments)) => backup::restore(&arguments),
            Some(Command::Tenant(arguments)) => accounts::tenant(arguments),
            Some(Command::Admin(arguments)) => accounts::admin(arguments),
            Some(Command::Import(arguments)) => import::import(arguments),
            Some(Command::Search(command)) => search::search(command),
            Some(Command::Reports(command)) => reports::reports(command),
            Some(Command::Erasures(arguments)) => erasures::print(arguments.settings),
            Some(Command::VerifyUnread(arguments)) => store::verify_unread(&arguments.settings),
            Some(Command::Replay(arguments)) => {
                logging::start("warn");
                let played = crate::replay::play(&arguments, &mut std::io::stderr());
                return Ok(judged::tell("replay", played, arguments.report.as_deref()));
            }
            Some(Command::Conform(arguments)) => {
                let played = crate::conform::play(&arguments, &mut std::io::stderr());
                return Ok(judged::tell("conform", played, arguments.report.as_deref()));
            }
            Some(Command::ConformClient) => {
                crate::replay::conform_client::run().map_err(|cause| Error::internal(cause))
            }
            Some(Command::Simulate(arguments)) => {
                crate::simulate::table(&arguments).into_iter().for_each(say);
                Ok(())
            }
            Some(Command::Openapi) => print::openapi(),
            Some(Command::Asyncapi) => print::asyncapi(),
            Some(Command::Settings) => print::settings(),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// A runtime for what is not bound to an HTTP worker.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::internal("the runtime could not start").caused_by(cause))
}

/// Prints one line for the operator. Closed pipes are nobody's failure.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_parser_holds_together() {
        super::command().debug_assert();
    }
}
