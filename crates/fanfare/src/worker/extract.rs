//! What a worker's handler may ask for as its arguments.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use serde::de::DeserializeOwned;

use crate::{
    Extract, Json, Raw, Text,
    stream::{Entry, StreamId},
    worker::Context,
};

/// An entry that a worker was given: what the arguments of a handler are [extracted](Extract) from.
///
/// These are: `Arc<`[`Entry`]`>`, [`Context`] and [`StreamId`]; [`Json`], [`Text`] and [`Raw`] of
/// an entry that has one field, as [`Stream::add_json`](crate::stream::Stream::add_json) makes it;
/// [`State`](crate::State); `Result<T, Error>` of any of them; the whole [`Delivered`]. A program
/// may add its own.
///
/// # Example: an extractor of its own
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Error, Extract, Fanfare, worker::Delivered};
///
/// struct Item(String);
///
/// impl<S> Extract<S, Delivered> for Item {
///     fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
///         delivered.entry.text("item").map(|text| Self(text.to_owned()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let orders = fanfare.stream("orders with items");
/// orders.add([("item", "tea"), ("amount", "3")]).await?;
/// let (sender, mut items) = tokio::sync::mpsc::unbounded_channel();
/// let worker = orders.group("billing").worker().spawn_with(
///     move |Item(item): Item| {
///         let _ = sender.send(item);
///         async {}
///     },
///     (),
/// )?;
/// assert_eq!(items.recv().await.as_deref(), Some("tea"));
/// worker.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivered {
    /// The entry.
    pub entry: Arc<Entry>,
    /// How often it was delivered, and whether it is still this worker's.
    pub context: Context,
    /// The stream's key, without the namespace.
    pub stream: Bytes,
    /// The group's name.
    pub group: Bytes,
}

impl Delivered {
    /// The value of the only field.
    pub(crate) fn value(&self) -> Result<(&str, &Bytes), Error> {
        let Self { entry, .. } = self;
        match &entry.fields[..] {
            [(name, value)] => Ok((std::str::from_utf8(name).unwrap_or("?"), value)),
            fields => {
                let (id, n) = (entry.id, fields.len());
                let message = format!(
                    "entry {id} has {n} fields, so there is no telling which is meant: ask for the \
                     whole entry"
                );
                Err(Error::new(ErrorKind::Decode, message))
            }
        }
    }

    fn undecodable(&self, field: &str, what: &str) -> Error {
        let message = format!("field {field:?} of entry {} is not {what}", self.entry.id);
        Error::new(ErrorKind::Decode, message)
    }
}

impl<S> Extract<S, Delivered> for Delivered {
    fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
        Ok(delivered.clone())
    }
}

impl<S> Extract<S, Delivered> for Arc<Entry> {
    fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
        Ok(delivered.entry.clone())
    }
}

impl<S> Extract<S, Delivered> for Context {
    fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
        Ok(delivered.context.clone())
    }
}

impl<S> Extract<S, Delivered> for StreamId {
    fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
        Ok(delivered.entry.id)
    }
}

impl<S, T: DeserializeOwned + Send> Extract<S, Delivered> for Json<T> {
    fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
        let (field, value) = delivered.value()?;
        serde_json::from_slice(value)
            .map(Self)
            .map_err(|source| delivered.undecodable(field, "the expected JSON").with_source(source))
    }
}

impl<S> Extract<S, Delivered> for Text {
    fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
        let (field, value) = delivered.value()?;
        std::str::from_utf8(value)
            .map(|text| Self(text.to_owned()))
            .map_err(|source| delivered.undecodable(field, "UTF-8 text").with_source(source))
    }
}

impl<S> Extract<S, Delivered> for Raw {
    fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
        delivered.value().map(|(_, value)| Self(value.clone()))
    }
}
