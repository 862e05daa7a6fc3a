//! Resident memory of a socket that does nothing, before and after it has been pinged for a while. The server runs in
//! a process of its own; the growth of its resident memory is divided by the number of sockets.

mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use clap::Parser;
use common::child::Served;
use common::socket::Socket;
use common::{FromCargo, Outcome, cast};
use futures_util::{StreamExt, TryStreamExt, stream};

#[derive(Parser)]
struct Arguments {
    /// How many sockets; each of its own visitor. Needs as many file descriptors (`ulimit -n`).
    #[arg(long, default_value_t = 2_000)]
    sockets: usize,
    /// How many pings each socket says before it is measured again.
    #[arg(long, default_value_t = 100)]
    pings: usize,
    #[command(flatten)]
    cargo: FromCargo,
}

/// Each connection to SQLite maps and caches the whole file, which would count as memory of the sockets whose hello
/// read it.
const READERS: usize = 1;

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    common::runtime()?.block_on(async {
        let served = Served::start(&folder.path().join("idle.db"), READERS)?;
        served.answers("/readyz").await?;
        let slug = "idle";
        cast::tenant(served.address, slug).await?;
        let people = cast::visitors(served.address, slug, arguments.sockets).await?;
        // One socket first, so that what is made once is not counted.
        let server = served.address;
        let connect = |number: usize| {
            let person = &people[number];
            async move {
                // Several source addresses, as if from several machines.
                let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number % 8)?));
                let mut socket = Socket::open(server, Some(source), "/api/v1/ws", 512).await?;
                socket.hello(&person.token, "idle").await?;
                Outcome::Ok(socket)
            }
        };
        let warm = 50.min(arguments.sockets);
        let mut sockets: Vec<Socket> =
            stream::iter((0..warm).map(connect)).buffered(16).try_collect().await?;
        let before = settled(&served).await?;
        sockets.extend(
            stream::iter((warm..arguments.sockets).map(connect)).buffered(64).try_collect::<Vec<_>>().await?,
        );
        let after = settled(&served).await?;
        let counted = arguments.sockets - warm;
        common::head();
        let row = |work: &str, bytes: u64| {
            let each = (bytes as f64 - before as f64) / counted.max(1) as f64 / 1_024.0;
            common::row([
                work,
                &format!("{each:.1} KiB"),
                "bare actix-ws echo 13.5 KiB",
                "",
                "18 KiB",
                "12 KiB",
            ]);
        };
        row(&format!("memory of an idle socket, {counted} sockets"), after);
        for _ in 0..arguments.pings {
            let rounds = sockets.iter_mut().map(|socket| socket.ping());
            stream::iter(rounds).buffer_unordered(256).try_collect::<Vec<()>>().await?;
        }
        row(&format!("the same after {} pings of each", arguments.pings), settled(&served).await?);
        drop(sockets);
        Ok(())
    })
}

/// The resident memory once it stays within 1 % for a second.
async fn settled(served: &Served) -> Outcome<u64> {
    let mut last = served.resident()?;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = served.resident()?;
        if now.abs_diff(last) * 100 < last {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}
