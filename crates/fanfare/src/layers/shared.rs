//! Limits that several programs share: the broker keeps them, by its own clock.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use fanfare_client::Backoff;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    CallService, LONGEST, LimitStats, Refused, RefusedReason, WhenAway,
    layered::{Around, layer, pass},
    limit::{Counts, at_least_slow, count, in_a_second},
    unless_lost,
};
use crate::{
    BoxError, Call, Fanfare,
    client::{Client, Script},
    commands::SortedSets,
    worker::now,
};

/// Takes a turn of a rate, by the generic cell rate algorithm: the key has the time at which all
/// turns that were given are used up. Gives the wait, or below 0 by how much it is too long. In
/// microseconds.
pub(crate) static TURN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local interval, ahead, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local used = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local wait = math.max(0, used - ahead - now)
if longest < wait then return -math.ceil(wait - longest) end
used = used + interval
local ttl = string.format('%.0f', math.ceil((used - now) / 1000) + 1)
redis.call('SET', KEYS[1], string.format('%.0f', used), 'PX', ttl)
return math.ceil(wait)",
    )
});

/// Takes a place, or keeps it: a member of a sorted set, by the time at which it is free again. Gives
/// 0, or the time until the next one is free at the latest. In milliseconds.
static PLACE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if not redis.call('ZSCORE', KEYS[1], ARGV[1])
and tonumber(ARGV[3]) <= redis.call('ZCARD', KEYS[1]) then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, tonumber(first[2]) - now)
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last[2]) + 1000))
return 0",
    )
});

/// What both have in common.
#[derive(Clone, Debug)]
struct Common {
    client: Client,
    name: Arc<str>,
    wait_max: Duration,
    when_away: WhenAway,
}

impl Common {
    fn new(fanfare: &Fanfare, name: impl Into<Arc<str>>) -> Self {
        let (client, name) = (fanfare.client(), name.into());
        Self { client, name, wait_max: LONGEST, when_away: WhenAway::default() }
    }
}

/// So many calls per second, of all programs together that name the same limit of the same broker.
/// Others wait; each is given its turn when it asks, so they go in the order in which they have
/// asked. Who would have to wait for longer than [`wait_max`](Self::wait_max) is
/// [`Refused`], with the time after which it makes sense to ask again.
///
/// It costs a round trip for each call, and one key, `fanfare:rate:NAME` within the namespace, which
/// goes away by itself. All programs should have the same numbers; each goes by its own. What
/// happens if the broker can not be asked is said by [`when_away`](Self::when_away).
///
/// # Cancel safety
/// A call that is dropped has used its turn.
///
/// # Errors
/// Beside those of the handler: [`Refused`]; [`crate::Error`] if the broker refuses the script.
///
/// # Example: a partner that allows 100 requests per second, to all of us
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Call, Fanfare, Kind, layers::{Layer, SharedRateLimit}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let limit = SharedRateLimit::new(&fanfare, "partner", 100.0);
/// let service = limit.layer(fanfare::service(async |_call: Call| {}, ()));
/// let router = fanfare.router().service(Kind::Channel, "requests", service).start().await?;
/// fanfare.publish("requests", "how much is tea?").await?;
/// router.wait_finished(1).await;
/// assert_eq!(limit.stats().passed, 1);
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SharedRateLimit {
    common: Common,
    per_second: f64,
    burst: u32,
    counts: Arc<Counts>,
}

impl SharedRateLimit {
    /// So many per second, and at once after a quiet time as many as in a second. What is not above 0
    /// counts as one in a day.
    pub fn new(fanfare: &Fanfare, name: impl Into<Arc<str>>, per_second: f64) -> Self {
        let per_second = at_least_slow(per_second);
        let (common, burst) = (Common::new(fanfare, name), in_a_second(per_second));
        Self { common, per_second, burst, counts: Arc::default() }
    }

    /// How many may come at once after a quiet time. 0 counts as 1. Default: those of a second.
    #[must_use]
    pub fn burst(self, n: u32) -> Self {
        Self { burst: n.max(1), counts: Arc::default(), ..self }
    }

    /// The longest wait; zero: it refuses at once. Default: a year.
    #[must_use]
    pub fn wait_max(self, wait_max: Duration) -> Self {
        let common = Common { wait_max: wait_max.min(LONGEST), ..self.common };
        Self { common, counts: Arc::default(), ..self }
    }

    /// What happens if the broker can not be asked. Default: [`WhenAway::Wait`].
    #[must_use]
    pub fn when_away(self, when_away: WhenAway) -> Self {
        Self { common: Common { when_away, ..self.common }, counts: Arc::default(), ..self }
    }

    /// What this program's part of it has done so far.
    pub fn stats(&self) -> LimitStats {
        self.counts.read()
    }

    /// What the script is told: the time of one turn, by how much one may be ahead, and the longest wait.
    fn turn(&self) -> [String; 3] {
        let interval = 1_000_000.0 / self.per_second;
        let ahead = interval * f64::from(self.burst - 1);
        let wait_max = self.common.wait_max.as_micros();
        [interval.to_string(), ahead.to_string(), wait_max.to_string()]
    }

    async fn leave(&self, call: &Call) -> Result<(), BoxError> {
        let Common { client, name, when_away, .. } = &self.common;
        let args = self.turn();
        let key = format!("fanfare:rate:{name}");
        let ask = || client.run_script::<i64>(&TURN, [&key], &args);
        let asked = when_away.ask(name, call, &self.counts.away, ask).await?;
        let Some(wait) = asked else { return Ok(()) };
        let micros = Duration::from_micros(wait.unsigned_abs());
        if wait < 0 {
            return Err(Refused::new(RefusedReason::Rate, name, micros).into());
        }
        if 0 < wait {
            count(&self.counts.waited);
            if unless_lost(call, tokio::time::sleep(micros)).await.is_none() {
                return Err(Refused::new(RefusedReason::Rate, name, Duration::ZERO).into());
            }
        }
        Ok(())
    }
}

impl Around for SharedRateLimit {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        if let Err(error) = self.leave(&call).await {
            count(&self.counts.refused);
            return Err(error);
        }
        count(&self.counts.passed);
        pass(inner, call).await
    }
}

layer!(SharedRateLimit);

/// So many calls at the same time, of all programs together that name the same limit of the same
/// broker. A place is a lease: it is renewed while the handler runs, and free again a
/// [`lease`](Self::lease) after a program was killed. Others wait, and look again every 10 to 250 ms;
/// they are served in no certain order. Who has waited for [`wait_max`](Self::wait_max) is
/// [`Refused`].
///
/// It costs a round trip before each call and one after it, and one key, `fanfare:places:NAME` within
/// the namespace, which goes away by itself. All programs should have the same numbers.
///
/// It is a limit for the sake of load, not a lock: a program that stands still for longer than the lease
/// goes on afterwards, although its place has gone to another
/// ([`LimitStats::overrun`] counts that).
///
/// # Cancel safety
/// A call that is dropped gives its place back.
///
/// # Errors
/// Beside those of the handler: [`Refused`]; [`crate::Error`] if the broker refuses the script.
///
/// # Example: two reports at a time, in all programs together
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Call, Fanfare, Kind, layers::{Layer, SharedConcurrencyLimit}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let limit = SharedConcurrencyLimit::new(&fanfare, "reports", 2);
/// let service = limit.layer(fanfare::service(async |_call: Call| {}, ()));
/// let router = fanfare.router().service(Kind::Channel, "reports", service).start().await?;
/// fanfare.publish("reports", "monthly").await?;
/// router.wait_finished(1).await;
/// assert_eq!(limit.stats().passed, 1);
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SharedConcurrencyLimit {
    common: Common,
    n: usize,
    lease: Duration,
    counts: Arc<Counts>,
}

/// The pauses between looks for a place.
const LOOKS: Backoff =
    Backoff { first: Duration::from_millis(20), cap: Duration::from_millis(250) };

impl SharedConcurrencyLimit {
    /// So many places. 0 counts as 1.
    pub fn new(fanfare: &Fanfare, name: impl Into<Arc<str>>, n: usize) -> Self {
        let (common, lease) = (Common::new(fanfare, name), Duration::from_secs(30));
        Self { common, n: n.max(1), lease, counts: Arc::default() }
    }

    /// After so long without a sign of life a place is free again. It is renewed three times in that
    /// time. At least 100 ms. Default: 30 s.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        let lease = lease.clamp(Duration::from_millis(100), LONGEST);
        Self { lease, counts: Arc::default(), ..self }
    }

    /// The longest wait for a place; zero: it refuses at once. Default: a year.
    #[must_use]
    pub fn wait_max(self, wait_max: Duration) -> Self {
        let common = Common { wait_max: wait_max.min(LONGEST), ..self.common };
        Self { common, counts: Arc::default(), ..self }
    }

    /// What happens if the broker can not be asked. Default: [`WhenAway::Wait`].
    #[must_use]
    pub fn when_away(self, when_away: WhenAway) -> Self {
        Self { common: Common { when_away, ..self.common }, counts: Arc::default(), ..self }
    }

    /// What this program's part of it has done so far.
    pub fn stats(&self) -> LimitStats {
        self.counts.read()
    }

    fn key(&self) -> String {
        format!("fanfare:places:{}", self.common.name)
    }

    fn take(&self, token: &str) -> crate::client::Call<i64> {
        let lease = self.lease.as_millis().to_string();
        let args = [token.to_owned(), lease, self.n.to_string()];
        self.common.client.run_script(&PLACE, [self.key()], args)
    }

    /// Waits for a place; `None`: it goes without one.
    async fn place(&self, call: &Call) -> Result<Option<Place>, BoxError> {
        let Common { name, wait_max, when_away, .. } = &self.common;
        // Made first: if this future is dropped while the script is on its way, it is given back.
        // All that is done for it goes over one connection, so that it happens in order.
        let limit = Arc::new(self.clone());
        let token = Uuid::now_v7().to_string();
        let mut place = Place { limit: limit.clone(), token, task: None };
        let until = now() + *wait_max;
        let mut n_looks = 0;
        loop {
            let ask = || limit.take(&place.token);
            let asked = when_away.ask(name, call, &self.counts.away, ask).await?;
            let Some(wait) = asked else { return Ok(None) };
            if wait <= 0 {
                place.task = Some(tokio::spawn(keep(limit, place.token.clone())));
                return Ok(Some(place));
            }
            if n_looks == 0 {
                count(&self.counts.waited);
            }
            n_looks += 1;
            let left = until.saturating_duration_since(now());
            let free = Duration::from_millis(wait.unsigned_abs());
            let refused = || Refused::new(RefusedReason::Concurrency, name, free).into();
            if left.is_zero() {
                return Err(refused());
            }
            let pause = LOOKS.delay(n_looks, rand::random()).min(free).min(left);
            if unless_lost(call, tokio::time::sleep(pause)).await.is_none() {
                return Err(refused());
            }
        }
    }
}

/// Keeps a place until it is told to stop.
async fn keep(limit: Arc<SharedConcurrencyLimit>, token: String) {
    let mut is_overrun = false;
    loop {
        tokio::time::sleep(limit.lease / 3).await;
        match limit.take(&token).await {
            Ok(0) => is_overrun = false,
            Ok(_) => {
                if !is_overrun {
                    count(&limit.counts.overrun);
                    is_overrun = true;
                }
            }
            Err(error) => tracing::debug!(%error, limit = %limit.common.name, "not renewed"),
        }
    }
}

/// A place that is taken, or asked for. When it is dropped, it is given back in the background; if that
/// does not succeed, it is free when the lease ends.
struct Place {
    limit: Arc<SharedConcurrencyLimit>,
    token: String,
    task: Option<JoinHandle<()>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (limit, token) = (self.limit.clone(), std::mem::take(&mut self.token));
        runtime.spawn(async move {
            if let Err(error) = limit.common.client.zrem(limit.key(), [token]).await {
                tracing::debug!(%error, limit = %limit.common.name, "a place is not given back");
            }
        });
    }
}

impl Around for SharedConcurrencyLimit {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        let place = self.place(&call).await.inspect_err(|_| count(&self.counts.refused))?;
        count(&self.counts.passed);
        let result = pass(inner, call).await;
        drop(place);
        result
    }
}

layer!(SharedConcurrencyLimit);

#[cfg(test)]
#[cfg(feature = "embedded")]
mod tests;
