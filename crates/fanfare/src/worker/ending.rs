//! What became of a handler, and what a worker makes of its error.

use std::{error::Error, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::{
    BoxError, Outcome, Permanent,
    handle::{Undecodable, panic_text},
    layers::{Refused, RefusedReason, RetryAfter},
    worker::options::TIME_MAX,
};

/// What became of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Handled,
    Failed(String),
    /// It failed, and no further attempt can mend that.
    Permanent(String),
    /// It is not to be tried now, and this time does not count.
    Refused(Refusal),
    Panicked(String),
    TimedOut(Duration),
}

/// Why something was not handled now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    /// After how long it makes sense to try again.
    pub(crate) wait: Duration,
    /// Whether others would be refused as well.
    pub(crate) is_general: bool,
}

/// The shortest wait for what was refused: who is refused at once and for no time would do nothing else.
const REFUSED_MIN: Duration = Duration::from_millis(20);

/// What is kept of a failure's text, in bytes.
const ERROR_LEN_MAX: usize = 4_096;

impl Ending {
    /// Waits for a handler, and survives whatever it does.
    pub(crate) async fn of<O: Outcome>(
        handling: impl Future<Output = O>,
        timeout: Option<Duration>,
    ) -> Self {
        // A handler may panic when it is called, when it goes on, and when it is dropped.
        let call = AssertUnwindSafe(async {
            let handling = async { handling.await.failure() };
            match timeout {
                None => Ok(handling.await),
                Some(limit) => tokio::time::timeout(limit, handling).await.map_err(|_| limit),
            }
        });
        match call.catch_unwind().await {
            Ok(Ok(None)) => Self::Handled,
            Ok(Ok(Some(error))) => Self::of_error(&error),
            Ok(Err(limit)) => Self::TimedOut(limit),
            Err(panic) => Self::Panicked(shortened(panic_text(&*panic))),
        }
    }

    /// The first that is known decides, from the outside inwards.
    fn of_error(error: &BoxError) -> Self {
        let text = shortened(error.to_string());
        let mut cause: Option<&(dyn Error + 'static)> = Some(&**error);
        while let Some(error) = cause {
            if error.is::<Permanent>() || error.is::<Undecodable>() {
                return Self::Permanent(text);
            }
            let refused = error.downcast_ref::<RetryAfter>().map(|it| (it.wait(), false));
            let refused = refused.or_else(|| {
                let refused = error.downcast_ref::<Refused>()?;
                Some((refused.retry_after, refused.reason != RefusedReason::InFlight))
            });
            if let Some((wait, is_general)) = refused {
                let wait = wait.clamp(REFUSED_MIN, TIME_MAX);
                return Self::Refused(Refusal { error: text, wait, is_general });
            }
            cause = error.source();
        }
        Self::Failed(text)
    }

    /// What there is to say about it, if it did not end well.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Handled => None,
            Self::Failed(text) | Self::Permanent(text) => Some(text.clone()),
            Self::Refused(refusal) => Some(refusal.error.clone()),
            Self::Panicked(text) => Some(format!("the handler panicked: {text}")),
            Self::TimedOut(limit) => Some(format!("the handler took longer than {limit:?}")),
        }
    }
}

/// What is kept of a failure's text.
pub(crate) fn shortened(mut text: String) -> String {
    if ERROR_LEN_MAX < text.len() {
        let end = (0..=ERROR_LEN_MAX).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    async fn of(error: impl Into<BoxError>) -> Ending {
        let error = error.into();
        Ending::of(async { Err::<(), BoxError>(error) }, None).await
    }

    #[tokio::test]
    async fn an_error_says_whether_and_when_to_try_again() {
        let wait = Duration::from_secs(7);
        let refused = |reason| Refused::new(reason, &"partner".into(), wait);
        let waits = |ending: Ending| match ending {
            Ending::Refused(refusal) => Some((refusal.wait, refusal.is_general)),
            _ => None,
        };
        assert_eq!(of("no").await, Ending::Failed("no".to_owned()));
        assert_eq!(waits(of(RetryAfter::new(wait, "busy")).await), Some((wait, false)));
        assert_eq!(waits(of(refused(RefusedReason::CircuitOpen)).await), Some((wait, true)));
        assert_eq!(waits(of(refused(RefusedReason::InFlight)).await), Some((wait, false)));
        assert_eq!(
            waits(of(RetryAfter::new(Duration::ZERO, "busy")).await),
            Some((REFUSED_MIN, false))
        );
        let undecodable = Undecodable(crate::Error::new(ErrorKind::Decode, "no"));
        assert_eq!(of(undecodable).await, Ending::Permanent("no".to_owned()));
        let hopeless = Permanent::new(RetryAfter::new(wait, "no"));
        assert!(matches!(of(hopeless).await, Ending::Permanent(_)));
        // What a handler could not parse may be known to another program of the group.
        assert!(matches!(of("x".parse::<u8>().unwrap_err()).await, Ending::Failed(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_a_handler_does_has_an_end() {
        let limit = Duration::from_secs(1);
        let endless = Ending::of(std::future::pending::<()>(), Some(limit)).await;
        assert_eq!(endless, Ending::TimedOut(limit));
        let panics = async { std::panic::resume_unwind(Box::new("oh")) };
        let panicked = Ending::of::<()>(panics, Some(limit)).await;
        assert_eq!(panicked.text().as_deref(), Some("the handler panicked: oh"));
        assert_eq!(Ending::of(async {}, None).await, Ending::Handled);
        let long = of("ä".repeat(1_000_000)).await;
        assert_eq!(long.text(), Some("ä".repeat(2_048) + "…"));
    }
}
