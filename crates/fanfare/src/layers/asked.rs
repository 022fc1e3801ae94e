//! Layers that ask the broker before they let a call through.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fanfare_client::{Backoff, Error};

use super::{Refused, RefusedReason, unless_lost};
use crate::{BoxError, Call, worker::says_full};

/// What a layer does if the broker, which keeps what the layer goes by, can not be asked, or takes nothing
/// since its memory is full or its disk fails (`OOM`, `MISCONF`). An answer that no further attempt can change,
/// such as `NOPERM`, is an error in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhenAway {
    /// The call waits until it can, however long that takes: nothing is lost and nothing is exceeded.
    #[default]
    Wait,
    /// The call goes on as if there were no such layer.
    Pass,
    /// The call is [`Refused`].
    Refuse,
}

/// The pauses between attempts to ask.
pub(super) const PAUSES: Backoff =
    Backoff { first: Duration::from_millis(20), cap: Duration::from_secs(5) };

impl WhenAway {
    /// Asks until there is an answer. `None`: the call is to go on without one. `ask` may be asked more
    /// than once although it was answered before. `n_away` counts calls of which an attempt failed.
    pub(super) async fn ask<T, F>(
        self,
        name: &Arc<str>,
        call: &Call,
        n_away: &AtomicU64,
        mut ask: impl FnMut() -> F,
    ) -> Result<Option<T>, BoxError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let asking = async {
            let mut n_failed = 0;
            loop {
                let error = match ask().await {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(error) if !is_away(&error) => return Err(error.into()),
                    Err(error) => error,
                };
                tracing::debug!(%error, layer = %name, "the broker can not be asked");
                n_failed += 1;
                if n_failed == 1 {
                    n_away.fetch_add(1, Ordering::Relaxed);
                }
                match self {
                    Self::Wait => {
                        tokio::time::sleep(PAUSES.delay(n_failed, rand::random())).await;
                    }
                    Self::Pass => return Ok(None),
                    Self::Refuse => return Err(away(name)),
                }
            }
        };
        unless_lost(call, asking).await.unwrap_or_else(|| Err(away(name)))
    }
}

/// Whether the broker can not do it now, and may do it later.
pub(super) fn is_away(error: &Error) -> bool {
    error.is_retryable() || says_full(error)
}

fn away(name: &Arc<str>) -> BoxError {
    Refused::new(RefusedReason::Away, name, Duration::from_secs(1)).into()
}
