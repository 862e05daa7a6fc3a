//! Settings of attachments: where their contents are kept, how much, and who scans them.

use std::path::PathBuf;

use super::between;

/// Where contents of attachments are kept.
#[derive(Debug, Clone, clap::Args)]
pub struct FileSettings {
    /// The folder in which contents of attachments are kept; all processes on one store need the same. The default is
    /// deskwire-files beside the SQLite file; with a server database there is no default, and without a folder no
    /// attachments.
    #[arg(long, env = "DESKWIRE_FILES")]
    pub files: Option<PathBuf>,

    /// Largest attachment, in bytes.
    #[arg(long, env = "DESKWIRE_ATTACHMENT_LIMIT", default_value_t = 20_971_520, value_parser = between(1_024, 1_073_741_824))]
    pub attachment_limit: usize,

    /// Largest picture, in bytes.
    #[arg(long, env = "DESKWIRE_PICTURE_LIMIT", default_value_t = 10_485_760, value_parser = between(1_024, 1_073_741_824))]
    pub picture_limit: usize,

    /// Bytes of attachments that one tenant may keep; 0 means no limit.
    #[arg(long, env = "DESKWIRE_TENANT_FILES_LIMIT", default_value_t = 10_737_418_240)]
    pub tenant_files_limit: u64,

    /// The clamd that scans contents, as HOST:PORT or as the path of its socket; without one nothing is scanned.
    #[arg(long, env = "DESKWIRE_CLAMD")]
    pub clamd: Option<String>,

    /// Whether contents are kept when clamd cannot scan them.
    #[arg(long, env = "DESKWIRE_CLAMD_OPTIONAL", default_value_t = false, value_parser = clap::builder::BoolishValueParser::new())]
    pub clamd_optional: bool,
}
