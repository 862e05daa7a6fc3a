//! What `deskwire replay` can be told.

use std::path::PathBuf;

use crate::kernel::secret::Secret;

/// How waiting conversations find their agents in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Routing {
    /// Agents claim.
    #[default]
    Manual,
    /// The tenants route: agents come, go, answer offers, hand over; promise P6 is judged too.
    Auto,
}

/// Plays dialogues over the public interface, visitors and agents at once, with dropped connections and repeated
/// sends on the way, and judges afterwards that nothing was lost, doubled, reordered or leaked.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Dialogues to play, one JSON object a line: {"id", "lang", "turns": [{"role": "customer" | "agent", "text"}]}.
    /// Without it, a few built-in ones in Chinese and English are played.
    pub file: Option<PathBuf>,

    /// The server to play against, such as http://127.0.0.1:8080 (plain http only). Several processes on one database:
    /// give each; every request and every connection goes to any of them. Without it, a server of its own is started:
    /// on DATABASE_URL when that is set, else on a temporary SQLite file.
    #[arg(long, value_parser = plain_http, value_delimiter = ',')]
    pub url: Vec<String>,

    /// The platform key with which tenants are made (with --url; not needed where sign-up is open).
    #[arg(long, env = "DESKWIRE_PLATFORM_KEY", hide_env_values = true)]
    pub platform_key: Option<Secret>,

    /// Visitors who are connected at the same time.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub visitors: u32,

    /// Agents of each tenant.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub agents: u32,

    /// Tenants; visitors are spread over them.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub tenants: u32,

    /// Devices of each member; all of them are compared with the server at the end.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub devices: u8,

    /// Go on for so many minutes, or until a signal: new tenants, visitors and dialogues each minute, judged each
    /// minute. The report then holds memory and descriptors of the server's processes.
    #[arg(long, value_parser = positive, conflicts_with = "dialogues")]
    pub soak: Option<f64>,

    /// Processes of the own server; more than one need a database server in DATABASE_URL.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16), conflicts_with = "url")]
    pub processes: u8,

    /// About every so many seconds, kill one process of the own server and start it again. The seconds begin when
    /// every device is live.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), requires = "soak", conflicts_with = "url")]
    pub kill_every: Option<u64>,

    /// With --url and --soak: the processes of the server, when they run on this machine, for memory and descriptors.
    #[arg(long, value_delimiter = ',', requires = "url")]
    pub pid: Vec<u32>,

    /// How waiting conversations find their agents. With `auto` the tenants have groups, skills, strategies and offers;
    /// agents come and go, accept, decline or miss offers, hand over to each other and to groups, ask each other, give
    /// back, and serve as whole groups, while a supervisor steps in; and it is judged that no conversation ever had two
    /// agents, no agent more than it accepts, nobody waited whom somebody could have served, and reminders came as set.
    #[arg(long, value_enum, default_value_t = Routing::Manual)]
    pub routing: Routing,

    /// With `--routing auto`: what a customer has left for so many seconds is closed, and both sides are reminded after
    /// one. Some customers go away in the middle. 0: no timers, and nobody goes away.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub silence: u32,

    /// How many dialogues to play; the file is repeated or cut as needed. The default plays each once.
    #[arg(long)]
    pub dialogues: Option<u32>,

    /// Messages a second, all together; the default is as fast as the dialogues go.
    #[arg(long, value_parser = positive)]
    pub rate: Option<f64>,

    /// How likely it is, at each turn, that the socket is cut without a word and resumed, and that a message is sent
    /// again through another transport: 0 to 1.
    #[arg(long, default_value_t = 0.02, value_parser = probability)]
    pub reconnects: f64,

    /// How long to go on without an answering server, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub patience: u64,

    /// Source addresses 127.0.0.2, 127.0.0.3, … to connect from, for servers on this machine that count by address;
    /// 0 leaves the choice to the system.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=250))]
    pub sources: u8,

    /// Where to write the result as JSON.
    #[arg(long)]
    pub report: Option<PathBuf>,

    /// Show no progress.
    #[arg(long)]
    pub quiet: bool,
}

/// `http://host[:port]` without a path; the trailing slash goes.
fn plain_http(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    match text.strip_prefix("http://") {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => Ok(text.to_owned()),
        _ => Err("only plain http://HOST[:PORT] is spoken here".to_owned()),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if value > 0.0 && f64::is_finite(value) => Ok(value),
        _ => Err("a number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_is_taken() {
        assert_eq!(plain_http("http://127.0.0.1:8080/").as_deref(), Ok("http://127.0.0.1:8080"));
        assert!(plain_http("https://example.org").is_err());
        assert!(plain_http("http://example.org/chat").is_err());
        assert!(probability("1.5").is_err());
        assert!(positive("0").is_err());
    }
}
