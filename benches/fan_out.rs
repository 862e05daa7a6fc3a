//! One entry to many sockets, against a bare actix-ws server that sends the same bytes to as many sockets in a loop.
//! Both servers and all clients share this process.

mod common;

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::{App as ActixApp, HttpRequest, HttpResponse, HttpServer, web};
use clap::Parser;
use common::http::{Http, request};
use common::own::Own;
use common::socket::Socket;
use common::{FromCargo, Outcome, cast, median};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::sync::{broadcast, mpsc};

#[derive(Parser)]
struct Arguments {
    /// Sockets that watch one conversation. Both ends are in this process: `ulimit -n` must be twice as many and more.
    #[arg(long, default_value_t = 5_000)]
    sockets: usize,
    /// Entries that are sent, one after the other.
    #[arg(long, default_value_t = 30)]
    entries: usize,
    #[command(flatten)]
    cargo: FromCargo,
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(async {
        let ours = deskwire(&arguments).await?;
        let bare = bare(&arguments, ours.bytes).await?;
        let fan_out = ours.milliseconds - ours.write;
        let share = 100.0 * bare.milliseconds / fan_out;
        common::head();
        common::row([
            &format!("fan-out of one entry of {} bytes to {} sockets", ours.bytes, arguments.sockets),
            &format!("{fan_out:.1} ms ({:.1} ms with the durable write)", ours.milliseconds),
            &format!("bare actix-ws {:.1} ms", bare.milliseconds),
            &format!("{share:.0} %"),
            "80 %",
            "95 %",
        ]);
        Ok(())
    })
}

struct Measured {
    milliseconds: f64,
    /// What the same request takes when nobody watches.
    write: f64,
    bytes: usize,
}

/// The readers: each counts the frames that hold the text, and tells.
struct Readers {
    arrived: mpsc::Receiver<usize>,
    tasks: tokio::task::JoinSet<Outcome<()>>,
}

const MARK: &[u8] = b"fan-out-mark";

impl Readers {
    fn start(sockets: Vec<Socket>) -> Self {
        let (tell, arrived) = mpsc::channel(sockets.len().max(1));
        let mut tasks = tokio::task::JoinSet::new();
        for mut socket in sockets {
            let tell = tell.clone();
            tasks.spawn(async move {
                loop {
                    let frame = socket.next().await?;
                    if common::http::find(frame, MARK).is_some() {
                        let length = frame.len();
                        if tell.send(length).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            });
        }
        Self { arrived, tasks }
    }

    /// Waits until every socket has one more; returns the frame's length.
    async fn all(&mut self, sockets: usize) -> Outcome<usize> {
        let mut length = 0;
        for _ in 0..sockets {
            tokio::select! {
                arrived = self.arrived.recv() => length = arrived.ok_or("the readers ended")?,
                Some(ended) = self.tasks.join_next() => ended??,
                () = tokio::time::sleep(Duration::from_secs(30)) => return Err("an entry did not reach everybody".into()),
            }
        }
        Ok(length)
    }
}

async fn deskwire(arguments: &Arguments) -> Outcome<Measured> {
    let own = Own::sqlite().await?;
    let server = own.address;
    let admin = cast::tenant(server, "fan").await?;
    let visitors = cast::visitors(server, "fan", 1).await?;
    let rooms = cast::conversations(server, &visitors).await?;
    let (visitor, room) = (&visitors[0], &rooms[0]);
    let send = |key: String| {
        let body = json!({ "client_msg_id": key, "kind": "text", "content": { "text": "fan-out-mark" } });
        let path = format!("/api/v1/conversations/{room}/messages");
        request("POST", &path, Some(&visitor.token), Some(&body.to_string()))
    };
    let mut http = Http::connect(server).await?;
    let mut writes = Vec::new();
    for entry in 0..arguments.entries {
        let begin = Instant::now();
        http.call(&send(format!("w{entry}"))).await?.json()?;
        writes.push(common::milliseconds(begin.elapsed()));
    }
    // One administrator with many devices, all watching: as many readers of one log.
    let open = |number: usize| {
        let token = admin.token.clone();
        async move {
            let mut socket = Socket::open(server, None, "/api/v1/ws", 2_048).await?;
            socket.hello(&token, &format!("device-{number}")).await?;
            let watch = json!({ "type": "watch", "id": "w", "data": { "conversations": [room] } });
            socket.send(&watch.to_string()).await?;
            loop {
                let frame = socket.next().await?;
                if frame.starts_with(b"{\"type\":\"ok\"") {
                    return Outcome::Ok(socket);
                }
                if frame.starts_with(b"{\"type\":\"error\"") {
                    return Err(String::from_utf8_lossy(frame).into_owned().into());
                }
            }
        }
    };
    let sockets: Vec<Socket> =
        stream::iter((0..arguments.sockets).map(open)).buffered(32).try_collect().await?;
    let mut readers = Readers::start(sockets);
    let (mut times, mut bytes) = (Vec::new(), 0);
    for entry in 0..arguments.entries {
        let begin = Instant::now();
        http.call(&send(format!("f{entry}"))).await?.json()?;
        bytes = readers.all(arguments.sockets).await?;
        times.push(common::milliseconds(begin.elapsed()));
    }
    readers.tasks.shutdown().await;
    own.running.stop().await?;
    Ok(Measured { milliseconds: median(&times), write: median(&writes), bytes })
}

/// The sessions of one actix worker.
#[derive(Default)]
struct Sessions(Mutex<Vec<actix_ws::Session>>);

async fn join(
    request: HttpRequest,
    body: web::Payload,
    sessions: web::Data<Sessions>,
) -> actix_web::Result<HttpResponse> {
    let (response, session, mut messages) = actix_ws::handle(&request, body)?;
    sessions.0.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    actix_web::rt::spawn(async move { while messages.next().await.is_some() {} });
    Ok(response)
}

/// The ceiling: each worker sends the same bytes to its sessions, one after the other.
async fn bare(arguments: &Arguments, bytes: usize) -> Outcome<Measured> {
    let (send, _) = broadcast::channel::<bytestring::ByteString>(16);
    let sender = send.clone();
    let server = HttpServer::new(move || {
        let sessions = web::Data::new(Sessions::default());
        let mut receiver = sender.subscribe();
        let mine = sessions.clone();
        actix_web::rt::spawn(async move {
            while let Ok(text) = receiver.recv().await {
                let all = mine.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for mut session in all {
                    let _ = session.text(text.clone()).await;
                }
            }
        });
        ActixApp::new().app_data(sessions).route("/ws", web::get().to(join))
    })
    .disable_signals()
    .backlog(2_048)
    .bind("127.0.0.1:0")?;
    let address: SocketAddr = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    let open = |_| Socket::open(address, None, "/ws", 2_048);
    let sockets: Vec<Socket> =
        stream::iter((0..arguments.sockets).map(open)).buffered(32).try_collect().await?;
    let mut readers = Readers::start(sockets);
    let mut text = String::from_utf8_lossy(MARK).into_owned();
    text.extend(std::iter::repeat_n('.', bytes.saturating_sub(MARK.len())));
    let text = bytestring::ByteString::from(text);
    let mut times = Vec::new();
    for _ in 0..arguments.entries {
        let begin = Instant::now();
        send.send(text.clone())?;
        readers.all(arguments.sockets).await?;
        times.push(common::milliseconds(begin.elapsed()));
    }
    readers.tasks.shutdown().await;
    handle.stop(false).await;
    Ok(Measured { milliseconds: median(&times), write: 0.0, bytes })
}
