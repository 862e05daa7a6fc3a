//! Settings: every flag and environment variable of the service in one place. `--help` and the README's table are
//! generated from here. Owns defaults and limits; does not read them anywhere else.

mod files;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, RangedU64ValueParser};

pub use files::FileSettings;

use crate::db::Durability;
use crate::kernel::outbound::Allowed;
use crate::kernel::secret::Secret;

/// Where the data is.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseSettings {
    /// Where the data is: sqlite:PATH, postgres://USER:PASSWORD@HOST/NAME or mysql://USER:PASSWORD@HOST/NAME.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite:deskwire.db", hide_env_values = true)]
    pub database_url: String,

    /// When a commit on SQLite counts as done: on the disk, or in the operating system (survives kill -9 but not
    /// power loss).
    #[arg(long, env = "DESKWIRE_DURABILITY", value_enum, default_value = "disk")]
    pub durability: Durability,

    /// Connections in the pool for reads (and, on servers, one as large for writes beside the log).
    #[arg(long, env = "DESKWIRE_POOL_SIZE", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub pool_size: u32,

    /// Lanes on PostgreSQL and MySQL: threads that write the log. SQLite has one.
    #[arg(long, env = "DESKWIRE_LANES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub lanes: u16,
}

/// The header in which proxies say whom they were called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ForwardedHeader {
    /// A list of addresses, the nearest proxy's last: what nginx, Caddy and cloud load balancers write.
    XForwardedFor,
    /// `for=` of the standard header (RFC 7239).
    Forwarded,
}

/// Secrets.
#[derive(Debug, Clone, clap::Args)]
pub struct SecretSettings {
    /// Keys of access tokens as KID:SECRET, at most two separated by a comma; the first signs, both verify. With
    /// SQLite they are made and kept beside the database when absent.
    #[arg(long, env = "DESKWIRE_JWT_KEYS", hide_env_values = true)]
    pub jwt_keys: Option<Secret>,

    /// The key that seals what is kept at rest and read again (identity keys, channel accounts). With SQLite it is made and kept
    /// beside the database when absent.
    #[arg(long, env = "DESKWIRE_MASTER_KEY", hide_env_values = true)]
    pub master_key: Option<Secret>,

    /// The bearer key that may create tenants, at least 16 characters; without it POST /tenants is refused unless
    /// sign-up is open.
    #[arg(long, env = "DESKWIRE_PLATFORM_KEY", hide_env_values = true, value_parser = platform_key)]
    pub platform_key: Option<Secret>,
}

/// What is cleaned up, and when.
#[derive(Debug, Clone, clap::Args)]
pub struct CleaningSettings {
    /// How often each tenant is cleaned up, in minutes; 0 means never.
    #[arg(long, env = "DESKWIRE_CLEANING_MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=10_080))]
    pub cleaning_minutes: u64,

    /// After how many days without a sign of life an anonymous visitor without a usable session and without an open
    /// conversation is deleted (what it wrote stays); 0 means never.
    #[arg(long, env = "DESKWIRE_IDLE_VISITOR_DAYS", default_value_t = 90, value_parser = clap::value_parser!(i64).range(0..=3_650))]
    pub idle_visitor_days: i64,

    /// After how many days a session that expired or was revoked is removed.
    #[arg(long, env = "DESKWIRE_DEAD_SESSION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(2..=3_650))]
    pub dead_session_days: i64,

    /// After how many days a change of a presence is removed from the history of its member.
    #[arg(long, env = "DESKWIRE_PRESENCE_HISTORY_DAYS", default_value_t = 400, value_parser = clap::value_parser!(i64).range(1..=3_650))]
    pub presence_history_days: i64,

    /// After how many days an event of the audit log is removed.
    #[arg(long, env = "DESKWIRE_AUDIT_DAYS", default_value_t = 400, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    pub audit_days: i64,

    /// After how many days events of the message centre are removed, with their messages, when none of these waits.
    #[arg(long, env = "DESKWIRE_MESSAGE_HISTORY_DAYS", default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=3_650))]
    pub message_history_days: i64,

    /// After how many hours the receipt of a committed batch is removed.
    #[arg(long, env = "DESKWIRE_RECEIPT_HOURS", default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=720))]
    pub receipt_hours: i64,
}

/// Everything that the service can be told.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Where the data is.
    #[command(flatten)]
    pub database: DatabaseSettings,

    /// Secrets.
    #[command(flatten)]
    pub secrets: SecretSettings,

    /// What is cleaned up.
    #[command(flatten)]
    pub cleaning: CleaningSettings,

    /// Where contents of attachments are kept.
    #[command(flatten)]
    pub files: FileSettings,

    /// Apply pending migrations at the start. The default is true for SQLite and false for servers, where `serve`
    /// refuses to start until `deskwire migrate` was run.
    #[arg(long, env = "DESKWIRE_MIGRATE", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub migrate: Option<bool>,

    /// What to log: a level (error, warn, info, debug, trace), or one for each target, such as
    /// info,deskwire::http=debug.
    #[arg(long, env = "RUST_LOG", default_value = "info,actix_server=warn", value_parser = log_filter)]
    pub log: String,

    /// The address to listen on.
    #[arg(long, env = "DESKWIRE_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// HTTP worker threads; 0 means one for each core.
    #[arg(long, env = "DESKWIRE_WORKERS", default_value_t = 0, value_parser = between(0, 512))]
    pub workers: usize,

    /// Whether anybody may create a tenant.
    #[arg(long, env = "DESKWIRE_SIGN_UP", default_value_t = false, value_parser = BoolishValueParser::new())]
    pub sign_up: bool,

    /// Origins of browsers that may call, separated by commas; * means any. Pages of the service's own host always
    /// may.
    #[arg(long, env = "DESKWIRE_ALLOWED_ORIGINS", default_value = "", value_delimiter = ',')]
    pub allowed_origins: Vec<String>,

    /// How many proxies of yours stand in front of this service: the client's address is that many entries from the
    /// right of the forwarded header. 0 believes nobody and counts the peer of the connection.
    #[arg(long, env = "DESKWIRE_TRUSTED_PROXIES", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub trusted_proxies: u8,

    /// The header in which the trusted proxies say whom they were called by.
    #[arg(long, env = "DESKWIRE_FORWARDED_HEADER", value_enum, default_value = "x-forwarded-for")]
    pub forwarded_header: ForwardedHeader,

    /// Connections that this process may have; 0 means as many as the limit of open files allows beside the database.
    #[arg(long, env = "DESKWIRE_CONNECTIONS", default_value_t = 0)]
    pub connections: usize,

    /// Connections that one address may have (an IPv6 /64 is one address); 0 means twice its sockets. Behind trusted
    /// proxies it does not apply.
    #[arg(long, env = "DESKWIRE_CONNECTIONS_PER_ADDRESS", default_value_t = 0)]
    pub connections_per_address: usize,

    /// How long an idle connection is kept, in seconds: longer than the load balancer in front keeps it.
    #[arg(long, env = "DESKWIRE_KEEP_ALIVE_SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub keep_alive_seconds: u64,

    /// How long a request's body may take, in seconds, with one second more for every 4 KiB that have come.
    #[arg(long, env = "DESKWIRE_BODY_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub body_seconds: u64,

    /// Where a database's generated secrets are kept; the default is deskwire.secret beside the SQLite file.
    #[arg(long, env = "DESKWIRE_SECRET_FILE")]
    pub secret_file: Option<PathBuf>,

    /// Cost of password hashing with bcrypt (10 takes about 70 ms).
    #[arg(long, env = "DESKWIRE_BCRYPT_COST", default_value_t = 10, value_parser = clap::value_parser!(u32).range(4..=15))]
    pub bcrypt_cost: u32,

    /// How long an access token is valid, in seconds.
    #[arg(long, env = "DESKWIRE_ACCESS_TOKEN_SECONDS", default_value_t = 900, value_parser = clap::value_parser!(i64).range(10..=86_400))]
    pub access_token_seconds: i64,

    /// How long a staff session lives without use, in days.
    #[arg(long, env = "DESKWIRE_STAFF_SESSION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=400))]
    pub staff_session_days: i64,

    /// How long a visitor's session lives without use, in days.
    #[arg(long, env = "DESKWIRE_VISITOR_SESSION_DAYS", default_value_t = 180, value_parser = clap::value_parser!(i64).range(1..=400))]
    pub visitor_session_days: i64,

    /// Largest request body, in bytes.
    #[arg(long, env = "DESKWIRE_BODY_LIMIT", default_value_t = 262_144, value_parser = between(1_024, 67_108_864))]
    pub body_limit: usize,

    /// Largest frame from a client, in bytes.
    #[arg(long, env = "DESKWIRE_FRAME_LIMIT", default_value_t = 65_536, value_parser = between(1_024, 16_777_216))]
    pub frame_limit: usize,

    /// Sockets that one member may have.
    #[arg(long, env = "DESKWIRE_SOCKETS_PER_MEMBER", default_value_t = 10, value_parser = between(1, 1_000_000))]
    pub sockets_per_member: usize,

    /// Sockets that one address may have.
    #[arg(long, env = "DESKWIRE_SOCKETS_PER_ADDRESS", default_value_t = 200, value_parser = between(1, 1_000_000))]
    pub sockets_per_address: usize,

    /// Frames a second that a visitor's socket may send (burst: four times as many).
    #[arg(long, env = "DESKWIRE_VISITOR_FRAMES_PER_SECOND", default_value_t = 5)]
    pub visitor_frames_per_second: u32,

    /// Frames a second that a staff socket may send (burst: three times as many).
    #[arg(long, env = "DESKWIRE_STAFF_FRAMES_PER_SECOND", default_value_t = 20)]
    pub staff_frames_per_second: u32,

    /// Requests and frames together that one member of the staff may send a second (burst: four times as many); 0
    /// means no limit.
    #[arg(long, env = "DESKWIRE_REQUESTS_PER_SECOND", default_value_t = 50)]
    pub requests_per_second: u32,

    /// Requests and frames together that one visitor may send a second (burst: four times as many); 0 means no limit.
    #[arg(long, env = "DESKWIRE_VISITOR_REQUESTS_PER_SECOND", default_value_t = 10)]
    pub visitor_requests_per_second: u32,

    /// Requests and frames that all visitors of one address together may send a second (burst: four times as many);
    /// 0 means no limit.
    #[arg(long, env = "DESKWIRE_ADDRESS_REQUESTS_PER_SECOND", default_value_t = 50)]
    pub address_requests_per_second: u32,

    /// Requests a minute that one address may make without a valid token or to routes that need none (sign-in, new
    /// visitors); 0 means no limit.
    #[arg(long, env = "DESKWIRE_ANONYMOUS_PER_MINUTE", default_value_t = 120)]
    pub anonymous_per_minute: u32,

    /// Refreshes of tokens a minute from one address; 0 means no limit.
    #[arg(long, env = "DESKWIRE_REFRESHES_PER_MINUTE", default_value_t = 600)]
    pub refreshes_per_minute: u32,

    /// New visitors an hour from one address (at once: a tenth of them); 0 means no limit.
    #[arg(long, env = "DESKWIRE_NEW_VISITORS_PER_HOUR", default_value_t = 600)]
    pub new_visitors_per_hour: u32,

    /// New conversations an hour of one customer (at once: half of them); 0 means no limit.
    #[arg(long, env = "DESKWIRE_NEW_CONVERSATIONS_PER_HOUR", default_value_t = 20)]
    pub new_conversations_per_hour: u32,

    /// The address at which the world reaches this service, such as https://desk.example. With it Twilio is asked to report
    /// what arrived, and what it reports is believed.
    #[arg(long, env = "DESKWIRE_PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<String>,

    /// Hosts that messages may be sent to although they are not public, also without TLS and at any port, separated by
    /// commas: relays and test servers of your own.
    #[arg(long, env = "DESKWIRE_OUTBOUND_ALLOW", default_value = "")]
    pub outbound_allow: Allowed,

    /// How often a socket is pinged, in seconds.
    #[arg(long, env = "DESKWIRE_PING_SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub ping_seconds: u64,

    /// How long a shutdown may take to send its sockets away, in seconds.
    #[arg(long, env = "DESKWIRE_DRAIN_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=300))]
    pub drain_seconds: u64,
}

impl Settings {
    /// What the service does when it is told nothing; the environment is not read.
    pub fn defaults() -> Self {
        use clap::{Args, FromArgMatches};
        let command = Self::augment_args(clap::Command::new("deskwire"))
            .mut_args(|argument| argument.env(clap::builder::Resettable::Reset));
        let parsed =
            command.try_get_matches_from(["deskwire"]).and_then(|found| Self::from_arg_matches(&found));
        // A default that its own parser refuses is told like any wrong flag; a test holds that there is none.
        parsed.unwrap_or_else(|refused| refused.exit())
    }
}

/// A number of things within bounds.
fn between(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

/// Shortest platform key, in characters.
const PLATFORM_KEY_MIN: usize = 16;

fn platform_key(text: &str) -> Result<Secret, String> {
    match text.chars().count() >= PLATFORM_KEY_MIN {
        true => Ok(Secret::new(text)),
        false => Err(format!("a platform key has at least {PLATFORM_KEY_MIN} characters")),
    }
}

/// Checks the address of this service; a slash at its end is left out.
fn public_url(text: &str) -> Result<String, String> {
    let plain = |url: &url::Url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
    };
    match url::Url::parse(text).ok().filter(plain) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => Err(format!("{text:?} is no http or https address without a query")),
    }
}

/// Checks a filter of log lines: the logger itself takes anything for the name of a target.
fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let is_target = |word: &str| {
        let fits = |one: char| one.is_ascii_alphanumeric() || "_-:".contains(one);
        !word.is_empty() && word.chars().all(fits)
    };
    for part in text.split(',').map(str::trim) {
        let fits = match part.split_once('=') {
            Some((target, level)) => is_target(target) && is_level(level),
            None => is_level(part),
        };
        if !fits {
            return Err(format!("{part:?} is neither a level ({}) nor TARGET=LEVEL", LEVELS.join(", ")));
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Settings, log_filter, platform_key};

    #[test]
    fn what_no_logger_understands_is_refused() {
        for good in ["info", "WARN", "info,actix_server=warn", "warn, deskwire::http=debug", "off"] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        for bad in ["!!", "", "inof", "info,", "deskwire::http=loud", "=debug", "a b=info"] {
            assert!(log_filter(bad).is_err(), "{bad}");
        }
        assert!(platform_key("fifteen letters").is_err() && platform_key("sixteen letters!").is_ok());
    }

    #[test]
    fn every_default_is_valid() {
        assert_eq!(Settings::defaults().listen.port(), 8080);
    }
}
