//! Layers of one's own.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::CallService;
use crate::{
    BoxError, Call, HandlerService, Outcome,
    handle::{Endpoint, endpoint_of_service},
};

/// What is inside of a layer that was made by [`from_fn`].
#[derive(Clone)]
pub struct Next(Endpoint<Call>);

impl Next {
    /// Hands a call to it: once, several times, or never.
    ///
    /// # Errors
    /// Those of what is inside.
    pub async fn run(&self, call: Call) -> Result<(), BoxError> {
        (self.0)(call).await
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

/// A layer made of an asynchronous function, which is called for each call with what is inside. It
/// returns what a handler may return.
///
/// # Example: only what was published lately
/// ```
/// use std::time::{Duration, SystemTime};
/// use fanfare::{BoxError, Call, layers::{Layer, Next, from_fn}};
///
/// let fresh = from_fn(async |call: Call, next: Next| {
///     let age = call.head().and_then(|head| SystemTime::now().duration_since(head.time()).ok());
///     if age.is_some_and(|age| Duration::from_secs(60) < age) {
///         return Ok::<_, BoxError>(());
///     }
///     next.run(call).await
/// });
/// let service = fresh.layer(fanfare::service(async |_call: Call| {}, ()));
/// # let _: fanfare::HandlerService<Call> = service;
/// ```
pub fn from_fn<F, Fut>(function: F) -> FromFn<F>
where
    F: Fn(Call, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    FromFn(Arc::new(function))
}

/// A layer made by [`from_fn`].
pub struct FromFn<F>(Arc<F>);

impl<S, F, Fut> Layer<S> for FromFn<F>
where
    S: CallService,
    F: Fn(Call, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    type Service = HandlerService<Call>;

    fn layer(&self, inner: S) -> HandlerService<Call> {
        let (function, next) = (self.0.clone(), Next(endpoint_of_service(inner)));
        HandlerService::of(Arc::new(move |call| {
            let ending = function(call, next.clone());
            Box::pin(async move { ending.await.failure().map_or(Ok(()), Err) })
        }))
    }
}

impl<F> Clone for FromFn<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Text,
        layers::fixture::{call, run},
    };

    #[tokio::test]
    async fn a_function_decides_what_goes_in_and_what_comes_out() {
        let handler = async |Text(text): Text| if text == "even" { Ok(()) } else { Err(text) };
        let evened = from_fn(async |call: Call, next: Next| {
            if call.payload()? == "never" {
                return Ok::<_, BoxError>(());
            }
            if next.run(call.clone()).await.is_ok() {
                return Err("not needed".into());
            }
            next.run(call.with_payload("even")).await
        });
        let service = evened.clone().layer(crate::service(handler, ()));
        run(&service, call("odd")).await.unwrap();
        run(&service, call("never")).await.unwrap();
        assert_eq!(run(&service, call("even")).await.unwrap_err().to_string(), "not needed");
    }
}
