//! What is heard on channels: a subscription, and a bounded count of what comes.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fanfare_client::{Delivery, Error, Kind, Overflow};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::heard::Heard;
use crate::{Fanfare, health, request};

/// How long to wait before a subscription that failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Messages and bytes that may wait to be counted.
const QUEUE: (usize, usize) = (65_536, 16 * 1024 * 1024);

/// A channel, and whether it is a sharded one.
pub(super) type Channel = (Bytes, bool);

/// Whether the library made this channel for itself: there is one for each requester, of a name that says nothing.
pub(super) fn is_private(channel: &[u8]) -> bool {
    channel.starts_with(request::INBOX.as_bytes())
        || channel.starts_with(health::SELF_TEST.as_bytes())
}

/// Messages of one channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) last_at: Instant,
}

/// What was heard, by channel.
///
/// When there are counts for as many channels as may be, one that was silent for long enough makes room for one that is
/// not. So those that are busy all get a count in the end, however many names come once and never again, and whoever is
/// counted is not put out by others that are no busier.
#[derive(Debug)]
pub(super) struct Tally {
    /// Those that a rule names, and up to so many others.
    pub(super) channels: HashMap<Channel, Count>,
    channels_max: usize,
    named: HashSet<Bytes>,
    n_named: usize,
    /// For how long a channel must have been silent to make room.
    silent_for: Duration,
    /// Before this none will have been.
    full_until: Option<Instant>,
    /// Channels that made room.
    pub(super) evicted: u64,
    /// Messages for whose channel there was no room.
    unplaced: u64,
    /// All messages, whether they are counted by channel or not.
    pub(super) messages: u64,
    /// Those on channels of the library's own.
    pub(super) private: u64,
    pub(super) lost: u64,
    /// Since when everything is heard without a break.
    pub(super) since: Option<Instant>,
    /// Why nothing is heard.
    pub(super) error: Option<Error>,
}

impl Tally {
    pub(super) fn new(channels_max: usize, named: &[Bytes], silent_for: Duration) -> Self {
        Self {
            channels: HashMap::new(),
            channels_max,
            named: named.iter().cloned().collect(),
            n_named: 0,
            silent_for,
            full_until: None,
            evicted: 0,
            unplaced: 0,
            messages: 0,
            private: 0,
            lost: 0,
            since: None,
            error: None,
        }
    }

    pub(super) fn count(&mut self, now: Instant, channel: Channel, n_bytes: usize) {
        self.messages += 1;
        let is_named = self.named.contains(&channel.0);
        if !is_named && is_private(&channel.0) {
            self.private += 1;
            return;
        }
        if !self.channels.contains_key(&channel) {
            if is_named {
                self.n_named += 1;
            } else if !self.has_room(now) {
                self.unplaced += 1;
                return;
            }
        }
        let new = Count { messages: 0, bytes: 0, last_at: now };
        let count = self.channels.entry(channel).or_insert(new);
        count.messages += 1;
        count.bytes += n_bytes as u64;
        count.last_at = now;
    }

    /// Whether there is room for one more, or one made it that was silent.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.channels.len() - self.n_named < self.channels_max {
            return true;
        }
        if self.full_until.is_some_and(|it| now < it) {
            return false;
        }
        let unnamed = self.channels.iter().filter(|(channel, _)| !self.named.contains(&channel.0));
        let oldest = unnamed.min_by_key(|(_, count)| count.last_at);
        let Some((channel, last_at)) =
            oldest.map(|(channel, count)| (channel.clone(), count.last_at))
        else {
            return false;
        };
        if now < last_at + self.silent_for {
            self.full_until = Some(last_at + self.silent_for);
            return false;
        }
        self.channels.remove(&channel);
        self.evicted += 1;
        true
    }

    /// What was heard on a channel that is listened to, `Some(None)` if it was nothing. `None`: there may have been
    /// something for which there was no room.
    #[expect(clippy::option_option, reason = "nothing heard is not the same as not known")]
    pub(super) fn of(&self, channel: &Channel) -> Option<Option<&Count>> {
        let count = self.channels.get(channel);
        let has_placed_all = self.unplaced == 0 && self.evicted == 0;
        (count.is_some() || has_placed_all || self.named.contains(&channel.0)).then_some(count)
    }

    /// For how long nothing was heard on it. What a break has swallowed nobody knows.
    pub(super) fn silence(&self, channel: &Channel, now: Instant) -> Option<Duration> {
        let since = self.since.filter(|_| self.error.is_none())?;
        let last_at = self.of(channel)?.map_or(since, |it| it.last_at.max(since));
        Some(now.saturating_duration_since(last_at))
    }
}

/// Listens, for as long as it lives.
pub(super) struct Listener {
    tally: Arc<Mutex<Tally>>,
    pub(super) heard: Heard,
    /// Whether it has tried to subscribe.
    has_begun: watch::Receiver<bool>,
    /// Ends the task when it is dropped.
    _end: oneshot::Sender<()>,
}

impl Listener {
    /// Begins to listen. A subscription that fails is tried again, for ever.
    pub(super) fn start(fanfare: Fanfare, heard: Heard, tally: Tally) -> Self {
        let tally = Arc::new(Mutex::new(tally));
        let (end, ended) = oneshot::channel();
        let (begun, has_begun) = watch::channel(false);
        let (ears, names) = (tally.clone(), heard.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = listen(fanfare, names, ears, begun) => {}
                _ = ended => {}
            }
        });
        Self { tally, heard, has_begun, _end: end }
    }

    /// Waits until it listens, or knows why it does not.
    pub(super) async fn begun(&self) {
        // That the other side is gone ends the waiting, too.
        let _ = self.has_begun.clone().wait_for(|it| *it).await;
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

async fn listen(
    fanfare: Fanfare,
    heard: Heard,
    tally: Arc<Mutex<Tally>>,
    begun: watch::Sender<bool>,
) {
    loop {
        let subscriber = fanfare
            .subscriber()
            .patterns(&heard.patterns)
            .sharded(&heard.sharded)
            .queue(Overflow::DropNewest, QUEUE.0, QUEUE.1);
        match subscriber.connect().await {
            Ok(mut subscription) => {
                {
                    let mut tally = lock(&tally);
                    (tally.error, tally.since) = (None, Some(Instant::now()));
                }
                begun.send_replace(true);
                while let Some(delivery) = subscription.next_delivery().await {
                    let (mut tally, now) = (lock(&tally), Instant::now());
                    match delivery {
                        Delivery::Message(it) => {
                            let channel = (it.channel, it.kind == Kind::Shard);
                            tally.count(now, channel, it.payload.len());
                        }
                        Delivery::Gap(gap) => {
                            tally.lost += gap.n_dropped + u64::from(gap.outage.is_some());
                            if gap.outage.is_some() {
                                tally.since = Some(now);
                            }
                        }
                    }
                }
                lock(&tally).error = subscription.error();
            }
            Err(error) => lock(&tally).error = Some(error),
        }
        begun.send_replace(true);
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Listener {
    /// One that hears nothing but has this tally.
    pub(super) fn deaf(heard: Heard, tally: Tally) -> Self {
        Self {
            tally: Arc::new(Mutex::new(tally)),
            heard,
            has_begun: watch::channel(true).1,
            _end: oneshot::channel().0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn channel(name: impl ToString) -> Channel {
        (Bytes::from(name.to_string()), false)
    }

    #[test]
    fn who_was_silent_for_long_makes_room_and_nothing_is_lost_of_the_sum() {
        let start = Instant::now();
        let mut tally = Tally::new(3, &["named".into()], 10 * SECOND);
        for n in 0..100 {
            tally.count(start, channel(n % 10), 5);
        }
        assert_eq!((tally.channels.len(), tally.messages, tally.evicted), (3, 100, 0));
        let listed = |it: &Tally| it.channels.values().map(|it| it.messages).sum::<u64>();
        assert_eq!(listed(&tally), 30);
        // Nobody is put out by who is no busier.
        tally.count(start + SECOND, channel(0), 5);
        tally.count(start + 9 * SECOND, channel("busy"), 5);
        assert!(!tally.channels.contains_key(&channel("busy")));
        // Two have been silent since the start: the one has room for it, and then the other for one more.
        for (late, name) in
            [(10, "busy"), (10, "busy"), (10, "another"), (10, "a third"), (11, "a third")]
        {
            tally.count(start + late * SECOND, channel(name), 5);
        }
        let mut names: Vec<_> = tally.channels.keys().map(|it| it.0.clone()).collect();
        names.sort();
        assert_eq!(names, ["a third", "another", "busy"]);
        assert_eq!((tally.evicted, tally.messages, listed(&tally)), (3, 107, 4));
        // What a rule names has its place, and keeps it.
        tally.count(start + 12 * SECOND, channel("named"), 5);
        for n in 0..100 {
            tally.count(start + (100 + n) * SECOND, channel(n), 5);
        }
        assert_eq!((tally.channels.len(), tally.messages), (4, 208));
        assert_eq!(tally.channels[&channel("named")].messages, 1);
    }

    #[test]
    fn a_flood_of_names_does_not_keep_a_busy_channel_out() {
        let start = Instant::now();
        let mut tally = Tally::new(10, &[], 10 * SECOND);
        // Twenty messages a second, every sixth or so on one channel, which begins when there is no more room.
        let (mut random, mut n_busy) = (1_u64, 0);
        for n in 0..10_000_u32 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let is_busy = 10 <= n && (random >> 33) % 6 == 0;
            n_busy += u64::from(is_busy);
            let name = if is_busy { "busy".to_owned() } else { format!("once {n}") };
            tally.count(start + n * SECOND / 20, channel(name), 1);
        }
        let busy = tally.channels.get(&channel("busy")).map_or(0, |it| it.messages);
        assert!(n_busy / 2 < busy, "{busy} of {n_busy}");
        assert_eq!((tally.messages, tally.channels.len()), (10_000, 10));
    }

    #[test]
    fn channels_of_the_library_are_no_channels() {
        let mut tally = Tally::new(2, &[], SECOND);
        for n in 0..100 {
            tally.count(Instant::now(), channel(format!("fanfare:inbox:{n:032x}")), 5);
            tally.count(Instant::now(), channel(format!("fanfare:self-test:{n:032x}")), 5);
        }
        assert_eq!((tally.channels.len(), tally.private, tally.messages), (0, 200, 200));
    }

    #[test]
    fn silence_is_counted_from_when_it_was_listened_to_without_a_break() {
        let start = Instant::now();
        let mut tally = Tally::new(2, &[], SECOND);
        let (never, once) = (channel("never"), channel("once"));
        assert_eq!(tally.silence(&never, start), None, "nobody listens yet");
        tally.since = Some(start);
        tally.count(start + 3 * SECOND, once.clone(), 1);
        let at = |tally: &Tally, it, n: u32| tally.silence(it, start + n * SECOND);
        assert_eq!(
            (at(&tally, &never, 5), at(&tally, &once, 5)),
            (Some(5 * SECOND), Some(2 * SECOND))
        );
        tally.since = Some(start + 4 * SECOND);
        assert_eq!((at(&tally, &never, 5), at(&tally, &once, 5)), (Some(SECOND), Some(SECOND)));
        tally.error = Some(Error::new(fanfare_client::ErrorKind::Closed, "closed"));
        assert_eq!(at(&tally, &once, 5), None);
    }
}
