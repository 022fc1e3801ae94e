//! A time limit for each call.

use std::{fmt, time::Duration};

use super::{
    CallService,
    layered::{Around, layer, pass},
};
use crate::{BoxError, Call};

/// A time limit: what is inside is dropped where it is when it takes longer, and the call fails with
/// [`TimedOut`].
///
/// It is the time of one attempt if it is inside of a [`Retry`](super::Retry), and of all of them if
/// it is outside. What the handler has begun elsewhere (a request to a server) is not taken back.
/// A handler that blocks its thread can not be dropped, so it is not cut.
///
/// # Example: a handler that hangs
/// ```
/// use std::time::Duration;
/// use fanfare::{Call, layers::{Layer, Timeout}};
///
/// let hangs = fanfare::service(async |_call: Call| std::future::pending::<()>().await, ());
/// let limited = Timeout::new(Duration::from_secs(30)).layer(hangs);
/// # let _: fanfare::layers::Layered<Timeout, fanfare::HandlerService<Call>> = limited;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    limit: Duration,
}

impl Timeout {
    /// A limit of so long. What is longer than a year is a year.
    pub fn new(limit: Duration) -> Self {
        Self { limit: limit.min(super::LONGEST) }
    }
}

impl Around for Timeout {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        match tokio::time::timeout(self.limit, pass(inner, call)).await {
            Ok(result) => result,
            Err(_) => Err(TimedOut { limit: self.limit }.into()),
        }
    }
}

layer!(Timeout);

/// It took longer than it may. A later attempt may be quicker: it is
/// [`Transient`](super::Class::Transient).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedOut {
    /// How long it may take.
    pub limit: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the handler took longer than {:?}", self.limit)
    }
}

impl std::error::Error for TimedOut {}

#[cfg(test)]
mod tests {
    use tower_layer::Layer;

    use super::*;
    use crate::layers::fixture::{call, run};

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_is_dropped() {
        let dropped = std::sync::Arc::new(());
        let held = dropped.clone();
        let handler = move |text: crate::Text| {
            let held = held.clone();
            async move {
                let _held = held;
                tokio::time::sleep(Duration::from_secs(text.0.parse().unwrap())).await;
            }
        };
        let limit = Duration::from_secs(5);
        let service = Timeout::new(limit).layer(crate::service(handler, ()));
        run(&service, call("4")).await.unwrap();
        let before = std::sync::Arc::strong_count(&dropped);
        let begun = tokio::time::Instant::now();
        let error = run(&service, call("6")).await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&TimedOut { limit }));
        assert_eq!(begun.elapsed(), limit);
        assert_eq!(std::sync::Arc::strong_count(&dropped), before);
        let forever = Timeout::new(Duration::MAX).layer(service);
        run(&forever, call("1")).await.unwrap();
    }
}
