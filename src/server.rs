//! The HTTP server: what every request passes through, and how it starts and stops. Knows no room (`routes`).

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, map_config};
use actix_web::dev::{AppConfig, Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App as ActixApp, web};
use tokio::task::JoinHandle;
use utoipa_actix_web::AppExt;

use crate::app::App;
use crate::documents::Documents;
use crate::http::fallback::{RouteTable, fallback};
use crate::http::limit::Limiter;
use crate::http::{cors, middleware, parameters};
use crate::kernel::{Code, Error, Result};

/// How long a connection may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the end of a connection may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long requests that are under way may take once the sockets are gone, in seconds.
const STOP_SECONDS: u64 = 5;

/// How long a peer may leave bytes unacknowledged, or its window shut, until the connection is cut.
#[cfg(target_os = "linux")]
const SILENCE: Duration = Duration::from_secs(30);

/// A peer that is gone, or never reads, would otherwise hold its connection's buffers for as long as the kernel keeps
/// trying: a quarter of an hour, or for ever.
#[cfg(target_os = "linux")]
fn give_up_on_silence(stream: &TcpStream) {
    if let Err(cause) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(SILENCE)) {
        log::debug!(target: "deskwire::http", "the connection keeps the system's patience: {cause}");
    }
}

/// Other systems keep their own patience.
#[cfg(not(target_os = "linux"))]
fn give_up_on_silence(_stream: &TcpStream) {}

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    app: Arc<App>,
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

fn cannot_listen(listen: SocketAddr, cause: std::io::Error) -> Error {
    Error::new(Code::InvalidParameter, format!("cannot listen on {listen}")).caused_by(cause)
}

/// Binds the address. Connections wait in the backlog until [`start_on`] serves them.
pub fn bind(listen: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(listen).map_err(|cause| cannot_listen(listen, cause))
}

/// Binds the address of the settings and serves. Must be called inside a tokio runtime. Signals are the caller's.
pub async fn start(app: Arc<App>) -> Result<Running> {
    let listener = bind(app.settings.listen)?;
    start_on(app, listener)
}

/// Serves on a bound address. Must be called inside a tokio runtime.
pub fn start_on(app: Arc<App>, listener: TcpListener) -> Result<Running> {
    let settings = &app.settings;
    let failed = |cause| cannot_listen(settings.listen, cause);
    let address = listener.local_addr().map_err(failed)?;
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };

    app.spawn_tasks();
    let documents = web::Data::new(Documents::new(crate::routes::configure)?);
    let table = web::Data::new(RouteTable::new(&documents.openapi));
    let limiter = web::Data::new(Limiter::new(settings));
    let shared = web::Data::from(app.clone());
    let factory = move || {
        let settings = &shared.settings;
        ActixApp::new()
            .into_utoipa_app()
            .app_data(shared.clone())
            .app_data(table.clone())
            .app_data(limiter.clone())
            .app_data(documents.clone())
            .app_data(parameters::path_config())
            .app_data(parameters::query_config())
            .configure(crate::routes::configure)
            .map(|app| app.configure(crate::documents::page))
            .into_app()
            .default_service(web::to(fallback))
            .wrap(from_fn(middleware::limit))
            .wrap(cors::middleware(settings))
            .wrap(from_fn(middleware::request))
    };
    let server = Server::build()
        .disable_signals()
        .workers(workers)
        .backlog(2_048)
        .max_concurrent_connections(100_000)
        .shutdown_timeout(STOP_SECONDS);
    let stopping = server.graceful_shutdown_signal();
    let connections = move || {
        let stopping = stopping.clone();
        // Requests to upgrade run through the same application; then the gateway has the connection to itself.
        let (answering, upgrading) = crate::gateway::split(factory().into_factory());
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .keep_alive(KEEP_ALIVE)
            .local_addr(address)
            .on_connect_ext(|stream: &TcpStream, _| {
                // Small frames go out at once. A connection that refuses is already gone.
                let _ = stream.set_nodelay(true);
                give_up_on_silence(stream);
            })
            .upgrade(upgrading)
            .finish(map_config(answering, |()| AppConfig::default()))
            .tcp()
    };
    let server = server.listen("deskwire", listener, connections).map_err(failed)?.run();
    let handle = server.handle();
    let task = tokio::spawn(server);
    Ok(Running { address, app, handle, task })
}

impl Running {
    /// The server's parts.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Sends the sockets away, lets requests that are under way finish, and returns when nothing runs any more.
    pub async fn stop(self) -> Result<()> {
        self.app.tasks.shutdown().cancel();
        let patience = self.app.settings.drain_seconds + STOP_SECONDS;
        self.app.connections.drained(Duration::from_secs(patience)).await;
        self.handle.stop(true).await;
        self.task
            .await
            .map_err(|cause| Error::internal("the server panicked").caused_by(cause))?
            .map_err(|cause| Error::internal("the server failed").caused_by(cause))?;
        let app = self.app;
        crate::db::blocking(move || {
            app.close();
            Ok(())
        })
        .await
    }
}
