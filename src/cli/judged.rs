//! How the programs that judge end, `replay` and `conform`: what was found is printed, written to a file when that was
//! asked for, and told by the exit code.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

/// Exit code when something is broken.
const BROKEN: u8 = 1;
/// Exit code when not everything could be played.
const INCOMPLETE: u8 = 2;

/// What a judge found.
pub trait Judged: Serialize {
    /// Prints the table.
    fn print(&self, out: &mut dyn Write) -> std::io::Result<()>;
    /// Whether something that was promised was not kept.
    fn is_broken(&self) -> bool;
    /// Whether something could not be played.
    fn is_incomplete(&self) -> bool;
}

impl Judged for crate::replay::Report {
    fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.print(out)
    }

    fn is_broken(&self) -> bool {
        !self.violations.is_empty()
    }

    fn is_incomplete(&self) -> bool {
        !self.errors.is_empty()
    }
}

impl Judged for crate::conform::Report {
    fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.print(out)
    }

    fn is_broken(&self) -> bool {
        self.is_broken()
    }

    fn is_incomplete(&self) -> bool {
        self.is_incomplete()
    }
}

/// Tells what came of it. Returns 0 when everything was played and kept, 1 when something was broken, and 2 when it
/// could not be played to its end or not be told.
pub fn tell<J: Judged>(program: &str, played: Result<J, String>, file: Option<&Path>) -> ExitCode {
    let told = played.and_then(|judged| match print(&judged, file) {
        Ok(()) => Ok(judged),
        Err(cause) => Err(format!("the result cannot be written: {cause}")),
    });
    match told {
        Err(cause) => {
            let _ = writeln!(std::io::stderr(), "{program}: {cause}");
            INCOMPLETE.into()
        }
        Ok(judged) if judged.is_broken() => BROKEN.into(),
        Ok(judged) if judged.is_incomplete() => INCOMPLETE.into(),
        Ok(_) => ExitCode::SUCCESS,
    }
}

fn print(judged: &impl Judged, file: Option<&Path>) -> std::io::Result<()> {
    judged.print(&mut std::io::stdout())?;
    let Some(file) = file else { return Ok(()) };
    let text = serde_json::to_string_pretty(judged).map_err(std::io::Error::other)?;
    std::fs::write(file, text + "\n")
}
