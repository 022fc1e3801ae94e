//! Many commands of one kind, pipelined in chunks.

use std::collections::VecDeque;

use fanfare_client::{Answers, Error, Pipeline, Value};

use crate::Fanfare;

/// Most commands in one chunk of a batch.
const CHUNK_COMMANDS_MAX: usize = 512;

/// Most bytes in one chunk of a batch, unless one command alone has more.
const CHUNK_BYTES_MAX: usize = 256 * 1024;

/// Most chunks of one batch without an answer.
const CHUNKS_IN_FLIGHT_MAX: usize = 4;

/// Commands that go out in chunks bounded in number and bytes, a few chunks at a time, so that an
/// endless iterator fills the memory of neither side.
pub(crate) struct Batch<'a, T> {
    fanfare: &'a Fanfare,
    /// What an answer means.
    read: fn(Result<Value, Error>) -> Result<T, Error>,
    chunk: Pipeline,
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
        Self { fanfare, read, chunk, in_flight, outcomes: Vec::new() }
    }

    /// Adds a command. Sends the chunk before it if that is full.
    pub(crate) async fn push<'b>(
        &mut self,
        args: impl IntoIterator<Item = &'b [u8], IntoIter: ExactSizeIterator + Clone>,
    ) {
        let args = args.into_iter();
        let n_bytes = self.chunk.n_bytes() + args.clone().map(<[u8]>::len).sum::<usize>();
        let fits = self.chunk.is_empty()
            || (self.chunk.len() < CHUNK_COMMANDS_MAX && n_bytes <= CHUNK_BYTES_MAX);
        if !fits {
            self.send_chunk().await;
        }
        self.chunk.push(args);
    }

    /// Adds what will not be sent.
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
