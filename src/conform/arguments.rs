//! The arguments of `deskwire conform`, and the protocol by which a client under test is started, instructed and heard.

use std::path::PathBuf;

/// Help for people who connect a client.
const CLIENT: &str = r#"THE CLIENT UNDER TEST
  COMMAND is started once for each scenario (and once more in `killed`), with these variables:
    CONFORM_URL            http://ADDRESS of the scripted server; the socket is at /api/v1/ws
    CONFORM_ACCESS_TOKEN   the access token
    CONFORM_REFRESH_TOKEN  the refresh token, for POST /api/v1/auth/refresh
    CONFORM_MEMBER_ID      the member that is signed in (an agent)
    CONFORM_DEVICE         the device's name for hello
    CONFORM_STATE          a folder of its own, kept when the client is killed and started again
  When tokens are stored in CONFORM_STATE, those are newer than the variables.

  Lines on its standard input, one JSON object each:
    {"do":"send","conversation_id":"…","text":"…"}   the user writes; the client makes the client_msg_id
    {"do":"read","conversation_id":"…","seq":5}      the user has seen everything up to here
    {"do":"watch","conversation_id":"…"}             watch it
    {"do":"wake"}                                    the device woke up
    {"do":"stop"}                                    say Close and end
  When standard input ends, the client ends.

  Lines on its standard output, one JSON object each; other lines are ignored:
    {"event":"started","supports":["read","unread","watch","wake","restart"]}
        the first one. What is not named is not asked, and its rules may stay untested. `restart`: what is in
        CONFORM_STATE survives kill -9.
    {"event":"entry","conversation_id":"…","seq":5,"kind":"text","text":"…"}
        an entry (notices and unknown kinds, too) is shown now; `text` if it has one
    {"event":"changed","conversation_id":"…","seq":5,"text":"…","recalled":false}
        a shown message has other words, or none
    {"event":"erased","conversation_id":"…","through_seq":5}
        what was kept of the entries up to there was dropped
    {"event":"dropped","conversation_id":"…"}        the local copy was dropped; null: everything
    {"event":"failed","client_msg_id":"…","code":"…"}  the user learns that a message was refused for good
    {"event":"unread","conversation_id":"…","unread":2}  the number that is shown

EXIT CODES
  0  every rule that was tested was kept; the table says which were not tested, and why
  1  a rule was broken
  2  a scenario could not be played"#;

/// Play a badly behaved server to a client under test, and say which rules for clients it kept.
///
/// The server is scripted: it speaks the real protocol, cuts connections, repeats, drops and reorders entries, refuses, falls
/// silent, and says what no client knows. The rules are those of the AsyncAPI document (`x-client-rules`).
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = CLIENT, after_help = "`deskwire conform --help` says how the client is started and instructed, and what it reports.")]
pub struct Arguments {
    /// Where the scripted server listens. With port 0 each scenario gets a port of its own, and several are played at
    /// a time.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: String,

    /// Play only this scenario; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub scenario: Vec<String>,

    /// Write the result as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Scenarios at a time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,

    /// The client under test and its arguments, behind `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}
