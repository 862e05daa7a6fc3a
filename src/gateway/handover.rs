//! From an HTTP connection to a socket: the server hands an upgraded connection over to here, and its own buffers end.
//!
//! The request runs through the whole application first, as any other: middlewares, routes and refusals are the same.
//! An answer that carries a [`Ticket`] (`upgrade`) turns the connection into a socket; any other answer is written and
//! the connection ends. Owns nothing of what the application answers.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, HttpMessage, Request, Response};
use actix_service::{Service, ServiceFactory};
use actix_web::dev::ServiceResponse;
use futures_util::SinkExt;
use futures_util::future::LocalBoxFuture;

use super::connection::Connection;
use super::session::SessionTask;
use super::upgrade::Ticket;
use crate::http;

/// How long the answer to the request may take to be written.
const ANSWER: Duration = Duration::from_secs(10);

/// On a request whose connection can become a socket.
#[derive(Debug, Clone, Copy)]
pub struct Upgradable;

/// The application of a worker, inside all of its middlewares.
pub trait Application:
    Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error> + 'static
{
}

impl<S> Application for S where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error> + 'static
{
}

type Upgrade = (Request, Framed<http::connection::Connection, Codec>);
type Made<S> = Rc<RefCell<Option<Rc<S>>>>;

/// Splits the application's factory in two that share the one application of a worker: what answers requests, and
/// what takes requests to upgrade.
pub fn split<F: ServiceFactory<Request>>(application: F) -> (Answering<F>, Upgrading<F::Service>) {
    let made = Made::default();
    (Answering { application, made: made.clone() }, Upgrading { made })
}

/// Makes what answers requests.
pub struct Answering<F: ServiceFactory<Request>> {
    application: F,
    made: Made<F::Service>,
}

impl<F> ServiceFactory<Request> for Answering<F>
where
    F: ServiceFactory<Request>,
    F::Service: 'static,
    F::Future: 'static,
{
    type Response = F::Response;
    type Error = F::Error;
    type Config = F::Config;
    type Service = Rc<F::Service>;
    type InitError = F::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, config: F::Config) -> Self::Future {
        let (making, made) = (self.application.new_service(config), self.made.clone());
        Box::pin(async move {
            let service = Rc::new(making.await?);
            *made.borrow_mut() = Some(service.clone());
            Ok(service)
        })
    }
}

/// Makes, and is, what takes requests to upgrade.
pub struct Upgrading<S> {
    made: Made<S>,
}

impl<S> Clone for Upgrading<S> {
    fn clone(&self) -> Self {
        Self { made: self.made.clone() }
    }
}

impl<S: Application> ServiceFactory<Upgrade> for Upgrading<S> {
    type Response = ();
    type Error = Infallible;
    type Config = ();
    type Service = Self;
    type InitError = ();
    type Future = std::future::Ready<Result<Self, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        std::future::ready(Ok(self.clone()))
    }
}

impl<S: Application> Service<Upgrade> for Upgrading<S> {
    type Response = ();
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<(), Infallible>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, (request, framed): Upgrade) -> Self::Future {
        let application = self.made.borrow().clone();
        // Boxed of its own, so that a socket that lives for days does not carry the request's future with it.
        let answering = Box::pin(async move {
            match application {
                Some(application) => answer(&*application, request, framed).await,
                None => None,
            }
        });
        Box::pin(async move {
            let session = answering.await;
            if let Some(session) = session {
                session.await;
            }
            Ok(())
        })
    }
}

/// Lets the application answer; with its ticket the connection becomes a socket.
async fn answer(
    application: &impl Application,
    request: Request,
    mut framed: Framed<http::connection::Connection, Codec>,
) -> Option<SessionTask> {
    request.extensions_mut().insert(Upgradable);
    let answered = match poll_fn(|context| application.poll_ready(context)).await {
        Ok(()) => application.call(request).await,
        Err(error) => Err(error),
    };
    let mut response: Response<BoxBody> = match answered {
        Ok(response) => response.into(),
        Err(error) => error.into(),
    };
    let ticket = response.extensions_mut().remove::<Ticket>();
    if ticket.is_none() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    in_time(write(&mut framed, response)).await?;
    let Some(ticket) = ticket else {
        // The client sees the end once it has read the answer.
        in_time(framed.close()).await;
        return None;
    };
    let parts = framed.into_parts();
    let (stream, admission) = parts.io.into_parts();
    Some(ticket.enter(Connection::new(stream, &parts.read_buf).admitted(admission)))
}

async fn in_time<E: std::fmt::Display>(work: impl Future<Output = Result<(), E>>) -> Option<()> {
    match tokio::time::timeout(ANSWER, work).await {
        Ok(Ok(())) => Some(()),
        Ok(Err(cause)) => {
            log::debug!(target: "deskwire::gateway", "the answer to an upgrade could not be written: {cause}");
            None
        }
        Err(_) => None,
    }
}

async fn write(
    framed: &mut Framed<http::connection::Connection, Codec>,
    response: Response<BoxBody>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (head, body) = response.into_parts();
    let size = body.size();
    framed.send(Message::Item((head, size))).await?;
    if !matches!(size, BodySize::None | BodySize::Sized(0)) {
        let mut body = pin!(body);
        while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
            framed.send(Message::Chunk(Some(chunk?))).await?;
        }
        framed.send(Message::Chunk(None)).await?;
    }
    Ok(())
}
