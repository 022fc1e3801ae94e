//! Many commands of one kind, pipelined in chunks.

use std::pin::pin;

use fanfare_client::{Error, Pipeline, Value};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesOrdered};

use crate::Fanfare;

/// How much goes into one chunk of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunks {
    /// Most commands.
    pub(crate) commands_max: usize,
    /// Most bytes, unless one command alone has more.
    pub(crate) bytes_max: usize,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { commands_max: 512, bytes_max: 256 * 1024 }
    }
}

impl Chunks {
    /// The same, but so that no chunk is refused for its size where each of its commands is not.
    pub(crate) fn within(self, fanfare: &Fanfare) -> Self {
        let (_, in_flight_bytes_max) = fanfare.link().options().in_flight();
        Self { bytes_max: self.bytes_max.min(in_flight_bytes_max), ..self }
    }

    /// Whether a chunk of so many commands takes one more and has then so many bytes.
    pub(crate) fn fits(self, n_commands: usize, n_bytes: usize) -> bool {
        n_commands < self.commands_max && n_bytes <= self.bytes_max
    }
}

/// Bytes that a command has on the wire.
pub(crate) fn wire_len<'a>(
    args: impl IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
) -> usize {
    // A type, a number, CR and LF, before the arguments and before each of them, and CR and LF
    // behind it.
    let digits = |n: usize| std::iter::successors(Some(n), |n| (10 <= *n).then_some(n / 10));
    let head = |n: usize| 3 + digits(n).count();
    let args = args.into_iter();
    head(args.len()) + args.map(|arg| head(arg.len()) + arg.len() + 2).sum::<usize>()
}

/// Most chunks of one batch without an answer.
const CHUNKS_IN_FLIGHT_MAX: usize = 4;

/// Commands that go out in chunks bounded in number and bytes, a few chunks at a time, so that an
/// endless iterator fills the memory of neither side.
pub(crate) struct Batch<'a, T> {
    fanfare: &'a Fanfare,
    /// What an answer means.
    read: fn(Result<Value, Error>) -> Result<T, Error>,
    chunk: Pipeline,
    bounds: Chunks,
    /// The outcomes of chunks that were sent.
    in_flight: FuturesOrdered<BoxFuture<'static, Outcomes<T>>>,
    outcomes: Outcomes<T>,
}

type Outcomes<T> = Vec<Result<T, Error>>;

impl<'a, T: Send + 'static> Batch<'a, T> {
    pub(crate) fn new(
        fanfare: &'a Fanfare,
        read: fn(Result<Value, Error>) -> Result<T, Error>,
    ) -> Self {
        Self {
            fanfare,
            read,
            chunk: Pipeline::new(),
            bounds: Chunks::default().within(fanfare),
            in_flight: FuturesOrdered::new(),
            outcomes: Vec::new(),
        }
    }

    /// With chunks of another size.
    pub(crate) fn chunks(self, bounds: Chunks) -> Self {
        Self { bounds: bounds.within(self.fanfare), ..self }
    }

    /// Adds a command. Sends the chunk before it if that is full.
    pub(crate) async fn push<'b>(
        &mut self,
        args: impl IntoIterator<Item = &'b [u8], IntoIter: ExactSizeIterator + Clone>,
    ) {
        let args = args.into_iter();
        let n_bytes = self.chunk.n_bytes() + wire_len(args.clone());
        if !self.chunk.is_empty() && !self.bounds.fits(self.chunk.len(), n_bytes) {
            self.send_chunk().await;
        }
        self.chunk.push(args);
    }

    /// Gives what should have been the next command this outcome instead of sending it.
    pub(crate) async fn refuse(&mut self, error: Error) {
        if !self.chunk.is_empty() {
            self.send_chunk().await;
        }
        self.sent(Box::pin(async { vec![Err(error)] })).await;
    }

    /// Sends what is left, and returns the outcomes in the order of the commands.
    pub(crate) async fn finish(mut self) -> Vec<Result<T, Error>> {
        if !self.chunk.is_empty() {
            self.send_chunk().await;
        }
        while let Some(outcomes) = self.in_flight.next().await {
            self.outcomes.extend(outcomes);
        }
        self.outcomes
    }

    async fn send_chunk(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        let (n_commands, read) = (chunk.len(), self.read);
        let mut sending = pin!(self.fanfare.link().send(chunk));
        // What is in flight may hold the room that this waits for.
        let sent = loop {
            tokio::select! {
                sent = &mut sending => break sent,
                Some(outcomes) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    self.outcomes.extend(outcomes);
                }
            }
        };
        let outcomes: BoxFuture<'static, Outcomes<T>> = match sent {
            Ok(answers) => {
                Box::pin(async move { answers.all().await.into_iter().map(read).collect() })
            }
            Err(error) => {
                Box::pin(async move { (0..n_commands).map(|_| Err(error.clone())).collect() })
            }
        };
        self.sent(outcomes).await;
    }

    async fn sent(&mut self, outcomes: BoxFuture<'static, Outcomes<T>>) {
        self.in_flight.push_back(outcomes);
        if CHUNKS_IN_FLIGHT_MAX < self.in_flight.len()
            && let Some(outcomes) = self.in_flight.next().await
        {
            self.outcomes.extend(outcomes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_on_the_wire_is_exact() {
        for len in [0, 1, 9, 10, 99, 100, 12_345] {
            for n_args in [1, 3, 9, 10, 11] {
                let arg = vec![b'x'; len];
                let mut pipeline = Pipeline::new();
                pipeline.push(vec![&arg[..]; n_args]);
                assert_eq!(
                    wire_len(vec![&arg[..]; n_args]),
                    pipeline.n_bytes(),
                    "{n_args} * {len}"
                );
            }
        }
    }
}
