//! The line to a mail server: commands, replies, and how long each may take.
//!
//! Invariant: of a reply so much is read and no more, however long the server goes on.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::{Instant, timeout_at};

/// Longest line of a reply, in bytes; RFC 5321, 4.5.3.1.5, asks for 512.
const LINE_MAX: u64 = 2_000;
/// Most lines of a reply.
const LINES_MAX: usize = 100;

/// What a connection is, with TLS or without.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// A reply (RFC 5321, 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Its three digits.
    pub code: u16,
    /// Its lines without the digits.
    pub lines: Vec<String>,
}

impl Reply {
    /// What was said.
    pub(super) fn text(&self) -> String {
        self.lines.join(" ")
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silence(pub String);

impl From<io::Error> for Silence {
    fn from(error: io::Error) -> Self {
        Self(match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection ended".to_owned(),
            io::ErrorKind::InvalidData => "what the server said is no reply".to_owned(),
            _ => format!("the connection broke: {error}"),
        })
    }
}

/// A connection with a conversation on it.
pub(super) struct Wire {
    stream: BufReader<Box<dyn Duplex>>,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Duplex>) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// The connection alone, for TLS. `None` when the server has said more than it was asked: what came before TLS must not
    /// be taken for what came with it (CVE-2011-0411).
    pub(super) fn into_quiet(self) -> Option<Box<dyn Duplex>> {
        self.stream.buffer().is_empty().then(|| self.stream.into_inner())
    }

    /// Sends a line and reads the reply to it.
    pub(super) async fn command(&mut self, line: &str, until: Instant) -> Result<Reply, Silence> {
        self.send(format!("{line}\r\n").as_bytes(), until).await?;
        self.reply(until).await
    }

    /// Sends bytes.
    pub(super) async fn send(&mut self, bytes: &[u8], until: Instant) -> Result<(), Silence> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        Ok(timeout_at(until, sending).await.map_err(|_| late())??)
    }

    /// Reads a reply.
    pub(super) async fn reply(&mut self, until: Instant) -> Result<Reply, Silence> {
        Ok(timeout_at(until, self.read()).await.map_err(|_| late())??)
    }

    async fn read(&mut self) -> io::Result<Reply> {
        let mut reply: Option<Reply> = None;
        for _ in 0..LINES_MAX {
            let mut bytes = Vec::new();
            (&mut self.stream).take(LINE_MAX).read_until(b'\n', &mut bytes).await?;
            if bytes.last() != Some(&b'\n') {
                let is_long = u64::try_from(bytes.len()).is_ok_and(|length| length >= LINE_MAX);
                let kind = if is_long { io::ErrorKind::InvalidData } else { io::ErrorKind::UnexpectedEof };
                return Err(kind.into());
            }
            let (code, is_last, text) = parsed(&bytes).ok_or(io::ErrorKind::InvalidData)?;
            let so_far = reply.get_or_insert_with(|| Reply { code, lines: Vec::new() });
            if so_far.code != code {
                return Err(io::ErrorKind::InvalidData.into());
            }
            so_far.lines.push(text);
            if is_last && let Some(reply) = reply.take() {
                return Ok(reply);
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

fn late() -> Silence {
    Silence("no answer in time".to_owned())
}

/// A line of a reply: its code, whether it is the last one, and its text.
fn parsed(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_last = match line.get(3) {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    let text = String::from_utf8_lossy(line.get(4..).unwrap_or_default());
    Some((code, is_last, text.chars().filter(|one| !one.is_control()).collect()))
}

/// The end of a step that may take so long, but no longer than all of them.
pub(super) fn step(limit: Duration, all: Instant) -> Instant {
    (Instant::now() + limit).min(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8]) -> Result<Reply, Silence> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut wire = Wire::new(Box::new(tokio::io::join(bytes, tokio::io::sink())));
            wire.reply(Instant::now() + Duration::from_secs(5)).await
        })
    }

    #[test]
    fn replies_are_read_to_their_end_and_no_further() {
        let said = |bytes| read(bytes).map(|reply| (reply.code, reply.text()));
        assert_eq!(said(b"250 OK\r\n354 more"), Ok((250, "OK".to_owned())));
        assert_eq!(said(b"250-a\r\n250-SIZE 9\r\n250 b\r\n"), Ok((250, "a SIZE 9 b".to_owned())));
        assert_eq!(said(b"221\r\n"), Ok((221, String::new())));
        assert_eq!(said(b"550 a\x00\x1bb\xff\n"), Ok((550, "ab\u{fffd}".to_owned())));
        for cut in [&b""[..], b"2", b"250 OK", b"250-a\r\n", b"250-a\r\n250 b"] {
            assert_eq!(read(cut), Err(Silence("the connection ended".to_owned())), "{cut:?}");
        }
        for nonsense in
            [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"25 OK\r\n", b"250_OK\r\n", b"250-a\r\n251 b\r\n"]
        {
            assert_eq!(
                read(nonsense),
                Err(Silence("what the server said is no reply".to_owned())),
                "{nonsense:?}"
            );
        }
    }

    #[test]
    fn endless_replies_are_cut_off() {
        static LONG: [u8; 5_000] = [b'2'; 5_000];
        assert_eq!(read(&LONG), Err(Silence("what the server said is no reply".to_owned())));
        let many: &'static [u8] = "250-a\r\n".repeat(1_000).leak().as_bytes();
        assert_eq!(read(many), Err(Silence("what the server said is no reply".to_owned())));
    }
}
