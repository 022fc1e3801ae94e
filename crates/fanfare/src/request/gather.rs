//! Many answers to one request.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use fanfare_client::{Error, ErrorKind};
use futures_util::{Stream, StreamExt, stream::BoxStream};
use tokio::time::{Instant, timeout_at};

use super::{Answer, inbox::Place};

/// When there are answers enough: whichever comes first. The requester's deadline holds as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Gather {
    answers_max: usize,
    quiet: Option<Duration>,
    queue: usize,
}

impl Default for Gather {
    fn default() -> Self {
        Self { answers_max: usize::MAX, quiet: None, queue: 1_024 }
    }
}

impl Gather {
    /// All that come until the deadline.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many, errors of responders included.
    pub fn at_most(mut self, n: usize) -> Self {
        self.answers_max = n;
        self
    }

    /// Until none has come for so long after the last one. The first is waited for until the deadline.
    pub fn quiet_for(mut self, quiet: Duration) -> Self {
        self.quiet = Some(quiet);
        self
    }

    /// Lets so many answers wait to be taken; beyond that they are dropped, and
    /// [counted](super::RequesterStats::dropped). Default: 1,024. 0 counts as 1.
    pub fn queue_max(mut self, n: usize) -> Self {
        self.queue = n;
        self
    }

    pub(super) fn queue(&self) -> usize {
        self.queue.min(self.answers_max)
    }
}

/// The answers to a request, as they come. It ends as [`Gather`] says: with the last that came in time,
/// however late it is taken. It keeps the requester's inbox.
///
/// An item is an error if a responder answered with one ([`ErrorKind::Refused`]), and others may follow.
/// If answers may have been lost with the inbox's connection, the last item is
/// [`ErrorKind::AnswerLost`].
pub struct Answers {
    stream: BoxStream<'static, Result<Answer, Error>>,
    receivers: Option<u64>,
}

/// How far the gathering is.
struct Gathering {
    place: Place,
    gather: Gather,
    end: Instant,
    /// When the last answer came.
    last_at: Option<Instant>,
}

impl Answers {
    pub(super) fn new(place: Place, gather: Gather, end: Instant, receivers: Option<u64>) -> Self {
        let gathering = Gathering { place, gather, end, last_at: None };
        let stream = futures_util::stream::unfold(Some(gathering), |gathering| async move {
            gathering?.next().await
        });
        Self { stream: stream.boxed(), receivers }
    }

    /// The next answer, or `None` at the end.
    ///
    /// # Cancel safety
    /// Dropping the future loses no answer.
    pub async fn next(&mut self) -> Option<Result<Answer, Error>> {
        self.stream.next().await
    }

    /// All that come, until the end.
    ///
    /// # Cancel safety
    /// Dropping the future loses those that had come.
    pub async fn all(self) -> Vec<Result<Answer, Error>> {
        self.stream.collect().await
    }

    /// How many subscribed connections the request was handed to. The responders on one handle share
    /// one, and a pattern counts once more. `None` where it can not be told: of a stream, and of a
    /// plain channel in a cluster.
    pub fn receivers(&self) -> Option<u64> {
        self.receivers
    }
}

impl Gathering {
    async fn next(mut self) -> Option<(Result<Answer, Error>, Option<Self>)> {
        if self.gather.answers_max == 0 {
            return None;
        }
        let end = match (self.gather.quiet, self.last_at) {
            (Some(quiet), Some(last_at)) => {
                last_at.checked_add(quiet).map_or(self.end, |quiet| quiet.min(self.end))
            }
            (None, _) | (_, None) => self.end,
        };
        // What is there is returned without a look at the clock, so what came too late is sorted out here.
        let (at, answer) = timeout_at(end, self.place.next()).await.ok()?;
        if end < at {
            return None;
        }
        self.gather.answers_max -= 1;
        self.last_at = Some(at);
        let goes_on = answer.as_ref().err().is_none_or(|it| it.kind() == ErrorKind::Refused);
        Some((answer.map(Answer), goes_on.then_some(self)))
    }
}

impl Stream for Answers {
    type Item = Result<Answer, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("receivers", &self.receivers).finish_non_exhaustive()
    }
}
