//! A service that runs: how it starts and how it stops.

use std::{fmt, sync::Arc, time::Duration};

use fanfare_client::{Error, ErrorKind};
use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use super::{
    Emitter, Receipt, Service, ServiceEvent, ServiceEvents, ServiceState, ServiceStats, Shutdown,
    builder::Tuning, control, core::Core, handlers::Dispatch, names::Target, report,
};
use crate::{
    Call, Handler, HandlerService, Message,
    request::Responding,
    stream::{Group, Position},
    worker::{DeadLetters, RunningWorker, Worker, WorkerEvents, WorkerStats},
};

/// The type of the event that an instance emits when it begins.
pub(super) const STARTED: &str = "service_started";
/// The type of the event that an instance emits when it has ended.
pub(super) const STOPPED: &str = "service_stopped";

/// An instance of a service that runs. Made by [`Service::start`].
///
/// End it with [`stop`](Self::stop). If it is dropped, everything ends at once, as in a crash: nobody is
/// told, and the events that it was handling are delivered to others when their lease has ended.
#[must_use = "the service ends when this is dropped"]
pub struct RunningService {
    core: Arc<Core>,
    workers: Vec<Reading>,
    hints: Option<Handler>,
    health: Responding,
    control: Responding,
}

/// A stream that is read.
struct Reading {
    stream: String,
    dead: DeadLetters,
    worker: RunningWorker,
}

/// How an instance has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stopped {
    /// The final numbers.
    pub stats: ServiceStats,
    /// Whether the others could be told.
    pub announced: Result<Receipt, Error>,
}

impl Stopped {
    /// How many events were given back, since they were not begun, or not finished by the deadline.
    pub fn returned(&self) -> u64 {
        self.stats.workers.iter().map(|(_, stats)| stats.counts.returned).sum()
    }
}

impl RunningService {
    pub(super) async fn start<S>(mut service: Service<S>) -> Result<Self, Error>
    where
        S: Clone + Send + Sync + 'static,
    {
        if let Some(error) = service.error.take() {
            return Err(error);
        }
        if service.name.is_empty() {
            let message = "a service has a name, which all its replicas have";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        service.keys.check()?;
        let events = service.layered()?;
        let core = Core::new(
            service.fanfare.client(),
            service.names,
            service.name,
            Uuid::now_v7().to_string(),
            (service.retention, service.agreed),
            (service.tolerance, service.checks),
        );
        let workers = describe(&core, service.begin, &service.tuning)?;
        for (worker, begin) in &workers {
            worker.check()?;
            worker.group.create(*begin).await?;
        }
        let has_hints = !service.hints.is_empty();
        let dispatch = Arc::new(Dispatch {
            core: core.clone(),
            events,
            hints: service.hints,
            unknown_kind: service.unknown_kind,
            unknown_version: service.unknown_version,
        });
        let hints = if has_hints { Some(hear_hints(&dispatch).await?) } else { None };
        let health = report::answer(&core).await?;
        let control = control::obey(&core, service.keys, service.on_config).await?;
        Emitter::new(core.clone()).announce(STARTED, &about(&core)).await?;
        let workers = workers.into_iter().map(|(worker, _)| read(worker, &dispatch));
        let workers: Vec<Reading> = workers.collect::<Result<_, _>>()?;
        let looks = workers.iter().map(|it| {
            let look: super::core::Look = Box::new(it.worker.look());
            (it.stream.clone(), look)
        });
        // It is set once, here.
        let _ = core.looks.set(looks.collect());
        set_state(&core, ServiceState::Running);
        Ok(Self { core, workers, hints, health, control })
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The id of this instance, which no other one has.
    pub fn instance(&self) -> &str {
        &self.core.instance
    }

    /// Emits events that nothing but the program itself has caused.
    pub fn emitter(&self) -> Emitter {
        Emitter::new(self.core.clone())
    }

    /// How it is doing, now.
    pub fn stats(&self) -> ServiceStats {
        stats(&self.core)
    }

    /// What it would say about its health, now.
    pub fn health(&self) -> super::HealthReport {
        report::report(&self.core)
    }

    /// What happens to it, from now on.
    pub fn events(&self) -> ServiceEvents {
        ServiceEvents(self.core.events.subscribe())
    }

    /// What happens to its workers, from now on, with the streams that they read.
    pub fn worker_events(&self) -> Vec<(String, WorkerEvents)> {
        self.workers.iter().map(|it| (it.stream.clone(), it.worker.events())).collect()
    }

    /// The dead letters of the service, of each of its streams: what could not be handled.
    pub fn dead_letters(&self) -> Vec<(String, DeadLetters)> {
        self.workers.iter().map(|it| (it.stream.clone(), it.dead.clone())).collect()
    }

    /// Waits until somebody who may has ordered it to shut down. It goes on until it is
    /// [stopped](Self::stop).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the order is still there for the next one.
    pub async fn shutdown(&self) -> Shutdown {
        let mut ordered = self.core.shutdown.subscribe();
        let order = ordered.wait_for(Option::is_some).await.ok().and_then(|it| it.clone());
        match order {
            Some(order) => order,
            // The sender lives as long as this.
            None => std::future::pending().await,
        }
    }

    /// Runs until `end` is ready, Ctrl-C say, or somebody who may orders it to shut down; then
    /// [stops](Self::stop) it.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the service.
    pub async fn run_until(self, end: impl Future, deadline: Duration) -> Stopped {
        tokio::select! {
            _ = end => {}
            _ = self.shutdown() => {}
        }
        self.stop(deadline).await
    }

    /// Ends it in good order: no event, hint or order is taken any more; handlers that run are waited
    /// for until `deadline`, then dropped; the events that they had, and those that were read and not
    /// begun, are given back, so that the other replicas have them at once; `service_stopped` is
    /// published. Questions about its health are answered all the while.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the service.
    pub async fn stop(self, deadline: Duration) -> Stopped {
        let Self { core, workers, hints, health, control } = self;
        set_state(&core, ServiceState::Stopping);
        let hints = async {
            if let Some(hints) = hints {
                // A hint that hangs is not waited for longer than an event.
                let _ = tokio::time::timeout(deadline, hints.stop()).await;
            }
        };
        let control = tokio::time::timeout(deadline, control.stop());
        let drained = join_all(
            workers.into_iter().map(|it| async { (it.stream, it.worker.drain(deadline).await) }),
        );
        let (drained, (), _) = tokio::join!(drained, hints, control);
        let announced = Emitter::new(core.clone()).announce(STOPPED, &about(&core)).await;
        if let Err(error) = &announced {
            tracing::warn!(%error, service = core.name, "nobody is told that it has stopped");
        }
        set_state(&core, ServiceState::Stopped);
        health.stop().await;
        Stopped { stats: ServiceStats { workers: drained, ..stats(&core) }, announced }
    }
}

impl fmt::Debug for RunningService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningService")
            .field("name", &self.core.name)
            .field("instance", &self.core.instance)
            .field("state", &self.core.state())
            .finish_non_exhaustive()
    }
}

/// The workers of the two streams, and where their groups begin.
fn describe(
    core: &Core,
    begin: Position,
    tuning: &Tuning,
) -> Result<[(Worker, Position); 2], Error> {
    let group = |target: &Target| -> Result<Group, Error> {
        let stream = core.names.of("events", target)?;
        Ok(core.client.fanfare().stream(stream).group(&core.name))
    };
    let all = group(&Target::All)?.worker().start(begin).trim_acknowledged();
    // What goes to this service alone is a queue, from its first event on.
    let own = group(&Target::Service(core.name.clone()))?;
    let own = own.worker().start(Position::Start).delete_acknowledged();
    Ok([(tuning(all), begin), (tuning(own), Position::Start)])
}

fn read(worker: Worker, dispatch: &Arc<Dispatch>) -> Result<Reading, Error> {
    let stream = String::from_utf8_lossy(worker.group.stream().key()).into_owned();
    let dead = worker.group.dead_letters_in(&worker.dead_key);
    let dispatch = dispatch.clone();
    let service = HandlerService::of(Arc::new(move |call: Call| {
        let dispatch = dispatch.clone();
        Box::pin(async move { dispatch.event(call).await })
    }));
    Ok(Reading { stream, dead, worker: worker.spawn_service(service)? })
}

async fn hear_hints(dispatch: &Arc<Dispatch>) -> Result<Handler, Error> {
    let core = &dispatch.core;
    let channels = core.names.heard("hints", &core.name, &core.instance)?;
    let subscriber = core.client.fanfare().subscriber().channels(channels);
    let dispatch = dispatch.clone();
    let handle = move |message: Message| {
        let dispatch = dispatch.clone();
        async move { dispatch.hint(Call::from(message)).await }
    };
    subscriber.handle(handle).await
}

fn set_state(core: &Core, state: ServiceState) {
    core.state.send_replace(state);
    core.tell(ServiceEvent::State(state));
}

/// What `service_started` and `service_stopped` say.
fn about(core: &Core) -> serde_json::Value {
    json!({
        "service": core.name,
        "instance": core.instance,
        "uptime_ms": u64::try_from(core.uptime().as_millis()).unwrap_or(u64::MAX),
    })
}

fn stats(core: &Core) -> ServiceStats {
    let workers: Vec<(String, WorkerStats)> = core.workers();
    let counts = core.counts().clone();
    ServiceStats { state: core.state(), uptime: core.uptime(), counts, workers }
}
