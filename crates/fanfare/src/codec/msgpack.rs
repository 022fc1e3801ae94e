//! Values as MessagePack.

use fanfare_client::{Error, ErrorKind};
use serde::{Serialize, de::DeserializeOwned};

/// A value as [MessagePack](https://msgpack.org): smaller and quicker than JSON, and as little tied to a
/// language. Structs are maps with the names of their fields, so that fields can be added.
///
/// As [`Json`](crate::Json) it names the form of a [`Publisher`](crate::Publisher)'s payloads and of an
/// [`Envelope`](crate::Envelope)'s data, and is an argument of handlers. Values within values are read to a
/// depth of 128, as with JSON. Needs the feature `msgpack`.
///
/// # Example: readings
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, MsgPack};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Reading { celsius: f64 }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let handler = async |MsgPack(reading): MsgPack<Reading>| assert_eq!(reading.celsius, 21.5);
/// let router = fanfare.router().channel("readings", handler).start().await?;
/// fanfare.publisher::<MsgPack<Reading>>("readings").publish(&Reading { celsius: 21.5 }).await?;
/// assert_eq!(router.wait_finished(1).await.routes[0].handled, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MsgPack<T>(pub T);

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    rmp_serde::to_vec_named(value).map_err(|source| {
        let message = "the value can not be written as MessagePack";
        Error::new(ErrorKind::Encode, message).with_source(source)
    })
}

/// Reads a value, and nothing may follow it.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(super::DEPTH_MAX);
    let value = T::deserialize(&mut deserializer)?;
    if !rest.is_empty() {
        let message = format!("{} bytes follow the value", rest.len());
        return Err(serde::de::Error::custom(message));
    }
    Ok(value)
}

super::serde_form!(MsgPack, "application/msgpack", "MessagePack", encode, decode);
