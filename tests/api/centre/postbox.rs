//! A mail server on the loopback that speaks ESMTP with AUTH and TLS, remembers what it was told and given, and misbehaves
//! as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Who may sign in.
pub const USER: (&str, &str) = ("shop", "s3cret-word");

/// What the server does at a step of a conversation: `CONNECT`, a command, or `.` for the end of a message.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Answers so instead of doing it.
    Says(&'static str, &'static str),
    /// Does it, and ends the connection without an answer.
    Ends(&'static str),
    /// Does it, and answers after so many milliseconds.
    Waits(&'static str, u64),
}

impl Act {
    const fn step(self) -> &'static str {
        match self {
            Self::Says(step, _) | Self::Ends(step) | Self::Waits(step, _) => step,
        }
    }
}

/// Whether and when the server speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Never,
    Offered,
    Always,
}

/// A message that was taken to its final dot.
#[derive(Debug, Clone)]
pub struct Letter {
    /// From whom, as `MAIL` said.
    pub from: String,
    /// To whom, as `RCPT` said.
    pub to: String,
    /// The message, with dots as they were meant.
    pub data: String,
    /// Whether somebody had signed in.
    pub signed_in: bool,
    /// Whether it came with TLS.
    pub secure: bool,
}

impl Letter {
    /// The values of a header field, unfolded.
    pub fn fields(&self, name: &str) -> Vec<String> {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
        let start = format!("{}:", name.to_lowercase());
        let lines = head.split("\r\n").filter(|line| line.to_lowercase().starts_with(&start));
        lines.map(|line| line[start.len()..].trim().to_owned()).collect()
    }
}

#[derive(Default)]
struct State {
    letters: Vec<Letter>,
    said: Vec<String>,
    script: VecDeque<Vec<Act>>,
}

/// A running server; it ends with the test.
#[derive(Clone)]
pub struct Postbox {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    tls: Tls,
    offers: &'static [&'static str],
    state: Arc<Mutex<State>>,
}

impl Postbox {
    /// Listens on a free port, offering both ways to sign in.
    pub async fn start(tls: Tls) -> Self {
        Self::offering(tls, &["AUTH PLAIN LOGIN"]).await
    }

    /// Listens on a free port and says that it can do this.
    pub async fn offering(tls: Tls, offers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let postbox = Self { port, tls, offers, state: Arc::default() };
        let serving = postbox.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    let acts = serving.state.lock().unwrap().script.pop_front().unwrap_or_default();
                    match serving.tls {
                        Tls::Always => match acceptor().accept(stream).await {
                            Ok(stream) => serving.serve(Box::new(stream), true, &acts).await,
                            Err(_) => None,
                        },
                        _ => serving.serve(Box::new(stream), false, &acts).await,
                    }
                });
            }
        });
        postbox
    }

    /// What it does in its next conversations, one list for each.
    pub fn script(&self, conversations: impl IntoIterator<Item = Vec<Act>>) {
        self.state.lock().unwrap().script.extend(conversations);
    }

    /// What came.
    pub fn letters(&self) -> Vec<Letter> {
        self.state.lock().unwrap().letters.clone()
    }

    /// Every line that it was told but for messages.
    pub fn said(&self) -> Vec<String> {
        self.state.lock().unwrap().said.clone()
    }

    /// One conversation; `None` when it broke off.
    async fn serve(&self, stream: Box<dyn Duplex>, mut secure: bool, acts: &[Act]) -> Option<()> {
        let mut line = BufReader::new(stream);
        let (mut from, mut to, mut signed_in) = (String::new(), String::new(), false);
        answer(&mut line, acts, "CONNECT", "220 postbox ESMTP").await?;
        loop {
            let told = read(&mut line).await?;
            self.state.lock().unwrap().said.push(told.clone());
            let word = told.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            let reply = match word.as_str() {
                "EHLO" => {
                    let mut offers: Vec<&str> = vec!["postbox greets you"];
                    offers.extend(self.offers);
                    if self.tls == Tls::Offered && !secure {
                        offers.push("STARTTLS");
                    }
                    let last = offers.pop().unwrap_or_default();
                    offers.iter().map(|offer| format!("250-{offer}\r\n")).collect::<String>() + "250 " + last
                }
                "STARTTLS" => "220 go ahead".to_owned(),
                "AUTH" => {
                    let token = told.strip_prefix("AUTH PLAIN ").and_then(|text| STANDARD.decode(text).ok());
                    signed_in = match token {
                        Some(token) => token == format!("\0{}\0{}", USER.0, USER.1).into_bytes(),
                        None => {
                            let name = ask(&mut line, "VXNlcm5hbWU6").await?;
                            name == USER.0 && ask(&mut line, "UGFzc3dvcmQ6").await? == USER.1
                        }
                    };
                    if signed_in { "235 welcome" } else { "535 5.7.8 who are you" }.to_owned()
                }
                "MAIL" => {
                    from = address(&told);
                    "250 2.1.0 ok".to_owned()
                }
                "RCPT" => {
                    to = address(&told);
                    "250 2.1.5 ok".to_owned()
                }
                "DATA" => "354 go on".to_owned(),
                "QUIT" => "221 bye".to_owned(),
                _ => "500 what".to_owned(),
            };
            let did = answer(&mut line, acts, &word, &reply).await?;
            match word.as_str() {
                "QUIT" => return Some(()),
                "STARTTLS" if did => {
                    let stream: Box<dyn Duplex> = Box::new(acceptor().accept(line.into_inner()).await.ok()?);
                    (line, secure) = (BufReader::new(stream), true);
                }
                "DATA" if did => {
                    let data = message(&mut line).await?;
                    let letter = Letter { from: from.clone(), to: to.clone(), data, signed_in, secure };
                    let refuses = |act: &Act| matches!(act, Act::Says(".", reply) if !reply.starts_with('2'));
                    if !acts.iter().any(refuses) {
                        self.state.lock().unwrap().letters.push(letter);
                    }
                    answer(&mut line, acts, ".", "250 2.0.0 ok: queued as 7").await?;
                }
                _ => {}
            }
        }
    }
}

pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

type Line = BufReader<Box<dyn Duplex>>;

/// Answers as it is told; whether the step was done. `None` when the connection ends.
async fn answer(line: &mut Line, acts: &[Act], step: &str, reply: &str) -> Option<bool> {
    let act = acts.iter().find(|act| act.step() == step);
    let (reply, did) = match act {
        Some(Act::Says(_, reply)) => (*reply, reply.as_bytes()[0] < b'4'),
        Some(Act::Ends(_)) => return None,
        Some(Act::Waits(_, milliseconds)) => {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            (reply, true)
        }
        None => (reply, true),
    };
    line.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
    line.flush().await.ok()?;
    Some(did)
}

async fn read(line: &mut Line) -> Option<String> {
    let mut told = String::new();
    line.read_line(&mut told).await.ok().filter(|count| *count > 0)?;
    Some(told.strip_suffix("\r\n")?.to_owned())
}

/// Asks for a word of AUTH LOGIN.
async fn ask(line: &mut Line, question: &str) -> Option<String> {
    line.write_all(format!("334 {question}\r\n").as_bytes()).await.ok()?;
    line.flush().await.ok()?;
    String::from_utf8(STANDARD.decode(read(line).await?).ok()?).ok()
}

/// A message to its final dot, with dots as they were meant. `None` when it breaks off, or has lines that end wrongly.
async fn message(line: &mut Line) -> Option<String> {
    let mut data = String::new();
    loop {
        let told = read(line).await?;
        if told == "." {
            return Some(data);
        }
        if told.contains(['\r', '\n']) {
            return None;
        }
        data += told.strip_prefix('.').unwrap_or(&told);
        data += "\r\n";
    }
}

fn address(told: &str) -> String {
    let rest = told.split_once('<').map_or("", |(_, rest)| rest);
    rest.split_once('>').map_or("", |(address, _)| address).to_owned()
}

/// The certificate of the server: of `mail.test`, `localhost` and 127.0.0.1, by itself.
pub fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(include_bytes!("postbox/certificate.pem")).unwrap()
}

fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("postbox/key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
