//! The first answered request after the start of a process on an existing SQLite file.

mod common;

use clap::Parser;
use common::child::Served;
use common::{FromCargo, Outcome, median, milliseconds};

#[derive(Parser)]
struct Arguments {
    /// How often to start.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    #[command(flatten)]
    cargo: FromCargo,
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("start.db");
    common::runtime()?.block_on(async {
        // The first start makes and migrates the file; it is not counted.
        let empty = Served::start(&file, 8)?.answers("/readyz").await?;
        let mut starts = Vec::new();
        for _ in 0..arguments.rounds {
            starts.push(milliseconds(Served::start(&file, 8)?.answers("/readyz").await?));
        }
        let worst = starts.iter().copied().fold(0.0, f64::max);
        let measured = format!("{:.0} ms median, {worst:.0} ms worst of {}", median(&starts), starts.len());
        let empty = format!("{:.0} ms", milliseconds(empty));
        common::head();
        common::row(["first answer on an empty folder", &empty, "", "", "", ""]);
        common::row(["first answer on an existing SQLite file", &measured, "", "", "200 ms", "50 ms"]);
        Ok(())
    })
}
