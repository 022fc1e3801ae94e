//! Commands that wait for an element, each on a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use fanfare_client::{Error, Namespace, Pipeline, Value};
use tokio::time::Instant;

use super::{
    Client,
    command::{Command, Run, decode, words},
    handle::{Call, closed},
    lists::End,
    value::{FromValue, not},
};

/// The shortest wait that a server is asked for: 0 would be for ever.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// Commands that wait until there is an element, for at most as long as is said.
///
/// Each uses a connection of its own, one of at most `max_connections`. A long wait is made of
/// several shorter ones, so that a server that hangs is noticed; who waits so loses its place among
/// those who wait for the same key, each time.
///
/// # What they promise
/// At most once: an element that the server has given to a connection that then breaks, or to a
/// future that is dropped, is lost. [`blmove`](Self::blmove) keeps it in another list instead.
impl Client {
    /// Takes the head of the first of these lists that has one, and returns the list's key with it.
    /// `None`: there was nothing in time (`BLPOP`).
    ///
    /// # Errors
    /// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded) if no connection became free in time;
    /// otherwise as every command.
    ///
    /// # Cancel safety
    /// Dropping the future may lose an element.
    ///
    /// # Example: a queue
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::time::Duration;
    /// use fanfare::{Fanfare, commands::*};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let client = Fanfare::connect("embedded:").await?.client();
    /// let wait = client.blpop::<String>(["urgent", "jobs"], Duration::from_secs(60));
    /// let (job, _) = tokio::join!(wait, client.rpush("jobs", ["dishes"]));
    /// assert_eq!(job?, Some(("jobs".into(), "dishes".into())));
    /// # Ok(()) }
    /// ```
    pub fn blpop<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        wait: Duration,
    ) -> Call<Option<(Bytes, T)>> {
        self.waiting(words(self, "BLPOP").keys(keys).reply_by(popped), wait)
    }

    /// The same with the tail (`BRPOP`).
    ///
    /// # Errors
    /// As [`blpop`](Self::blpop).
    ///
    /// # Cancel safety
    /// As [`blpop`](Self::blpop).
    pub fn brpop<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        wait: Duration,
    ) -> Call<Option<(Bytes, T)>> {
        self.waiting(words(self, "BRPOP").keys(keys).reply_by(popped), wait)
    }

    /// Takes an element from an end of one list, puts it at an end of another, and returns it
    /// (`BLMOVE`). In a cluster both must be in one slot.
    ///
    /// # Errors
    /// As [`blpop`](Self::blpop).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the element is in the other list then.
    pub fn blmove<T: FromValue>(
        &self,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
        (from_end, to_end): (End, End),
        wait: Duration,
    ) -> Call<Option<T>> {
        let words = words(self, "BLMOVE").key(from).key(to);
        self.waiting(words.word(from_end.word()).word(to_end.word()).reply(), wait)
    }

    /// Takes the member with the lowest score of the first of these sorted sets that has one, and
    /// returns the set's key with it and its score (`BZPOPMIN`).
    ///
    /// # Errors
    /// As [`blpop`](Self::blpop).
    ///
    /// # Cancel safety
    /// As [`blpop`](Self::blpop).
    pub fn bzpopmin<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        wait: Duration,
    ) -> Call<Option<(Bytes, T, f64)>> {
        self.waiting(words(self, "BZPOPMIN").keys(keys).reply_by(popped_with_score), wait)
    }

    /// The same with the highest score (`BZPOPMAX`).
    ///
    /// # Errors
    /// As [`blpop`](Self::blpop).
    ///
    /// # Cancel safety
    /// As [`blpop`](Self::blpop).
    pub fn bzpopmax<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        wait: Duration,
    ) -> Call<Option<(Bytes, T, f64)>> {
        self.waiting(words(self, "BZPOPMAX").keys(keys).reply_by(popped_with_score), wait)
    }

    /// Runs a command whose last argument is how long to wait, which is added here.
    fn waiting<T: Send + 'static>(
        &self,
        command: Command<Option<T>>,
        wait: Duration,
    ) -> Call<Option<T>> {
        let client = self.clone_in_lane();
        Call::new(async move {
            let args = command.args?;
            let key = args.keys().next().map(<[u8]>::to_vec);
            // As often as others are asked for a sign of life.
            let longest = client.link().options().heartbeat_times().0;
            let end = Instant::now().checked_add(wait);
            loop {
                let left = end.map(|end| end.saturating_duration_since(Instant::now()));
                let block = left.unwrap_or(longest).min(longest).max(WAIT_MIN);
                let seconds = block.as_secs_f64().to_string();
                let mut words: Vec<&[u8]> = args.iter().collect();
                words.push(seconds.as_bytes());
                let mut pipeline = Pipeline::new();
                pipeline.push(words.iter().copied());
                let reply = client.wait_for(pipeline, key.as_deref(), block).await;
                let popped = decode(reply, command.decode, client.namespace())?;
                let is_over = left.is_some_and(|left| left <= block);
                if popped.is_some() || is_over {
                    return Ok(popped);
                }
            }
        })
    }

    async fn wait_for(
        &self,
        pipeline: Pipeline,
        key: Option<&[u8]>,
        block: Duration,
    ) -> Result<Value, Error> {
        let timeout = self.shared.timeout;
        let mut replies = self.link().send_alone(pipeline, key, block, timeout).await?;
        replies.pop().unwrap_or_else(|| Err(closed()))
    }
}

fn popped<T: FromValue>(value: Value, namespace: &Namespace) -> Result<Option<(Bytes, T)>, Error> {
    let popped = Option::<(Bytes, T)>::from_value(value)?;
    Ok(popped.map(|(mut key, element)| {
        namespace.strip(&mut key);
        (key, element)
    }))
}

fn popped_with_score<T: FromValue>(
    value: Value,
    namespace: &Namespace,
) -> Result<Option<(Bytes, T, f64)>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    let error = not("a key, a member and a score", &value);
    let mut items = value.into_array().unwrap_or_default().into_iter();
    match (items.next(), items.next(), items.next()) {
        (Some(key), Some(member), Some(score)) => {
            let mut key = Bytes::from_value(key)?;
            namespace.strip(&mut key);
            Ok(Some((key, T::from_value(member)?, f64::from_value(score)?)))
        }
        _ => Err(error),
    }
}
