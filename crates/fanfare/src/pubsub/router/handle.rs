//! Functions as handlers, and handlers as services.

use std::{
    fmt,
    future::{poll_fn, ready},
    sync::Arc,
    task::{Context, Poll},
};

use fanfare_client::{Error, Message};
use futures_util::future::BoxFuture;
use tower_service::Service;

use crate::pubsub::{handler::Outcome, router::extract::Extract};

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a router calls for each message.
pub(super) type Endpoint =
    Arc<dyn Fn(Message) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// An asynchronous function whose arguments are [extracted](Extract) from the message: none to six
/// of them. It returns nothing or a `Result<(), E>`.
pub trait Handle<Args, S, M = Message>: Send + Sync + 'static {
    /// Begins to handle a message.
    fn handle(&self, message: M, state: &S) -> BoxFuture<'static, Result<(), BoxError>>;
}

/// A message could not be turned into a handler's arguments.
#[derive(Debug)]
pub(crate) struct Undecodable(pub(crate) Error);

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Undecodable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}

macro_rules! handle_functions {
    ($(($($arg:ident $value:ident),*),)+) => {$(
        impl<F, Fut, S, M, $($arg),*> Handle<($($arg,)*), S, M> for F
        where
            F: Fn($($arg),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output: Outcome> + Send + 'static,
            $($arg: Extract<S, M>,)*
        {
            fn handle(
                &self,
                message: M,
                state: &S,
            ) -> BoxFuture<'static, Result<(), BoxError>> {
                $(let $value = match $arg::extract(&message, state) {
                    Ok(value) => value,
                    Err(error) => return Box::pin(ready(Err(Undecodable(error).into()))),
                };)*
                // A function without arguments asks for nothing.
                let _ = (message, state);
                let handling = self($($value),*);
                Box::pin(async move {
                    handling.await.failure().map_or(Ok(()), |text| Err(text.into()))
                })
            }
        }
    )+};
}

handle_functions!(
    (),
    (A a),
    (A a, B b),
    (A a, B b, C c),
    (A a, B b, C c, D d),
    (A a, B b, C c, D d, E e),
    (A a, B b, C c, D d, E e, G g),
);

pub(super) fn endpoint<H, Args, S>(handler: H, state: S) -> Endpoint
where
    H: Handle<Args, S>,
    S: Send + Sync + 'static,
{
    Arc::new(move |message| handler.handle(message, &state))
}

/// The endpoint of a service, which is cloned for each message and waited for until it is ready.
pub(super) fn endpoint_of_service<T>(service: T) -> Endpoint
where
    T: Service<Message, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
    T: Send + Sync + 'static,
{
    Arc::new(move |message| {
        let mut service = service.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            service.call(message).await.map_err(Into::into)
        })
    })
}

/// A handler as a [`tower`](https://docs.rs/tower) service of messages, so that tower's layers
/// (time limit, concurrency limit, retry …) can be put around it. Made by [`service`].
#[derive(Clone)]
pub struct HandlerService(Endpoint);

/// Turns a [handler](Handle) into a service: see [`Router::service`](crate::Router::service).
pub fn service<H, Args, S>(handler: H, state: S) -> HandlerService
where
    H: Handle<Args, S>,
    S: Send + Sync + 'static,
{
    HandlerService(endpoint(handler, state))
}

impl Service<Message> for HandlerService {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, message: Message) -> Self::Future {
        (self.0)(message)
    }
}

impl fmt::Debug for HandlerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerService").finish_non_exhaustive()
    }
}
