//! A handler that answers, as a service.

use std::{
    fmt,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use fanfare_client::Error;
use futures_util::{FutureExt, future::BoxFuture};
use tower_service::Service;

use super::{Reply, Respond, wire};
use crate::{
    BoxError, Call, Fanfare, Head,
    agreed::Agreed,
    handle::{Undecodable, panic_text},
};

/// The counts of an [`Answering`] and all its clones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnsweringStats {
    /// Requests that were answered with what the handler returned.
    pub answered: u64,
    /// Requests that were answered with an error: the handler's, that it panicked, that the request
    /// could not be decoded, or that the answer broke its contract.
    pub refused: u64,
    /// Requests whose handler panicked.
    pub panicked: u64,
    /// Answers that nobody got: whoever asked is gone. Not counted in a cluster, which can not tell.
    pub unheard: u64,
    /// Answers that could not be published.
    pub unsent: u64,
    /// What came and asked for no answer. It is handled as by any handler.
    pub one_way: u64,
}

/// A handler that answers, as a service of [`Call`]s: for a [`Responder`](super::Responder), and for a
/// [`Worker`](crate::worker::Worker), which shares the requests of a stream with the others of its
/// group. Made by [`Fanfare::answering`]; cheap to clone.
///
/// Whatever becomes of the handler is told to whoever asked. So the call has succeeded, also if the
/// handler failed, as soon as that is told; it fails if the answer could not be published, and a worker
/// tries it again then. What asks for no answer fails if its handler does.
///
/// # Example: each request goes to one of two workers
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, Json, request::Target};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let square = fanfare.answering(async |Json(n): Json<u64>| Json(n * n), ());
/// let group = fanfare.stream("squares").group("calculators");
/// let workers = [
///     group.worker().spawn_service(square.clone())?,
///     group.worker().spawn_service(square.clone())?,
/// ];
/// let requester = fanfare.requester().await?;
/// for n in 0..10_u64 {
///     let answer = requester.request(Target::Stream("squares".into()), &n).await?;
///     assert_eq!(answer.json::<u64>()?, n * n);
/// }
/// for worker in workers {
///     worker.stop().await;
/// }
/// assert_eq!(square.stats().answered, 10);
/// # Ok(()) }
/// ```
pub struct Answering {
    shared: Arc<Shared>,
    /// Of the answers.
    pub(crate) agreed: Agreed,
}

type Respondent = Box<dyn Fn(Call) -> BoxFuture<'static, Result<Reply, BoxError>> + Send + Sync>;

struct Shared {
    fanfare: Fanfare,
    respondent: Respondent,
    stats: Mutex<AnsweringStats>,
}

impl Fanfare {
    /// A handler that answers, as a service: see [`Answering`]. Most programs use
    /// [`respond`](Self::respond).
    pub fn answering<H, Args, S>(&self, handler: H, state: S) -> Answering
    where
        H: Respond<Args, S>,
        S: Send + Sync + 'static,
    {
        let shared = Shared {
            fanfare: self.in_same_lane(),
            respondent: Box::new(move |call| handler.respond(call, &state)),
            stats: Mutex::default(),
        };
        Answering { shared: Arc::new(shared), agreed: Agreed::default() }
    }
}

impl Answering {
    /// Answers only with what keeps to this, whose type is `reply`: what does not is answered as an error, with the place
    /// and the rule, and is counted as [refused](AnsweringStats::refused). Refusals themselves are in no contract.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn contract(mut self, contract: impl Into<crate::schema::Contract>) -> Self {
        self.agreed = Agreed::on(contract);
        self
    }

    /// The counts so far.
    pub fn stats(&self) -> AnsweringStats {
        self.shared.stats().clone()
    }
}

impl Shared {
    async fn call(&self, call: Call, agreed: &Agreed) -> Result<(), BoxError> {
        let head = call.head().cloned();
        // The call itself may panic too, so it happens inside of what is caught.
        let outcome = AssertUnwindSafe(async { (self.respondent)(call).await });
        let outcome = outcome.catch_unwind().await;
        let to = head.as_ref().and_then(|head| Some((head, wire::reply_to(head)?)));
        let Some((head, inbox)) = to else {
            self.stats().one_way += 1;
            return outcome.unwrap_or_else(|panic| resume_unwind(panic)).map(drop);
        };
        let refused = match outcome {
            Ok(Ok(reply)) => match answer(head, reply, agreed) {
                Ok(payload) => return self.publish(inbox, payload, Fate::Answered).await,
                // What can not be sent as it is, is an error that can.
                Err(error) => ("failed", error.to_string()),
            },
            Ok(Err(error)) if error.is::<Undecodable>() => ("undecodable", error.to_string()),
            Ok(Err(error)) => ("failed", error.to_string()),
            Err(panic) => {
                let text = panic_text(&*panic);
                tracing::error!(panic = %text, "a handler that answers panicked");
                self.stats().panicked += 1;
                ("panicked", "the handler panicked".to_owned())
            }
        };
        let (code, text) = refused;
        tracing::warn!(code, text, request = head.id(), "a request is answered with an error");
        self.publish(inbox, wire::refusal(head, code, &text)?, Fate::Refused).await
    }

    async fn publish(&self, inbox: &str, payload: Bytes, fate: Fate) -> Result<(), BoxError> {
        let published = self.fanfare.publish(inbox, payload).await;
        let is_cluster = self.fanfare.link().options().url().is_cluster();
        let mut stats = self.stats();
        match published {
            Ok(n_receivers) => stats.unheard += u64::from(n_receivers == 0 && !is_cluster),
            Err(error) => {
                tracing::warn!(%error, "an answer could not be published");
                stats.unsent += 1;
                return Err(error.into());
            }
        }
        match fate {
            Fate::Answered => stats.answered += 1,
            Fate::Refused => stats.refused += 1,
        }
        Ok(())
    }

    fn stats(&self) -> MutexGuard<'_, AnsweringStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(request: &Head, reply: Reply, agreed: &Agreed) -> Result<Bytes, Error> {
    let answer = wire::reply(request, reply);
    agreed.check(&answer)?;
    answer.to_payload()
}

/// What a request is answered with.
enum Fate {
    Answered,
    Refused,
}

impl Service<Call> for Answering {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let Self { shared, agreed } = self.clone();
        Box::pin(async move { shared.call(call, &agreed).await })
    }
}

impl Clone for Answering {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), agreed: self.agreed.clone() }
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
