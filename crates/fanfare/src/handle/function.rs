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

use crate::handle::{BoxError, Extract, Outcome};

/// What is called for each message, or whatever `M` is.
pub(crate) type Endpoint<M = Message> =
    Arc<dyn Fn(M) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

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
                    handling.await.failure().map_or(Ok(()), Err)
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

pub(crate) fn endpoint<H, Args, S, M>(handler: H, state: S) -> Endpoint<M>
where
    H: Handle<Args, S, M>,
    S: Send + Sync + 'static,
{
    Arc::new(move |message| handler.handle(message, &state))
}

/// The endpoint of a service, which is cloned for each message and waited for until it is ready.
pub(crate) fn endpoint_of_service<T, M, N>(service: T) -> Endpoint<M>
where
    T: Service<N, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
    T: Send + Sync + 'static,
    N: From<M> + Send,
    M: Send + 'static,
{
    Arc::new(move |message: M| {
        let mut service = service.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            service.call(message.into()).await.map_err(Into::into)
        })
    })
}

/// A handler as a [`tower`](https://docs.rs/tower) service, so that layers (time limit, concurrency
/// limit, retry …) can be put around it. Made by [`service`].
pub struct HandlerService<M = Message>(Endpoint<M>);

/// Turns a [handler](Handle) into a service, of messages, of the entries that a worker is given, or
/// of [`Call`](crate::Call)s, which are both: see [`Router::service`](crate::Router::service) and
/// [`Worker::spawn_service`](crate::worker::Worker::spawn_service).
pub fn service<H, Args, S, M>(handler: H, state: S) -> HandlerService<M>
where
    H: Handle<Args, S, M>,
    S: Send + Sync + 'static,
{
    HandlerService(endpoint(handler, state))
}

impl<M> HandlerService<M> {
    pub(crate) fn of(endpoint: Endpoint<M>) -> Self {
        Self(endpoint)
    }
}

impl<M> Service<M> for HandlerService<M> {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, message: M) -> Self::Future {
        (self.0)(message)
    }
}

impl<M> Clone for HandlerService<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> fmt::Debug for HandlerService<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerService").finish_non_exhaustive()
    }
}
