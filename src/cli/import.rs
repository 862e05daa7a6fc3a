//! Bringing another system's data into a tenant, beside a running server or without one.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::store;
use crate::import::{Asked, Report};
use crate::kernel::{Code, Error, Result};
use crate::settings::Settings;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The other system's database: mysql://USER:PASSWORD@HOST/NAME. Nothing is written there.
    #[arg(long)]
    from: String,

    /// The tenant into which it comes, by its slug.
    #[arg(long)]
    tenant: String,

    /// Whose rows are imported, where many merchants share the tables: the value of their tenant_id or ent_id.
    #[arg(long)]
    merchant: Option<String>,

    /// The name of the source: rows of sources with different names are different rows. The database's name when absent.
    #[arg(long)]
    source: Option<String>,

    /// The time zone in which the other system writes times: a name of the IANA, such as Asia/Shanghai.
    #[arg(long, default_value = "UTC")]
    time_zone: String,

    /// Write nothing, and report what would come in.
    #[arg(long)]
    dry_run: bool,

    /// Write the report to this file too, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

/// Imports, and prints what became of each table and of each row that did not come in as it was. Rows that are refused do not
/// make it fail.
pub fn import(arguments: Import) -> Result<()> {
    let Import { from, tenant, merchant, source, time_zone, dry_run, report: file, settings } = arguments;
    let asked = Asked { from, tenant, source, merchant, time_zone, dry_run };
    let report = store::with_app(settings, async move |app| crate::import::import(app, asked).await)?;
    if let Some(file) = &file {
        write(&report, file)?;
    }
    // Closed pipes are nobody's failure.
    let _ = report.print(&mut std::io::stdout().lock());
    let _ = std::io::stdout().flush();
    Ok(())
}

fn write(report: &Report, file: &std::path::Path) -> Result<()> {
    let text = crate::documents::text(report)?;
    std::fs::write(file, text).map_err(|cause| {
        let detail = format!("the report cannot be written to {}", file.display());
        Error::new(Code::InvalidParameter, detail).caused_by(cause)
    })
}
