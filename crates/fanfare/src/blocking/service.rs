//! Services, with handlers on threads apart.

use std::time::Duration;

use serde::Serialize;

use super::{Fanfare, Handle, router::apart, runtime};
use crate::{
    Call, Envelope, Error, Extract,
    service::{self, HealthReport, Receipt, Scope, ServiceStats, Stopped},
};

/// The twin of [`fanfare::service::Service`](crate::service::Service): a service that is being described.
/// Its handlers are plain functions, which may block: each call has a thread apart.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::{sync::mpsc, time::Duration};
/// use fanfare::{Json, State, blocking::{Emitter, Fanfare, Service}, service::Scope};
///
/// let fanfare = Fanfare::connect("embedded:")?;
/// let (sender, paid) = mpsc::channel();
/// let orders = Service::new(&fanfare, "blocking orders")
///     .state(sender)
///     .on("order_created", |Json(amount): Json<u64>, emitter: Emitter| {
///         emitter.emit(Scope::Global, "order_paid", &amount).map(drop)
///     })
///     .on("order_paid", |Json(amount): Json<u64>, State(paid): State<mpsc::Sender<u64>>| {
///         paid.send(amount)
///     })
///     .start()?;
/// orders.emitter().emit(Scope::Global, "order_created", &7)?;
/// assert_eq!(paid.recv(), Ok(7));
/// let stopped = orders.stop(Duration::from_secs(10));
/// assert_eq!(stopped.stats.counts.handled, 2);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before `start`"]
pub struct Service<S = ()> {
    inner: service::Service<S>,
}

/// The twin of [`fanfare::service::RunningService`](crate::service::RunningService). It ends at once when
/// it is dropped.
#[derive(Debug)]
#[must_use = "the service ends when this is dropped"]
pub struct RunningService {
    inner: service::RunningService,
}

/// The twin of [`fanfare::service::Emitter`](crate::service::Emitter), and an argument of handlers as that
/// is. Cheap to clone, for any number of threads.
#[derive(Clone, Debug)]
pub struct Emitter {
    inner: service::Emitter,
}

impl Service {
    /// A service of this name, which all its replicas have. Nothing is sent yet.
    pub fn new(fanfare: &Fanfare, name: impl Into<String>) -> Self {
        Self { inner: service::Service::new(fanfare.asynchronous(), name) }
    }
}

impl<S: Clone + Send + Sync + 'static> Service<S> {
    /// What the handlers that are added from here on share.
    pub fn state<T>(self, state: T) -> Service<T> {
        Service { inner: self.inner.state(state) }
    }

    /// Calls a function for each event of a type, of whatever version has no function of its own.
    pub fn on<H, Args>(self, kind: impl Into<String>, handler: H) -> Self
    where
        H: Handle<Args, S, Call>,
        Args: 'static,
    {
        Self { inner: self.inner.on(kind, apart(handler)) }
    }

    /// Calls a function for each event of a type and version.
    pub fn on_version<H, Args>(
        self,
        kind: impl Into<String>,
        version: impl Into<String>,
        handler: H,
    ) -> Self
    where
        H: Handle<Args, S, Call>,
        Args: 'static,
    {
        Self { inner: self.inner.on_version(kind, version, apart(handler)) }
    }

    /// Calls a function for each hint of a type.
    pub fn on_hint<H, Args>(self, kind: &str, handler: H) -> Self
    where
        H: Handle<Args, S, Call>,
        Args: 'static,
    {
        Self { inner: self.inner.on_hint(kind, apart(handler)) }
    }

    /// Describes it further, as the asynchronous one: prefix, layers, workers, keys …
    pub fn describe(self, change: impl FnOnce(service::Service<S>) -> service::Service<S>) -> Self {
        Self { inner: change(self.inner) }
    }

    /// Starts it, and returns when others have been told.
    ///
    /// # Errors
    /// As [`start`](crate::service::Service::start).
    pub fn start(self) -> Result<RunningService, Error> {
        Ok(RunningService { inner: runtime::wait(self.inner.start())? })
    }
}

impl RunningService {
    /// The id of this instance.
    pub fn instance(&self) -> &str {
        self.inner.instance()
    }

    /// Emits events that nothing but the program itself has caused.
    pub fn emitter(&self) -> Emitter {
        Emitter { inner: self.inner.emitter() }
    }

    /// How it is doing, now.
    pub fn stats(&self) -> ServiceStats {
        self.inner.stats()
    }

    /// What it would say about its health, now.
    pub fn health(&self) -> HealthReport {
        self.inner.health()
    }

    /// Waits until somebody who may has ordered it to shut down, then stops it.
    pub fn run(self, deadline: Duration) -> Stopped {
        runtime::wait(self.inner.run_until(std::future::pending::<()>(), deadline))
    }

    /// Ends it in good order: see [`stop`](crate::service::RunningService::stop). A function that runs
    /// longer than the deadline goes on beside whatever takes its place.
    pub fn stop(self, deadline: Duration) -> Stopped {
        runtime::wait(self.inner.stop(deadline))
    }
}

impl Emitter {
    /// Emits a value as JSON.
    ///
    /// # Errors
    /// As [`emit`](crate::service::Emitter::emit).
    pub fn emit<T: Serialize + ?Sized>(
        &self,
        scope: Scope,
        kind: &str,
        data: &T,
    ) -> Result<Receipt, Error> {
        runtime::wait(self.inner.emit(scope, kind, data))
    }

    /// Emits an envelope.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn emit_envelope<T: Serialize>(
        &self,
        scope: Scope,
        event: Envelope<T>,
    ) -> Result<Receipt, Error> {
        runtime::wait(self.inner.emit_envelope(scope, event))
    }

    /// Publishes a value as a hint, and returns how many subscribed connections got it.
    ///
    /// # Errors
    /// As [`hint`](crate::service::Emitter::hint).
    pub fn hint<T: Serialize + ?Sized>(
        &self,
        scope: Scope,
        kind: &str,
        data: &T,
    ) -> Result<u64, Error> {
        runtime::wait(self.inner.hint(scope, kind, data))
    }
}

impl<S> Extract<S, Call> for Emitter {
    fn extract(call: &Call, state: &S) -> Result<Self, Error> {
        Ok(Self { inner: Extract::extract(call, state)? })
    }
}
