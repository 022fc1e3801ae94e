//! Which channels are subscribed to, and what is heard on them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fanfare_client::{Delivery, Error, Kind, Overflow};
use tokio::{sync::oneshot, time::Instant};

use super::{ChannelLook, OtherChannels, window::Meter};
use crate::{ActiveChannel, Fanfare};

/// How long to wait before a subscription that failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Messages and bytes that may wait to be counted.
const QUEUE: (usize, usize) = (65_536, 16 * 1024 * 1024);

/// What is listened to.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) patterns: Vec<Bytes>,
    pub(super) sharded: Vec<Bytes>,
}

impl Heard {
    pub(super) fn is_nothing(&self) -> bool {
        self.patterns.is_empty() && self.sharded.is_empty()
    }
}

/// Messages of one channel.
#[derive(Clone, Copy, Debug)]
struct Count {
    messages: u64,
    bytes: u64,
    last_at: Instant,
}

/// What was heard, by channel and whether it is a sharded one.
#[derive(Debug, Default)]
struct Tally {
    channels: HashMap<(Bytes, bool), Count>,
    other_messages: u64,
    lost: u64,
    /// Why nothing is heard.
    error: Option<Error>,
}

impl Tally {
    fn count(&mut self, channel: Bytes, is_sharded: bool, n_bytes: usize, channels_max: usize) {
        let (key, now) = ((channel, is_sharded), Instant::now());
        if channels_max <= self.channels.len() && !self.channels.contains_key(&key) {
            self.other_messages += 1;
            return;
        }
        let new = Count { messages: 0, bytes: 0, last_at: now };
        let count = self.channels.entry(key).or_insert(new);
        count.messages += 1;
        count.bytes += n_bytes as u64;
        count.last_at = now;
    }
}

/// Listens, for as long as it lives.
pub(super) struct Listener {
    tally: Arc<Mutex<Tally>>,
    /// Ends the task when it is dropped.
    _end: oneshot::Sender<()>,
}

impl Listener {
    /// Begins to listen. A subscription that fails is tried again, for ever.
    pub(super) fn start(fanfare: Fanfare, heard: Heard, channels_max: usize) -> Self {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let (end, ended) = oneshot::channel();
        let ears = tally.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = listen(fanfare, heard, channels_max, ears) => {}
                _ = ended => {}
            }
        });
        Self { tally, _end: end }
    }
}

async fn listen(fanfare: Fanfare, heard: Heard, channels_max: usize, tally: Arc<Mutex<Tally>>) {
    loop {
        let subscriber = fanfare
            .subscriber()
            .patterns(&heard.patterns)
            .sharded(&heard.sharded)
            .queue(Overflow::DropNewest, QUEUE.0, QUEUE.1);
        match subscriber.connect().await {
            Ok(mut subscription) => {
                lock(&tally).error = None;
                while let Some(delivery) = subscription.next_delivery().await {
                    let mut tally = lock(&tally);
                    match delivery {
                        Delivery::Message(it) => {
                            let is_sharded = it.kind == Kind::Shard;
                            tally.count(it.channel, is_sharded, it.payload.len(), channels_max);
                        }
                        Delivery::Gap(gap) => {
                            tally.lost += gap.n_dropped + u64::from(gap.outage.is_some());
                        }
                    }
                }
                lock(&tally).error = subscription.error();
            }
            Err(error) => lock(&tally).error = Some(error),
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Channels with subscribers: those that are listed, and how many more there are.
pub(super) type Active = (Vec<ActiveChannel>, u64);

/// Who subscribes.
#[derive(Debug, Default)]
pub(super) struct Audience {
    /// By whether they are sharded channels.
    pub(super) active: Vec<(bool, Active)>,
    /// Those that rules name, even if nobody subscribes.
    pub(super) named: Vec<(bool, ActiveChannel)>,
}

/// Puts together who subscribes and what was heard, at most so many channels, those first that rules
/// name; returns also why nothing is heard.
pub(super) fn look(
    audience: &Audience,
    listener: Option<&Listener>,
    meter: &mut Meter,
    channels_max: usize,
) -> (Vec<ChannelLook>, OtherChannels, Option<Error>) {
    let Audience { active, named } = audience;
    let now = Instant::now();
    let mut all: HashMap<(Bytes, bool), ChannelLook> = HashMap::new();
    let mut other = OtherChannels::default();
    for (is_sharded, (channels, more)) in active {
        other.channels += more;
        for channel in channels {
            let look = look_of(&mut all, (channel.name.clone(), *is_sharded));
            look.subscribers = Some(channel.n_subscribers);
        }
    }
    // A rule names a channel, and does not say whether it is a sharded one.
    let (subscribed, nobodys): (Vec<_>, Vec<_>) =
        named.iter().partition(|(_, channel)| 0 < channel.n_subscribers);
    for (is_sharded, channel) in &subscribed {
        let look = look_of(&mut all, (channel.name.clone(), *is_sharded));
        look.subscribers = Some(channel.n_subscribers);
    }
    for (_, channel) in nobodys {
        if !subscribed.iter().any(|(_, it)| it.name == channel.name) {
            look_of(&mut all, (channel.name.clone(), false)).subscribers = Some(0);
        }
    }
    let mut error = None;
    if let Some(listener) = listener {
        let tally = lock(&listener.tally);
        for (key, count) in &tally.channels {
            let look = look_of(&mut all, key.clone());
            let mut rate = |what: &str, value| {
                meter.rate(format!("channel/{}/{}/{what}", look.is_sharded, look.name), now, value)
            };
            look.messages_per_s = rate("messages", count.messages);
            look.bytes_per_s = rate("bytes", count.bytes);
            look.messages = Some(count.messages);
            let silent = now.saturating_duration_since(count.last_at);
            look.silent_ms = u64::try_from(silent.as_millis()).ok();
            // Nobody subscribes by name, or it would be among those that do.
            if !active.is_empty() && other.channels == 0 {
                look.subscribers.get_or_insert(0);
            }
        }
        other.messages = tally.other_messages;
        other.lost = tally.lost;
        other.messages_per_s = meter.rate("channels/other".into(), now, tally.other_messages);
        error.clone_from(&tally.error);
    }
    let mut all: Vec<ChannelLook> = all.into_values().collect();
    let weight = |it: &ChannelLook| {
        let is_named = named.iter().any(|(_, channel)| channel.name == it.name);
        (is_named, it.messages.unwrap_or(0), it.subscribers.unwrap_or(0))
    };
    all.sort_by(|a, b| {
        weight(b)
            .cmp(&weight(a))
            .then_with(|| (&a.name, a.is_sharded).cmp(&(&b.name, b.is_sharded)))
    });
    other.channels += all.len().saturating_sub(channels_max) as u64;
    all.truncate(channels_max);
    (all, other, error)
}

fn look_of(all: &mut HashMap<(Bytes, bool), ChannelLook>, key: (Bytes, bool)) -> &mut ChannelLook {
    all.entry(key).or_insert_with_key(|(name, is_sharded)| ChannelLook {
        name: String::from_utf8_lossy(name).into_owned(),
        is_sharded: *is_sharded,
        ..ChannelLook::default()
    })
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_counted_together() {
        let mut tally = Tally::default();
        for n in 0..1_000_u32 {
            tally.count(Bytes::from(format!("c{}", n % 10)), false, 5, 3);
        }
        assert_eq!((tally.channels.len(), tally.other_messages), (3, 700));
        let (end, _ended) = oneshot::channel();
        let listener = Listener { tally: Arc::new(Mutex::new(tally)), _end: end };
        let named =
            |name: &'static str, n_subscribers| ActiveChannel { name: name.into(), n_subscribers };
        let active = (vec![named("c0", 7), named("silent", 2), named("z", 1)], 4);
        let mut audience = Audience { active: vec![(false, active)], named: Vec::new() };
        let mut meter = Meter::new(Duration::from_secs(10));
        let (all, other, error) = look(&audience, Some(&listener), &mut meter, 4);
        let told: Vec<_> = all.iter().map(|it| (&*it.name, it.messages, it.subscribers)).collect();
        assert_eq!(told[0], ("c0", Some(100), Some(7)));
        assert_eq!(told[3], ("silent", None, Some(2)));
        assert_eq!((other.channels, other.messages, error.is_none()), (5, 700, true));

        // What a rule names is not beyond it, whether somebody subscribes or nobody.
        audience.named = vec![
            (false, named("z", 1)),
            (true, named("z", 0)),
            (false, named("parts", 0)),
            (true, named("parts", 3)),
            (false, named("nobody's", 0)),
            (true, named("nobody's", 0)),
        ];
        let (all, ..) = look(&audience, Some(&listener), &mut meter, 4);
        let told: Vec<_> =
            all.iter().map(|it| (&*it.name, it.is_sharded, it.subscribers)).collect();
        let first = [("parts", true, Some(3)), ("z", false, Some(1)), ("nobody's", false, Some(0))];
        assert_eq!((&told[..3], told[3].0), (&first[..], "c0"));
    }
}
