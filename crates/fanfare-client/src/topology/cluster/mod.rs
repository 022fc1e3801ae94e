//! A cluster: which node serves what, as of now.
//!
//! The slots are read from several nodes at once, and the one with the newest configuration (the
//! highest epoch) among those that see the cluster in order is believed: a node that was cut off
//! may still name the old owners. They are read every fifteen seconds, and at once when a
//! connection is lost, can not be made, or a node says that something has moved.

pub(crate) mod router;
pub(crate) mod scope;
pub(crate) mod shards;
pub(crate) mod slots;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::seq::SliceRandom;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{
    Address, Error, ErrorKind, Options, Pipeline, Role,
    net::Connector,
    topology::{
        asked::Asked,
        cluster::slots::SlotMap,
        locator::Moved,
        survey::{self, Survey},
    },
};

/// How often the slots are read although nothing has happened.
const POLL_EVERY: Duration = Duration::from_secs(15);

/// How often they are read at most because something has happened.
const DOUBT_EVERY: Duration = Duration::from_millis(200);

/// Most nodes that are asked at once.
const ASKED_MAX: usize = 5;

/// How long a node that could not be reached is passed over if others will do.
const FAILED_FOR: Duration = Duration::from_secs(10);

/// What is known of a cluster.
pub(crate) struct Cluster {
    seeds: Vec<Address>,
    survey: Survey,
    map: watch::Sender<Arc<SlotMap>>,
    asked: Asked<()>,
    doubt: Notify,
    /// Nodes that could not be reached, and when.
    failed: Mutex<HashMap<Address, Instant>>,
    /// The node that connections to any node go to.
    favourite: Mutex<Option<Address>>,
}

/// Which node of a cluster a connection should go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Any that is there.
    Any,
    /// The one that serves this slot.
    Slot(u16),
    /// This one, as long as it is a node of the cluster.
    Node(Address),
}

/// What one node answers.
struct View {
    map: SlotMap,
    /// What makes one view better than another: first whether the cluster is in order, then how
    /// new its configuration is.
    rank: (bool, u64, usize),
}

impl Cluster {
    /// `options` and `connector` are those of the connections to the nodes.
    pub(crate) fn new(seeds: Vec<Address>, options: Options, connector: Connector) -> Self {
        Self {
            seeds,
            survey: Survey { options, connector },
            map: watch::Sender::default(),
            asked: Asked::default(),
            doubt: Notify::new(),
            failed: Mutex::default(),
            favourite: Mutex::default(),
        }
    }

    /// The slots as they were last read; empty if they never were.
    pub(crate) fn map(&self) -> Arc<SlotMap> {
        self.map.borrow().clone()
    }

    /// Tells of every change of the slots.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<SlotMap>> {
        self.map.subscribe()
    }

    /// The node to connect to.
    ///
    /// # Errors
    /// No node could tell, or nobody serves the slot.
    pub(crate) async fn locate(
        &self,
        wanted: &Wanted,
        deadline: Instant,
    ) -> Result<Address, Error> {
        if self.map().masters().is_empty() {
            self.refresh(deadline).await?;
        }
        let map = self.map();
        match wanted {
            Wanted::Any => self.favourite(&map),
            Wanted::Slot(slot) => map.owner(*slot).cloned().ok_or_else(|| {
                self.look_again();
                nobody_serves(*slot)
            }),
            Wanted::Node(address) => Ok(address.clone()),
        }
    }

    /// Ready when a connection to `here` is not what is wanted any more.
    pub(crate) fn follow(&self, wanted: Wanted, here: Address) -> Moved {
        let mut changes = self.changes();
        // Another node has told of this one before the slots do.
        let is_new = matches!(wanted, Wanted::Node(_)) && !self.map().nodes().contains(&here);
        Box::pin(async move {
            if is_new && changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let has_moved = |map: &Arc<SlotMap>| match &wanted {
                Wanted::Any | Wanted::Node(_) => {
                    !map.nodes().is_empty() && !map.nodes().contains(&here)
                }
                Wanted::Slot(slot) => map.owner(*slot).is_some_and(|owner| *owner != here),
            };
            match changes.wait_for(has_moved).await.map(|_| ()) {
                Ok(()) => Error::new(
                    ErrorKind::Disconnected,
                    match wanted {
                        Wanted::Slot(slot) => format!("slot {slot} moved away from {here}"),
                        Wanted::Any | Wanted::Node(_) => format!("{here} left the cluster"),
                    },
                ),
                // The link is being closed, which its connections see for themselves.
                Err(_) => std::future::pending().await,
            }
        })
    }

    /// Something has happened after which the slots may have moved. If they have just been read
    /// they are not read again: as long as it goes on, this is called again.
    pub(crate) fn look_again(&self) {
        if !self.asked.is_recent(DOUBT_EVERY) {
            self.doubt.notify_one();
        }
    }

    /// A node could not be reached.
    pub(crate) fn handle_failed(&self, address: &Address) {
        self.note_failed(address);
        self.look_again();
    }

    fn note_failed(&self, address: &Address) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, at| at.elapsed() < FAILED_FOR);
        failed.insert(address.clone(), Instant::now());
    }

    /// Keeps the slots up to date until `closed` says that the link is closed, or is gone.
    pub(crate) async fn watch(self: Arc<Self>, mut closed: watch::Receiver<bool>) {
        let mut poll = tokio::time::interval(POLL_EVERY);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = poll.tick() => {}
                () = self.doubt.notified() => {}
                _ = closed.wait_for(|closed| *closed) => return,
            }
            let deadline = Instant::now() + self.survey.options.connect_timeout;
            tokio::select! {
                result = self.refresh(deadline) => if let Err(error) = result {
                    tracing::warn!(%error, "no node tells which slots it serves");
                },
                _ = closed.wait_for(|closed| *closed) => return,
            }
        }
    }

    /// Reads the slots.
    ///
    /// # Errors
    /// No node could tell.
    pub(crate) async fn refresh(&self, deadline: Instant) -> Result<(), Error> {
        self.asked.ask(self.ask_some(deadline)).await
    }

    async fn ask_some(&self, deadline: Instant) -> Result<(), Error> {
        let nodes = self.to_ask();
        let questions = nodes.iter().map(|node| self.ask(node, deadline));
        let (views, errors) = survey::answers(questions).await;
        let best = views.into_iter().max_by_key(|it| it.rank);
        let Some(View { map, .. }) = best else { return Err(nobody_knows(&errors)) };
        self.map.send_if_modified(|known| {
            let is_news = **known != map;
            if is_news {
                *known = Arc::new(map);
            }
            is_news
        });
        Ok(())
    }

    /// Some nodes, those that answered lately first, and the URL's if there is none of them.
    fn to_ask(&self) -> Vec<Address> {
        let map = self.map();
        let mut nodes: Vec<Address> = map.nodes().iter().cloned().collect();
        nodes.shuffle(&mut rand::rng());
        let failed = self.failed();
        nodes.sort_by_key(|node| failed.contains(node));
        nodes.truncate(ASKED_MAX);
        let seeds = self.seeds.iter().filter(|seed| !map.nodes().contains(seed));
        // Nodes come and go; the URL's name is what stays.
        nodes.extend(seeds.take(ASKED_MAX).cloned());
        nodes
    }

    fn failed(&self) -> HashSet<Address> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Instant| at.elapsed() < FAILED_FOR;
        failed.iter().filter(|(_, at)| is_recent(at)).map(|(node, _)| node.clone()).collect()
    }

    /// A connection was lost. A node that hangs accepts new ones, and answers none of them.
    pub(crate) fn handle_lost(&self, wanted: &Wanted, error: &Error) {
        if !error.is_silence() {
            return;
        }
        let node = match wanted {
            Wanted::Any => self.favourite.lock().unwrap_or_else(PoisonError::into_inner).take(),
            Wanted::Slot(slot) => self.map().owner(*slot).cloned(),
            Wanted::Node(address) => Some(address.clone()),
        };
        if let Some(node) = node {
            self.note_failed(&node);
        }
    }

    /// Any node, and the same again as long as it is there: nodes hand messages on to each other,
    /// and who changes from one to another may get some twice that the new one had yet to get.
    fn favourite(&self, map: &SlotMap) -> Result<Address, Error> {
        let failed = self.failed();
        let is_good = |node: &Address| map.masters().contains(node) && !failed.contains(node);
        let mut favourite = self.favourite.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = favourite.clone().filter(is_good) {
            return Ok(node);
        }
        let node = self.any(map)?;
        *favourite = Some(node.clone());
        Ok(node)
    }

    fn any(&self, map: &SlotMap) -> Result<Address, Error> {
        self.in_any_order(map).first().copied().cloned().ok_or_else(|| nobody_knows(&[]))
    }

    /// The masters by chance, those that could lately not be reached last.
    fn in_any_order<'a>(&self, map: &'a SlotMap) -> Vec<&'a Address> {
        let mut masters: Vec<&Address> = map.masters().iter().collect();
        masters.shuffle(&mut rand::rng());
        let failed = self.failed();
        masters.sort_by_key(|node| failed.contains(*node));
        masters
    }

    async fn ask(&self, node: &Address, deadline: Instant) -> Result<View, Error> {
        let result = self.view(node, deadline).await;
        if result.is_err() {
            self.note_failed(node);
        }
        result
    }

    async fn view(&self, node: &Address, deadline: Instant) -> Result<View, Error> {
        let mut connection = self.survey.dial(node, Role::Commands, deadline).await?;
        let mut pipeline = Pipeline::new();
        pipeline.push([&b"CLUSTER"[..], b"SLOTS"]);
        pipeline.push([&b"CLUSTER"[..], b"INFO"]);
        let mut replies = connection.exchange(pipeline, deadline.into_std()).await?.into_iter();
        let slots = replies.next().unwrap_or_else(|| Err(Error::closed())).map_err(|error| {
            Error::new(
                ErrorKind::InvalidRequest,
                format!("{node} is no node of a cluster, write `redis://` for it: {error}"),
            )
        })?;
        let map = SlotMap::parse(slots, node).ok_or_else(|| {
            Error::new(ErrorKind::Protocol, format!("{node} does not answer as a cluster's node"))
        })?;
        // Who may not ask for this is less well informed, and still informed.
        let facts = replies.next().and_then(Result::ok);
        let facts = facts.as_ref().and_then(fanfare_resp::Value::as_str).unwrap_or_default();
        let fact = |name: &str| facts.lines().find_map(|line| line.strip_prefix(name));
        let epoch = fact("cluster_current_epoch:").and_then(|it| it.parse().ok()).unwrap_or(0);
        let is_ok = fact("cluster_state:") == Some("ok");
        let rank = (is_ok, epoch, map.n_served());
        Ok(View { map, rank })
    }
}

fn nobody_serves(slot: u16) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!("nobody serves slot {slot}: the cluster is down, or not set up wholly"),
    )
}

/// Why no node could tell: what they said, if they said anything.
fn nobody_knows(errors: &[Error]) -> Error {
    let said = |kind: ErrorKind| errors.iter().find(|error| error.kind() == kind);
    let telling = [ErrorKind::InvalidRequest, ErrorKind::Auth, ErrorKind::Protocol, ErrorKind::Tls];
    let error = telling.into_iter().find_map(said).or_else(|| errors.first());
    error.cloned().unwrap_or_else(|| {
        Error::new(ErrorKind::Connect, "no node of the cluster serves any slot, or none answers")
    })
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use fanfare_resp::Value;
    use futures_util::{FutureExt, task::noop_waker};

    use super::*;

    /// A cluster of one node.
    fn map(port: u16) -> Arc<SlotMap> {
        let node = Value::Array(vec![Value::bulk("h"), Value::Integer(port.into())]);
        let range = Value::Array(vec![Value::Integer(0), Value::Integer(16_383), node]);
        let asked = Address::Tcp { host: "h".to_owned(), port };
        Arc::new(SlotMap::parse(Value::Array(vec![range]), &asked).unwrap())
    }

    #[test]
    fn a_node_of_which_the_slots_tell_later_is_not_left_before() {
        let options = Options::new("redis+cluster://h").unwrap();
        let connector = Connector::new(&options).unwrap();
        let cluster = Cluster::new(Vec::new(), options, connector);
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        cluster.map.send_replace(map(1));
        let node = |port| Address::Tcp { host: "h".to_owned(), port };
        let mut to_new = cluster.follow(Wanted::Node(node(2)), node(2));
        assert!(to_new.poll_unpin(&mut cx).is_pending());
        cluster.map.send_replace(map(2));
        assert!(to_new.poll_unpin(&mut cx).is_pending());
        cluster.map.send_replace(map(3));
        let Poll::Ready(error) = to_new.poll_unpin(&mut cx) else { panic!("it is not left") };
        assert!(error.to_string().contains("left the cluster"), "{error}");
        let mut to_old = cluster.follow(Wanted::Any, node(2));
        assert!(to_old.poll_unpin(&mut cx).is_ready());
    }
}
