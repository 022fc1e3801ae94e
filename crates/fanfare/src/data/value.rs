//! Reading a value together with its version.

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Namespace, Value};
use serde::de::DeserializeOwned;

use super::Record;
use crate::Fanfare;

/// A value that a [`KeyValuePublisher`](super::KeyValuePublisher) wrote, and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Versioned {
    /// What is stored.
    pub payload: Bytes,
    /// Larger than those of all values of this key before. `None` if there is none, or none that a
    /// publisher can have written: somebody else wrote it.
    pub version: Option<u64>,
}

impl Versioned {
    /// The value as a type of the program's own.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not JSON or not a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Record::from_json(&self.payload)?.json()
    }
}

impl Fanfare {
    /// What a [`KeyValuePublisher`](crate::data::KeyValuePublisher) wrote at a key, with its version,
    /// both of one moment. `None` if there is nothing (any more).
    ///
    /// # Errors
    /// As [`command`](Self::command); what holds no string counts as nothing.
    ///
    /// # Example: new or old?
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let config = fanfare.data_publisher("key:config")?;
    /// config.publish_at("app:config", &[1]).await?;
    /// let first = fanfare.data_value("app:config").await?.expect("it is there");
    /// config.publish_at("app:config", &[2]).await?;
    /// let second = fanfare.data_value("app:config").await?.expect("it is there");
    /// assert!(first.version < second.version);
    /// assert_eq!(second.json::<Vec<u32>>()?, [2]);
    /// # Ok(()) }
    /// ```
    pub async fn data_value(&self, key: impl AsRef<[u8]>) -> Result<Option<Versioned>, Error> {
        let names = self.link().options().names();
        let [key, version] = both(names, key.as_ref());
        read(self.link().call(&[b"MGET", &key, &version]).await)
    }
}

/// A key and that of its version, as they are on the server.
pub(super) fn both(names: &Namespace, key: &[u8]) -> [Vec<u8>; 2] {
    let version = version_key(names, key);
    [names.full_slice(key).into_owned(), names.full_slice(&version).into_owned()]
}

/// The answer to an `MGET` of [`both`].
pub(super) fn read(reply: Result<Value, Error>) -> Result<Option<Versioned>, Error> {
    let odd = || Error::new(ErrorKind::Protocol, "the answer to MGET is not two values");
    let mut values = reply?.into_array().ok_or_else(odd)?.into_iter();
    let (Some(value), Some(version)) = (values.next(), values.next()) else {
        return Err(odd());
    };
    let version = version.as_str().and_then(|version| version.parse().ok());
    let payload = value.into_bytes();
    let version = version.filter(|version| *version <= VERSION_MAX);
    Ok(payload.map(|payload| Versioned { payload, version }))
}

/// The largest version: scripts count in floating point, which is exact up to here.
pub(super) const VERSION_MAX: u64 = (1 << 53) - 1;

/// Where the version of a key is, within the namespace. A key becomes a part in braces, as it is on the
/// server, so that both are in one slot; one that has a closing brace has mostly such a part already.
pub(super) fn version_key(names: &Namespace, key: &[u8]) -> Vec<u8> {
    if key.contains(&b'}') {
        return [key, b":version"].concat();
    }
    [b"{", &*names.full_slice(key), b"}:version"].concat()
}

#[cfg(test)]
mod tests {
    use fanfare_client::slot;

    use super::*;

    #[test]
    fn a_version_is_in_the_slot_of_its_key() {
        let names = Namespace::default();
        for (key, version) in [
            ("sensor:1", "{sensor:1}:version"),
            ("{user:7}:cart", "{user:7}:cart:version"),
            ("x}", "x}:version"),
        ] {
            let got = version_key(&names, key.as_bytes());
            assert_eq!(String::from_utf8_lossy(&got), version);
        }
        for key in ["sensor:1", "{user:7}:cart", "x}", "{", "ä"] {
            let got = version_key(&names, key.as_bytes());
            assert_eq!(slot(&got) == slot(key.as_bytes()), key != "x}", "{key}");
        }
    }
}
