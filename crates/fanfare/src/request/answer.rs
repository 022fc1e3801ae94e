//! What came back.

use bytes::Bytes;
use fanfare_client::Error;
use serde::de::DeserializeOwned;

use crate::{Head, Sealed};

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer(pub(super) Sealed);

impl Answer {
    /// The answer as a value.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if it is not JSON, or not a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.0.clone().open().map(|envelope| envelope.data)
    }

    /// The answer's bytes.
    pub fn payload(&self) -> &Bytes {
        self.0.body()
    }

    /// What is known about it: its id, time, content type, whatever the responder says.
    pub fn head(&self) -> &Head {
        self.0.head()
    }
}
