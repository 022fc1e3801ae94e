//! How far a worker has come, and what ends it.

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

/// How far a worker has come. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It takes what there is to handle.
    Working,
    /// It takes no more; handlers run on.
    Draining,
    /// Handlers have ended; the server is told what became of everything.
    Settling,
    /// It is over.
    Ended,
}

/// What the handle of a worker and its tasks know of how far it is.
#[derive(Clone, Debug)]
pub(crate) struct Life(watch::Sender<Stage>);

impl Life {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Stage::Working))
    }

    pub(crate) fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Stage> {
        self.0.subscribe()
    }

    /// It has come so far, if it was not further already.
    pub(crate) fn reach(&self, stage: Stage) {
        self.0.send_if_modified(|it| {
            let is_further = *it < stage;
            *it = stage.max(*it);
            is_further
        });
    }

    /// Waits until it is over.
    pub(crate) async fn ended(&self) {
        // The sender lives as long as this.
        let _ = self.watch().wait_for(|stage| *stage == Stage::Ended).await;
    }

    /// Runs a task of the worker. If it panics, the worker is over: it is not to look alive.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Running {
        let witness = Witness(self.clone());
        Running(tokio::spawn(async move {
            let _witness = witness;
            task.await;
        }))
    }
}

struct Witness(Life);

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.reach(Stage::Ended);
        }
    }
}

/// A task of the runtime that ends with its handle.
pub(crate) struct Running(JoinHandle<()>);

impl Running {
    /// Waits until it has ended; `false`: it has not by then.
    pub(crate) async fn ended_by(&mut self, until: Option<Instant>) -> bool {
        match until {
            Some(until) => timeout_at(until, &mut self.0).await.is_ok(),
            None => {
                // What it does about a panic it has done.
                let _ = (&mut self.0).await;
                true
            }
        }
    }

    /// Ends it. What it had is gone when this returns.
    pub(crate) async fn cut(&mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_never_goes_back_and_a_panic_ends_it() {
        let life = Life::new();
        life.reach(Stage::Settling);
        life.reach(Stage::Draining);
        assert_eq!(life.stage(), Stage::Settling);
        let mut well = life.spawn(async {});
        assert!(well.ended_by(None).await);
        assert_eq!(life.stage(), Stage::Settling);
        let mut panics = life.spawn(async { std::panic::resume_unwind(Box::new("a panic")) });
        assert!(panics.ended_by(None).await);
        life.ended().await;
    }
}
