//! What all layers have in common: a service with something done around it.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use tower_service::Service;

use crate::{BoxError, Call, handle::HandlerService};

/// A service that the layers of this module fit around, and are themselves: it takes [`Call`]s,
/// is cheap to clone, and can be called from any thread. It is implemented for every service that
/// is so.
pub trait CallService:
    Service<Call, Response = (), Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<T> CallService for T where
    T: Service<Call, Response = (), Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// What a layer does around a call.
pub(crate) trait Around: Send + Sync + 'static {
    /// Handles a call, most often by [`pass`]ing it to what is inside.
    fn around<S: CallService>(
        &self,
        call: Call,
        inner: &S,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// Hands a call to what is inside, as soon as that is ready.
pub(crate) async fn pass<S: CallService>(inner: &S, call: Call) -> Result<(), BoxError> {
    let mut inner = inner.clone();
    poll_fn(|cx| inner.poll_ready(cx)).await.map_err(Into::into)?;
    inner.call(call).await.map_err(Into::into)
}

/// A service with a layer of this module around it.
///
/// It is always ready: what is inside is cloned for each call, and waited for then.
pub struct Layered<L, S>(Arc<Pair<L, S>>);

struct Pair<L, S> {
    layer: L,
    inner: S,
}

impl<L, S> Layered<L, S> {
    pub(crate) fn new(layer: L, inner: S) -> Self {
        Self(Arc::new(Pair { layer, inner }))
    }
}

fn begin<L: Around, S: CallService>(
    pair: Arc<Pair<L, S>>,
    call: Call,
) -> BoxFuture<'static, Result<(), BoxError>> {
    Box::pin(async move { pair.layer.around(call, &pair.inner).await })
}

/// A service with its type forgotten.
pub(crate) fn erased<L: Around, S: CallService>(layered: Layered<L, S>) -> HandlerService<Call> {
    HandlerService::of(Arc::new(move |call| begin(layered.0.clone(), call)))
}

impl<L: Around, S: CallService> Service<Call> for Layered<L, S> {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        begin(self.0.clone(), call)
    }
}

impl<L, S> Clone for Layered<L, S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<L: fmt::Debug, S> fmt::Debug for Layered<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Layered").field(&self.0.layer).finish()
    }
}

/// Makes a `tower_layer::Layer` of a type that is [`Around`] and cheap to clone.
macro_rules! layer {
    ($layer:ty) => {
        impl<S> tower_layer::Layer<S> for $layer {
            type Service = $crate::layers::Layered<$layer, S>;

            fn layer(&self, inner: S) -> Self::Service {
                $crate::layers::Layered::new(self.clone(), inner)
            }
        }
    };
}
pub(crate) use layer;
