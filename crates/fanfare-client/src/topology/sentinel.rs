//! The master that the sentinels agree on.
//!
//! Every new connection asks all sentinels that are known, and believes the one with the newest
//! configuration (the highest epoch): one that was cut off may still name the old master. One
//! sentinel is listened to for `+switch-master`; besides, all are asked every ten seconds. When the
//! master has moved, every connection to the old one is given up.
//!
//! Redis's rules for such a client: <https://redis.io/docs/latest/develop/reference/sentinel-clients/>.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fanfare_resp::Value;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{
    Address, Error, ErrorKind, Kind, Options, Pipeline, Role, Sentinel,
    connection::{
        core::Output,
        driver::{Alarm, Connection, now},
    },
    net::Connector,
    subscriptions::{Ask, Batch},
    topology::{
        asked::Asked,
        locator::Moved,
        survey::{self, Survey},
    },
};

/// How often all sentinels are asked although nothing has happened.
const POLL_EVERY: Duration = Duration::from_secs(10);

/// How often all sentinels are asked at most because something has happened.
const DOUBT_EVERY: Duration = Duration::from_millis(500);

/// Most sentinels that are remembered beside those of the URL.
const LEARNED_MAX: usize = 32;

/// What a sentinel publishes when a failover is over: `name old-ip old-port new-ip new-port`.
const SWITCHED: &[u8] = b"+switch-master";

/// The sentinels of one master.
pub(crate) struct Sentinels {
    place: Sentinel,
    /// Those of the connections to the master, with the login for sentinels.
    survey: Survey,
    /// Sentinels that others have told of.
    learned: Mutex<Vec<Address>>,
    /// The master that is believed in.
    master: watch::Sender<Option<Master>>,
    asked: Asked<Master>,
    /// Rung when the sentinels should be asked before it is time.
    doubt: Notify,
}

/// A master, as some sentinel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Master {
    pub(crate) address: Address,
    /// The version of the sentinel's configuration: each failover has a higher one.
    epoch: u64,
}

/// What one sentinel answers.
struct Answer {
    master: Master,
    /// Itself and those that it knows.
    sentinels: Vec<Address>,
}

impl Sentinels {
    /// `options` and `connector` are those of the connections to the master.
    pub(crate) fn new(place: Sentinel, mut options: Options, connector: Connector) -> Self {
        options.url.login = place.login.clone();
        options.url.db = 0;
        Self {
            place,
            survey: Survey { options, connector },
            learned: Mutex::default(),
            master: watch::Sender::new(None),
            asked: Asked::default(),
            doubt: Notify::new(),
        }
    }

    /// Where the master is, as of now.
    ///
    /// # Errors
    /// No sentinel could tell.
    pub(crate) async fn locate(&self, deadline: Instant) -> Result<Master, Error> {
        self.asked.ask(self.ask_all(deadline)).await
    }

    /// There is a connection to this master, so it is one. Ready when another one is believed in.
    pub(crate) fn follow(&self, master: Master) -> Moved {
        let here = master.address.clone();
        self.master.send_if_modified(|believed| {
            let is_news = believed.as_ref() != Some(&master);
            *believed = Some(master);
            is_news
        });
        let mut news = self.master.subscribe();
        Box::pin(async move {
            let is_elsewhere =
                |believed: &Option<Master>| believed.as_ref().is_some_and(|it| it.address != here);
            let news = news.wait_for(is_elsewhere).await.map(|master| master.clone());
            match news.ok().flatten() {
                Some(Master { address: there, .. }) => Error::new(
                    ErrorKind::Disconnected,
                    format!("the master moved from {here} to {there}"),
                ),
                // The link is being closed, which its connections see for themselves.
                None => std::future::pending().await,
            }
        })
    }

    /// Something has happened after which the master may be another one. Who has just been asked is
    /// not asked again: as long as it goes on, this is called again.
    pub(crate) fn look_again(&self) {
        if !self.asked.is_recent(DOUBT_EVERY) {
            self.doubt.notify_one();
        }
    }

    /// Keeps the master up to date until `closed` says that the link is closed, or is gone.
    pub(crate) async fn watch(self: Arc<Self>, mut closed: watch::Receiver<bool>) {
        tokio::select! {
            () = self.watch_for_ever() => {}
            _ = closed.wait_for(|closed| *closed) => {}
        }
    }

    async fn watch_for_ever(&self) {
        let mut n_failed = 0;
        loop {
            for sentinel in self.known() {
                let error = match self.listen(&sentinel, &mut n_failed).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                };
                tracing::debug!(%sentinel, %error, "a sentinel can not be listened to");
                n_failed += 1;
                let pause = self.survey.options.backoff.delay(n_failed, rand::random());
                tokio::time::sleep(pause).await;
                self.refresh().await;
            }
        }
    }

    /// Listens to one sentinel for as long as it answers, and asks all of them from time to time.
    async fn listen(&self, sentinel: &Address, n_failed: &mut u32) -> Result<Infallible, Error> {
        let deadline = Instant::now() + self.survey.options.connect_timeout;
        let mut connection: Connection<()> =
            self.survey.dial(sentinel, Role::Subscriptions, deadline).await?;
        let names = vec![Bytes::from_static(SWITCHED)];
        connection.core.ask(Batch { ask: Ask::Subscribe, kind: Kind::Channel, names });
        let mut alarm = Alarm::new();
        let mut poll = tokio::time::interval(POLL_EVERY);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            alarm.arm(connection.core.poll_timeout());
            let mut must_ask = tokio::select! {
                moved = connection.turn(true) => moved.map(|()| false)?,
                () = alarm.ring() => false,
                () = self.doubt.notified() => true,
                _ = poll.tick() => true,
            };
            must_ask |= self.take_news(&mut connection, n_failed)?;
            // Judged as of a time before the last look at the socket.
            let mut at = now();
            while connection.core.is_overdue(at) && connection.catch_up().await? {
                must_ask |= self.take_news(&mut connection, n_failed)?;
                at = now();
            }
            connection.core.handle_timeout(at)?;
            if must_ask {
                self.refresh().await;
            }
        }
    }

    /// What a sentinel has said. Returns whether the master may be another one.
    fn take_news(
        &self,
        connection: &mut Connection<()>,
        n_failed: &mut u32,
    ) -> Result<bool, Error> {
        let mut must_ask = false;
        while let Some(output) = connection.poll_output()? {
            match output {
                Output::Message(message) => must_ask |= self.is_about_us(&message.payload),
                // From now on nothing is missed, and what was missed before is asked for.
                Output::Confirmed { .. } => {
                    *n_failed = 0;
                    must_ask = true;
                }
                Output::Refused { error, .. } => return Err(error),
                Output::Replies { .. } | Output::StreamPush(_) => {}
            }
        }
        Ok(must_ask)
    }

    fn is_about_us(&self, news: &[u8]) -> bool {
        news.strip_prefix(self.place.master.as_bytes()).is_some_and(|rest| rest.starts_with(b" "))
    }

    /// Asks all sentinels, and believes them if what they say is not older than what is known.
    async fn refresh(&self) {
        let deadline = Instant::now() + self.survey.options.connect_timeout;
        match self.locate(deadline).await {
            Ok(found) => {
                self.master.send_if_modified(|believed| {
                    let is_news = believed
                        .as_ref()
                        .is_none_or(|it| it.epoch <= found.epoch && it.address != found.address);
                    if is_news {
                        tracing::info!(master = %found.address, "the sentinels name a new master");
                        *believed = Some(found);
                    }
                    is_news
                });
            }
            Err(error) => tracing::warn!(%error, "no sentinel tells where the master is"),
        }
    }

    /// Asks all sentinels at once. The newest answer counts.
    async fn ask_all(&self, deadline: Instant) -> Result<Master, Error> {
        let known = self.known();
        let questions = known.iter().map(|sentinel| self.ask(sentinel, deadline));
        let (answers, errors) = survey::answers(questions).await;
        self.learn(&answers);
        let newest = answers.into_iter().map(|it| it.master).max_by_key(|it| it.epoch);
        newest.ok_or_else(|| self.nobody_knows(&errors))
    }

    async fn ask(&self, sentinel: &Address, deadline: Instant) -> Result<Answer, Error> {
        let mut connection = self.survey.dial(sentinel, Role::Commands, deadline).await?;
        let name = self.place.master.as_bytes();
        let mut pipeline = Pipeline::new();
        pipeline.push([&b"SENTINEL"[..], b"GET-MASTER-ADDR-BY-NAME", name]);
        pipeline.push([&b"SENTINEL"[..], b"MASTER", name]);
        pipeline.push([&b"SENTINEL"[..], b"SENTINELS", name]);
        let mut replies = connection.exchange(pipeline, deadline.into_std()).await?.into_iter();
        let address = match replies.next().unwrap_or_else(|| Err(Error::closed()))? {
            value if value.is_null() => {
                return Err(Error::new(
                    ErrorKind::Connect,
                    format!("{sentinel} knows no master `{}`", self.place.master),
                ));
            }
            value => pair(value).ok_or_else(|| {
                let message = format!("{sentinel} does not answer as a sentinel");
                Error::new(ErrorKind::Protocol, message)
            })?,
        };
        // Who may not ask for these is less well informed, and still informed.
        let facts = replies.next().and_then(Result::ok).and_then(Value::into_pairs);
        let epoch = facts.as_deref().and_then(|it| field(it, "config-epoch"));
        let epoch = epoch.and_then(|it| it.parse().ok()).unwrap_or(0);
        let others = replies.next().and_then(Result::ok).and_then(Value::into_array);
        let others = others.unwrap_or_default().into_iter().filter_map(address_of);
        let sentinels = others.chain([sentinel.clone()]).collect();
        Ok(Answer { master: Master { address, epoch }, sentinels })
    }

    /// Why no sentinel could tell: what they said, if they said anything.
    fn nobody_knows(&self, errors: &[Error]) -> Error {
        let said = |kind: ErrorKind| errors.iter().find(|error| error.kind() == kind);
        if let Some(error) = said(ErrorKind::Auth) {
            return Error::new(
                ErrorKind::Auth,
                "the sentinels refuse the login: give the URL `sentinel_username` (if they have \
                 users) and `sentinel_password`, which are not those of the servers",
            )
            .with_source(error.clone());
        }
        let error = said(ErrorKind::Protocol).or_else(|| said(ErrorKind::Tls));
        let error = error.or_else(|| errors.first());
        let Some(error) = error else {
            return Error::new(
                ErrorKind::Connect,
                format!("no answer in time from the sentinels of `{}`", self.place.master),
            );
        };
        let message = format!("no sentinel tells where `{}` is: {error}", self.place.master);
        Error::new(error.kind(), message).with_source(error.clone())
    }

    /// The URL's sentinels, then those that were learned of.
    fn known(&self) -> Vec<Address> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        self.place.sentinels.iter().chain(&*learned).cloned().collect()
    }

    /// Remembers those who answered, and those whom they named: sentinels come and go, and whoever
    /// nobody knows any more is forgotten.
    fn learn(&self, answers: &[Answer]) {
        if answers.is_empty() {
            return;
        }
        let mut told: Vec<Address> = Vec::new();
        for sentinel in answers.iter().flat_map(|it| &it.sentinels) {
            if !self.place.sentinels.contains(sentinel) && !told.contains(sentinel) {
                told.push(sentinel.clone());
            }
        }
        told.truncate(LEARNED_MAX);
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }
}

/// Host and port.
fn pair(value: Value) -> Option<Address> {
    let mut parts = value.into_array()?.into_iter();
    let host = parts.next()?.as_str()?.to_owned();
    let port = parts.next()?.as_str()?.parse().ok()?;
    Some(Address::Tcp { host, port })
}

/// The address among a sentinel's facts about another.
fn address_of(facts: Value) -> Option<Address> {
    let facts = facts.into_pairs()?;
    let host = field(&facts, "ip")?.to_owned();
    let port = field(&facts, "port")?.parse().ok()?;
    Some(Address::Tcp { host, port })
}

fn field<'a>(facts: &'a [(Value, Value)], name: &str) -> Option<&'a str> {
    facts.iter().find(|(key, _)| key.as_str() == Some(name)).and_then(|(_, value)| value.as_str())
}
