//! Time that moves when the test says so.

use std::{sync::mpsc, time::Duration};

/// Holds the timers of a tokio runtime, and moves them on demand: ten seconds of silence pass in no
/// time.
///
/// Under [`tokio::time::pause`] alone a runtime that waits for a socket jumps to its next timer, so
/// that every deadline passes before a server can answer. Here nothing moves but by
/// [`advance`](Self::advance), and sockets work as ever.
///
/// What follows this clock: everything in the runtime that waits by `tokio::time`. In this crate
/// that is all of it: deadlines of commands, the heartbeat, pauses between attempts to connect.
/// What does not: a server, the embedded broker too (expiry of keys, `idle` of pending entries), and
/// a [`Proxy`](crate::testing::Proxy). They run by real time.
///
/// A deadline passes when it is reached, whether or not a server had real time to answer: before a
/// long step, wait until what should have happened has happened (see
/// [`eventually`](crate::testing::eventually)). Timers that are set because another one rang count
/// from the end of the step: a heartbeat needs one step for its question and one for the missing
/// answer.
///
/// # Example: a server that hangs is noticed
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Event, Fanfare, testing::{self, Clock, Fault, Proxy, TestBroker, Way}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = TestBroker::start()?;
/// let proxy = Proxy::start(broker.addr())?;
/// let fanfare = Fanfare::connect(&proxy.url()).await?;
/// let mut events = fanfare.events();
/// proxy.inject(Fault::Swallow(Way::Both));
///
/// let clock = Clock::pause();
/// clock.advance(Duration::from_secs(5)).await; // The heartbeat asks …
/// testing::eventually("a ping", async || 0 < proxy.stats().bytes_swallowed).await;
/// clock.advance(Duration::from_secs(5)).await; // … and gets no answer.
/// testing::expect_event(&mut events, |it| matches!(it, Event::Down { .. })).await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Clock {
    /// Ends the task that keeps the runtime from moving its clock by itself.
    _holding: mpsc::Sender<()>,
}

impl Clock {
    /// Stops the clock of this runtime until the value is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime, in one with several threads, and if its clock is stopped already.
    pub fn pause() -> Self {
        tokio::time::pause();
        let (holding, held) = mpsc::channel::<()>();
        // While a blocking task runs, tokio takes a paused clock for one that is not idle.
        tokio::task::spawn_blocking(move || held.recv());
        Self { _holding: holding }
    }

    /// Moves the clock, and a millisecond more, since timers are no finer; what waited for it is
    /// ready and has run once when this returns.
    pub async fn advance(&self, by: Duration) {
        tokio::time::advance(by + Duration::from_millis(1)).await;
        tokio::task::yield_now().await;
    }
}

impl Drop for Clock {
    /// Lets the time go on from where it stands.
    fn drop(&mut self) {
        let is_in_runtime = tokio::runtime::Handle::try_current().is_ok();
        if is_in_runtime && !std::thread::panicking() {
            tokio::time::resume();
        }
    }
}
