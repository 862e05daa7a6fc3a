//! The HTTP server: what every request passes through, and how it starts and stops. Knows no feature (`routes`).

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, ServerHandle, fn_service};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App as ActixApp, web};
use tokio::task::JoinHandle;
use utoipa_actix_web::AppExt;

use crate::app::App;
use crate::documents::Documents;
use crate::http::admission::{Admission, Refusal};
use crate::http::connection::Connection;

use crate::http::fallback::{RouteTable, fallback};
use crate::http::{cors, middleware, parameters};
use crate::kernel::{Code, Error, Result, descriptors};
use crate::metrics::Metrics;

/// How long requests that are under way may take once the sockets are gone, in seconds.
const STOP_SECONDS: u64 = 5;
/// How long a connection that is being closed waits for its client.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

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

/// Takes a connection that the system accepted, or tells it why not.
fn take(
    stream: TcpStream,
    admission: &Admission,
    keep_alive: Duration,
    metrics: &Metrics,
) -> std::result::Result<Connection, Refusal> {
    // A connection without a peer is gone already; it is counted somewhere and ends at its first read.
    let address = stream.peer_addr().map_or(std::net::IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
    match admission.enter(address) {
        Ok(permit) => {
            // Small frames go out at once. A connection that refuses is already gone.
            let _ = stream.set_nodelay(true);
            give_up_on_silence(&stream);
            Ok(Connection::new(stream, permit, keep_alive))
        }
        Err(refusal) => {
            let reason = match refusal {
                Refusal::Full => "full",
                Refusal::Address => "address",
            };
            metrics.connections_refused.with_label_values(&[reason]).inc();
            // Tried once: nobody waits for whoever is not served.
            // (The runtime does not know yet that the stream can be written.)
            let _ = socket2::SockRef::from(&stream).send(refusal.answer());
            Err(refusal)
        }
    }
}

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

/// The documents of this program. Its routes never change, so they are written once, however many servers it starts.
fn documents() -> Result<web::Data<Documents>> {
    static WRITTEN: Mutex<Option<web::Data<Documents>>> = Mutex::new(None);
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    let documents = match &*written {
        Some(documents) => documents.clone(),
        None => web::Data::new(Documents::new(crate::routes::configure)?),
    };
    Ok(written.insert(documents).clone())
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
    let transport = web::Data::new(crate::centre::spawn_tasks(&app)?);
    crate::queue::announce::spawn(&app);
    crate::search::spawn_tasks(&app);
    crate::reports::spawn_tasks(&app);
    crate::sla::spawn_tasks(&app);
    crate::attachments::spawn(&app);
    crate::erasure::spawn_tasks(&app);
    crate::exports::spawn_tasks(&app);
    let documents = documents()?;
    let portal = documents.portal();
    let table = web::Data::new(RouteTable::new(&documents.openapi));
    let admission = Admission::new(settings, workers, descriptors::raise());
    log::info!(target: "deskwire::http", "at most {} connections", admission.total());
    let (per_worker, keep_alive) =
        (admission.per_worker(workers), Duration::from_secs(settings.keep_alive_seconds));
    let metrics = app.metrics.clone();
    let shared = web::Data::from(app.clone());
    let application = move || {
        let settings = &shared.settings;
        ActixApp::new()
            .into_utoipa_app()
            .app_data(shared.clone())
            .app_data(table.clone())
            .app_data(documents.clone())
            .app_data(portal.clone())
            .app_data(transport.clone())
            .app_data(parameters::path_config())
            .app_data(parameters::query_config())
            .configure(crate::routes::configure)
            .map(|app| app.configure(crate::documents::portal::routes))
            .into_app()
            .default_service(web::to(fallback))
            .wrap(from_fn(middleware::limit))
            .wrap(cors::middleware(settings))
            .wrap(from_fn(middleware::request))
    };
    let server = actix_server::Server::build()
        .disable_signals()
        .workers(workers)
        .backlog(2_048)
        .max_concurrent_connections(per_worker)
        .shutdown_timeout(STOP_SECONDS);
    let stopping = server.graceful_shutdown_signal();
    let server = server
        .listen("deskwire", listener, move || {
            let (admission, metrics, stopping) = (admission.clone(), metrics.clone(), stopping.clone());
            // Requests to upgrade run through the same application; then the gateway has the connection to itself.
            let (answering, upgrading) = crate::gateway::split(application().into_factory());
            let service = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .keep_alive(keep_alive)
                // The connection has a better clock (`http::connection`).
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(CLOSE_TIMEOUT)
                .local_addr(address)
                .on_connect_ext(|connection: &Connection, data| {
                    data.insert(connection.state());
                })
                .upgrade(upgrading)
                .finish(map_config(answering, |()| AppConfig::default()));
            fn_service(move |stream: TcpStream| {
                let taken = take(stream, &admission, keep_alive, &metrics);
                async move {
                    // Whoever is refused has been told; there is nothing to be served.
                    let connection =
                        taken.map_err(|_| actix_http::error::DispatchError::DisconnectTimeout)?;
                    let peer = connection.peer();
                    Ok((connection, actix_http::Protocol::Http1, peer))
                }
            })
            .and_then(service)
        })
        .map_err(failed)?
        .run();
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
        // A follower or a repair that is under way ends before the lanes do.
        if !app.tasks.stop(Duration::from_secs(STOP_SECONDS)).await {
            log::warn!(target: "deskwire", "some tasks did not end within {STOP_SECONDS} s");
        }
        crate::db::blocking(move || {
            app.close();
            Ok(())
        })
        .await
    }
}
