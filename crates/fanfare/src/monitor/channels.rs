//! Which channels are subscribed to, put together with what is heard on them.

use std::collections::HashMap;

use bytes::Bytes;
use fanfare_client::Error;
use tokio::time::Instant;

use super::{
    ChannelLook, OtherChannels, PrivateChannels,
    heard::matches,
    tally::{Channel, Listener, Tally, is_private},
    window::Meter,
};
use crate::{ActiveChannel, pubsub::Active};

/// Who subscribes.
#[derive(Debug, Default)]
pub(super) struct Audience {
    /// The glob pattern of those that were asked for.
    pub(super) pattern: Option<Bytes>,
    /// By whether they are sharded channels.
    pub(super) active: Vec<(bool, Active)>,
    /// Those that rules name, even if nobody subscribes.
    pub(super) named: Vec<(bool, ActiveChannel)>,
}

impl Audience {
    /// Whether a channel would be among those that are listed, if anybody subscribed to it.
    fn would_list(&self, channel: &Channel) -> bool {
        let is_asked_for = self.pattern.as_ref().is_some_and(|it| matches(it, &channel.0));
        let is_whole =
            |(sharded, active): &(bool, Active)| *sharded == channel.1 && active.more == 0;
        is_asked_for && !is_private(&channel.0) && self.active.iter().any(is_whole)
    }
}

/// What a look finds of channels.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) channels: Vec<ChannelLook>,
    pub(super) other: OtherChannels,
    pub(super) private: PrivateChannels,
    /// Why nothing is heard.
    pub(super) error: Option<Error>,
}

/// Those that were found so far.
type Found = HashMap<Channel, ChannelLook>;

/// Puts together who subscribes and what was heard, at most so many channels, those first that rules
/// name.
pub(super) fn look(
    audience: &Audience,
    listener: Option<&Listener>,
    meter: &mut Meter,
    channels_max: usize,
) -> Seen {
    let now = Instant::now();
    let mut seen = Seen::default();
    let mut all = subscribed(audience);
    for (_, active) in &audience.active {
        seen.other.channels += active.more;
        seen.private.channels += active.left_out;
    }
    // One state for all of it, or the sums would not be right.
    let tally = listener.map(Listener::tally);
    if let (Some(listener), Some(tally)) = (listener, &tally) {
        for channel in tally.channels.keys() {
            let look = look_of(&mut all, channel.clone());
            if audience.would_list(channel) {
                look.subscribers.get_or_insert(0);
            }
        }
        for (channel, look) in &mut all {
            let sharded = (channel.0.clone(), true);
            if listener.heard.hears_one(&channel.0, channel.1) {
                hear(look, channel, tally, meter, now);
            } else if look.subscribers == Some(0) && !tally.channels.contains_key(&sharded) {
                // What a rule names is of one kind or the other, if nobody subscribes to it.
                look.is_sharded = listener.heard.hears_one(&channel.0, true);
                if look.is_sharded {
                    hear(look, &sharded, tally, meter, now);
                }
            }
        }
        seen.error.clone_from(&tally.error);
    }
    let (listed, n_more) = ranked(all, audience, channels_max);
    (seen.channels, seen.other.channels) = (listed, seen.other.channels + n_more);
    if let Some(tally) = &tally {
        sum_up(&mut seen, tally, meter, now);
    }
    seen
}

/// Who subscribes to what, by channel.
fn subscribed(audience: &Audience) -> Found {
    let mut all = Found::new();
    for (is_sharded, active) in &audience.active {
        for channel in &active.channels {
            let look = look_of(&mut all, (channel.name.clone(), *is_sharded));
            look.subscribers = Some(channel.n_subscribers);
        }
    }
    // A rule names a channel, and does not say whether it is a sharded one.
    let (subscribed, nobodys): (Vec<_>, Vec<_>) =
        audience.named.iter().partition(|(_, channel)| 0 < channel.n_subscribers);
    for (is_sharded, channel) in &subscribed {
        let look = look_of(&mut all, (channel.name.clone(), *is_sharded));
        look.subscribers = Some(channel.n_subscribers);
    }
    for (_, channel) in nobodys {
        if !subscribed.iter().any(|(_, it)| it.name == channel.name) {
            look_of(&mut all, (channel.name.clone(), false)).subscribers = Some(0);
        }
    }
    all
}

/// Takes in what was heard on a channel that is listened to, be it nothing.
fn hear(look: &mut ChannelLook, channel: &Channel, tally: &Tally, meter: &mut Meter, now: Instant) {
    let Some(count) = tally.of(channel) else { return };
    let (messages, bytes) = count.map_or((0, 0), |it| (it.messages, it.bytes));
    let silence = tally.silence(channel, now);
    look.silent_ms = silence.and_then(|it| u64::try_from(it.as_millis()).ok());
    let mut rate = |what: &str, value| {
        meter.rate(format!("channel/{}/{}/{what}", look.is_sharded, look.name), now, value)
    };
    look.messages_per_s = rate("messages", messages);
    look.bytes_per_s = rate("bytes", bytes);
    look.messages = Some(messages);
}

/// At most so many, those first that rules name, and how many more there are.
fn ranked(all: Found, audience: &Audience, channels_max: usize) -> (Vec<ChannelLook>, u64) {
    let is_named = |it: &ChannelLook| audience.named.iter().any(|(_, named)| named.name == it.name);
    let mut all: Vec<ChannelLook> = all.into_values().collect();
    let weight =
        |it: &ChannelLook| (is_named(it), it.messages.unwrap_or(0), it.subscribers.unwrap_or(0));
    all.sort_by(|a, b| {
        weight(b)
            .cmp(&weight(a))
            .then_with(|| (&a.name, a.is_sharded).cmp(&(&b.name, b.is_sharded)))
    });
    // What a rule names is never beyond the bound.
    let n_named = all.iter().take_while(|it| is_named(it)).count();
    let n_listed = channels_max.max(n_named).min(all.len());
    let n_more = all.len() - n_listed;
    all.truncate(n_listed);
    (all, n_more as u64)
}

/// What is left of the sum when all that is listed is taken from it.
fn sum_up(seen: &mut Seen, tally: &Tally, meter: &mut Meter, now: Instant) {
    let listed: u64 = seen.channels.iter().filter_map(|it| it.messages).sum();
    seen.private.messages = tally.private;
    seen.private.messages_per_s = meter.rate("channels/private".into(), now, tally.private);
    seen.other.messages = tally.messages.saturating_sub(listed + tally.private);
    seen.other.evicted = tally.evicted;
    seen.other.lost = tally.lost;
    // What made room takes its messages along to the others: their rate is not the growth of their number.
    let told: f64 = seen.channels.iter().filter_map(|it| it.messages_per_s).sum();
    let told = told + seen.private.messages_per_s.unwrap_or(0.0);
    let all = meter.rate("channels/heard".into(), now, tally.messages);
    seen.other.messages_per_s = all.map(|it| (it - told).max(0.0));
}

fn look_of(all: &mut Found, channel: Channel) -> &mut ChannelLook {
    all.entry(channel).or_insert_with_key(|(name, is_sharded)| ChannelLook {
        name: String::from_utf8_lossy(name).into_owned(),
        is_sharded: *is_sharded,
        ..ChannelLook::default()
    })
}

#[cfg(test)]
mod tests;
