//! How values become bytes, and bytes values: forms, compression, redaction.

#[cfg(feature = "cbor")]
mod cbor;
mod compression;
mod data;
mod form;
pub(crate) mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod redaction;
#[cfg(feature = "zstd")]
mod zstd;

#[cfg(feature = "cbor")]
pub use cbor::Cbor;
pub use compression::{Algorithm, Compression};
pub use data::Data;
pub use form::{Codec, Raw, Text};
pub use json::Json;
#[cfg(feature = "msgpack")]
pub use msgpack::MsgPack;
pub use redaction::Redaction;

/// How deep values within values are read, as with JSON: deeper ones could take more stack than there is.
#[cfg(any(feature = "msgpack", feature = "cbor"))]
const DEPTH_MAX: usize = 128;

/// For a form that serde writes and reads: the way there, and the way back from whatever a handler is
/// called for.
#[cfg(any(feature = "msgpack", feature = "cbor"))]
macro_rules! serde_form {
    ($name:ident, $content_type:literal, $what:literal, $encode:path, $decode:path) => {
        impl<T: serde::Serialize + Send + Sync + 'static> $crate::Codec for $name<T> {
            type Value = T;

            const CONTENT_TYPE: &'static str = $content_type;

            fn encode(value: &T) -> Result<std::borrow::Cow<'_, [u8]>, fanfare_client::Error> {
                $encode(value).map(std::borrow::Cow::Owned)
            }
        }

        impl<T: serde::de::DeserializeOwned> $name<T> {
            pub(crate) fn read(
                bytes: &[u8],
                of: impl std::fmt::Display,
            ) -> Result<Self, fanfare_client::Error> {
                $decode(bytes).map(Self).map_err(|source| {
                    let kind = fanfare_client::ErrorKind::Decode;
                    let message = format!("what came from {of} is not the expected {}", $what);
                    fanfare_client::Error::new(kind, message).with_source(source)
                })
            }
        }

        impl<S, T: serde::de::DeserializeOwned + Send> $crate::Extract<S> for $name<T> {
            fn extract(
                message: &fanfare_client::Message,
                _state: &S,
            ) -> Result<Self, fanfare_client::Error> {
                Self::read(&message.payload, format_args!("channel {}", message.channel_name()))
            }
        }

        impl<S, T: serde::de::DeserializeOwned + Send> $crate::Extract<S, $crate::worker::Delivered>
            for $name<T>
        {
            fn extract(
                delivered: &$crate::worker::Delivered,
                _state: &S,
            ) -> Result<Self, fanfare_client::Error> {
                let (_, value) = delivered.value()?;
                Self::read(value, format_args!("entry {}", delivered.entry.id))
            }
        }

        impl<S, T: serde::de::DeserializeOwned + Send> $crate::Extract<S, $crate::Call>
            for $name<T>
        {
            fn extract(call: &$crate::Call, _state: &S) -> Result<Self, fanfare_client::Error> {
                Self::read(call.plain()?, call.source())
            }
        }
    };
}
#[cfg(any(feature = "msgpack", feature = "cbor"))]
use serde_form;

#[cfg(test)]
mod tests;
