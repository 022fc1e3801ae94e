//! Values as JSON.

use fanfare_client::{Error, ErrorKind};
use serde::Serialize;

/// The value as JSON, or [`ErrorKind::Encode`].
pub(crate) fn encode(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| {
        Error::new(ErrorKind::Encode, "the value can not be written as JSON").with_source(source)
    })
}
