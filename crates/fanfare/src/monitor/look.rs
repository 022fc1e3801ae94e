//! One look at everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use fanfare_client::{Error, Kind};
use futures_util::future::join_all;

use super::{
    Blind, Node, QueueLook, Snapshot, StreamLook,
    channels::{self, Audience},
    find::{Finder, Sought},
    info::Info,
    node::{Place, places},
    options::Scope,
    queues, streams,
    tally::{Listener, Tally, is_private},
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
    /// What was found and looked at the last time.
    looked_at: BTreeMap<Sought, BTreeSet<Bytes>>,
    listener: Option<Listener>,
    meter: Meter,
    n_looks: u64,
}

impl Looker {
    pub(super) fn new(fanfare: Fanfare, scope: Scope) -> Self {
        let sought = [(Sought::Streams, &scope.find), (Sought::Queues, &scope.find_queues)];
        let sought = sought.into_iter().filter_map(|(what, it)| Some((what, it.clone()?)));
        let sought: Vec<_> = sought.collect();
        let finder = (!sought.is_empty()).then(|| Finder::new(&fanfare, &sought, scope.steps_max));
        let listener = (!scope.heard.is_nothing()).then(|| {
            let tally = Tally::new(scope.channels_max, &scope.channels_named, scope.window);
            Listener::start(fanfare.clone(), scope.heard.clone(), tally)
        });
        let meter = Meter::new(scope.window);
        let looked_at = BTreeMap::new();
        Self { fanfare, scope, finder, looked_at, listener, meter, n_looks: 0 }
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
            self.find(&mut snapshot, &places, deadline).await;
            self.look_at_streams(&mut snapshot, server_ms, deadline).await;
            self.look_at_queues(&mut snapshot, server_ms, deadline).await;
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
        let pattern = self.scope.channels.clone();
        let mut audience = Audience { pattern, ..Audience::default() };
        if let Some(pattern) = &self.scope.channels {
            for (is_sharded, what) in [(false, "the channels"), (true, "the sharded channels")] {
                let most = CHANNELS_COUNTED;
                let asked = self.fanfare.active_bounded(is_sharded, pattern, most, is_private);
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
        let seen = channels::look(&audience, listener, &mut self.meter, most);
        (snapshot.channels, snapshot.other_channels) = (seen.channels, seen.other);
        snapshot.private_channels = seen.private;
        snapshot.blind.extend(seen.error.map(|it| blind("messages".to_owned(), &it)));
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

    /// Goes on looking for streams and queues.
    async fn find(&mut self, snapshot: &mut Snapshot, places: &[Place], deadline: Instant) {
        if let Some(finder) = &mut self.finder {
            let errors = finder.walk(&self.fanfare, places, deadline).await.into_iter();
            let told = errors.map(|(node, why)| Blind { what: format!("the keys of {node}"), why });
            snapshot.blind.extend(told);
        }
    }

    /// Those that were named, and as many of those that were found as there is room for; and how many more there are.
    fn listed(&mut self, sought: Sought) -> (Vec<Bytes>, u64) {
        let (named, most) = match sought {
            Sought::Streams => (&self.scope.streams, self.scope.streams_max),
            Sought::Queues => (&self.scope.queues, self.scope.queues_max),
        };
        let found = self.finder.as_ref().map(|it| it.names(sought)).unwrap_or_default();
        // What was looked at the last time stays: it is not gone because something of another name is new.
        let before = self.looked_at.entry(sought).or_default();
        let mut found: Vec<Bytes> = found.into_iter().filter(|it| !named.contains(it)).collect();
        found.sort_by_key(|it| !before.contains(it));
        let room = most.saturating_sub(named.len());
        let n_more = found.len().saturating_sub(room) as u64;
        found.truncate(room);
        *before = found.iter().cloned().collect();
        (named.iter().cloned().chain(found).collect(), n_more)
    }

    async fn look_at_streams(&mut self, snapshot: &mut Snapshot, now_ms: u64, deadline: Instant) {
        let (names, n_more) = self.listed(Sought::Streams);
        snapshot.other_streams = n_more;
        let ask = self.ask(now_ms, deadline);
        for (mut look, error) in streams::look(&ask, &names).await {
            self.rate_stream(&mut look);
            snapshot.blind.extend(error.map(|it| blind(format!("the stream {}", look.name), &it)));
            snapshot.streams.push(look);
        }
        snapshot.streams.sort_by(|a, b| a.name.cmp(&b.name));
    }

    async fn look_at_queues(&mut self, snapshot: &mut Snapshot, now_ms: u64, deadline: Instant) {
        let (names, n_more) = self.listed(Sought::Queues);
        snapshot.other_queues = n_more;
        let asked_for = self.scope.queues.iter().collect();
        for (mut look, error) in queues::look(&self.ask(now_ms, deadline), &names, &asked_for).await
        {
            self.rate_queue(&mut look);
            snapshot.blind.extend(error.map(|it| blind(format!("the queue {}", look.name), &it)));
            snapshot.queues.push(look);
        }
        snapshot.queues.sort_by(|a, b| a.name.cmp(&b.name));
    }

    fn ask(&self, now_ms: u64, deadline: Instant) -> streams::Ask<'_> {
        let (fanfare, groups_max, dead) = (&self.fanfare, self.scope.groups_max, &self.scope.dead);
        streams::Ask { fanfare, groups_max, dead, now_ms, deadline }
    }

    fn rate_queue(&mut self, look: &mut QueueLook) {
        let now = tokio::time::Instant::now();
        let meter = &mut self.meter;
        let mut rate =
            |what: &str, n: Option<u64>| meter.rate(format!("queue/{what}/{}", look.name), now, n?);
        look.enqueued_per_s = rate("enqueued", look.enqueued);
        look.done_per_s = rate("done", look.done);
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

    /// Waits until it listens, if it should and can.
    pub(super) async fn listens(&self) {
        if let Some(listener) = &self.listener {
            let _ = tokio::time::timeout(self.scope.deadline, listener.begun()).await;
        }
    }

    /// Whether all keys were looked at to find streams and queues.
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
