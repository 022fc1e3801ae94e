//! What a monitor of a broker looks at, and how often.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};

use super::{
    Rule, RunningMonitor, Snapshot, courier::Route, heard::Heard, judge, look::Looker, rule::Named,
    run,
};
use crate::{Fanfare, queue};

/// Looks at a broker at regular intervals: a monitor that is being described. Made by
/// [`Fanfare::broker_monitor`].
///
/// Its own load on the broker is one `INFO` for each node, two questions about channels (four if
/// [rules name](Rule::only) some), two for each stream and group, and ten for each queue and one for each of up to 33 of its tasks at each look; and a
/// connection to each node, of those that the pool may have
/// ([`Options::dedicated_max`](crate::Options::dedicated_max)).
///
/// A user who may only read suffices: `ACL SETUSER eye on >password ~* &* -@all +@read +@connection
/// +info +pubsub +scan`, and of a cluster `+cluster`. What such a user may not see is told
/// ([`Snapshot::blind`]).
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `start` or `look`"]
pub struct BrokerMonitor {
    fanfare: Fanfare,
    every: Duration,
    scope: Scope,
    rules: Vec<Rule>,
    routes: Vec<Route>,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) deadline: Duration,
    pub(super) window: Duration,
    pub(super) streams: Vec<Bytes>,
    pub(super) find: Option<Bytes>,
    pub(super) queues: Vec<Bytes>,
    pub(super) find_queues: Option<Bytes>,
    /// Steps of the walk over all keys, at each look and node.
    pub(super) steps_max: usize,
    pub(super) streams_max: usize,
    pub(super) groups_max: usize,
    pub(super) queues_max: usize,
    /// Where the dead letters of some groups are, by stream and group.
    pub(super) dead: BTreeMap<(Bytes, Bytes), Bytes>,
    pub(super) channels: Option<Bytes>,
    /// Channels that rules name.
    pub(super) channels_named: Vec<Bytes>,
    pub(super) heard: Heard,
    pub(super) channels_max: usize,
}

impl Fanfare {
    /// Looks at the broker itself, all its nodes, channels and streams: a monitor to be described.
    ///
    /// This is not [`monitor`](Self::monitor), which looks at what lives in *this program*.
    ///
    /// # Example: one look
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// fanfare.stream("orders to be seen").add([("item", "tea")]).await?;
    /// let snapshot = fanfare.broker_monitor().find_streams("*seen").look(Duration::ZERO).await?;
    /// assert_eq!(snapshot.streams[0].length, Some(1));
    /// assert!(snapshot.nodes[0].clients.is_some());
    /// # Ok(()) }
    /// ```
    pub fn broker_monitor(&self) -> BrokerMonitor {
        let scope = Scope {
            deadline: Duration::from_secs(5),
            window: Duration::from_secs(60),
            streams: Vec::new(),
            find: None,
            queues: Vec::new(),
            find_queues: None,
            steps_max: 10,
            streams_max: 100,
            groups_max: 32,
            queues_max: 100,
            dead: BTreeMap::new(),
            channels: Some(Bytes::from_static(b"*")),
            channels_named: Vec::new(),
            heard: Heard::default(),
            channels_max: 100,
        };
        BrokerMonitor {
            fanfare: self.clone(),
            every: Duration::from_secs(10),
            scope,
            rules: Rule::defaults(),
            routes: Vec::new(),
        }
    }
}

impl BrokerMonitor {
    /// How often to look, at least every millisecond. A look that takes longer delays the next.
    /// Default: 10 s.
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval;
        self
    }

    /// How long a look may take. What has not answered by then is unreachable, or not seen.
    /// Default: 5 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.scope.deadline = deadline;
        self
    }

    /// The time over which rates are taken. Default: 60 s.
    pub fn window(mut self, span: Duration) -> Self {
        self.scope.window = span;
        self
    }

    /// Looks at these streams, whether they exist or not.
    pub fn streams<K: AsRef<[u8]>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.scope.streams.extend(keys.into_iter().map(|it| Bytes::copy_from_slice(it.as_ref())));
        self
    }

    /// Looks for streams whose keys match a glob pattern, too: at each look at up to 10,000 keys of
    /// each node (`SCAN`), so that of a large broker some are found later. Default: not at all.
    pub fn find_streams(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.scope.find = Some(Bytes::copy_from_slice(pattern.as_ref()));
        self
    }

    /// The most streams to look at; how many more were found is told. Those that were named come
    /// first. Default: 100.
    pub fn streams_max(mut self, n: usize) -> Self {
        self.scope.streams_max = n;
        self
    }

    /// The most groups of each stream to look at; how many more there are is told. Default: 32.
    pub fn groups_max(mut self, n: usize) -> Self {
        self.scope.groups_max = n;
        self
    }

    /// Looks at these queues of tasks ([`Fanfare::task_queue`] and its relatives), whether they exist or not.
    pub fn queues<N: AsRef<[u8]>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.scope.queues.extend(names.into_iter().map(|it| Bytes::copy_from_slice(it.as_ref())));
        self
    }

    /// Looks for queues whose names match a glob pattern, too, as [`find_streams`](Self::find_streams) does and
    /// in the same round trips. A queue is found once a task was put in. Default: not at all.
    pub fn find_queues(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.scope.find_queues = Some(Bytes::copy_from_slice(pattern.as_ref()));
        self
    }

    /// The most queues to look at; how many more were found is told. Those that were named come first.
    /// Default: 100.
    pub fn queues_max(mut self, n: usize) -> Self {
        self.scope.queues_max = n;
        self
    }

    /// Says which stream has the dead letters of a group whose workers were told to put them
    /// [there](crate::worker::Worker::dead_letters). Streams of dead letters that are found and that
    /// nobody has named are counted by themselves ([`StreamLook::dead_letters`](super::StreamLook::dead_letters)).
    /// Default: where [`Group::dead_letters`](crate::stream::Group::dead_letters) has them.
    pub fn dead_letters_in(
        mut self,
        stream: impl AsRef<[u8]>,
        group: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Self {
        let [stream, group, key] =
            [stream.as_ref(), group.as_ref(), key.as_ref()].map(Bytes::copy_from_slice);
        self.scope.dead.insert((stream, group), key);
        self
    }

    /// Counts the subscribers of channels that match a glob pattern. Default: all, `*`.
    pub fn channels(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.scope.channels = Some(Bytes::copy_from_slice(pattern.as_ref()));
        self
    }

    /// Listens to channels that match these glob patterns, to count what is published on each. This
    /// is a subscription as any other: the server sends all of it here. A message that matches
    /// several of the patterns counts for each. Channels that the library makes for itself, such as inboxes, are
    /// counted together ([`PrivateChannels`](super::PrivateChannels)). Default: nothing.
    pub fn listen<P: AsRef<[u8]>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        let patterns = patterns.into_iter().map(|it| Bytes::copy_from_slice(it.as_ref()));
        self.scope.heard.patterns.extend(patterns);
        self
    }

    /// Listens to these sharded channels as well, for which there are no patterns. Default: none.
    pub fn listen_sharded<C: AsRef<[u8]>>(mut self, names: impl IntoIterator<Item = C>) -> Self {
        let names = names.into_iter().map(|it| Bytes::copy_from_slice(it.as_ref()));
        self.scope.heard.sharded.extend(names);
        self
    }

    /// The most channels to list, and to count messages of. The others are counted together
    /// ([`OtherChannels`](super::OtherChannels)). A channel that was silent for a whole [window](Self::window) makes
    /// room for one that is not, and is thought to be gone then; one that a rule [names](Rule::only) always has its
    /// place. Default: 100.
    pub fn channels_max(mut self, n: usize) -> Self {
        self.scope.channels_max = n;
        self
    }

    /// Adds a rule to the [default ones](Rule::defaults). A channel or stream that it
    /// [names](Rule::only) is looked at, too.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Has these rules, and not the default ones.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules = rules.into_iter().collect();
        self
    }

    /// Publishes each [`Notice`](super::Notice) as JSON on this channel, over the same connections:
    /// whoever is subscribed hears it. At most 256 wait; each is tried 6 times within about a
    /// minute, and what can not be published is counted ([`Snapshot::alerts_lost`]). What says that
    /// the broker is away waits until it is back, if it is soon.
    pub fn alerts_to_channel(mut self, channel: impl AsRef<[u8]>) -> Self {
        self.routes.push(Route::Channel(Bytes::copy_from_slice(channel.as_ref())));
        self
    }

    /// Sends each [`Notice`](super::Notice) as JSON by `POST` to this URL (`http` or `https`), with
    /// the same bounds as [`alerts_to_channel`](Self::alerts_to_channel). A status of 4xx, but for
    /// 408 and 429, is not tried again, nor is a server whose certificate is not trusted: see
    /// [`Webhook`](super::Webhook).
    #[cfg(feature = "webhook")]
    pub fn alerts_to_webhook(mut self, webhook: impl Into<super::Webhook>) -> Self {
        self.routes.push(Route::Webhook(webhook.into()));
        self
    }

    /// Begins to look. It returns at once, and whether the broker can be reached now or not: that
    /// is a thing to watch.
    ///
    /// Alerts are logged (`tracing`: warning and error when raised, info when resolved), told to
    /// [`notices`](RunningMonitor::notices), and sent where they were asked for.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if a rule or a bound can not work (such as silence of a channel that is not listened
    /// to), or a webhook's URL;
    /// [`ErrorKind::Tls`] if the certificates that a webhook trusts can not be read.
    ///
    /// # Panics
    /// Outside a tokio runtime with time.
    pub fn start(mut self) -> Result<RunningMonitor, Error> {
        self.scope.include(&self.rules);
        self.check(None)?;
        let (fanfare, every, scope) = (self.fanfare, self.every, self.scope);
        run::start(fanfare, every, scope, self.rules, self.routes)
    }

    /// Looks once; and again after `over`, if that is not zero, so that there are rates: of that time, not of the
    /// [window](Self::window), and what happens at other times is not seen. What it listens to it hears for as long. All
    /// keys are looked at to find streams and queues, if the deadline allows it. An alert is raised by what this
    /// look found alone: it sees no [`held`](Rule::held), and nothing is logged or sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] as [`start`](Self::start), and if a rule asks for a longer silence of channels than
    /// `over`. A broker that can not be reached is no error but an alert.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn look(mut self, over: Duration) -> Result<Snapshot, Error> {
        self.scope.include(&self.rules);
        self.check(Some(over))?;
        self.scope.steps_max = 10_000;
        let mut looker = Looker::new(self.fanfare, self.scope);
        let mut snapshot = looker.look().await;
        if !over.is_zero() {
            looker.listens().await;
            tokio::time::sleep(over).await;
            snapshot = looker.look().await;
        }
        if !looker.has_found_all() && snapshot.is_whole() {
            snapshot.blind.push(super::Blind {
                what: "some streams or queues".to_owned(),
                why: "there are more keys than could be looked at until the deadline".to_owned(),
            });
        }
        judge::at_once(&self.rules, &mut snapshot);
        Ok(snapshot)
    }

    /// With the time over which there is only one look back, if it is so.
    fn check(&self, over: Option<Duration>) -> Result<(), Error> {
        self.rules.iter().try_for_each(Rule::check)?;
        self.rules.iter().try_for_each(|it| it.check_heard(&self.scope.heard, over))?;
        let mut queues = self.scope.queues.iter().map(|it| queue::Place::new(it));
        queues.try_for_each(|it| it.check())?;
        if self.scope.deadline.is_zero() || self.scope.window.is_zero() {
            let message = "a monitor needs a deadline and a window above zero";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        self.routes.iter().try_for_each(Route::check)
    }
}

impl Scope {
    /// Looks at what rules name, too.
    fn include(&mut self, rules: &[Rule]) {
        for rule in rules {
            let (list, name) = match rule.named() {
                Some(Named::Channel(name)) => (&mut self.channels_named, name),
                Some(Named::Stream(name)) => (&mut self.streams, name),
                Some(Named::Queue(name)) => (&mut self.queues, name),
                None => continue,
            };
            if !list.iter().any(|it| it == name) {
                list.push(Bytes::copy_from_slice(name.as_bytes()));
            }
        }
    }
}
