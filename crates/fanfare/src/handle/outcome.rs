//! What becomes of a handler: nothing to say, an error, or a panic.

use std::{any::Any, error::Error, fmt};

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a handler may return: nothing, or a result with any error: one of its own, a text, or
/// [`Permanent`].
pub trait Outcome: Send + 'static {
    /// The error, if it failed.
    fn failure(self) -> Option<BoxError>;
}

impl Outcome for () {
    fn failure(self) -> Option<BoxError> {
        None
    }
}

impl<E: Into<BoxError> + Send + 'static> Outcome for Result<(), E> {
    fn failure(self) -> Option<BoxError> {
        self.err().map(Into::into)
    }
}

/// A failure that no further attempt can mend: nobody tries again. A worker puts the entry with the
/// dead letters at once, whatever its [`deliveries_max`](crate::worker::Worker::deliveries_max).
///
/// # Example: an order that can never be filled
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, Permanent, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let orders = fanfare.stream("orders for ever");
/// orders.add([("item", "a unicorn")]).await?;
/// let group = orders.group("billing");
/// let worker = group.worker().spawn_with(
///     async |Text(item): Text| match item.as_str() {
///         "tea" => Ok(()),
///         other => Err(Permanent::new(format!("there is no {other}"))),
///     },
///     (),
/// )?;
/// while worker.stats().counts.dead_lettered < 1 {
///     tokio::time::sleep(std::time::Duration::from_millis(10)).await;
/// }
/// assert_eq!(worker.stop().await.counts.retried, 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Permanent(BoxError);

impl Permanent {
    /// Says that this error is final.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    /// Whether this error, or one that it was made of, is a `Permanent`.
    pub fn is(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.source().is_some_and(Self::is)
    }

    /// The error itself.
    pub fn into_inner(self) -> BoxError {
        self.0
    }
}

impl fmt::Display for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Permanent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Its text is this one's, so it is not named again.
        self.0.source()
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{BoxError, Outcome, Permanent};

    #[derive(Debug)]
    struct Outer(Permanent);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_permanent_error_is_found_through_what_wraps_it() {
        let boxed: BoxError = Permanent::new("no").into();
        assert!(Permanent::is(&*boxed));
        assert!(Permanent::is(&Outer(Permanent::new("no"))));
        let plain = BoxError::from("no");
        assert!(!Permanent::is(&*plain));
        assert_eq!(Permanent::new("no").to_string(), "no");
    }

    #[test]
    fn a_failure_keeps_its_type() {
        let failure = Err::<(), _>(Permanent::new("no")).failure().expect("a failure");
        assert!(failure.is::<Permanent>());
        assert!(().failure().is_none() && Ok::<(), BoxError>(()).failure().is_none());
    }
}
