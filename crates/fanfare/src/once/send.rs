//! Sending messages, each once however often it is tried.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Value};
use futures_util::future::join_all;
use uuid::Uuid;

use super::destination::{Place, PlaceKind};
use crate::{
    Fanfare,
    client::{Client, Script},
    commands::Keys,
};

/// Sends messages to one place, and notes in a key beside it up to which sequence they came. What is not
/// above that has come already.
static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("remember.lua")));

/// Most messages that go together, and most bytes of them unless one alone has more.
pub(crate) const BATCH_MAX: usize = 256;
pub(crate) const BATCH_BYTES_MAX: usize = 256 * 1024;

/// A message with its number.
pub(crate) trait Numbered {
    /// Whose number it is.
    fn generation(&self) -> Uuid;
    /// Those of a generation that go to one place are sent in the order of their numbers.
    fn number(&self) -> u64;
    fn place(&self) -> &Place;
    /// What the command has behind the name.
    fn words(&self) -> &[Bytes];
}

/// What became of a message.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// The broker has it.
    Sent,
    /// The broker had it already.
    Known,
    /// It may go another time.
    NotYet(Error),
    /// It will never go.
    Refused(Error),
    /// Nothing was tried, since one before it was refused.
    Untried,
}

#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) fanfare: Fanfare,
    pub(crate) client: Client,
    pub(crate) remember: Duration,
}

impl Sender {
    pub(crate) fn new(fanfare: &Fanfare, try_for: Duration, remember: Duration) -> Self {
        let client = fanfare.client().with_timeout(try_for);
        Self { fanfare: fanfare.clone(), client, remember }
    }

    /// Sends messages: those of each place in their order, by one script. Returns what became of each.
    pub(crate) async fn send<M: Numbered>(&self, items: &[M]) -> Vec<Fate> {
        let mut places: Vec<(&Place, Vec<usize>)> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = item.place();
            match places.iter_mut().find(|it| it.0 == place) {
                Some(group) => group.1.push(index),
                None => places.push((place, vec![index])),
            }
        }
        let groups = places.into_iter().map(|(place, indices)| async move {
            let group: Vec<&M> = indices.iter().filter_map(|at| items.get(*at)).collect();
            (self.send_to(place, &group).await, indices)
        });
        let mut fates = vec![Fate::Untried; items.len()];
        for (group, indices) in join_all(groups).await {
            for (fate, index) in group.into_iter().zip(indices) {
                if let Some(slot) = fates.get_mut(index) {
                    *slot = fate;
                }
            }
        }
        fates
    }

    /// Notes that a message will not be sent, so that nobody else who has it sends it.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) async fn pass<M: Numbered>(&self, message: &M) -> Fate {
        let fates = self.send_to(message.place(), &[&Passed(message)]).await;
        fates.into_iter().next().unwrap_or(Fate::Untried)
    }

    /// Asks the servers that messages are for whether they are there, and sends nothing.
    pub(crate) async fn probe<M: Numbered>(&self, items: &[M]) -> Vec<Fate> {
        let names = self.fanfare.link().options().names();
        let asked = items.iter().map(|item| async move {
            let memory = item.place().memory(names, item.generation());
            match self.client.exists([memory]).await {
                Err(error) if is_passing(&error) => Fate::NotYet(error),
                _ => Fate::Untried,
            }
        });
        join_all(asked).await
    }

    /// In chunks, one after the other, as long as the broker takes them.
    async fn send_to<M: Numbered>(&self, place: &Place, group: &[&M]) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(group.len());
        let mut n_max = group.len();
        while let Some(rest) = group.get(fates.len()..).filter(|it| !it.is_empty()) {
            let n = chunk_len(rest).min(n_max);
            let chunk = rest.get(..n).unwrap_or(rest);
            let (n_settled, n_known, error) = match self.run(place, chunk).await {
                Ok(answer) => answer,
                Err(error) => (0, 0, Some(error)),
            };
            let before = fates.len();
            // What is known comes first: sequences grow.
            fates.resize(before + n_known.min(n), Fate::Known);
            fates.resize(before + n_settled.min(n), Fate::Sent);
            let Some(error) = error else { continue };
            if error.kind() == ErrorKind::TooLarge && 1 < n {
                // Each may go alone.
                n_max = 1;
                continue;
            }
            match is_passing(&error) {
                true => fates.resize(group.len(), Fate::NotYet(error)),
                false => fates.push(Fate::Refused(error)),
            }
            break;
        }
        fates.resize(group.len(), Fate::Untried);
        fates
    }

    async fn run<M: Numbered>(
        &self,
        place: &Place,
        group: &[&M],
    ) -> Result<(usize, usize, Option<Error>), Error> {
        let names = self.fanfare.link().options().names();
        let Some(first) = group.first() else { return Ok((0, 0, None)) };
        let memory = Bytes::from(place.memory(names, first.generation()));
        let (keys, channel) = match place.kind {
            PlaceKind::Stream => (vec![place.name.clone(), memory], Bytes::new()),
            PlaceKind::Channel => {
                let channel = self.fanfare.channel(&place.name)?.into_owned();
                (vec![memory], Bytes::from(channel))
            }
        };
        let mut args = vec![Bytes::from(self.remember.as_millis().to_string()), channel];
        for item in group {
            let words = item.words();
            args.push(item.number().to_string().into());
            args.push(words.len().to_string().into());
            args.extend(words.iter().cloned());
        }
        let answer: Vec<Value> = self.client.run_script(&SCRIPT, keys, args).await?;
        let odd = || {
            Error::new(
                ErrorKind::Protocol,
                "the answer to the script `remember.lua` is not its own",
            )
        };
        let [settled, known, failed] = &answer[..] else { return Err(odd()) };
        let number = |it: &Value| it.as_int().and_then(|n| usize::try_from(n).ok());
        let (Some(settled), Some(known)) = (number(settled), number(known)) else {
            return Err(odd());
        };
        Ok((settled, known, failed.as_bytes().map(Error::server)))
    }
}

/// A message without its words.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
struct Passed<'m, M>(&'m M);

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl<M: Numbered> Numbered for Passed<'_, M> {
    fn generation(&self) -> Uuid {
        self.0.generation()
    }

    fn number(&self) -> u64 {
        self.0.number()
    }

    fn place(&self) -> &Place {
        self.0.place()
    }

    fn words(&self) -> &[Bytes] {
        &[]
    }
}

/// How many messages go at once: as many of one generation as have 256 KiB together, and one at least.
fn chunk_len<M: Numbered>(items: &[&M]) -> usize {
    let generation = items.first().map(|it| it.generation());
    let mut n_bytes = 0;
    let fitting = items.iter().take_while(|it| {
        n_bytes += it.words().iter().map(|it| it.len() + 16).sum::<usize>() + 64;
        n_bytes <= BATCH_BYTES_MAX && Some(it.generation()) == generation
    });
    fitting.count().max(1)
}

/// Whether the same message may go later. Of a server that refuses all commands for a while, or asks for a
/// password that can be corrected, it may.
fn is_passing(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Server => {
            error.is_retryable()
                || matches!(
                    error.server_code(),
                    Some("OOM" | "MISCONF" | "NOSCRIPT" | "EXECABORT" | "NOGOODSLAVE")
                )
        }
        ErrorKind::TooLarge
        | ErrorKind::InvalidRequest
        | ErrorKind::InvalidOption
        | ErrorKind::Unsupported
        | ErrorKind::Encode
        | ErrorKind::Decode => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_attempt_can_mend_does_not_hold_up_the_rest() {
        let server = |text: &str| Error::server(text.as_bytes());
        for passing in ["LOADING wait", "OOM full", "READONLY r", "MISCONF m", "NOAUTH who"] {
            assert!(is_passing(&server(passing)), "{passing}");
        }
        for refused in ["WRONGTYPE no stream", "NOPERM no", "ERR nonsense"] {
            assert!(!is_passing(&server(refused)), "{refused}");
        }
        assert!(is_passing(&Error::new(ErrorKind::Timeout, "late")));
        assert!(!is_passing(&Error::new(ErrorKind::TooLarge, "large")));
    }
}
