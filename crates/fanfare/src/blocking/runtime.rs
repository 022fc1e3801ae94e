//! The one thread with a runtime.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle};

use crate::{Error, ErrorKind};

/// Made by the first call, and never ended: what lives on it may be dropped at any time.
static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);

/// Most handlers that run at the same time. They are bounded by what programs ask for already
/// (`concurrency`); a process that has more than this in all is better off if some wait.
const HANDLERS_MAX: usize = 4_096;

/// Starts the thread if it does not run yet.
pub(super) fn start() -> Result<Handle, Error> {
    let mut running = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = running.as_ref() {
        return Ok(handle.clone());
    }
    let failed = |source: std::io::Error| {
        let message = "the thread for blocking calls can not be started";
        Error::new(ErrorKind::Unsupported, message).with_source(source)
    };
    let runtime = Builder::new_current_thread()
        .thread_name("fanfare-handler")
        .max_blocking_threads(HANDLERS_MAX)
        .enable_all()
        .build()
        .map_err(failed)?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("fanfare".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(failed)?;
    Ok(running.insert(handle).clone())
}

/// Waits for a future of something that lives on the runtime.
///
/// # Panics
/// On a thread that drives a runtime.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    match start() {
        Ok(handle) => handle.block_on(future),
        // Nothing lives on a runtime that could not be started.
        Err(error) => panic!("{error}"),
    }
}

/// Runs what may block, apart from everything else.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime never ends, so the task is not cancelled.
            Err(_) => std::future::pending().await,
        },
    }
}
