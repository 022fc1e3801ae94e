//! Keys, fields and members one after the other, without holding up the server.

use std::{collections::VecDeque, marker::PhantomData};

use bytes::Bytes;
use fanfare_client::{Address, Error, Pipeline, Value};
use futures_util::{Stream, stream};

use super::{
    Client,
    command::{Run, explained},
    handle::closed,
    value::{FromValue, not},
};

/// An iteration that is being described. Made by [`Client::scan`] and its like.
///
/// What is there from the beginning to the end is seen at least once; what comes or goes meanwhile
/// may be seen or not; something may be seen twice. In a cluster [`Client::scan`] visits all masters.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `stream`"]
pub struct Scan<T> {
    client: Client,
    verb: &'static str,
    /// The key whose content is iterated, as it is on the server.
    key: Option<Bytes>,
    pattern: Option<Bytes>,
    count: Option<u64>,
    key_type: Option<String>,
    item: PhantomData<fn() -> T>,
}

/// What an item is made of: one word, or two.
pub trait ScanItem: Sized + Send + 'static {
    /// How many.
    const WORDS: usize;

    /// Makes it of the words.
    ///
    /// # Errors
    /// They are something else.
    fn of(words: Vec<Value>, name: impl Fn(Bytes) -> Bytes) -> Result<Self, Error>;
}

/// The name of a key, without the namespace.
impl ScanItem for Bytes {
    const WORDS: usize = 1;

    fn of(words: Vec<Value>, name: impl Fn(Bytes) -> Bytes) -> Result<Self, Error> {
        let word = words.into_iter().next().unwrap_or(Value::Null);
        Self::from_value(word).map(name)
    }
}

/// A member of a set.
impl ScanItem for String {
    const WORDS: usize = 1;

    fn of(words: Vec<Value>, name: impl Fn(Bytes) -> Bytes) -> Result<Self, Error> {
        Self::from_value(Value::BulkString(Bytes::of(words, name)?))
    }
}

/// A field and its value, a member and its score.
impl<A: FromValue, B: FromValue> ScanItem for (A, B) {
    const WORDS: usize = 2;

    fn of(words: Vec<Value>, _: impl Fn(Bytes) -> Bytes) -> Result<Self, Error> {
        Self::from_value(Value::Array(words))
    }
}

/// Where an iteration is.
struct State<T> {
    scan: Scan<T>,
    /// Nodes that are still to be visited; `None` is whoever answers.
    nodes: VecDeque<Option<Address>>,
    cursor: Bytes,
    items: VecDeque<Value>,
    has_begun: bool,
}

impl Client {
    /// All keys (`SCAN`), of all masters if this is a cluster, within the namespace.
    ///
    /// # Example: the keys of users
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Fanfare, commands::*};
    /// use futures_util::TryStreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let client = Fanfare::connect("embedded:").await?.client();
    /// client.mset([("user:1", "anna"), ("user:2", "ben"), ("order:1", "tea")]).await?;
    /// let mut keys: Vec<_> = client.scan().matching("user:*").stream().try_collect().await?;
    /// keys.sort();
    /// assert_eq!(keys, ["user:1", "user:2"]);
    /// # Ok(()) }
    /// ```
    pub fn scan(&self) -> Scan<Bytes> {
        self.scanning("SCAN", None)
    }

    /// The fields and values of a hash (`HSCAN`).
    pub fn hscan<F: FromValue, V: FromValue>(&self, key: impl AsRef<[u8]>) -> Scan<(F, V)> {
        self.scanning("HSCAN", Some(key.as_ref()))
    }

    /// The members of a set (`SSCAN`), as `Bytes` or `String`.
    pub fn sscan<T: ScanItem>(&self, key: impl AsRef<[u8]>) -> Scan<T> {
        self.scanning("SSCAN", Some(key.as_ref()))
    }

    /// The members of a sorted set and their scores, in no order (`ZSCAN`).
    pub fn zscan<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Scan<(T, f64)> {
        self.scanning("ZSCAN", Some(key.as_ref()))
    }

    fn scanning<T>(&self, verb: &'static str, key: Option<&[u8]>) -> Scan<T> {
        let key = key.map(|key| self.namespace().full(Bytes::copy_from_slice(key)));
        let client = self.clone_in_lane();
        Scan { client, verb, key, pattern: None, count: None, key_type: None, item: PhantomData }
    }
}

impl<T: ScanItem> Scan<T> {
    /// Only what matches a glob pattern.
    pub fn matching(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.pattern = Some(Bytes::copy_from_slice(pattern.as_ref()));
        self
    }

    /// About how much the server looks at for one answer. Default: its own, 10.
    pub fn count(mut self, n: u64) -> Self {
        self.count = Some(n);
        self
    }

    /// Only keys of this type: `string`, `list`, `set`, `zset`, `hash`, `stream`. Of
    /// [`Client::scan`] only.
    pub fn of_type(mut self, name: impl Into<String>) -> Self {
        self.key_type = Some(name.into());
        self
    }

    /// The items. After an error there are no more.
    ///
    /// # Errors
    /// As every command. A connection that breaks ends the iteration.
    pub fn stream(self) -> impl Stream<Item = Result<T, Error>> + Send + Unpin {
        let state = State {
            nodes: VecDeque::new(),
            cursor: Bytes::from_static(b"0"),
            items: VecDeque::new(),
            has_begun: false,
            scan: self,
        };
        Box::pin(stream::try_unfold(state, |mut state| async move {
            Ok(state.next().await?.map(|item| (item, state)))
        }))
    }

    fn pipeline(&self, cursor: &[u8]) -> Pipeline {
        let namespace = self.client.namespace();
        let pattern = match (&self.key, &self.pattern) {
            // Of all keys those of the namespace.
            (None, None) if namespace.is_empty() => None,
            (None, pattern) => Some(namespace.full(pattern.clone().unwrap_or("*".into()))),
            (Some(_), pattern) => pattern.clone(),
        };
        let count = self.count.map(|n| n.to_string());
        let mut args: Vec<&[u8]> = vec![self.verb.as_bytes()];
        args.extend(self.key.as_deref());
        args.push(cursor);
        args.extend(pattern.as_deref().into_iter().flat_map(|it| [b"MATCH", it]));
        args.extend(count.iter().flat_map(|it| [&b"COUNT"[..], it.as_bytes()]));
        args.extend(self.key_type.iter().flat_map(|it| [&b"TYPE"[..], it.as_bytes()]));
        let mut pipeline = Pipeline::new();
        pipeline.push(args.iter().copied());
        pipeline
    }
}

impl<T: ScanItem> State<T> {
    async fn next(&mut self) -> Result<Option<T>, Error> {
        if !self.has_begun {
            self.has_begun = true;
            self.nodes = self.first_nodes().await?;
        }
        loop {
            if T::WORDS <= self.items.len() {
                let words = self.items.drain(..T::WORDS).collect();
                let (namespace, is_key) = (self.scan.client.namespace(), self.scan.key.is_none());
                let name = |mut name| {
                    if is_key {
                        namespace.strip(&mut name);
                    }
                    name
                };
                return T::of(words, name).map(Some);
            }
            let Some(node) = self.nodes.front().cloned() else { return Ok(None) };
            self.read(node).await?;
            if self.cursor == "0" {
                self.nodes.pop_front();
            }
        }
    }

    async fn first_nodes(&self) -> Result<VecDeque<Option<Address>>, Error> {
        let masters = match self.scan.key {
            Some(_) => Vec::new(),
            None => self.scan.client.link().masters().await?,
        };
        Ok(match masters.is_empty() {
            true => VecDeque::from([None]),
            false => masters.into_iter().map(Some).collect(),
        })
    }

    async fn read(&mut self, node: Option<Address>) -> Result<(), Error> {
        let pipeline = self.scan.pipeline(&self.cursor);
        let shared = &self.scan.client.shared;
        let mut replies = match node {
            None => shared.send(pipeline).await?,
            Some(node) => {
                let link = self.scan.client.link();
                let mut borrowed = link.borrow_to(&node, shared.timeout).await?;
                let replies = borrowed.exchange(pipeline, shared.timeout).await?;
                borrowed.give_back();
                replies
            }
        };
        let reply = replies.pop().unwrap_or_else(|| Err(closed())).map_err(explained)?;
        let error = not("a cursor and a list", &reply);
        let mut parts = reply.into_array().unwrap_or_default().into_iter();
        let (Some(cursor), Some(items)) = (parts.next(), parts.next()) else { return Err(error) };
        self.cursor = Bytes::from_value(cursor)?;
        self.items.extend(Vec::<Value>::from_value(items)?);
        Ok(())
    }
}
