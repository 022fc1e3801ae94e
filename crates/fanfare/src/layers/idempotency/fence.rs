//! What a handler knows of the claim under which it runs.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};

use crate::{Call, Extract, worker::Lease};

/// The claim on a message under which a handler runs: an argument of handlers inside of an
/// [`Idempotency`](super::Idempotency).
///
/// A program that stands still for longer than the lease does not know that another one has taken the
/// message meanwhile. Whoever is written to can know: hand it the [`number`](Self::number), and let it
/// refuse one that is below the highest that it has seen for this message, such as
/// `UPDATE … SET fence = 9 WHERE id = 7 AND fence <= 9`.
///
/// # Example: the number goes along
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Call, Envelope, Fanfare, Json, Kind, layers::{Fence, Idempotency, Layer}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let handler = async |Json(amount): Json<u32>, fence: Fence| {
///     println!("UPDATE … SET amount = {amount}, fence = {0} WHERE fence <= {0}", fence.number());
///     fence.keep("billed");
/// };
/// let once = Idempotency::new(&fanfare, "billing").on_duplicate(async |_call: Call, result| {
///     println!("once more: {result:?}");
/// });
/// let service = once.layer(fanfare::service::<_, _, _, Call>(handler, ()));
/// let router = fanfare.router().service(Kind::Channel, "orders", service).start().await?;
/// let order = Envelope::new("order.created", 7).to_payload()?;
/// for _ in 0..2 {
///     fanfare.publish("orders", &order).await?;
/// }
/// assert_eq!(router.wait_finished(2).await.routes[0].handled, 2);
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Fence(Arc<Inner>);

struct Inner {
    number: u64,
    lease: Lease,
    result: Mutex<Option<Bytes>>,
}

impl Fence {
    pub(super) fn new(number: u64) -> Self {
        Self(Arc::new(Inner { number, lease: Lease::default(), result: Mutex::default() }))
    }

    /// Higher for each claim of the same message than for the one before.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// Whether another program is known to have claimed the message, since this one gave no sign of
    /// life for too long. It is noticed at the next renewal, after a third of the lease at the latest
    /// if the broker answers.
    pub fn is_lost(&self) -> bool {
        self.0.lease.is_lost()
    }

    /// Waits until [`is_lost`](Self::is_lost).
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn lost(&self) {
        self.0.lease.lost().await;
    }

    /// The result to be stored when the handler has ended well, such as the answer that was sent: those
    /// who get the message once more are given it
    /// ([`on_duplicate`](super::Idempotency::on_duplicate)). It stays in the broker as long as the
    /// record does, so keep it small.
    pub fn keep(&self, result: impl Into<Bytes>) {
        *self.0.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result.into());
    }

    pub(super) fn result(&self) -> Option<Bytes> {
        self.0.result.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn lose(&self) {
        self.0.lease.lose();
    }
}

impl<S> Extract<S, Call> for Fence {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        call.noted::<Self>().cloned().ok_or_else(|| {
            let message = "there is no fence: the handler is not inside of an `Idempotency` layer, \
                           or it lets this call through without a claim";
            Error::new(ErrorKind::Decode, message)
        })
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, is_lost) = (self.number(), self.is_lost());
        f.debug_struct("Fence").field("number", &number).field("is_lost", &is_lost).finish()
    }
}
