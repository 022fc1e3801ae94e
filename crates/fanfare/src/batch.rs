//! Many commands of one kind, pipelined in chunks.

use std::collections::VecDeque;

use fanfare_client::{Answers, Error, Pipeline, Value};

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
    /// Whether a chunk of so many commands takes one more and has then so many bytes.
    pub(crate) fn fits(self, n_commands: usize, n_bytes: usize) -> bool {
        n_commands < self.commands_max && n_bytes <= self.bytes_max
    }
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
    in_flight: VecDeque<Sent>,
    outcomes: Vec<Result<T, Error>>,
}

/// What became of a chunk.
enum Sent {
    Answers(Answers),
    Refused(Error, usize),
}

impl<'a, T> Batch<'a, T> {
    pub(crate) fn new(
        fanfare: &'a Fanfare,
        read: fn(Result<Value, Error>) -> Result<T, Error>,
    ) -> Self {
        let (chunk, in_flight) = (Pipeline::new(), VecDeque::new());
        Self { fanfare, read, chunk, bounds: Chunks::default(), in_flight, outcomes: Vec::new() }
    }

    /// With chunks of another size.
    pub(crate) fn chunks(self, bounds: Chunks) -> Self {
        Self { bounds, ..self }
    }

    /// Adds a command. Sends the chunk before it if that is full.
    pub(crate) async fn push<'b>(
        &mut self,
        args: impl IntoIterator<Item = &'b [u8], IntoIter: ExactSizeIterator + Clone>,
    ) {
        let args = args.into_iter();
        let n_bytes = self.chunk.n_bytes() + args.clone().map(<[u8]>::len).sum::<usize>();
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
        self.in_flight.push_back(Sent::Refused(error, 1));
        self.make_room().await;
    }

    /// Sends what is left, and returns the outcomes in the order of the commands.
    pub(crate) async fn finish(mut self) -> Vec<Result<T, Error>> {
        if !self.chunk.is_empty() {
            self.send_chunk().await;
        }
        while let Some(sent) = self.in_flight.pop_front() {
            self.collect(sent).await;
        }
        self.outcomes
    }

    async fn send_chunk(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        let n_commands = chunk.len();
        self.in_flight.push_back(match self.fanfare.link().send(chunk).await {
            Ok(answers) => Sent::Answers(answers),
            Err(error) => Sent::Refused(error, n_commands),
        });
        self.make_room().await;
    }

    async fn make_room(&mut self) {
        if CHUNKS_IN_FLIGHT_MAX < self.in_flight.len()
            && let Some(first) = self.in_flight.pop_front()
        {
            self.collect(first).await;
        }
    }

    async fn collect(&mut self, sent: Sent) {
        match sent {
            Sent::Answers(answers) => {
                self.outcomes.extend(answers.all().await.into_iter().map(self.read));
            }
            Sent::Refused(error, n_commands) => {
                self.outcomes
                    .extend(std::iter::repeat_with(|| Err(error.clone())).take(n_commands));
            }
        }
    }
}
