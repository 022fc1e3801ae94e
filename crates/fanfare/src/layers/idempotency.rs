//! One effect for each message, however often it comes.

mod fence;
mod record;
mod scope;
mod stats;

use std::{
    fmt,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use fanfare_client::Backoff;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::{
    record::{Claim, Next, Record, Whose},
    stats::Counts,
};
use super::{
    CallService, LONGEST, Refused, RefusedReason, WhenAway,
    asked::{PAUSES, is_away},
    layered::{Around, layer, pass},
    limit::count,
    unless_lost,
};
use crate::{BoxError, Call, Fanfare, Permanent, client::Client, worker::now};

pub use fence::Fence;
pub use stats::IdempotencyStats;

/// Lets each message have its effect once, in all programs together: it is claimed in the broker
/// before the handler runs, by one atomic step, and marked as done after it has ended well. A duplicate
/// of what is done is skipped, and counts as handled.
///
/// The claim is a lease that is renewed while the handler runs. A program that is killed leaves it, and
/// a [`lease`](Self::lease) later the message can be claimed by another one. If the handler fails, the
/// claim is released at once.
///
/// # Which messages are the same
/// Those with the same id, of the same source, for the same handler and group. The handler's name is
/// given; two handlers do not exclude each other. The group is the worker's consumer group, or what
/// [`group`](Self::group) says. The source and the id are those of the envelope: it is
/// the same event also if it comes through another stream. An entry without an envelope goes by its
/// stream and its ID, a task of a queue by its queue and its ID, a
/// message of a channel without one by [`without_id`](Self::without_id).
///
/// # What it promises
/// As long as the broker keeps what it was told, and no program stands still for longer than the lease
/// while its handler runs, each message has one effect. A handler that may stand still, or whose effect
/// must never come twice, takes a [`Fence`] as an argument and hands its number to what it
/// writes to. Who comes too late can not mark the message as done: its call fails with [`Overtaken`],
/// unless the other one is done.
///
/// An effect and a crash before it is marked as done leave the message to be handled again: what is
/// not in one transaction can not be otherwise.
///
/// # What it costs
/// Two round trips for each message, and a hash in the broker, in one key that begins with
/// `fanfare:done:` within the namespace, for as long as [`retention`](Self::retention) says. It needs
/// Lua scripts.
///
/// # Errors
/// Beside those of the handler: [`Overtaken`], [`Refused`], [`crate::Error`] if the broker refuses
/// the script.
///
/// # Cancel safety
/// Dropping the call drops the handler, and leaves the claim to end with its lease: what the handler
/// has begun may still be under way.
///
/// # Example: an event that comes twice
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Call, Envelope, Fanfare, Kind, layers::{Idempotency, Layer}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let once = Idempotency::new(&fanfare, "billing");
/// let service = once.layer(fanfare::service(async |_call: Call| println!("billed"), ()));
/// let router = fanfare.router().service(Kind::Channel, "orders", service).start().await?;
/// let order = Envelope::new("order.created", 7).to_payload()?;
/// fanfare.publish("orders", order.clone()).await?;
/// fanfare.publish("orders", order).await?;
/// router.wait_finished(2).await;
/// assert_eq!((once.stats().recorded, once.stats().duplicates), (1, 1));
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Idempotency {
    client: Client,
    rules: Rules,
    counts: Arc<Counts>,
}

type OnDuplicate = Arc<dyn Fn(Call, Option<Bytes>) -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Clone)]
struct Rules {
    handler: Arc<str>,
    group: Option<Arc<str>>,
    lease: Duration,
    retention: Duration,
    without_id: WithoutId,
    in_flight: WhenInFlight,
    when_away: WhenAway,
    on_duplicate: Option<OnDuplicate>,
}

/// What happens to a message that nothing tells from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WithoutId {
    /// It is handled, as often as it comes.
    #[default]
    Run,
    /// It fails for good.
    Refuse,
    /// It goes by a hash of its payload (SHA-256): the same payload is the same message.
    Hash,
}

/// What happens to a duplicate of a message that is being handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhenInFlight {
    /// It waits until that is done, and is skipped; or is handled, if that one fails or is dead. It
    /// looks every 20 to 500 ms.
    #[default]
    Wait,
    /// It is [`Refused`], with what is left of the lease: somebody else may deliver it again.
    Refuse,
    /// It is skipped at once, and counts as handled although the other one may fail.
    Skip,
}

const LEASE_MIN: Duration = Duration::from_millis(100);

/// The pauses between looks at a message in flight.
const LOOKS: Backoff =
    Backoff { first: Duration::from_millis(40), cap: Duration::from_millis(500) };

impl Idempotency {
    /// For a handler with this name. Leases of 30 s, records of a week.
    pub fn new(fanfare: &Fanfare, handler: impl Into<Arc<str>>) -> Self {
        let rules = Rules {
            handler: handler.into(),
            group: None,
            lease: Duration::from_secs(30),
            retention: Duration::from_secs(7 * 24 * 3600),
            without_id: WithoutId::default(),
            in_flight: WhenInFlight::default(),
            when_away: WhenAway::default(),
            on_duplicate: None,
        };
        Self { client: fanfare.client(), rules, counts: Arc::default() }
    }

    fn with(self, change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = self.rules;
        change(&mut rules);
        Self { client: self.client, rules, counts: Arc::default() }
    }

    /// Programs with the same name here share the messages; others have them for themselves. Default: the
    /// consumer group of what a worker has, and none of what comes through a channel, so that a message
    /// on a channel has one effect however many programs listen.
    #[must_use]
    pub fn group(self, group: impl Into<Arc<str>>) -> Self {
        self.with(|rules| rules.group = Some(group.into()))
    }

    /// After so long without a sign of life another program may claim the message. It is renewed three
    /// times in that time. At least 100 ms. Default: 30 s.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        self.with(|rules| rules.lease = lease.clamp(LEASE_MIN, LONGEST))
    }

    /// For how long what was handled is remembered: at least for as long as a message can come again,
    /// which is as long as its stream keeps it. At least two leases. Default: a week.
    #[must_use]
    pub fn retention(self, retention: Duration) -> Self {
        self.with(|rules| rules.retention = retention.min(LONGEST))
    }

    /// What happens to a message of a channel that is no envelope. Default: [`WithoutId::Run`].
    #[must_use]
    pub fn without_id(self, without_id: WithoutId) -> Self {
        self.with(|rules| rules.without_id = without_id)
    }

    /// What happens to a duplicate of a message that is being handled. Default:
    /// [`WhenInFlight::Wait`].
    #[must_use]
    pub fn in_flight(self, in_flight: WhenInFlight) -> Self {
        self.with(|rules| rules.in_flight = in_flight)
    }

    /// What happens if the broker can not be asked for a claim. Default: [`WhenAway::Wait`]. With
    /// [`WhenAway::Pass`] the handler runs without a claim.
    #[must_use]
    pub fn when_away(self, when_away: WhenAway) -> Self {
        self.with(|rules| rules.when_away = when_away)
    }

    /// Called in the place of the handler for a duplicate of what is done, with the result that was
    /// [kept](Fence::keep), if there is one: to send an answer once more, say.
    #[must_use]
    pub fn on_duplicate<F, Fut>(self, on_duplicate: F) -> Self
    where
        F: Fn(Call, Option<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let on_duplicate: OnDuplicate =
            Arc::new(move |call, result| Box::pin(on_duplicate(call, result)));
        self.with(|rules| rules.on_duplicate = Some(on_duplicate))
    }

    /// The counts so far.
    pub fn stats(&self) -> IdempotencyStats {
        self.counts.read()
    }

    fn record(&self, key: Vec<u8>) -> Record {
        let Rules { lease, retention, .. } = self.rules;
        let token = Uuid::now_v7().to_string();
        Record { client: self.client.clone(), key, token, lease, retention }
    }

    /// Claims a message, or says what becomes of the call without that.
    async fn claim(&self, record: &Record, call: &Call) -> Result<Claimed, BoxError> {
        let (rules, counts) = (&self.rules, &self.counts);
        let name = &rules.handler;
        let mut n_looks = 0;
        loop {
            let asked = rules.when_away.ask(name, call, &counts.away, || record.claim()).await?;
            let left = match asked {
                None => return Ok(Claimed::No),
                Some(Claim::Ours { fence, is_taken_over }) => {
                    count(&counts.claimed);
                    if is_taken_over {
                        count(&counts.taken_over);
                    }
                    return Ok(Claimed::Yes(fence));
                }
                Some(Claim::Done(result)) => {
                    count(&counts.duplicates);
                    if let Some(on_duplicate) = &rules.on_duplicate {
                        on_duplicate(call.clone(), result).await;
                    }
                    return Ok(Claimed::Skip);
                }
                Some(Claim::Busy(left)) => left,
            };
            n_looks += 1;
            if n_looks == 1 {
                count(&counts.in_flight);
            }
            let refused = || Err(Refused::new(RefusedReason::InFlight, name, left).into());
            match rules.in_flight {
                WhenInFlight::Skip => return Ok(Claimed::Skip),
                WhenInFlight::Refuse => return refused(),
                WhenInFlight::Wait => {
                    let pause = LOOKS.delay(n_looks, rand::random()).min(left);
                    if unless_lost(call, tokio::time::sleep(pause)).await.is_none() {
                        return refused();
                    }
                }
            }
        }
    }

    /// Marks a message as done.
    async fn finish(&self, record: &Record, fence: &Fence) -> Result<(), BoxError> {
        let until = now() + self.rules.lease;
        let mut n_failed = 0;
        loop {
            match record.change(fence.number(), Next::Done(fence.result())).await {
                Ok(Whose::Ours) => {
                    count(&self.counts.recorded);
                    return Ok(());
                }
                Ok(whose) => {
                    count(&self.counts.overtaken);
                    fence.lose();
                    // If the other one is done, then so is the message.
                    let overtaken = || Overtaken { fence: fence.number() }.into();
                    return if whose == Whose::OtherDone { Ok(()) } else { Err(overtaken()) };
                }
                Err(error) => {
                    n_failed += 1;
                    let pause = PAUSES.delay(n_failed, rand::random());
                    if !is_away(&error) || until <= now() + pause {
                        count(&self.counts.unrecorded);
                        let handler = &*self.rules.handler;
                        tracing::warn!(%error, handler, "what was handled could not be recorded");
                        return Ok(());
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// What came of an attempt to claim a message.
enum Claimed {
    /// It is ours, under this number.
    Yes(u64),
    /// The handler runs without a claim.
    No,
    /// It is not to be handled.
    Skip,
}

impl Around for Idempotency {
    async fn around<S: CallService>(&self, mut call: Call, inner: &S) -> Result<(), BoxError> {
        let Rules { handler, group, without_id, .. } = &self.rules;
        let Some(key) = scope::key(handler, group.as_deref(), *without_id, &call) else {
            count(&self.counts.without_id);
            return match without_id {
                WithoutId::Refuse => {
                    let what = format!("{handler}: a message of {} without an id", call.source());
                    Err(Permanent::new(what).into())
                }
                WithoutId::Run | WithoutId::Hash => pass(inner, call).await,
            };
        };
        let record = Arc::new(self.record(key));
        let fence = match self.claim(&record, &call).await? {
            Claimed::Yes(number) => Fence::new(number),
            Claimed::No => return pass(inner, call).await,
            Claimed::Skip => return Ok(()),
        };
        call.note(fence.clone());
        let renewing = Renewing(tokio::spawn(renew(record.clone(), fence.clone())));
        let handled = AssertUnwindSafe(pass(inner, call)).catch_unwind().await;
        if let Ok(Ok(())) = handled {
            let result = self.finish(&record, &fence).await;
            drop(renewing);
            return result;
        }
        drop(renewing);
        match record.change(fence.number(), Next::Free).await {
            Ok(Whose::Ours) => count(&self.counts.released),
            Ok(Whose::Other | Whose::OtherDone) => {}
            // It is free when its lease ends.
            Err(error) => tracing::debug!(%error, %handler, "a claim is not released"),
        }
        handled.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

layer!(Idempotency);

/// Ends the renewal of a lease.
struct Renewing(JoinHandle<()>);

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Renews a lease until it is lost, or nobody wants it any more.
async fn renew(record: Arc<Record>, fence: Fence) {
    loop {
        tokio::time::sleep(record.lease / 3).await;
        match record.change(fence.number(), Next::Busy).await {
            Ok(Whose::Ours) => {}
            Ok(Whose::Other | Whose::OtherDone) => return fence.lose(),
            Err(error) => tracing::debug!(%error, "a claim is not renewed"),
        }
    }
}

/// The handler has ended well, but another program had claimed the message meanwhile, because this one
/// gave no sign of life for as long as the lease. It is not marked as done by this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overtaken {
    /// The number of the claim that was lost.
    pub fence: u64,
}

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fence = self.fence;
        write!(f, "the message was claimed by another program while claim {fence} was under way")
    }
}

impl std::error::Error for Overtaken {}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules { handler, lease, retention, .. } = &self.rules;
        f.debug_struct("Idempotency")
            .field("handler", handler)
            .field("lease", lease)
            .field("retention", retention)
            .finish_non_exhaustive()
    }
}
