//! How a service is described.

use std::{fmt, sync::Arc};

use fanfare_client::Error;
use tower_service::Service as TowerService;

#[cfg(feature = "schema")]
use super::Target;
use super::{
    ControlKeys, Retention, RunningService, Unknown,
    handlers::Handlers,
    names::{Names, PREFIX},
    report::Check,
};
use crate::{
    BoxError, Call, Fanfare, Handle, Tolerance,
    agreed::Agreed,
    handle::{Endpoint, endpoint, endpoint_of_service},
    layers::{Layer, Stack},
    stream::Position,
    worker::Worker,
};

/// Makes the layers around the handler of this name.
pub(super) type Layers = Arc<dyn Fn(&str) -> Stack + Send + Sync>;
/// Changes how the workers are described.
pub(super) type Tuning = Arc<dyn Fn(Worker) -> Worker + Send + Sync>;

/// A service that is being described: what it handles, and how. [`start`](Self::start) brings it to life.
///
/// | option | default |
/// |---|---|
/// | [`prefix`](Self::prefix) | `services` |
/// | [`layers`](Self::layers) | a [`Stack`] without a circuit breaker |
/// | [`worker`](Self::worker) | as [`Group::worker`](crate::stream::Group::worker) |
/// | [`begin`](Self::begin) | a service that is new begins with the next event |
/// | [`unknown_kind`](Self::unknown_kind) | [`Unknown::Ignore`] |
/// | [`unknown_version`](Self::unknown_version) | [`Unknown::Retry`] |
/// | [`retention`](Self::retention) | a million events, then refusal |
/// | `contract`, with the feature `schema` | none |
/// | [`control`](Self::control) | no orders are obeyed |
/// | [`tolerance`](Self::tolerance) | that of [`Tolerance`] |
///
/// What is promised is told in the [module's documentation](mod@crate::service).
///
/// # Example: two versions of an event
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Envelope, Fanfare, Json, State, service::{Scope, Service}};
///
/// #[derive(serde::Deserialize)]
/// struct Order { cents: u64 }
///
/// type Sums = tokio::sync::mpsc::UnboundedSender<u64>;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let (sender, mut sums) = tokio::sync::mpsc::unbounded_channel();
/// let billing = Service::new(&fanfare, "billing of versions")
///     .state(sender)
///     // Version 1 was a number of euros. What is of version 2 has cents, 2.1 and so on as well.
///     .on_version("order", "1", async |Json(euros): Json<u64>, State(sums): State<Sums>| {
///         let _ = sums.send(euros * 100);
///     })
///     .on_version("order", "2", async |Json(order): Json<Order>, State(sums): State<Sums>| {
///         let _ = sums.send(order.cents);
///     })
///     .start()
///     .await?;
/// let emitter = billing.emitter();
/// emitter.emit(Scope::Global, "order", &7).await?;
/// let new = Envelope::new("order", serde_json::json!({"cents": 750})).version("2.1");
/// emitter.emit_envelope(Scope::Global, new).await?;
/// let mut both = [sums.recv().await, sums.recv().await];
/// both.sort();
/// assert_eq!(both, [Some(700), Some(750)]);
/// billing.stop(Duration::from_secs(10)).await;
/// # Ok(()) }
/// ```
#[must_use = "nothing happens before `start`"]
pub struct Service<S = ()> {
    pub(super) fanfare: Fanfare,
    pub(crate) name: String,
    pub(super) names: Names,
    state: S,
    pub(super) events: Vec<Registered>,
    pub(super) hints: Handlers,
    pub(super) on_config: Option<Endpoint<Call>>,
    pub(super) layers: Layers,
    pub(super) tuning: Tuning,
    pub(super) begin: Position,
    pub(super) unknown_kind: Unknown,
    pub(super) unknown_version: Unknown,
    pub(super) retention: Retention,
    pub(crate) agreed: Agreed,
    pub(super) keys: ControlKeys,
    pub(super) tolerance: Tolerance,
    pub(super) checks: Vec<Check>,
    pub(super) error: Option<Error>,
}

/// A handler of events, before there are layers around it.
pub(super) struct Registered {
    kind: String,
    version: Option<String>,
    endpoint: Endpoint<Call>,
    has_layers: bool,
}

impl Service {
    /// A service of this name, which all its replicas have. Nothing is sent yet.
    pub fn new(fanfare: &Fanfare, name: impl Into<String>) -> Self {
        Self {
            fanfare: fanfare.clone(),
            name: name.into(),
            names: Names::new(PREFIX),
            state: (),
            events: Vec::new(),
            hints: Handlers::default(),
            on_config: None,
            layers: Arc::new(|name| Stack::new(name).breaker(None)),
            tuning: Arc::new(|worker| worker),
            begin: Position::New,
            unknown_kind: Unknown::Ignore,
            unknown_version: Unknown::Retry,
            retention: Retention::default(),
            agreed: Agreed::default(),
            keys: ControlKeys::default(),
            tolerance: Tolerance::default(),
            checks: Vec::new(),
            error: None,
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Service<S> {
    /// What the handlers that are added from here on share, and can ask for as
    /// [`State`](crate::State).
    pub fn state<T>(self, state: T) -> Service<T> {
        Service {
            fanfare: self.fanfare,
            name: self.name,
            names: self.names,
            state,
            events: self.events,
            hints: self.hints,
            on_config: self.on_config,
            layers: self.layers,
            tuning: self.tuning,
            begin: self.begin,
            unknown_kind: self.unknown_kind,
            unknown_version: self.unknown_version,
            retention: self.retention,
            agreed: self.agreed,
            keys: self.keys,
            tolerance: self.tolerance,
            checks: self.checks,
            error: self.error,
        }
    }

    /// Calls a handler for each event of a type, of whatever version has no handler of its own. Its
    /// arguments are [extracted](crate::Extract) from the [`Call`]; [`Emitter`](super::Emitter) is
    /// one of them.
    pub fn on<H, Args>(mut self, kind: impl Into<String>, handler: H) -> Self
    where
        H: Handle<Args, S, Call>,
    {
        let endpoint = endpoint(handler, self.state.clone());
        self.events.push(Registered {
            kind: kind.into(),
            version: None,
            endpoint,
            has_layers: true,
        });
        self
    }

    /// Calls a handler for each event of a type and version: `2.1` for just that one, `2` for all that
    /// begin with `2.` and have none of their own.
    pub fn on_version<H, Args>(
        mut self,
        kind: impl Into<String>,
        version: impl Into<String>,
        handler: H,
    ) -> Self
    where
        H: Handle<Args, S, Call>,
    {
        let (kind, version) = (kind.into(), Some(version.into()));
        let endpoint = endpoint(handler, self.state.clone());
        self.events.push(Registered { kind, version, endpoint, has_layers: true });
        self
    }

    /// Calls a `tower` service for each event of a type, of this version or of any, with no layers but
    /// its own.
    pub fn on_service<T>(
        mut self,
        kind: impl Into<String>,
        version: Option<&str>,
        service: T,
    ) -> Self
    where
        T: TowerService<Call, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
        T: Send + Sync + 'static,
    {
        let (kind, version) = (kind.into(), version.map(str::to_owned));
        let endpoint = endpoint_of_service(service);
        self.events.push(Registered { kind, version, endpoint, has_layers: false });
        self
    }

    /// Calls a handler for each hint of a type: in *every* instance, at most once, with no layers. Hints
    /// that come while one of the same instance is handled wait, in the order in which they came.
    pub fn on_hint<H, Args>(mut self, kind: &str, handler: H) -> Self
    where
        H: Handle<Args, S, Call>,
    {
        let endpoint = endpoint(handler, self.state.clone());
        if let Err(error) = self.hints.add(kind, None, endpoint) {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Calls a handler with each configuration that an allowed sender gives to this service, in every
    /// instance. Its payload is the configuration: `Json<Config>`, say. If it fails, the sender is told.
    pub fn on_config<H, Args>(mut self, handler: H) -> Self
    where
        H: Handle<Args, S, Call>,
    {
        self.on_config = Some(endpoint(handler, self.state.clone()));
        self
    }

    /// The part with which the names of all streams and channels begin: services with the same meet.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.names = Names::new(prefix);
        self
    }

    /// Makes the layers around each handler of events, which is named `SERVICE:TYPE`. Each has a stack of
    /// its own, since a breaker or a budget belongs to what is called.
    pub fn layers(mut self, make: impl Fn(&str) -> Stack + Send + Sync + 'static) -> Self {
        self.layers = Arc::new(make);
        self
    }

    /// Describes the workers further: concurrency, lease, retries, dead letters … There are two, one for
    /// what goes to all and one for what goes to this service, and both are described so.
    pub fn worker(mut self, tune: impl Fn(Worker) -> Worker + Send + Sync + 'static) -> Self {
        self.tuning = Arc::new(tune);
        self
    }

    /// Where a service that has never been started begins with what goes to all. One that was there
    /// before goes on where it was. What goes to this service by its name is never skipped.
    pub fn begin(mut self, position: impl Into<Position>) -> Self {
        self.begin = position.into();
        self
    }

    /// What becomes of events of a type for which there is no handler.
    pub fn unknown_kind(mut self, policy: Unknown) -> Self {
        self.unknown_kind = policy;
        self
    }

    /// What becomes of events of a type that has handlers, but none for their version.
    pub fn unknown_version(mut self, policy: Unknown) -> Self {
        self.unknown_version = policy;
        self
    }

    /// How much the streams keep to which this instance emits. All services should have the same.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Refuses to emit events and hints that do not fit, as
    /// [`ErrorKind::InvalidRecord`](crate::ErrorKind::InvalidRecord) with the place and the rule; nothing is sent then.
    /// That the service has started and stopped is told all the same. What comes is checked by a
    /// [`Validate`](crate::layers::Validate) among the [layers](Self::layers).
    #[cfg(feature = "schema")]
    pub fn contract(mut self, contract: impl Into<crate::schema::Contract>) -> Self {
        self.agreed = Agreed::on(contract);
        self
    }

    /// Who may order this service about, and by which keys.
    pub fn control(mut self, keys: ControlKeys) -> Self {
        self.keys = keys;
        self
    }

    /// How much is tolerated before health is called bad.
    pub fn tolerance(mut self, tolerance: impl Into<Tolerance>) -> Self {
        self.tolerance = tolerance.into();
        self
    }

    /// Asks the program when it is asked how it is: the error is a reason for bad health. It must be
    /// quick.
    pub fn check(mut self, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// Makes the groups, subscribes, publishes `service_started` when all that is confirmed, and begins
    /// to handle events.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) if the description can not work:
    /// two handlers for the same, no name, a key that is too short; as
    /// [`Group::create`](crate::stream::Group::create), [`Fanfare::subscribe`] and
    /// [`Emitter::emit`](super::Emitter::emit). Nothing runs then.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscriptions back. The groups stay.
    pub async fn start(self) -> Result<RunningService, Error> {
        RunningService::start(self).await
    }

    /// The handlers of events with the layers around them.
    pub(super) fn layered(&mut self) -> Result<Handlers, Error> {
        let mut handlers = Handlers::default();
        for Registered { kind, version, endpoint, has_layers } in self.events.drain(..) {
            let endpoint = if has_layers {
                let stack = (self.layers)(&format!("{}:{kind}", self.name));
                let service = crate::HandlerService::of(endpoint);
                endpoint_of_service::<_, Call, Call>(stack.layer(service))
            } else {
                endpoint
            };
            handlers.add(&kind, version.as_deref(), endpoint)?;
        }
        Ok(handlers)
    }
}

/// What a document of the program tells of it. Nothing, if its name can be none: then it does not start either.
#[cfg(feature = "schema")]
impl<S> Service<S> {
    /// What it reads: the kind and name of each place, and the types that it handles.
    pub(crate) fn heard(&self) -> Vec<(&'static str, String, Vec<String>)> {
        let events = self.events.iter().map(|it| match &it.version {
            Some(version) => format!("{}-{version}", it.kind),
            None => it.kind.clone(),
        });
        let mut heard = Vec::new();
        for (place, kind, types) in [
            ("stream", "events", events.collect::<Vec<_>>()),
            ("channel", "hints", self.hints.kinds()),
        ] {
            for target in [Target::All, Target::Service(self.name.clone())] {
                if let (Ok(name), false) = (self.names.of(kind, &target), types.is_empty()) {
                    heard.push((place, name.name().into_owned(), types.clone()));
                }
            }
        }
        heard
    }

    /// The stream of the events for all services.
    pub(crate) fn emits_to(&self) -> Option<String> {
        Some(self.names.of("events", &Target::All).ok()?.name().into_owned())
    }
}

impl<S> fmt::Debug for Service<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: Vec<_> = self.events.iter().map(|it| (&it.kind, &it.version)).collect();
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("events", &events)
            .finish_non_exhaustive()
    }
}
