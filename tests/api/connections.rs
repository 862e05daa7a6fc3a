//! P8 at the door: connections that bring nothing, too slowly, or too many, spoken to byte by byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use deskwire::db::DatabaseKind;
use serde_json::json;

use crate::harness::process::Process;
use crate::harness::{TestApp, TestDatabase, block_on, eventually, run};

/// A raw connection.
fn connect(base: &str) -> TcpStream {
    let stream = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Everything that comes until the server closes.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is an end like any other.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let late = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut].contains(&error.kind());
        assert!(!late, "the server does not close");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One request on a connection that stays; the status line.
fn ask(stream: &mut TcpStream) -> String {
    if stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").is_err() {
        return "closed".to_owned();
    }
    let mut buffer = [0; 4_096];
    let length = stream.read(&mut buffer).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap_or("closed").to_owned()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn sqlite<F: Future<Output = ()>>(test: impl FnOnce(TestApp) -> F) {
    run(DatabaseKind::Sqlite, test);
}

/// 40 clients announce a body and bring a byte now and then: each is told so and its connection ends.
#[test]
fn a_body_has_a_deadline_and_a_least_rate() {
    sqlite(|app| async move {
        let app = app.restarted(|settings| settings.body_seconds = 1).await;
        let base = app.base().to_owned();
        let answers = blocking(move || {
            let mut streams: Vec<_> = (0..40).map(|_| connect(&base)).collect();
            let head = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                        content-length: 60000\r\n\r\n";
            for stream in &mut streams {
                stream.write_all(head.as_bytes()).unwrap();
            }
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(100));
                for stream in &mut streams {
                    let _ = stream.write_all(b" ");
                }
            }
            // What came until now earns milliseconds at the least rate, so the answers are there or nearly so.
            let answer = |stream: TcpStream| {
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                let answer = rest(stream);
                assert!(!answer.is_empty(), "a body without end is waited for");
                answer
            };
            streams.into_iter().map(answer).collect::<Vec<_>>()
        })
        .await;
        for answer in answers {
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            assert!(
                answer.contains("\"request_timeout\"") && answer.contains("\"retryable\":true"),
                "{answer}"
            );
            assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        }
        app.client().get_root("/readyz").await.ok();
    });
}

/// The clock of a head starts with its first byte, on every request of a connection; silence before it is patient.
#[test]
fn a_head_is_timed_from_its_first_byte() {
    sqlite(|app| async move {
        let app = app.restarted(|settings| settings.keep_alive_seconds = 30).await;
        let base = app.base().to_owned();
        blocking(move || {
            let mut silent = connect(&base);
            let mut slow = connect(&base);
            slow.write_all(b"GET /healthz HT").unwrap();
            let mut second = connect(&base);
            assert_eq!(ask(&mut second), "HTTP/1.1 200 OK");
            second.write_all(b"GET /healthz HT").unwrap();
            let started = Instant::now();
            let ended =
                [slow, second].map(|stream| std::thread::spawn(move || (rest(stream), started.elapsed())));
            std::thread::sleep(Duration::from_secs(12));
            assert_eq!(ask(&mut silent), "HTTP/1.1 200 OK", "who connects early is not cut");
            for one in ended {
                let (answer, took) = one.join().unwrap();
                assert_eq!(answer, "", "no request was read, so none is answered");
                assert!(took < Duration::from_secs(20), "{took:?}");
            }
        })
        .await;
    });
}

/// An idle connection lives as long as the setting says.
#[test]
fn keep_alive_is_a_setting() {
    assert!(deskwire::settings::Settings::defaults().keep_alive_seconds > 60);
    sqlite(|app| async move {
        let app = app.restarted(|settings| settings.keep_alive_seconds = 1).await;
        let base = app.base().to_owned();
        blocking(move || {
            let mut used = connect(&base);
            ask(&mut used);
            assert_eq!(rest(used), "");
            assert_eq!(rest(connect(&base)), "", "one that never asked ends too");
        })
        .await;
    });
}

/// At a limit new connections are told so; old ones live, and a place that is given back is taken again.
#[test]
fn connections_are_counted_by_address_and_in_all() {
    for (by_address, status) in [(true, "429 Too Many Requests"), (false, "503 Service Unavailable")] {
        sqlite(|app| async move {
            let app = app
                .restarted(|settings| match by_address {
                    true => settings.connections_per_address = 5,
                    false => settings.connections = 5,
                })
                .await;
            let base = app.base().to_owned();
            blocking(move || {
                let mut held: Vec<_> = (0..5).map(|_| connect(&base)).collect();
                for stream in &mut held {
                    assert_eq!(ask(stream), "HTTP/1.1 200 OK");
                }
                for _ in 0..20 {
                    let answer = rest(connect(&base));
                    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
                    assert!(answer.contains("retry-after: "), "{answer}");
                }
                for stream in &mut held {
                    assert_eq!(ask(stream), "HTTP/1.1 200 OK", "old connections live");
                }
                held.pop();
                let deadline = Instant::now() + Duration::from_secs(60);
                while ask(&mut connect(&base)) != "HTTP/1.1 200 OK" {
                    assert!(Instant::now() < deadline, "a place that is free again is given");
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
            .await;
        });
    }
}

/// A client that takes every connection leaves the database its descriptors, and others find a place afterwards.
#[test]
fn a_process_with_few_descriptors_keeps_its_database() {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    // The pool is large, so that its connections are opened while the descriptors are short.
    let environment = [("DESKWIRE_POOL_SIZE", "16"), ("DESKWIRE_CONNECTIONS_PER_ADDRESS", "100000")];
    let process = Process::serve_with_open_files(&database.url, 256, &environment);
    block_on(async {
        let slug = "acme";
        let admin = json!({"login_name": "root", "password": "a long password"});
        let platform = process.client().with_token(crate::harness::PLATFORM_KEY);
        platform.post("/tenants", json!({"slug": slug, "admin": admin})).await.status(201);
        let visitor = process.client().with_token(process.visitor_token(slug).await);
        let inboxes = async || {
            let reads = futures_util::future::join_all((0..8).map(|_| visitor.get("/inbox"))).await;
            reads.into_iter().map(|answer| answer.status).collect::<Vec<_>>()
        };
        // The client keeps these eight connections.
        assert_eq!(inboxes().await, [200; 8]);
        let base = process.base();
        let held = blocking(move || {
            let mut held: Vec<TcpStream> = (0..400).filter_map(|_| TcpStream::connect(&base[7..]).ok()).collect();
            // Some were refused: those have been told.
            std::thread::sleep(Duration::from_millis(500));
            held.retain(|stream| stream.set_nonblocking(true).is_ok());
            let alive = held.iter().filter(|stream| matches!(stream.peek(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock));
            let alive = alive.count();
            assert!((10..256).contains(&alive), "{alive} of {} connections live", held.len());
            held
        })
        .await;
        assert_eq!(inboxes().await, [200; 8], "old connections live, and so does the database");
        visitor.open("hello").await;
        drop(held);
        eventually("there is room again", || async {
            let ready = process.client().request(reqwest::Method::GET, &format!("{}/readyz", process.base()));
            ready.send().await.is_ok_and(|answer| answer.status() == 200).then_some(())
        })
        .await;
        let room = visitor.open("hello").await;
        visitor.send(&room, "still there").await;
    });
    assert_eq!(process.terminate(), Some(0));
}
