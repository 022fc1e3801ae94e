//! Values as CBOR.

use fanfare_client::{Error, ErrorKind};
use serde::{Serialize, de::DeserializeOwned};

/// A value as CBOR ([RFC 8949](https://www.rfc-editor.org/rfc/rfc8949)). Structs are maps with the names of
/// their fields, so that fields can be added.
///
/// As [`Json`](crate::Json) it names the form of a [`Publisher`](crate::Publisher)'s payloads and of an
/// [`Envelope`](crate::Envelope)'s data, and is an argument of handlers. Values within values are read to a
/// depth of 128, as with JSON. Needs the feature `cbor`.
///
/// # Example: readings
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Cbor, Fanfare};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Reading { celsius: f64 }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let handler = async |Cbor(reading): Cbor<Reading>| assert_eq!(reading.celsius, 21.5);
/// let router = fanfare.router().channel("readings", handler).start().await?;
/// fanfare.publisher::<Cbor<Reading>>("readings").publish(&Reading { celsius: 21.5 }).await?;
/// assert_eq!(router.wait_finished(1).await.routes[0].handled, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cbor<T>(pub T);

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|source| {
        let message = "the value can not be written as CBOR";
        Error::new(ErrorKind::Encode, message).with_source(source)
    })?;
    Ok(bytes)
}

/// Reads a value, and nothing may follow it.
pub(super) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
) -> Result<T, ciborium::de::Error<std::io::Error>> {
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, super::DEPTH_MAX)?;
    if !rest.is_empty() {
        let message = format!("{} bytes follow the value", rest.len());
        return Err(ciborium::de::Error::Semantic(None, message));
    }
    Ok(value)
}

super::serde_form!(Cbor, "application/cbor", "CBOR", encode, decode);
