//! One look at everything.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use fanfare_client::{Error, Kind};
use futures_util::future::join_all;

use super::{
    Blind, ChannelLook, Node, OtherChannels, Snapshot, StreamLook,
    channels::{self, Audience, Listener},
    find::Finder,
    info::Info,
    node::{Place, places},
    options::Scope,
    streams,
    window::Meter,
};
use crate::{ActiveChannel, Fanfare};

/// Channels of which the subscribers are counted at each look, if there are more.
const CHANNELS_COUNTED: usize = 10_000;

/// Who looks: what it must remember from one look to the next.
pub(super) struct Looker {
    fanfare: Fanfare,
    scope: Scope,
    finder: Option<Finder>,
    listener: Option<Listener>,
    meter: Meter,
    n_looks: u64,
}

impl Looker {
    pub(super) fn new(fanfare: Fanfare, scope: Scope) -> Self {
        let find = scope.find.as_ref();
        let finder = find.map(|it| Finder::new(&fanfare, it, scope.steps_max));
        let listener = (!scope.heard.is_nothing())
            .then(|| Listener::start(fanfare.clone(), scope.heard.clone(), scope.channels_max));
        let meter = Meter::new(scope.window);
        Self { fanfare, scope, finder, listener, meter, n_looks: 0 }
    }

    /// Looks at everything. What can not be seen until the deadline is told as such.
    pub(super) async fn look(&mut self) -> Snapshot {
        let start = Instant::now();
        let deadline = start + self.scope.deadline;
        let mut snapshot = Snapshot { looks_before: self.n_looks, ..Snapshot::default() };
        let (places, server_ms) = self.look_at_nodes(&mut snapshot, deadline).await;
        // Where nobody answers there is nothing more to ask, and waiting would only take longer.
        if !places.is_empty() {
            self.look_at_channels(&mut snapshot, deadline).await;
            self.look_at_streams(&mut snapshot, &places, server_ms, deadline).await;
        }
        self.meter.end_round();
        self.n_looks += 1;
        snapshot.at_ms = unix_ms();
        snapshot.took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        snapshot
    }

    /// Returns those that answered, and the time by the server's clock.
    async fn look_at_nodes(
        &mut self,
        snapshot: &mut Snapshot,
        deadline: Instant,
    ) -> (Vec<Place>, u64) {
        let limit = self.scope.deadline;
        let places = match tokio::time::timeout(limit, places(&self.fanfare)).await {
            Ok(Ok(places)) => places,
            Ok(Err((place, error))) => {
                snapshot.nodes.push(Node::unreachable(place.name, &error));
                return (Vec::new(), unix_ms());
            }
            Err(_) => {
                let name = self.fanfare.link().options().url().topology().to_string();
                let error = Error::new(fanfare_client::ErrorKind::Timeout, "no node has answered");
                snapshot.nodes.push(Node::unreachable(name, &error));
                return (Vec::new(), unix_ms());
            }
        };
        let asked = places.iter().map(|it| it.info(&self.fanfare, deadline));
        let answers = join_all(asked).await;
        let (mut answered, mut server_ms) = (Vec::new(), None);
        for (place, answer) in places.into_iter().zip(answers) {
            match answer {
                Ok((info, took)) => {
                    server_ms = server_ms.or_else(|| info.number("server_time_usec"));
                    let node = self.node(&place, &info, took);
                    snapshot.nodes.push(node);
                    answered.push(place);
                }
                // It answers, but it does not tell.
                Err(error) if is_refusal(&error) => {
                    snapshot.nodes.push(Node { name: place.name.clone(), ..Node::default() });
                    snapshot.blind.push(blind(format!("INFO of {}", place.name), &error));
                    answered.push(place);
                }
                Err(error) => snapshot.nodes.push(Node::unreachable(place.name, &error)),
            }
        }
        (answered, server_ms.map_or_else(unix_ms, |it| it / 1_000))
    }

    fn node(&mut self, place: &Place, info: &Info, took: Duration) -> Node {
        let mut node = Node::of(place.name.clone(), info, took);
        let now = tokio::time::Instant::now();
        // After a restart everything is counted anew, under another name.
        let of = format!("node/{}/{}", node.name, node.run_id.as_deref().unwrap_or_default());
        let meter = &mut self.meter;
        node.rates = node.totals.map(|name, value| meter.rate(format!("{of}/{name}"), now, value));
        node
    }

    async fn look_at_channels(&mut self, snapshot: &mut Snapshot, deadline: Instant) {
        let mut audience = Audience::default();
        if let Some(pattern) = &self.scope.channels {
            for (is_sharded, what) in [(false, "the channels"), (true, "the sharded channels")] {
                let asked = self.fanfare.active_bounded(is_sharded, pattern, CHANNELS_COUNTED);
                match tokio::time::timeout_at(deadline.into(), asked).await {
                    Ok(Ok(found)) => audience.active.push((is_sharded, found)),
                    // Before Redis 7.0 there are none.
                    Ok(Err(error)) if is_sharded && is_unknown(&error) => {}
                    Ok(Err(error)) => snapshot.blind.push(blind(what.to_owned(), &error)),
                    Err(_) => snapshot.blind.push(too_late(what)),
                }
            }
        }
        let what = "the channels that rules name";
        match tokio::time::timeout_at(deadline.into(), self.count_named()).await {
            Ok(Ok(named)) => audience.named = named,
            Ok(Err(error)) => snapshot.blind.push(blind(what.to_owned(), &error)),
            Err(_) => snapshot.blind.push(too_late(what)),
        }
        let (listener, most) = (self.listener.as_ref(), self.scope.channels_max);
        let (channels, other, error): (Vec<ChannelLook>, OtherChannels, _) =
            channels::look(&audience, listener, &mut self.meter, most);
        (snapshot.channels, snapshot.other_channels) = (channels, other);
        snapshot.blind.extend(error.map(|it| blind("messages".to_owned(), &it)));
    }

    /// Servers do not list a channel that nobody subscribes to; they tell when they are asked for it.
    async fn count_named(&self) -> Result<Vec<(bool, ActiveChannel)>, Error> {
        let names = &self.scope.channels_named;
        let mut counted = Vec::new();
        if names.is_empty() {
            return Ok(counted);
        }
        for (kind, is_sharded) in [(Kind::Channel, false), (Kind::Shard, true)] {
            let counts = match self.fanfare.count_subscribers(kind, names).await {
                Err(error) if is_sharded && is_unknown(&error) => continue,
                counts => counts?,
            };
            counted.extend(names.iter().zip(counts).map(|(name, n_subscribers)| {
                (is_sharded, ActiveChannel { name: name.clone(), n_subscribers })
            }));
        }
        Ok(counted)
    }

    async fn look_at_streams(
        &mut self,
        snapshot: &mut Snapshot,
        places: &[Place],
        now_ms: u64,
        deadline: Instant,
    ) {
        let mut names: Vec<Bytes> = self.scope.streams.clone();
        if let Some(finder) = &mut self.finder {
            let errors = finder.walk(&self.fanfare, places, deadline).await;
            let told = errors.iter().map(|(node, it)| blind(format!("the keys of {node}"), it));
            snapshot.blind.extend(told);
            let found = finder.names().into_iter();
            let found: Vec<Bytes> = found.filter(|it| !self.scope.streams.contains(it)).collect();
            let room = self.scope.streams_max.saturating_sub(names.len());
            snapshot.other_streams = found.len().saturating_sub(room) as u64;
            names.extend(found.into_iter().take(room));
        }
        let groups_max = self.scope.groups_max;
        let ask = streams::Ask { fanfare: &self.fanfare, groups_max, now_ms, deadline };
        for (mut look, error) in streams::look(&ask, &names).await {
            self.rate_stream(&mut look);
            snapshot.blind.extend(error.map(|it| blind(format!("the stream {}", look.name), &it)));
            snapshot.streams.push(look);
        }
        snapshot.streams.sort_by(|a, b| a.name.cmp(&b.name));
    }

    fn rate_stream(&mut self, look: &mut StreamLook) {
        let now = tokio::time::Instant::now();
        if let Some(n) = look.entries_added {
            look.added_per_s = self.meter.rate(format!("stream/{}", look.name), now, n);
        }
        for group in &mut look.groups {
            let counter = format!("group/{}/{}/{}", look.name.len(), look.name, group.name);
            group.delivered_per_s = group.delivered.and_then(|n| self.meter.rate(counter, now, n));
        }
    }

    /// Whether all keys were looked at to find streams.
    pub(super) fn has_found_all(&self) -> bool {
        self.finder.as_ref().is_none_or(Finder::is_whole)
    }
}

pub(crate) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn is_refusal(error: &Error) -> bool {
    error.server_code() == Some("NOPERM") || is_unknown(error)
}

/// The server does not have the command, or has it under another name.
fn is_unknown(error: &Error) -> bool {
    let message = error.message().to_ascii_lowercase();
    message.contains("unknown command")
        || message.contains("unknown subcommand")
        || message.contains("unknown pubsub subcommand")
}

/// The message and those of its causes that say something new.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        let text = it.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = it.source();
    }
    said
}

fn blind(what: String, error: &Error) -> Blind {
    Blind { what, why: error.to_string() }
}

fn too_late(what: &str) -> Blind {
    Blind { what: what.to_owned(), why: "no answer until the deadline".to_owned() }
}
