//! Who publishes, who listens, and what both have counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fanfare::{Fanfare, Message, Overflow, Subscription};
use tokio::sync::watch;

use crate::latency::{Clock, Latencies};
use crate::pace::Pace;

/// What all are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Publishers publish, subscribers listen.
    Publish,
    /// Subscribers listen to what is still on its way.
    Listen,
    /// Everybody ends.
    End,
}

/// A channel with what was counted on it.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: &'static str,
    /// What is published there, before its number.
    story: &'static str,
    /// Subscriptions that match it.
    pub(super) n_matching: u64,
    pub(super) n_published: AtomicU64,
    /// The sum of what PUBLISH returned.
    pub(super) n_receivers: AtomicU64,
    pub(super) n_delivered: AtomicU64,
    last: Mutex<String>,
}

/// Name and story of each channel. The first ones get more.
const CHANNELS: [(&str, &str); 4] = [
    ("orders.new", "new order"),
    ("orders.paid", "payment for order"),
    ("chat.lobby", "hello, says guest"),
    ("sensors.kitchen", "21.5 °C, reading"),
];
/// Which channel each of a publisher's messages in turn goes to.
const TURNS: [usize; 8] = [0, 1, 0, 2, 1, 0, 3, 2];
pub(super) const PATTERN: &str = "orders.*";
const PATTERN_PREFIX: &str = "orders.";
/// Messages that a publisher sends together if it is behind.
const CHUNK_MAX: usize = 256;

/// Everything that is shared.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) channels: Vec<Channel>,
    n_subscribers: usize,
    n_publishers: u16,
    clock: Clock,
}

/// A place to listen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Channel(&'static str),
    Pattern,
}

impl Stage {
    pub(super) fn new(n_subscribers: u16, n_publishers: u16) -> Self {
        let n_subscribers = usize::from(n_subscribers);
        let channels = CHANNELS.iter().map(|&(name, story)| Channel {
            name,
            story,
            n_matching: seats(n_subscribers).filter(|it| it.matches(name)).count() as u64,
            n_published: AtomicU64::new(0),
            n_receivers: AtomicU64::new(0),
            n_delivered: AtomicU64::new(0),
            last: Mutex::new(String::new()),
        });
        Self { channels: channels.collect(), n_subscribers, n_publishers, clock: Clock::start() }
    }

    /// One for each subscriber.
    pub(super) fn seats(&self) -> impl Iterator<Item = Seat> + use<> {
        seats(self.n_subscribers)
    }

    pub(super) fn n_publishers(&self) -> u16 {
        self.n_publishers
    }

    pub(super) fn n_published(&self) -> u64 {
        self.sum(|it| &it.n_published)
    }

    pub(super) fn n_receivers(&self) -> u64 {
        self.sum(|it| &it.n_receivers)
    }

    pub(super) fn n_delivered(&self) -> u64 {
        self.sum(|it| &it.n_delivered)
    }

    /// Published × matching subscriptions.
    pub(super) fn n_expected(&self) -> u64 {
        self.channels.iter().map(Channel::n_expected).sum()
    }

    fn sum(&self, count: impl Fn(&Channel) -> &AtomicU64) -> u64 {
        self.channels.iter().map(|it| count(it).load(Ordering::SeqCst)).sum()
    }
}

/// The channels in turn, and one pattern.
fn seats(n_subscribers: usize) -> impl Iterator<Item = Seat> {
    let channels = CHANNELS.iter().cycle().take(n_subscribers);
    channels.map(|(name, _)| Seat::Channel(name)).chain([Seat::Pattern])
}

impl Seat {
    fn matches(self, channel: &str) -> bool {
        match self {
            Self::Channel(name) => name == channel,
            Self::Pattern => channel.starts_with(PATTERN_PREFIX),
        }
    }

    /// Each subscription gets a connection of its own, because its queue blocks.
    pub(super) async fn subscribe(self, fanfare: &Fanfare) -> Result<Subscription, fanfare::Error> {
        let subscriber = match self {
            Self::Channel(name) => fanfare.subscriber().channels([name]),
            Self::Pattern => fanfare.subscriber().patterns([PATTERN]),
        };
        subscriber.queue(Overflow::Block, 65_536, 16 * 1024 * 1024).connect().await
    }
}

impl Channel {
    pub(super) fn n_expected(&self) -> u64 {
        self.n_published.load(Ordering::SeqCst) * self.n_matching
    }

    /// The last message that was delivered.
    pub(super) fn last(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Publishes at a fixed rate while the act is [`Act::Publish`].
pub(super) async fn publish(
    stage: Arc<Stage>,
    publisher: u16,
    rate: f64,
    fanfare: Fanfare,
    mut acts: watch::Receiver<Act>,
) -> Result<(), fanfare::Error> {
    let mut pace = Pace::new(Some(rate), Duration::from_millis(500));
    loop {
        let n_due = tokio::select! {
            n_due = pace.due(CHUNK_MAX) => n_due,
            // The act before the last one is never `Publish`, and nobody can be gone before us.
            _ = acts.wait_for(|act| *act != Act::Publish) => return Ok(()),
        };
        let first = pace.n_taken();
        let sent_ns = stage.clock.now_ns();
        let turns = TURNS.iter().cycle().skip(usize::try_from(first % 8).unwrap_or(0));
        let chunk: Vec<(u64, &Channel)> = (first..first + n_due as u64)
            .zip(turns)
            .filter_map(|(n, turn)| Some((n, stage.channels.get(*turn)?)))
            .collect();
        let told = |(n, it): &(u64, &Channel)| {
            (it.name, format!("{sent_ns} {publisher} {n} {} {n}", it.story))
        };
        let messages: Vec<(&'static str, String)> = chunk.iter().map(told).collect();
        let outcomes = fanfare.publish_batch(messages).await;
        for ((_, channel), n_receivers) in chunk.iter().zip(outcomes) {
            channel.n_receivers.fetch_add(n_receivers?, Ordering::SeqCst);
            channel.n_published.fetch_add(1, Ordering::SeqCst);
        }
        pace.take(n_due);
    }
}

/// What one subscriber, or all of them, noticed.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) latencies: Latencies,
    pub(super) n_out_of_order: u64,
    /// The number of each publisher's last message.
    last_of: Vec<Option<u64>>,
}

impl Heard {
    pub(super) fn new(n_publishers: u16) -> Self {
        let last_of = vec![None; usize::from(n_publishers)];
        Self { latencies: Latencies::new(), n_out_of_order: 0, last_of }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        self.n_out_of_order += other.n_out_of_order;
    }

    /// Counts a message. Nobody else publishes on this broker, so it has our form.
    fn hear(&mut self, stage: &Stage, message: &Message) {
        let text = String::from_utf8_lossy(&message.payload);
        let mut words = text.splitn(4, ' ');
        let mut number = || words.next().and_then(|it| it.parse::<u64>().ok());
        let (Some(sent_ns), Some(publisher), Some(n)) = (number(), number(), number()) else {
            return;
        };
        self.latencies.record(stage.clock.since(sent_ns));
        let publisher = usize::try_from(publisher).unwrap_or(usize::MAX);
        if let Some(last) = self.last_of.get_mut(publisher) {
            self.n_out_of_order += u64::from(last.is_some_and(|last| n <= last));
            *last = Some(n);
        }
        let channel = stage.channels.iter().find(|it| it.name.as_bytes() == message.channel);
        if let Some(channel) = channel {
            if let Ok(mut last) = channel.last.try_lock() {
                words.next().unwrap_or_default().clone_into(&mut last);
            }
            channel.n_delivered.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Counts what comes until [`Act::End`].
pub(super) async fn listen(
    stage: Arc<Stage>,
    mut subscription: Subscription,
    mut acts: watch::Receiver<Act>,
) -> Heard {
    let mut heard = Heard::new(stage.n_publishers());
    loop {
        tokio::select! {
            message = subscription.next() => match message {
                Some(message) => heard.hear(&stage, &message),
                None => return heard,
            },
            _ = acts.wait_for(|act| *act == Act::End) => return heard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_match_what_they_subscribe_to() {
        let stage = Stage::new(6, 1);
        let n_matching: Vec<_> = stage.channels.iter().map(|it| it.n_matching).collect();
        assert_eq!(n_matching, [3, 3, 1, 1]);
        assert_eq!(stage.seats().count(), 7);
        assert_eq!(PATTERN, format!("{PATTERN_PREFIX}*"));
    }
}
