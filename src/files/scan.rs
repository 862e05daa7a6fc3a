//! Asks clamd whether a content is harmful, over its `INSTREAM` command. Blocks.
//!
//! The protocol (clamd's manual page): `zINSTREAM\0`, then pieces of four bytes of big-endian length and as many bytes, then
//! a piece of length zero; the answer ends with a zero byte: `stream: OK`, `stream: NAME FOUND`, or `… ERROR`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::kernel::{Code, Error, Result};

/// Longest wait for a connection, and for each piece to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait for the verdict after the last piece.
const VERDICT: Duration = Duration::from_secs(60);
/// Bytes of one piece.
const PIECE: usize = 65_536;
/// Longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 4_096;

/// Where clamd is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanner {
    /// `HOST:PORT`.
    Address(String),
    /// The path of its socket.
    Socket(PathBuf),
}

/// What clamd says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It found nothing.
    Clean,
    /// It found this.
    Found(String),
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Scanner {
    /// Reads a place. Fails with `invalid_parameter` by the setting's name.
    pub fn at(text: &str) -> Result<Self> {
        if text.starts_with('/') {
            return Ok(Self::Socket(PathBuf::from(text)));
        }
        let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
            Some(_) => Ok(Self::Address(text.to_owned())),
            None => Err(Error::new(
                Code::InvalidParameter,
                format!("DESKWIRE_CLAMD: {text:?} is neither HOST:PORT nor the path of a socket"),
            )),
        }
    }

    /// Has a file scanned. Errors: `scanner_unavailable`.
    pub fn scan(&self, path: &Path) -> Result<Verdict> {
        let answer = self.answer(path).map_err(|cause| unavailable(&cause.to_string()))?;
        let answer = answer.trim_end_matches('\0').trim();
        if answer.ends_with(" FOUND") {
            let name = answer.trim_end_matches(" FOUND").trim_start_matches("stream: ");
            return Ok(Verdict::Found(name.to_owned()));
        }
        match answer == "stream: OK" {
            true => Ok(Verdict::Clean),
            false => Err(unavailable(answer)),
        }
    }

    fn answer(&self, path: &Path) -> io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let mut stream = self.connect()?;
        stream.write_all(b"zINSTREAM\0")?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece)?;
            let length = u32::try_from(read).unwrap_or_default();
            stream.write_all(&length.to_be_bytes())?;
            if read == 0 {
                break;
            }
            stream.write_all(&piece[..read])?;
        }
        stream.flush()?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Address(address) => {
                let mut last = io::Error::from(io::ErrorKind::NotFound);
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, PATIENCE) {
                        Ok(stream) => {
                            stream.set_write_timeout(Some(PATIENCE))?;
                            stream.set_read_timeout(Some(VERDICT))?;
                            return Ok(Box::new(stream));
                        }
                        Err(cause) => last = cause,
                    }
                }
                Err(last)
            }
            #[cfg(unix)]
            Self::Socket(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_read_timeout(Some(VERDICT))?;
                Ok(Box::new(stream))
            }
            #[cfg(not(unix))]
            Self::Socket(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }
}

fn unavailable(cause: &str) -> Error {
    log::warn!(target: "deskwire::files", "clamd did not scan: {cause}");
    Error::new(Code::ScannerUnavailable, Code::ScannerUnavailable.meaning()).retry_after(10_000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A clamd that speaks the protocol, knows one harmful content and answers others with these words.
    fn clamd(otherwise: &'static str) -> (Scanner, std::thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scanner = Scanner::at(&listener.local_addr().unwrap().to_string()).unwrap();
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut command = [0; 10];
            stream.read_exact(&mut command).unwrap();
            assert_eq!(&command, b"zINSTREAM\0");
            let mut content = Vec::new();
            loop {
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut piece = vec![0; u32::from_be_bytes(length) as usize];
                if piece.is_empty() {
                    break;
                }
                stream.read_exact(&mut piece).unwrap();
                content.extend(piece);
            }
            let harmful = content.starts_with(b"X5O!");
            let answer = if harmful { "stream: Eicar-Test-Signature FOUND" } else { otherwise };
            stream.write_all(format!("{answer}\0").as_bytes()).unwrap();
            content
        };
        (scanner, std::thread::spawn(serve))
    }

    fn scan(content: &[u8], otherwise: &'static str) -> Result<Verdict> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let (scanner, server) = clamd(otherwise);
        let verdict = scanner.scan(file.path());
        assert_eq!(server.join().unwrap(), content, "every byte was scanned");
        verdict
    }

    #[test]
    fn the_verdict_is_what_clamd_says() {
        let large = vec![b'a'; 3 * PIECE + 1];
        assert_eq!(scan(&large, "stream: OK").unwrap(), Verdict::Clean);
        let found = Verdict::Found("Eicar-Test-Signature".to_owned());
        assert_eq!(scan(b"X5O!P%@AP", "stream: OK").unwrap(), found);
        for fault in ["INSTREAM size limit exceeded. ERROR", "", "stream: OK and more"] {
            assert_eq!(scan(b"a", fault).unwrap_err().code, Code::ScannerUnavailable, "{fault}");
        }
    }

    #[test]
    fn without_clamd_nothing_is_scanned() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        for place in [nobody.to_string(), "/nothing/here".to_owned()] {
            let fault = Scanner::at(&place).unwrap().scan(file.path()).unwrap_err();
            assert_eq!(fault.code, Code::ScannerUnavailable, "{place}");
        }
        for wrong in ["", "clamd", "clamd:", ":3310", "clamd:port"] {
            assert!(Scanner::at(wrong).is_err(), "{wrong}");
        }
    }
}
