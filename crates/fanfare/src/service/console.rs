//! Asking services how they are, and ordering them about.

use std::{fmt, time::Duration};

use fanfare_client::{Error, ErrorKind};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Confirmation, HealthReport, Target,
    control::{self, Command, Key, Order},
    core::Core,
    names::Names,
};
use crate::{
    Fanfare,
    client::Client,
    request::{Answers, Gather, Requester},
};

/// Asks the instances of services how they are, and orders them about. Cheap to clone; all clones share
/// one inbox.
///
/// Each question goes to all instances that it is for, and their answers are gathered until there are as
/// many as expected, none has come for a while, or the deadline: see [`Gather`]. An answer belongs to its
/// question, whatever else is asked at the same time. What is asked over channels may get lost: who does
/// not answer may be well all the same.
///
/// # Example: how are they?
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Fanfare, request::Gather, service::{Console, Service, Target}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let one = Service::new(&fanfare, "orders that are well").start().await?;
/// let two = Service::new(&fanfare, "orders that are well").start().await?;
/// let console = Console::connect(&fanfare).await?;
/// let target = Target::Service("orders that are well".into());
/// let reports = console.health(target, Gather::new().at_most(2)).await?;
/// for report in &reports {
///     let report = report.as_ref().expect("a report");
///     assert!(report.is_healthy, "{:?}", report.reasons);
/// }
/// assert_eq!(reports.len(), 2);
/// # one.stop(Duration::from_secs(10)).await;
/// # two.stop(Duration::from_secs(10)).await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Console {
    requester: Requester,
    client: Client,
    names: Names,
    signer: Option<(String, Key)>,
}

impl Console {
    /// Subscribes to an inbox for the answers.
    ///
    /// # Errors
    /// As [`Fanfare::subscribe`].
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscription back.
    pub async fn connect(fanfare: &Fanfare) -> Result<Self, Error> {
        let (requester, client) = (fanfare.requester().await?, fanfare.client());
        Ok(Self { requester, client, names: Names::default(), signer: None })
    }

    /// For the services with this [prefix](super::Service::prefix).
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.names = Names::new(prefix);
        self
    }

    /// The longest wait for answers. Default:
    /// [`Options::request_timeout`](crate::Options::request_timeout).
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.requester = self.requester.deadline(deadline);
        self
    }

    /// Signs orders as this sender, by this key: see [`ControlKeys`](super::ControlKeys).
    #[must_use]
    pub fn sign_as(
        mut self,
        sender: impl Into<String>,
        key_id: impl Into<String>,
        secret: impl Into<Vec<u8>>,
    ) -> Self {
        self.signer = Some((key_id.into(), Key::new(sender, secret)));
        self
    }

    /// Asks instances how they are. Nobody is there: no answers.
    ///
    /// # Errors
    /// As [`Requester::request_many`](crate::request::Requester::request_many).
    pub async fn health(
        &self,
        target: Target,
        gather: Gather,
    ) -> Result<Vec<Result<HealthReport, Error>>, Error> {
        let channel = self.names.of("health", &target)?;
        let asked = self.requester.request_many(channel.name(), &(), gather).await;
        gathered(asked).await
    }

    /// Orders instances to shut down. Those that obey say so at once, and end when they have: their
    /// program [waits](super::RunningService::shutdown) for it. An instance that refuses answers with
    /// [`ErrorKind::Refused`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the console has no key to [sign](Self::sign_as) by,
    /// [`ErrorKind::InvalidOption`] if the secret is too short; otherwise as
    /// [`health`](Self::health).
    ///
    /// # Cancel safety
    /// Dropping the future does not take back an order that has been handed to the connection.
    pub async fn shutdown(
        &self,
        target: Target,
        reason: impl Into<String>,
        gather: Gather,
    ) -> Result<Vec<Result<Confirmation, Error>>, Error> {
        self.order(target, Command::Shutdown { reason: reason.into() }, gather).await
    }

    /// Gives instances another configuration, which goes to their
    /// [`on_config`](super::Service::on_config). One that was away, or comes later, does not get it: keep
    /// what must last in a key, and send this as the word that it has changed.
    ///
    /// # Errors
    /// As [`shutdown`](Self::shutdown), and [`ErrorKind::Encode`].
    ///
    /// # Cancel safety
    /// As [`shutdown`](Self::shutdown).
    pub async fn configure<T: Serialize + ?Sized>(
        &self,
        target: Target,
        config: &T,
        gather: Gather,
    ) -> Result<Vec<Result<Confirmation, Error>>, Error> {
        let data = serde_json::to_value(config).map_err(|source| {
            let message = "the configuration has no JSON";
            Error::new(ErrorKind::Encode, message).with_source(source)
        })?;
        self.order(target, Command::Config { data }, gather).await
    }

    async fn order(
        &self,
        target: Target,
        command: Command,
        gather: Gather,
    ) -> Result<Vec<Result<Confirmation, Error>>, Error> {
        let (key_id, key) = self.signer.as_ref().ok_or_else(|| {
            let message = "an order is signed: give the console a key with `sign_as`";
            Error::new(ErrorKind::InvalidRequest, message)
        })?;
        key.check(key_id)?;
        let channel = self.names.of("control", &target)?;
        let nonce: u128 = rand::random();
        let order = Order {
            sender: key.sender.clone(),
            key: key_id.clone(),
            target: control::target(&self.client, &channel)?,
            time_ms: Core::now_ms(&self.client).await?,
            nonce: format!("{nonce:032x}"),
            command,
        };
        let request = order.sign(key)?;
        let asked = self.requester.request_many_sealed(channel.name(), request, gather).await;
        gathered(asked).await
    }
}

async fn gathered<T: DeserializeOwned>(
    asked: Result<Answers, Error>,
) -> Result<Vec<Result<T, Error>>, Error> {
    match asked {
        Ok(answers) => {
            let answers = answers.all().await;
            Ok(answers.into_iter().map(|it| it.and_then(|it| it.json())).collect())
        }
        Err(error) if error.kind() == ErrorKind::NoResponders => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("names", &self.names)
            .field("sender", &self.signer.as_ref().map(|(_, key)| &key.sender))
            .finish_non_exhaustive()
    }
}
