//! What an error means for whoever might try again.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::{BoxError, Permanent, handle::Undecodable};

/// What an error means for layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// No attempt can mend it: a [`Permanent`], something that can not be decoded, a fault of the
    /// program.
    Permanent,
    /// A later attempt may go well.
    Transient,
    /// A later attempt may go well, but not before so long: a [`RetryAfter`].
    Later(Duration),
    /// Nothing was tried: a layer refused it, because a circuit breaker is open or a limit is
    /// reached. It may be let through after so long.
    Refused(Duration),
}

impl Class {
    /// Whether the work was tried and failed for a reason that may pass: what counts for a
    /// [`CircuitBreaker`](super::CircuitBreaker).
    pub fn is_transient_failure(self) -> bool {
        match self {
            Self::Transient | Self::Later(_) => true,
            Self::Permanent | Self::Refused(_) => false,
        }
    }

    /// The wait that it names; `None`: there is no sense in trying again.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Permanent => None,
            Self::Transient => Some(Duration::ZERO),
            Self::Later(wait) | Self::Refused(wait) => Some(wait),
        }
    }
}

/// What an error means, judged by it and by what caused it ([`Error::source`]), from the outside
/// inwards; the first that is known decides:
///
/// | error | class |
/// |---|---|
/// | [`Permanent`] | permanent |
/// | what a handler's arguments could not be made from | permanent |
/// | [`RetryAfter`] | later |
/// | [`Refused`] | refused |
/// | [`fanfare::Error`](crate::Error) | transient if [`is_retryable`](crate::Error::is_retryable), else permanent |
/// | errors of `serde_json` and of parsing numbers and texts | permanent |
/// | everything else | transient |
///
/// Layers to which it matters can be given another function.
///
/// # Example: three errors
/// ```
/// use std::time::Duration;
/// use fanfare::{BoxError, Permanent, layers::{Class, RetryAfter, classify}};
///
/// let gone: BoxError = Permanent::new("the customer is gone").into();
/// assert_eq!(classify(&*gone), Class::Permanent);
/// let busy: BoxError = RetryAfter::new(Duration::from_secs(3), "too many requests").into();
/// assert_eq!(classify(&*busy), Class::Later(Duration::from_secs(3)));
/// let other = BoxError::from("connection reset");
/// assert_eq!(classify(&*other), Class::Transient);
/// ```
pub fn classify(error: &(dyn Error + 'static)) -> Class {
    let mut error = error;
    loop {
        if let Some(class) = known(error) {
            return class;
        }
        match error.source() {
            Some(source) => error = source,
            None => return Class::Transient,
        }
    }
}

fn known(error: &(dyn Error + 'static)) -> Option<Class> {
    if let Some(error) = error.downcast_ref::<crate::Error>() {
        let is_retryable = error.is_retryable();
        return Some(if is_retryable { Class::Transient } else { Class::Permanent });
    }
    if let Some(later) = error.downcast_ref::<RetryAfter>() {
        return Some(Class::Later(later.wait));
    }
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(Class::Refused(refused.retry_after));
    }
    let is_permanent = error.is::<Permanent>()
        || error.is::<Undecodable>()
        || error.is::<serde_json::Error>()
        || error.is::<std::num::ParseIntError>()
        || error.is::<std::num::ParseFloatError>()
        || error.is::<std::num::TryFromIntError>()
        || error.is::<std::str::Utf8Error>()
        || error.is::<std::string::FromUtf8Error>();
    is_permanent.then_some(Class::Permanent)
}

/// A function that says what an error means.
#[derive(Clone)]
pub(crate) struct Classifier(Arc<Judge>);

type Judge = dyn Fn(&(dyn Error + 'static)) -> Class + Send + Sync;

impl Classifier {
    pub(crate) fn new(
        classify: impl Fn(&(dyn Error + 'static)) -> Class + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(classify))
    }

    pub(crate) fn class(&self, error: &BoxError) -> Class {
        (self.0)(&**error)
    }
}

impl Default for Classifier {
    fn default() -> Self {
        Self::new(classify)
    }
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier").finish_non_exhaustive()
    }
}

/// A failure with a time before which another attempt makes no sense: what a handler returns when
/// somebody has told it to come back later. A worker of a stream or a queue calls it again then, and that does
/// not count as a delivery: what comes back for ever is never put with the dead letters.
#[derive(Debug)]
pub struct RetryAfter {
    wait: Duration,
    error: BoxError,
}

impl RetryAfter {
    /// Says to come back after so long.
    pub fn new(wait: Duration, error: impl Into<BoxError>) -> Self {
        Self { wait, error: error.into() }
    }

    /// After how long.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The error itself.
    pub fn into_inner(self) -> BoxError {
        self.error
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (again after {:?})", self.error, self.wait)
    }
}

impl Error for RetryAfter {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Its text is part of this one's, so it is not named again.
        self.error.source()
    }
}

/// A layer did not let a call through: what is inside was not asked. A worker of a stream or a queue tries again
/// after [`retry_after`](Self::retry_after), and that does not count as a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Why.
    pub reason: RefusedReason,
    /// The name of the layer's resource, such as the circuit breaker's.
    pub name: Arc<str>,
    /// After how long it may be let through.
    pub retry_after: Duration,
}

impl Refused {
    pub(crate) fn new(reason: RefusedReason, name: &Arc<str>, retry_after: Duration) -> Self {
        Self { reason, name: name.clone(), retry_after }
    }
}

/// Why a call was [`Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusedReason {
    /// A circuit breaker is open.
    CircuitOpen,
    /// Too many calls in the time.
    Rate,
    /// Too many calls at the same time.
    Concurrency,
    /// The same message is being handled.
    InFlight,
    /// The broker, which keeps what the layer goes by, could not be asked.
    Away,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, name, retry_after } = self;
        let reason = match reason {
            RefusedReason::CircuitOpen => "the circuit breaker is open",
            RefusedReason::Rate => "the limit of rate is reached",
            RefusedReason::Concurrency => "the limit of concurrency is reached",
            RefusedReason::InFlight => "the same message is being handled",
            RefusedReason::Away => "the broker can not be asked",
        };
        write!(f, "{name}: {reason} (again after {retry_after:?})")
    }
}

impl Error for Refused {}

#[cfg(test)]
mod tests {
    use fanfare_client::ErrorKind;

    use super::*;

    #[derive(Debug)]
    struct Outer(BoxError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn what_is_known_decides_however_deep_it_is() {
        let wait = Duration::from_secs(2);
        let decode = || crate::Error::new(ErrorKind::Decode, "no");
        let refused = Refused::new(RefusedReason::Rate, &"r".into(), wait);
        let cases: Vec<(BoxError, Class)> = vec![
            ("anything".into(), Class::Transient),
            (Permanent::new("no").into(), Class::Permanent),
            (Permanent::new(RetryAfter::new(wait, "no")).into(), Class::Permanent),
            (RetryAfter::new(wait, "busy").into(), Class::Later(wait)),
            (refused.into(), Class::Refused(wait)),
            (decode().into(), Class::Permanent),
            (Undecodable(decode()).into(), Class::Permanent),
            (crate::Error::new(ErrorKind::Timeout, "slow").into(), Class::Transient),
            (crate::Error::new(ErrorKind::Closed, "shut").into(), Class::Permanent),
            ("x".parse::<u8>().unwrap_err().into(), Class::Permanent),
            (serde_json::from_str::<u8>("x").unwrap_err().into(), Class::Permanent),
            (std::io::Error::other("io").into(), Class::Transient),
        ];
        for (error, class) in cases {
            assert_eq!(classify(&*error), class, "{error}");
            let wrapped = Outer(Outer(error).into());
            assert_eq!(classify(&wrapped), class, "{:?}", wrapped.0);
        }
    }

    #[test]
    fn only_what_was_tried_and_may_pass_counts_as_a_failure_of_the_dependency() {
        let wait = Duration::from_secs(1);
        let classes =
            [Class::Permanent, Class::Transient, Class::Later(wait), Class::Refused(wait)];
        assert_eq!(classes.map(Class::is_transient_failure), [false, true, true, false]);
        let waits = [None, Some(Duration::ZERO), Some(wait), Some(wait)];
        assert_eq!(classes.map(Class::retry_after), waits);
    }
}
